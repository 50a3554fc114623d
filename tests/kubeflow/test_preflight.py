"""Every check of the preflight, passed and failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gwas_core.kubeflow.cluster import connect, ensure_claim
from gwas_core.kubeflow.preflight import CheckStatus, check_lines, preflight
from gwas_core.kubeflow.settings import ClusterSettings
from tests.kubeflow.katib_server import NAMESPACE, Fault, KatibServer, storage_class

# Nobody listens at the usual address, so that Pipelines are looked for through the API server.
SETTINGS = ClusterSettings(namespace=NAMESPACE, pipeline_host="http://127.0.0.1:9", image="registry.example.org/gwas:1")


def statuses(settings: ClusterSettings = SETTINGS) -> dict[str, CheckStatus]:
    return {check.name: check.status for check in preflight(settings)}


def test_a_cluster_that_has_everything(server: KatibServer) -> None:
    checks = {check.name: check for check in preflight(SETTINGS)}
    assert list(checks) == [
        "Kubernetes API", "Katib", "Pipelines", "Metrics collection", "Permissions", "Shared storage", "Image",
    ]  # fmt: skip
    assert {check.status for name, check in checks.items() if name != "Image"} == {CheckStatus.OK}
    assert "v1.31.4" in checks["Kubernetes API"].sentence
    assert "v0.19.0" in checks["Katib"].sentence
    assert "2.17.0" in checks["Pipelines"].sentence
    # Whether nodes can pull an image shows only when they do.
    assert checks["Image"].status is CheckStatus.UNKNOWN
    lines, ok = check_lines(SETTINGS)
    assert ok
    assert lines[0].startswith("ok      Kubernetes API: ")


def without_label(server: KatibServer) -> None:
    server.namespace_labels.clear()


def without_storage(server: KatibServer) -> None:
    server.storage_classes[:] = [storage_class("standard", "ebs.csi.aws.com", default=True)]


def without_default_storage(server: KatibServer) -> None:
    server.storage_classes[:] = [storage_class("shared", "nfs.csi.k8s.io")]


def with_a_failed_pull(server: KatibServer) -> None:
    waiting = {"image": SETTINGS.image, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pod = {"kind": "Pod", "metadata": {"name": "earlier"}, "status": {"containerStatuses": [waiting]}}
    server.objects.add("pods", pod)


@pytest.mark.parametrize(
    ("name", "spoil", "sentence", "remedy"),
    [
        ("Katib", lambda server: server.missing.add("experiments"), "has no Katib", "install Katib"),
        ("Pipelines", lambda server: server.missing.add("ml-pipeline"), "no Pipelines API", "TRIAL_KIND=job"),
        ("Metrics collection", without_label, "not labelled", "kubectl label namespace team katib.kubeflow.org/"),
        ("Permissions", lambda server: server.denied.add(("create", "experiments")), "create experiments", "editor"),
        ("Shared storage", without_storage, "one node at a time", "such as NFS"),
        ("Shared storage", without_default_storage, "no default storage class; there are: shared", "STORAGE_CLASS"),
        ("Image", with_a_failed_pull, "could not pull", "minikube image load"),
    ],
)
def test_each_failure_has_its_remedy(
    server: KatibServer, name: str, spoil: Callable[[KatibServer], None], sentence: str, remedy: str
) -> None:
    spoil(server)
    checks = {check.name: check for check in preflight(SETTINGS)}
    assert checks[name].status is CheckStatus.FAILED
    assert sentence in checks[name].sentence
    assert remedy in checks[name].remedy
    assert [check.name for check in checks.values() if check.status is CheckStatus.FAILED] == [name]
    lines, ok = check_lines(SETTINGS)
    assert not ok
    assert f"        -> {checks[name].remedy}" in lines


def test_what_may_not_be_looked_at_is_not_known(server: KatibServer) -> None:
    server.denied = {("get", "namespaces"), ("list", "storageclasses"), ("get", "deployments")}
    found = statuses()
    assert found["Metrics collection"] is CheckStatus.UNKNOWN
    assert found["Shared storage"] is CheckStatus.UNKNOWN
    assert found["Katib"] is CheckStatus.OK


def test_the_claim_that_is_there_counts_more_than_storage_classes(server: KatibServer) -> None:
    api = connect(SETTINGS)
    ensure_claim(api, SETTINGS)
    server.storage_classes.clear()
    assert statuses()["Shared storage"] is CheckStatus.OK
    claim = server.objects.get("persistentvolumeclaims", SETTINGS.claim)
    assert claim is not None
    claim["status"]["phase"] = "Pending"
    assert statuses()["Shared storage"] is CheckStatus.UNKNOWN
    claim["spec"]["accessModes"] = ["ReadWriteOnce"]
    assert statuses()["Shared storage"] is CheckStatus.UNKNOWN


def test_a_job_needs_no_pipelines(server: KatibServer) -> None:
    server.missing.add("ml-pipeline")
    settings = ClusterSettings(namespace=NAMESPACE, trial_kind="job")
    assert statuses(settings)["Pipelines"] is CheckStatus.OK


def test_a_cluster_that_does_not_answer(server: KatibServer) -> None:
    with server.outage():
        (only,) = preflight(SETTINGS)
    assert only.name == "Kubernetes API"
    assert only.status is CheckStatus.FAILED
    assert "refused" in only.sentence
    # One check that breaks off says so; the others are made all the same.
    server.faults.append(Fault(status=500, match=lambda method, path: path.endswith("/namespaces/team")))
    found = statuses()
    assert found.pop("Metrics collection") is CheckStatus.UNKNOWN
    assert found["Shared storage"] is CheckStatus.OK


def test_no_cluster_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (only,) = preflight(SETTINGS)
    assert (only.name, only.status) == ("Cluster", CheckStatus.FAILED)
