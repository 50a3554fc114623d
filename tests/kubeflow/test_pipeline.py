"""The pipeline: what is compiled for a cluster, and a real run of it on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gwas_core.errors import SettingsError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.kubeflow.pipeline import ARTIFACTS, compile_pipeline, pipeline_name
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.model.bundle import open_bundle
from gwas_core.model.training import run_trial
from tests.waiting import LIMIT

CLUSTER = ClusterSettings(image="registry/gwas:1", claim="data", mount_path="/data", cpu="4", memory="8Gi", gpu=1)
STEPS = {
    "preprocessing": set(),
    "train": {"preprocessing"},
    "attribution": {"preprocessing", "train"},
    "manhattan-predicted": {"attribution"},
    "association": {"preprocessing"},
    "manhattan-observed": {"association"},
    "qq": {"association"},
    "bundle": {"preprocessing", "train", "manhattan-predicted", "manhattan-observed", "qq"},
}
OUTPUTS = {
    "preprocessing": {"prepared": "system.Dataset", "report": "system.HTML"},
    "train": {"model": "system.Model", "metrics": "system.Metrics"},
    "attribution": {"attributions": "system.Dataset"},
    "manhattan-predicted": {"plot": "system.HTML"},
    "association": {"associations": "system.Dataset", "metrics": "system.Metrics"},
    "manhattan-observed": {"plot": "system.HTML"},
    "qq": {"plot": "system.HTML"},
    "bundle": {"packed": "system.Artifact"},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "pipeline.yaml"
    compile_pipeline(path, CLUSTER)
    return path


@pytest.fixture(scope="module")
def compiled(package: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline and its platform's part."""
    pipeline, platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
    return pipeline, platform


def test_the_graph(compiled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tasks = compiled[0]["root"]["dag"]["tasks"]
    assert {name: set(task.get("dependentTasks", ())) for name, task in tasks.items()} == STEPS
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    assert cached == {"preprocessing"}
    # The key of the cache is the data's hash and the settings, not the trial.
    assert set(tasks["preprocessing"]["inputs"]["parameters"]) == {
        "workspace",
        "experiment",
        "dataset",
        "preprocessing",
        "split",
    }


def test_typed_outputs(compiled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    made = {
        name.removeprefix("comp-"): {
            output: entry["artifactType"]["schemaTitle"]
            for output, entry in component["outputDefinitions"]["artifacts"].items()
        }
        for name, component in compiled[0]["components"].items()
    }
    assert made == OUTPUTS


def test_containers(compiled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    executors = compiled[0]["deploymentSpec"]["executors"]
    assert len(executors) == len(STEPS)
    for name, executor in executors.items():
        container = executor["container"]
        assert container["image"] == "registry/gwas:1"
        assert "pip install" not in json.dumps(container)
        threads = {entry["name"]: entry["value"] for entry in container["env"]}["OMP_NUM_THREADS"]
        is_training = name == "exec-train"
        assert threads == ("4" if is_training else "1")
        resources = container["resources"]
        assert resources["resourceCpuRequest"] == ("4" if is_training else "500m")
        assert resources["resourceMemoryRequest"] == resources["resourceMemoryLimit"]
        assert ("accelerator" in resources) is is_training
        if is_training:
            assert resources["resourceMemoryRequest"] == "8Gi"
            assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
            assert resources["accelerator"]["resourceCount"] == "1"


def test_every_step_mounts_the_workspace(compiled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    executors = compiled[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    mounts = {name: [(m["constant"], m["mountPath"]) for m in entry["pvcMount"]] for name, entry in executors.items()}
    assert mounts == {f"exec-{name}": [("data", "/data")] for name in STEPS}


def test_each_component_calls_one_function(compiled: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for executor in compiled[0]["deploymentSpec"]["executors"].values():
        source = next(part for part in executor["container"]["command"] if "def " in part)
        assert source.count("steps.") == 1


def test_the_package_is_the_same_whenever_it_is_compiled(package: Path, tmp_path: Path) -> None:
    compile_pipeline(tmp_path / "again.yaml", CLUSTER)
    assert pipeline_name("soy", tmp_path / "again.yaml") == pipeline_name("soy", package)
    compile_pipeline(tmp_path / "other.yaml", ClusterSettings())
    assert pipeline_name("soy", tmp_path / "other.yaml") != pipeline_name("soy", package)
    with pytest.raises(SettingsError, match="yaml"):
        compile_pipeline(tmp_path / "pipeline.json", CLUSTER)


def test_a_real_run_equals_the_trial(tmp_path: Path) -> None:
    """``pipeline run``: every artifact, and the same network as ``run_trial`` trains from the same file and seed."""
    settings = SimulationSettings(
        families=4, lines_per_family=30, snps=80, polygenic_qtl=40, missing_fraction=0.03, seed=5
    )
    file = tmp_path / "height.txt.gz"
    write_table(simulate(settings), file)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    command = ["pipeline", "run", str(file), "--set", "epochs=2", "--seed", "9", "--xla", "off", "--split-seed", "2"]
    ended = subprocess.run(
        [sys.executable, "-m", "gwas_core", *command, "--out", str(tmp_path / "out"), "--json"],
        capture_output=True,
        text=True,
        env={**environment, "GWAS_WORKSPACE": str(tmp_path / "workspace")},
        timeout=LIMIT,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = json.loads(ended.stdout)
    assert set(said["artifacts"]) == set(ARTIFACTS.values())
    assert all(Path(path).stat().st_size for path in said["artifacts"].values())
    assert open_bundle(tmp_path / "out" / "bundle.zip").manifest.seeds == {"trial": 9}

    table = read_table(file)
    dataset, _ = make_dataset(table, guess_roles(table))
    prepared = preprocess(dataset, PreprocessingSettings()).dataset
    split = make_split(prepared, SplitSettings(seed=2))
    result = run_trial(
        prepared, split, {"epochs": 2}, tmp_path / "direct", report=lambda epoch, metrics: None, seed=9, xla="off"
    )
    assert said["val_mean_absolute_error"] == pytest.approx(result.val_mean_absolute_error, rel=1e-5)
    judged = json.loads((tmp_path / "workspace" / "_pipelines" / "height" / "result.json").read_text(encoding="utf-8"))
    assert judged["best_epoch"] == result.best_epoch


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    settings = SimulationSettings(families=2, lines_per_family=20, snps=40, polygenic_qtl=20, seed=5)
    file = tmp_path / "height.txt"
    write_table(simulate(settings), file)
    ended = subprocess.run(
        [sys.executable, "-m", "gwas_core", "pipeline", "run", str(file), "--validation-fraction", "0.01"],
        capture_output=True,
        text=True,
        env={**os.environ, "GWAS_WORKSPACE": str(tmp_path / "workspace")},
        timeout=LIMIT,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("error: step preprocessing failed: the validation part would get")
