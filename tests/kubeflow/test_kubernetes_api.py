"""The Kubernetes API against a server that behaves as documented, faults included."""

from __future__ import annotations

from typing import Any

import pytest

from gwas_core.kubeflow import kubernetes_api as api_module
from gwas_core.kubeflow.cluster import connect
from gwas_core.kubeflow.kubernetes_api import (
    Conflict,
    Invalid,
    KubernetesApi,
    NotAllowed,
    NotFound,
    NotInstalled,
    Unreachable,
)
from gwas_core.kubeflow.settings import ClusterSettings
from tests.kubeflow.katib_server import NAMESPACE, Fault, KatibServer


@pytest.fixture
def api(server: KatibServer) -> KubernetesApi:
    return connect(ClusterSettings(namespace=NAMESPACE))


def claim(name: str = "claim", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": labels},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def test_objects_are_created_read_changed_and_deleted(server: KatibServer, api: KubernetesApi) -> None:
    api.create("persistentvolumeclaims", claim(), dry_run=True)
    with pytest.raises(NotFound, match='"claim" not found'):
        api.get("persistentvolumeclaims", "claim")
    created = api.create("persistentvolumeclaims", claim())
    assert created["metadata"]["uid"]
    with pytest.raises(Conflict, match="already exists"):
        api.create("persistentvolumeclaims", claim())
    api.patch("persistentvolumeclaims", "claim", {"metadata": {"labels": {"colour": "blue"}}})
    assert api.get("persistentvolumeclaims", "claim")["metadata"]["labels"] == {"colour": "blue"}
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict, match="modified"):
        api.patch("persistentvolumeclaims", "claim", stale)
    api.delete("persistentvolumeclaims", "claim")
    api.delete("persistentvolumeclaims", "never-there")


def test_lists_come_in_pages_and_are_begun_again_when_they_expire(
    server: KatibServer, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "_PAGE", 2)
    for number in range(5):
        api.create("persistentvolumeclaims", claim(f"claim-{number}", parity=str(number % 2)))
    names = [entry["metadata"]["name"] for entry in api.list("persistentvolumeclaims")]
    assert names == [f"claim-{number}" for number in range(5)]
    odd = api.list("persistentvolumeclaims", labels={"parity": "1"})
    assert [entry["metadata"]["name"] for entry in odd] == ["claim-1", "claim-3"]

    listings = iter(range(100))

    def is_second_page(method: str, path: str) -> bool:
        return path.endswith("persistentvolumeclaims") and next(listings) == 1

    server.faults.append(Fault(status=410, match=is_second_page))
    assert len(api.list("persistentvolumeclaims")) == 5
    listings = iter(range(100))
    server.faults.extend(Fault(status=410) for _ in range(3))
    with pytest.raises(Unreachable, match="changed faster"):
        api.list("persistentvolumeclaims")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_errors_of_the_server_mean_that_nothing_is_known(server: KatibServer, api: KubernetesApi, status: int) -> None:
    server.faults.append(Fault(status=status))
    with pytest.raises(Unreachable, match=f"answers with an error \\({status}\\): made to fail"):
        api.get("experiments", "any")


def test_silence_means_that_nothing_is_known(
    server: KatibServer, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults.append(Fault(drop=True))
    with pytest.raises(Unreachable, match="does not answer"):
        api.get("experiments", "any")
    monkeypatch.setattr(api_module, "_ANSWER_SECONDS", 0.2)
    server.faults.append(Fault(delay=0.6))
    with pytest.raises(Unreachable, match="no answer in time"):
        api.get("experiments", "any")
    with server.outage(), pytest.raises(Unreachable, match="refused"):
        api.get("experiments", "any")
    with pytest.raises(NotFound):
        api.get("experiments", "any")
    # A slow answer is an answer.
    monkeypatch.setattr(api_module, "_ANSWER_SECONDS", 5.0)
    server.faults.append(Fault(delay=0.3))
    with pytest.raises(NotFound):
        api.get("experiments", "any")


@pytest.mark.parametrize("fault", [{"cut": 150}, {"garble": True}])
def test_half_an_answer_says_nothing(server: KatibServer, api: KubernetesApi, fault: dict[str, Any]) -> None:
    # What a watch that is dropped would be to whoever watches: here the list is asked for, and asked for again.
    for number in range(5):
        api.create("persistentvolumeclaims", claim(f"claim-{number}"))
    server.faults.append(Fault(**fault))
    with pytest.raises(Unreachable, match=r"cut off|does not answer"):
        api.list("persistentvolumeclaims")
    # In the middle of its pages.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_module, "_PAGE", 2)
        listings = iter(range(100))
        server.faults.append(Fault(**fault, match=lambda method, path: next(listings) == 1))
        with pytest.raises(Unreachable, match=r"cut off|does not answer"):
            api.list("persistentvolumeclaims")
    assert len(api.list("persistentvolumeclaims")) == 5


def test_exchanged_credentials_are_read_anew(server: KatibServer, api: KubernetesApi) -> None:
    server.token = "second-token"
    server.write_kubeconfig()
    with pytest.raises(NotFound):
        api.get("experiments", "any")
    server.token = "one-that-nobody-told-us"
    with pytest.raises(NotAllowed, match="does not accept our credentials"):
        api.get("experiments", "any")


def test_what_may_not_be_and_what_is_not_known(server: KatibServer, api: KubernetesApi) -> None:
    server.denied = {("get", "experiments"), ("get", "pods/log")}
    with pytest.raises(NotAllowed, match="is forbidden"):
        api.get("experiments", "any")
    assert not api.may("get", "experiments", group="kubeflow.org")
    assert not api.may("get", "pods", subresource="log")
    assert api.may("list", "pods")
    with pytest.raises(NotInstalled, match="does not know this kind"):
        api.get("volumesnapshots", "any")
    with pytest.raises(Invalid, match="denied the request"):
        api.create("experiments", {"metadata": {"name": "empty"}, "spec": {}})
