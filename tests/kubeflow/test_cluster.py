"""Reaching a cluster, and the workspace's claim there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.kubeflow.cluster import NotConfigured, connect, ensure_claim, is_configured, snapshot_claim
from gwas_core.kubeflow.kubernetes_api import NotFound
from gwas_core.kubeflow.settings import ClusterSettings
from tests.kubeflow.katib_server import NAMESPACE, KatibServer, storage_class

SETTINGS = ClusterSettings(namespace=NAMESPACE)


def test_nothing_says_where_a_cluster_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not is_configured()
    with pytest.raises(NotConfigured, match="set KUBECONFIG"):
        connect(SETTINGS)
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("clusters: [", encoding="utf-8")
    assert is_configured()
    with pytest.raises(NotConfigured, match="cannot be used"):
        connect(SETTINGS)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "not-there"))
    with pytest.raises(NotConfigured, match="cannot be used"):
        connect(SETTINGS)
    # In a pod whose token was not mounted.
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert is_configured()
    with pytest.raises(NotConfigured, match="token"):
        connect(SETTINGS)


def test_the_claim_is_created_once(server: KatibServer) -> None:
    server.storage_classes.append(storage_class("fast", "nfs.csi.k8s.io"))
    api = connect(SETTINGS)
    for size in ("5Gi", "9Gi"):
        ensure_claim(api, ClusterSettings(namespace=NAMESPACE, storage=size, storage_class="fast"))
    spec = api.get("persistentvolumeclaims", "gwas-workspace")["spec"]
    assert spec == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "5Gi"}},
        "storageClassName": "fast",
    }


def test_snapshots_are_taken_where_the_cluster_offers_them(server: KatibServer) -> None:
    api = connect(SETTINGS)
    assert snapshot_claim(api, SETTINGS, "quick-3") is None
    server.missing.remove("volumesnapshots")
    for _ in range(2):
        assert snapshot_claim(api, SETTINGS, "quick-3") == "quick-3"
    source = api.get("volumesnapshots", "quick-3")["spec"]["source"]
    assert source == {"persistentVolumeClaimName": "gwas-workspace"}
    with pytest.raises(NotFound):
        api.get("volumesnapshots", "quick-4")
