"""The tutorial's notebook: what Kale makes of it, and what comes out of it."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gwas_core.kubeflow.settings import ClusterSettings
from tests.notebooks.jupyter_environment import REPOSITORY, jupyter_environment
from tests.waiting import LIMIT

NOTEBOOK = REPOSITORY / "notebooks" / "deep_gwas.ipynb"
# The first of these tests may have Jupyter to install.
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def programs() -> Path:
    return jupyter_environment()


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return content


def run(program: Path, *arguments: str, folder: Path) -> None:
    """Run a program as a person in Jupyter's terminal would; its words are the assertion's."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOSTNAME": "notebook-0",
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [str(program), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_it_is_kept_without_outputs(notebook: dict[str, Any]) -> None:
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) == 10
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


def test_every_cell_of_code_has_a_tag_and_words_before_it(notebook: dict[str, Any]) -> None:
    cells = notebook["cells"]
    explained: set[str] = set()
    for before, cell in itertools.pairwise(cells):
        if cell["cell_type"] == "code":
            assert before["cell_type"] == "markdown"
            assert cell["metadata"]["tags"], cell["id"]
            explained |= {tag for tag in cell["metadata"]["tags"] if f"`{tag}`" in "".join(before["source"])}
    steps = {"step:preprocessing", "step:train", "step:association", "step:plots"}
    assert explained == {"imports", "pipeline-parameters", "pipeline-metrics", *steps}


def test_its_image_and_volume_are_the_projects(notebook: dict[str, Any]) -> None:
    settings, kale = ClusterSettings(), notebook["metadata"]["kubeflow_notebook"]
    assert kale["base_image"] == settings.image
    assert [(volume["name"], volume["mount_point"]) for volume in kale["volumes"]] == [
        (settings.claim, settings.mount_path)
    ]


def test_kale_compiles_it(programs: Path, tmp_path: Path) -> None:
    run(programs / "kale", "--nb", str(NOTEBOOK), "--pipeline_name", "deep-gwas", folder=tmp_path)
    compiled = (tmp_path / ".kale" / "deep-gwas.pipeline.yaml").read_text(encoding="utf-8")
    pipeline, platform = yaml.safe_load_all(compiled)
    tasks = pipeline["root"]["dag"]["tasks"]
    assert {name: task.get("dependentTasks", []) for name, task in tasks.items()} == {
        "preprocessing-step": [],
        "train-step": ["preprocessing-step"],
        "association-step": ["preprocessing-step"],
        "plots-step": ["association-step"],
    }
    assert set(pipeline["root"]["inputDefinitions"]["parameters"]) == {
        "data_file", "network", "learning_rate", "batch_size", "epochs", "dropout_rate", "seed",
    }  # fmt: skip
    executors = pipeline["deploymentSpec"]["executors"]
    assert {executor["container"]["image"] for executor in executors.values()} == {ClusterSettings().image}
    # What the image has, and nothing else: a step must not install a stranger's package that is named like ours.
    commands = re.findall(r"pip install([^&]*)&&", json.dumps(executors))
    installed = {re.split("[<>=]", name)[0] for command in commands for name in re.findall("'([^' ]+)", command)}
    assert installed == {"kfp", "kubeflow-kale"}
    # Caches would be keyed by the file's name, not by what is in it.
    assert all(task.get("cachingOptions", {}).get("enableCache") is not True for task in tasks.values())
    for volume in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert volume["pvcMount"][0]["mountPath"] == ClusterSettings().mount_path
        assert volume["securityContext"]["runAsNonRoot"] is True


def test_it_runs_from_top_to_bottom(programs: Path, tmp_path: Path, notebook: dict[str, Any]) -> None:
    shutil.copy(NOTEBOOK, tmp_path)
    run(programs / "jupyter", "execute", "--inplace", NOTEBOOK.name, folder=tmp_path)
    executed = json.loads((tmp_path / NOTEBOOK.name).read_text(encoding="utf-8"))
    outputs = {cell["id"]: cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"}
    printed = {
        name: "".join("".join(output.get("text", "")) for output in made if output.get("name") == "stdout")
        for name, made in outputs.items()
    }
    complaints = [output["text"] for made in outputs.values() for output in made if output.get("name") == "stderr"]
    assert complaints == []
    error = float(printed["metrics"])
    errors = {line.split()[0]: float(line.split()[1]) for line in printed["baselines"].splitlines()}
    assert errors["network"] == pytest.approx(error, abs=1e-4)
    assert error < errors["mean"]
    assert "gblup" in errors
    pictures = ["".join(output["data"]["text/html"]) for output in outputs["plots"]]
    assert len(pictures) == 2
    # With plotly.js inside: Pipelines shows a step's report where nothing can be loaded.
    assert all("Plotly.newPlot" in picture and len(picture) > 1_000_000 for picture in pictures)
