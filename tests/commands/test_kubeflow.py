"""``pipeline`` and ``katib`` as a person types them."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from gwas_core.cli import main
from gwas_core.kubeflow.katib import katib_experiment
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.creation import describe_experiment
from gwas_core.tuning.demo import DEMO_FILE, read_demo
from gwas_core.tuning.space import PRESETS, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.kubeflow.katib_admission import admit, refused_settings
from tests.kubeflow.katib_server import NAMESPACE, KatibServer
from tests.kubeflow.pipelines_server import PipelinesServer
from tests.kubeflow.quick_cluster import on_this_cluster, quick_cluster
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("GWAS_KUBEFLOW_NAMESPACE", "alice")
    return tmp_path / "workspace"


@pytest.mark.parametrize("preset", PRESETS)
def test_render_is_the_experiment_of_every_other_way(
    preset: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["katib", "render", str(DEMO_FILE), "--name", "height", "--preset", preset, "--cpu", "3"]) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    assert refused_settings(admit(manifest)["spec"]) == ""
    experiment, _ = describe_experiment(
        read_demo()[0], name="height", source=DEMO_FILE.name, space=SearchSpace.preset(preset), engine="kubeflow"
    )
    assert manifest == katib_experiment(experiment, cluster=ClusterSettings(namespace="alice", cpu="3"))
    assert not workspace.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--name", "n" * 41], "at most 40 characters"),
        (["--namespace", "Alice"], "(setting: namespace)"),
        (["--algorithm", "hyperband"], "there is no algorithm"),
    ],
)
def test_render_refuses(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["katib", "render", str(DEMO_FILE), *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


def test_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "compile", "--out", str(tmp_path / "p.yaml"), "--image", "registry/gwas:2"]) == 0
    assert "registry/gwas:2" in (tmp_path / "p.yaml").read_text(encoding="utf-8")
    assert main(["pipeline", "compile", "--out", str(tmp_path / "p.txt")]) == 2


def test_submit_starts_the_pipeline_on_the_data_in_the_workspace(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GWAS_KUBEFLOW_MOUNT_PATH", str(workspace))
    started = threading.Event()
    with PipelinesServer(started=lambda run: started.set()) as server:
        command = ["pipeline", "submit", str(DEMO_FILE), "--pipeline-host", server.host, "--name", "first"]
        assert main([*command, "--set", "epochs=3"]) == 0
        assert started.wait(10)
        run = server.run("first")
    assert capsys.readouterr().out.strip() == run["run_id"]
    told = run["runtime_config"]["parameters"]
    assert told["hyperparameters"] == {"epochs": "3"}
    assert told["workspace"] == str(workspace)
    assert Workspace(workspace).dataset_directory(told["dataset"]).is_dir()


def test_submit_copies_the_data_to_a_claim_that_is_not_mounted_here(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cluster").mkdir()
    on_this_cluster(monkeypatch, tmp_path / "claim")
    started = threading.Event()
    with KatibServer(tmp_path / "cluster") as cluster, PipelinesServer(started=lambda run: started.set()) as server:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        command = ["pipeline", "submit", str(DEMO_FILE), "--pipeline-host", server.host, "--name", "first"]
        cluster.denied.add(("create", "pods"))
        assert main(command) == 1
        assert "pods is forbidden" in capsys.readouterr().err
        cluster.denied.clear()
        assert main(command) == 0
        assert started.wait(10)
        told = server.run("first")["runtime_config"]["parameters"]
        assert [path for method, path in cluster.requests if method == "DELETE"][-1].endswith("gwas-files-run-first")
    assert "to claim gwas-workspace" in capsys.readouterr().err
    here, there = (Workspace(root).dataset_directory(told["dataset"]) for root in (workspace, tmp_path / "claim"))
    names = sorted(path.name for path in here.iterdir())
    assert names
    assert [(there / name).read_bytes() for name in names] == [(here / name).read_bytes() for name in names]


@pytest.mark.parametrize("given", ["epochs", "=3", "epochs=many", "nothing=1"])
def test_hyperparameters_are_checked_before_anything_is_done(
    given: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", "run", str(DEMO_FILE), "--set", given]) == 2
    assert not workspace.exists()


@pytest.mark.parametrize(("name", "code"), [("steps", 1), ("../x", 2)])
def test_names_a_run_cannot_have(name: str, code: int, workspace: Path) -> None:
    assert main(["pipeline", "run", str(DEMO_FILE), "--name", name]) == code
    assert not workspace.exists()


def submit(workspace: Path, *options: str) -> int:
    return main(["katib", "submit", str(DEMO_FILE), "--name", "height", "--trial-kind", "job", *options])


def test_submit_creates_the_experiment_on_the_cluster_and_in_the_store(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cluster"
    folder.mkdir()
    monkeypatch.setenv("GWAS_KUBEFLOW_MOUNT_PATH", str(workspace))
    with KatibServer(folder) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        server.denied.add(("create", "experiments"))
        assert submit(workspace, "--namespace", NAMESPACE) == 1
        assert Store(Workspace(workspace)).experiments() == ()
        server.denied.clear()
        server.katib.close()  # nothing runs the trials: this is about beginning
        assert submit(workspace, "--namespace", NAMESPACE) == 0
        assert capsys.readouterr().out.strip() == "height"
        manifest = server.objects.get("experiments", "height")
    record = Store(Workspace(workspace)).load("height")
    assert record.experiment.engine == "kubeflow"
    assert manifest["metadata"]["annotations"]["deep-gwas-dashboard/dataset"] == record.experiment.dataset
    assert (record.directory / "experiment.json").is_file()
    assert (record.directory / "split.json").is_file()


def test_a_search_on_the_cluster_by_the_commands_of_every_search(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*command: str) -> Any:
        assert main([*command, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    def until(trials: int) -> None:
        wait_until(lambda: said("status", "height")["trials"]["succeeded"] >= trials)

    on_this_cluster(monkeypatch, workspace)
    tune = ["tune", str(DEMO_FILE), "--engine", "kubeflow", "--name", "height", "--max-trials", "90", "--detach"]
    with quick_cluster(tmp_path, monkeypatch, epoch_seconds=0.5) as server:
        with server.outage():
            assert main(tune) == 1
        assert "does not answer" in capsys.readouterr().err
        assert main([*tune, "--algorithm", "tpe", "--parallel-trials", "0"]) == 2
        assert said("status") == []
        capsys.readouterr()
        assert said(*tune, "--algorithm", "random")["state"] == "running"
        until(1)
        (entry,) = said("status")
        assert (entry["name"], entry["engine"], entry["state"]) == ("height", "kubeflow", "running")
        assert said("trials", "height")[0]["parameters"]["learning_rate"] > 0
        assert main(["delete", "height", "--yes"]) == 1, "it runs"
        stopped = said("stop", "height")
        assert stopped["state"] == "stopped"
        assert said("resume", "height", "--detach")["state"] == "running"
        until(stopped["trials"]["succeeded"] + 1)
        assert said("extend", "height", "--trials", "5", "--detach")["trials"]["max"] == 95
        assert said("stop", "height")["state"] == "stopped"
        assert main(["delete", "height", "--yes"]) == 0
        assert said("status") == []
        assert server.objects.get("experiments", "height") is None


def test_what_is_copied_to_a_claim_that_is_not_mounted_here_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_this_cluster(monkeypatch, tmp_path / "claim")
    (tmp_path / "claim").mkdir()
    with quick_cluster(tmp_path, monkeypatch, epoch_seconds=0.5):
        tune = ["tune", str(DEMO_FILE), "--engine", "kubeflow", "--name", "height", "--algorithm", "random"]
        assert main([*tune, "--detach"]) == 0
        assert "to claim gwas-workspace" in capsys.readouterr().err
        assert main(["stop", "height"]) == 0
