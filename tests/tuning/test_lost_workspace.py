"""A workspace deleted under a running search: its processes notice, say so, and leave nothing running."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.tuning.engine import watch
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import SUPERVISOR_LOG, LocalEngine
from gwas_core.tuning.store import Store
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until, wait_until_gone
from tests.waiting import hold_trials

pytestmark = pytest.mark.usefixtures("quick_model")


def at_work(root: Path) -> LocalEngine:
    """A search that would go on for long."""
    workspace, dataset = quick_workspace(root)
    engine = LocalEngine(workspace)
    hold_trials(root, 1)
    engine.start(quick_experiment(dataset, max_trials=200, fixed={"epochs": 2, "epoch_seconds": 0.1}))
    wait_until(lambda: engine.sync("quick"), lambda record: record.finished_trials >= 1)
    return engine


@pytest.mark.parametrize("made_again", [False, True])
def test_a_deleted_workspace_ends_the_search_with_a_sentence(tmp_path: Path, made_again: bool) -> None:
    root = tmp_path / "workspace"
    engine = at_work(root)
    following = watch(engine, "quick", seconds=0.05)
    next(following)
    with (root / "quick" / SUPERVISOR_LOG).open() as log:  # which stays readable here, as everything that is open
        root.rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        if made_again:
            quick_workspace(root)
            Store(engine.workspace)
        wait_until_gone(engine.workspace)
        said = log.read()
    assert "was deleted or replaced while" in said
    # Whoever follows it, `tune` among others, ends with the sentence too.
    with pytest.raises(ExperimentError, match="was deleted or replaced while it was in use"):
        list(following)
    if made_again:
        assert Store(engine.workspace).experiments() == ()


def test_a_deleted_folder_of_the_experiment_interrupts_it(tmp_path: Path) -> None:
    engine = at_work(tmp_path)
    (tmp_path / "quick").rename(tmp_path / "_gone")
    wait_until_gone(engine.workspace)
    record = LocalEngine(engine.workspace).sync("quick")
    assert record.state is ExperimentState.INTERRUPTED
    assert "was deleted or replaced while the search was running" in record.reason


def test_a_deleted_database_is_noticed_and_recovered(tmp_path: Path) -> None:
    engine = at_work(tmp_path)
    for path in tmp_path.glob("_experiments.sqlite3*"):
        path.unlink()
    wait_until_gone(engine.workspace)
    said = (tmp_path / "quick" / SUPERVISOR_LOG).read_text()
    assert "_experiments.sqlite3 was deleted or replaced while it was in use" in said
