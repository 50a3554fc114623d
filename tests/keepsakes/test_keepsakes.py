"""What earlier versions left opens, predicts and goes on with the figures that those versions printed."""

from __future__ import annotations

import json
import math
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.commands.conftest import Command, command, command_here
from tests.pages.conftest import OpenPage, components_found_once, open_page  # noqa: F401 - fixtures
from tests.pages.test_experiment import words

VERSIONS = sorted(Path(__file__).parent.glob("v*"))

# Figures that are read from files come out as they went in. Those that are computed again differ between machines: a
# network's sums of 32-bit floats in the seventh digit, ten times that for a figure of many steps.
READ, COMPUTED = 1e-12, 1e-5
# What is trained anew strays further with every step.
TRAINED = 1e-3


@pytest.fixture(params=VERSIONS, ids=lambda folder: folder.name)
def kept(request: pytest.FixtureRequest) -> Path:
    """The folder of one version."""
    folder: Path = request.param
    return folder


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """The workspace of a version, where the opened pages look for it."""
    with tarfile.open(kept / "workspace.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "workspace"


@pytest.fixture
def run(root: Path) -> Command:
    return command_here(root)


def differences(found: Any, kept: Any, *, tolerance: float = READ, where: str = "") -> list[str]:
    """What was kept and is not found so; newer versions may tell more."""
    if isinstance(kept, dict) and isinstance(found, dict):
        missing = [f"{where}.{key} is missing" for key in kept.keys() - found.keys()]
        return missing + [
            difference
            for key in kept.keys() & found.keys()
            for difference in differences(found[key], kept[key], tolerance=tolerance, where=f"{where}.{key}")
        ]
    if isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        return [
            difference
            for number, pair in enumerate(zip(found, kept, strict=True))
            for difference in differences(*pair, tolerance=tolerance, where=f"{where}[{number}]")
        ]
    if isinstance(kept, float) and isinstance(found, float):
        same = math.isclose(found, kept, rel_tol=tolerance, abs_tol=1e-12)
    elif where.endswith(".verdict"):  # a sentence: its words may change, and not what it says of whom
        same = _said(found) == _said(kept)
    elif where.endswith((".directory", ".bundle")):
        same = Path(found).name == Path(kept).name
    else:
        same = type(found) is type(kept) and found == kept
    return [] if same else [f"{where}: {found!r}, not {kept!r}"]


def _said(verdict: str) -> tuple[list[str], bool, list[str]]:
    """The figures in a verdict, whether it is good, and the models that it names."""
    models = ("GBLUP + family (REML)", "GBLUP (REML)", "Family mean", "Training mean")
    return re.findall(r"\d+\.\d", verdict), "does not beat" not in verdict, [name for name in models if name in verdict]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_there_are_keepsakes() -> None:
    assert VERSIONS


def test_experiments_list_as_before(run: Command, kept: Path) -> None:
    answer = run("status", "--json")
    assert answer.code == 0, answer.err
    assert not differences(answer.json, read(kept / "experiments.json"))


@pytest.mark.parametrize("name", ["finished", "stopped"])
def test_an_experiment_and_its_trials_read_as_before(run: Command, kept: Path, name: str) -> None:
    for what in ("status", "trials"):
        answer = run(what, name, "--json")
        assert answer.code == 0, answer.err
        assert not differences(answer.json, read(kept / f"{what}-{name}.json"))


def test_pages_open_on_them(open_page: OpenPage, root: Path) -> None:  # noqa: F811
    listed = open_page("pages/experiments.py")
    assert {"finished", "stopped"} <= {
        str(cell) for frame in listed.dataframe for cell in frame.value.to_numpy().ravel()
    }
    assert "height.txt.gz" in words(open_page("pages/data.py"))
    assert not open_page("pages/train.py").error
    for page in ("pages/machine_room.py", "pages/loci.py", "pages/answer.py"):
        for name in ("finished", "stopped", "evaluation-tuning"):
            app = open_page(page, experiment=name)
            assert not app.error, (page, name, words(app))
    assert [metric.value for metric in open_page("pages/machine_room.py", experiment="stopped").metric]


def test_the_page_of_the_model_shows_the_evaluation(open_page: OpenPage, root: Path, kept: Path) -> None:  # noqa: F811
    app = open_page("pages/answer.py", experiment="evaluation-tuning")
    result = read(kept / "evaluation.json")
    said = words(app)
    assert all(note in said for note in result["notes"])
    tables = [frame.value for frame in app.dataframe if "Figures" in frame.value.columns]
    assert len(tables) == 1
    assert f"{result['network']['pearson']:.3f}" in tables[0].iloc[0].to_string()


def test_a_bundle_predicts_as_before(run: Command, kept: Path, root: Path) -> None:
    for bundle in (kept / "finished.zip", root / "finished" / "finished-best.zip"):
        answer = run("predict", bundle, kept / "height.txt.gz", "--out", "again.csv")
        assert answer.code == 0, answer.err
        found, before = pd.read_csv(root / "again.csv"), pd.read_csv(kept / "predicted.csv")
        # Written with six digits.
        pd.testing.assert_frame_equal(found[before.columns], before, rtol=COMPUTED, atol=COMPUTED)


def test_a_bundle_is_made_again(run: Command, kept: Path, root: Path) -> None:
    answer = run("bundle", "finished", "--out", "again.zip", "--json")
    assert answer.code == 0, answer.err
    assert run("predict", "again.zip", kept / "height.txt.gz", "--out", "again.csv").code == 0
    before = pd.read_csv(kept / "predicted.csv")
    found = pd.read_csv(root / "again.csv")
    pd.testing.assert_frame_equal(found[before.columns], before, rtol=COMPUTED, atol=COMPUTED)


def test_an_evaluation_is_taken_up_and_tells_its_result(run: Command, kept: Path, root: Path) -> None:
    for name in ("space.yaml", "height.txt.gz"):
        shutil.copy(kept / name, root)
    begun = root / "_evaluations" / "evaluation"
    trained = sorted(begun.rglob("network-*.json"))
    assert trained
    moments = [path.stat().st_mtime_ns for path in trained]
    answer = run(
        "evaluate", "height.txt.gz", "--space", "space.yaml", "--name", "evaluation", "--trials", "2", "--seeds", "1",
        "--parallel", "1", "--seed", "0", "--xla", "off", "--tune-folds", "1-5", "--test-folds", "6-7", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    before = read(kept / "evaluation.json")
    # Sentences on the method are written anew, and may have found better words.
    assert len(answer.json["notes"]) == len(before.pop("notes"))
    assert not differences(answer.json, before, tolerance=COMPUTED)
    assert [path.stat().st_mtime_ns for path in trained] == moments


def test_spaces_load(kept: Path, root: Path, tmp_path: Path) -> None:
    space = SearchSpace.load(kept / "space.yaml")
    assert SearchSpace.load(kept / "space.json") == space
    assert Store(Workspace(root)).load("finished").experiment.space == space
    space.save(tmp_path / "again.json")
    assert read(tmp_path / "again.json") == read(kept / "space.json")


def test_a_stopped_search_goes_on_to_the_same_end(root: Path, kept: Path) -> None:
    run = command(root)
    assert run("resume", "stopped", "--json").code == 0
    trials = run("trials", "stopped", "--json").json
    finished = read(kept / "trials-stopped.json")[:3]
    assert not differences(trials[:3], finished)
    assert len(trials) == 5
    for trial in trials:
        for changing in ("started", "finished", "seconds", "attempts", "best_epoch"):
            del trial[changing]
    for found, before in zip(trials, read(kept / "trials-resumed.json"), strict=True):
        assert not differences(found["parameters"], before["parameters"], tolerance=1e-9)
        assert not differences(found["metrics"], before["metrics"], tolerance=TRAINED)
        assert (found["seed"], found["state"]) == (before["seed"], before["state"])
    before = read(kept / "status-resumed.json")
    again = run("status", "stopped", "--json").json
    assert again["state"] == before["state"] == "succeeded"
    assert again["best"]["trial"] == before["best"]["trial"]
    assert not differences(again["baselines"], before["baselines"], tolerance=COMPUTED)
