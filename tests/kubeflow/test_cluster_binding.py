"""What ties an experiment of the store to one of Katib."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.kubeflow.cluster_binding import (
    ClusterBinding,
    find_binding,
    load_binding,
    load_own_binding,
    save_binding,
)
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.store import Store
from tests.tuning.quick_experiments import quick_experiment, quick_workspace

CLUSTER = ClusterSettings(namespace="team")
# As version 0.1 wrote it.
EARLIER = {
    "namespace": "team", "image": "deep-gwas-dashboard:0.1.0", "claim": "gwas-workspace", "mount_path": "/workspace",
    "storage": "5Gi", "storage_class": "", "service_account": "default-editor",
    "pipeline_host": "http://ml-pipeline.kubeflow.svc.cluster.local:8888", "trial_kind": "pipeline",
    "resume_policy": "LongRunning", "cpu": "2", "memory": "4Gi", "gpu": 0,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    workspace, dataset = quick_workspace(tmp_path)
    store = Store(workspace)
    store.create(quick_experiment(dataset=dataset, engine="kubeflow"))
    return store


def test_a_binding_is_written_and_read(store: Store) -> None:
    assert find_binding(store, "quick") is None
    with pytest.raises(ExperimentError, match="never started on a cluster"):
        load_binding(store, "quick")
    binding = ClusterBinding(cluster=CLUSTER, uid="u", limit=3).answered()
    save_binding(store, "quick", binding)
    assert load_own_binding(store, "quick") == binding


def test_a_binding_of_an_earlier_version_is_read(store: Store) -> None:
    stored = {
        "cluster": EARLIER, "uid": "u", "read_only": True, "names": {"learning-rate": "learning_rate"},
        "seen": "2026-03-01T12:00:00+00:00", "silent": 2, "next_try": "2026-03-01T12:00:08+00:00", "limit": 12,
        "snapshot": "quick-1",
    }  # fmt: skip
    store.storage.set_study_user_attr(store.study_id("quick"), "kubeflow", stored)
    binding = load_binding(store, "quick")
    assert binding.external_names == {"learning-rate": "learning_rate"}
    assert binding.may_ask()
    with pytest.raises(ExperimentError, match="made elsewhere"):
        load_own_binding(store, "quick")
    save_binding(store, "quick", binding)
    assert store.storage.get_study_user_attrs(store.study_id("quick"))["kubeflow"] == stored


def test_a_binding_of_a_later_version_is_read_as_far_as_it_is_known(store: Store) -> None:
    stored = {"cluster": EARLIER | {"nodes": 3}, "uid": "u", "colour": "blue"}
    store.storage.set_study_user_attr(store.study_id("quick"), "kubeflow", stored)
    assert load_binding(store, "quick").uid == "u"


def test_a_silent_cluster_is_asked_less_and_less_often() -> None:
    binding = ClusterBinding(cluster=CLUSTER)
    for seconds in (2, 4, 8, 16, 32, 60, 60, 60):
        before = datetime.now(UTC)
        binding = binding.not_answered(timedelta(seconds=2))
        wait = timedelta(seconds=seconds)
        assert before + wait <= datetime.fromisoformat(binding.next_try) <= datetime.now(UTC) + wait
    assert binding.silent == 8
    assert not replace(binding, next_try=(datetime.now(UTC) + timedelta(seconds=59)).isoformat()).may_ask()
    # So far away only once the clock was set back.
    assert replace(binding, next_try=(datetime.now(UTC) + timedelta(days=1)).isoformat()).may_ask()
    answered = binding.answered()
    assert answered.silent == 0
    assert answered.may_ask()
