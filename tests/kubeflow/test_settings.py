"""Where on a cluster an experiment runs: checked, kept, read from the environment."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gwas_core.errors import SettingsError
from gwas_core.kubeflow import settings as module
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from gwas_core.serialization import from_json_values, to_json_values

UNUSUAL = ClusterSettings(
    namespace="kubeflow-user-example-com",
    image="registry.example.org:5000/team/gwas@sha256:0123456789abcdef",
    claim="data.volume",
    mount_path="/home/jovyan/work_1",
    storage="20Gi",
    storage_class="nfs-client",
    service_account="runner",
    pipeline_host="https://pipelines.example.org/pipeline",
    trial_kind="job",
    resume_policy="FromVolume",
    cpu="1.5",
    memory="512Mi",
    gpu=2,
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in fields(ClusterSettings):
        monkeypatch.delenv(ENVIRONMENT_PREFIX + field.name.upper(), raising=False)
    monkeypatch.setattr(module, "_POD_NAMESPACE", tmp_path / "namespace")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespace", "Mine"),
        ("namespace", "a" * 64),
        ("namespace", "a;b"),
        ("image", "gwas image"),
        ("image", ""),
        ("claim", "../claim"),
        ("mount_path", "workspace"),
        ("mount_path", "/work space"),
        ("mount_path", "/work/../etc"),
        ("mount_path", "/$(id)"),
        ("mount_path", "/"),
        ("storage", "5"),
        ("storage", "0Gi"),
        ("storage_class", "A b"),
        ("service_account", ""),
        ("pipeline_host", "ml-pipeline:8888"),
        ("pipeline_host", "http://a b"),
        ("trial_kind", "pod"),
        ("resume_policy", "Always"),
        ("cpu", "two"),
        ("cpu", "-1"),
        ("memory", "4"),
        ("memory", 4),
        ("gpu", -1),
        ("gpu", "1"),
        ("gpu", True),
    ],
)
def test_refuses(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as refusal:
        ClusterSettings(**{name: value})
    assert refusal.value.field == name


def test_dictionary_and_environment_give_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_json_values(ClusterSettings, to_json_values(UNUSUAL), name="cluster") == UNUSUAL
    for name, value in UNUSUAL.to_environment().items():
        monkeypatch.setenv(name, value)
    assert ClusterSettings.from_environment() == UNUSUAL


def test_environment_without_anything_is_the_default(tmp_path: Path) -> None:
    assert ClusterSettings.from_environment() == ClusterSettings()
    (tmp_path / "namespace").write_text("alice\n", encoding="utf-8")
    assert ClusterSettings.from_environment() == ClusterSettings(namespace="alice")


def test_unknown_and_wrong_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no entry 'nodes'"):
        from_json_values(ClusterSettings, {"nodes": 3}, name="cluster")
    monkeypatch.setenv("GWAS_KUBEFLOW_GPU", "many")
    with pytest.raises(SettingsError, match="gpu"):
        ClusterSettings.from_environment()


@pytest.mark.parametrize(("cpu", "threads"), [("2", 2), ("1.5", 2), ("500m", 1), ("2500m", 3)])
def test_threads(cpu: str, threads: int) -> None:
    assert ClusterSettings(cpu=cpu).threads == threads
