"""Clusters that ``KUBECONFIG`` points to, for as long as a test needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kubeflow.katib_server import NAMESPACE, KatibServer
from tests.tuning.quick_trial import MODEL


@contextmanager
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """One whose jobs run the real driver with the quick trial."""
    with _running(folder / "cluster", monkeypatch, {"GWAS_MODEL": MODEL}) as server:
        yield server


@contextmanager
def quick_cluster(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, epoch_seconds: float = 0.03
) -> Iterator[KatibServer]:
    """One with a stand-in for the driver, for tests of what happens around the trials; each has three epochs."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(Path(__file__).parent / "quick_python")
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment = {"PATH": path, "QUICK_SECONDS": str(epoch_seconds)}
    with _running(folder / "cluster", monkeypatch, environment) as server:
        yield server


def on_this_cluster(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    """Have the environment say that the workspace is the claim's, and that each trial is a job."""
    settings = {"NAMESPACE": NAMESPACE, "MOUNT_PATH": str(workspace), "TRIAL_KIND": "job"}
    for name, value in settings.items():
        monkeypatch.setenv(f"GWAS_KUBEFLOW_{name}", value)


def external_manifest(command: str, **changes: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c"], "args": [command]}
    job = {"spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}}
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 1,
        "maxTrialCount": 3,
        "maxFailedTrialCount": 3,
        "parameters": [
            {
                "name": "learning-rate",
                "parameterType": "double",
                "feasibleSpace": {"min": "0.001", "max": "0.1"},
            }
        ],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [{"name": "rate", "reference": "learning-rate"}],
            "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", **job},
        },
    }
    metadata = {"name": "theirs", "namespace": NAMESPACE}
    return {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": metadata, "spec": spec | changes}


@contextmanager
def _running(folder: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Iterator[KatibServer]:
    folder.mkdir()
    with KatibServer(folder, environment=dict(environment)) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        yield server
