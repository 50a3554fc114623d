"""A store that is lost or damaged is rebuilt from the experiments' folders, to the last digit."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError, FailureKind
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.refit import RefitResult
from gwas_core.model.training import TrialResult
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.folder_record import RECORD_FOLDER, FolderRecord
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import Refit
from gwas_core.tuning.recovery import recover
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.commands.conftest import command_here
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until, wait_until_gone

HASH = "0123456789abcdef" * 4
DATABASE = "_experiments.sqlite3"


def metrics(error: float) -> PredictionMetrics:
    return PredictionMetrics(
        lines=12,
        mean_absolute_error=error,
        root_mean_squared_error=2 * error,
        pearson=0.1 + 0.2,
        within_family_pearson=None,
    )


def made(store: Store, name: str) -> None:
    """An experiment with a trial in every state, baselines, a judgement, and an extension."""
    store.create(quick_experiment(HASH, name, fixed={"epochs": 3}))
    writer = ExperimentWriter(store, name)
    writer.set_status(ExperimentState.RUNNING)
    writer.set_calibration_failure("memory ran out")
    for _ in range(6):
        writer.begin(writer.study.ask(writer.experiment.space.to_distributions()).number, xla=True)
    for epoch, value in enumerate([0.9, 0.1 + 0.2, 1 / 3], start=1):
        writer.report(0, epoch, value)
    result = TrialResult(val_mean_absolute_error=0.1 + 0.2, best_epoch=2, epochs=3, validation=metrics(0.1 + 0.2))
    writer.finish(0, Outcome(state=TrialState.SUCCEEDED, result=result))
    writer.report(1, 1, 2.0)
    writer.finish(1, Outcome(state=TrialState.PRUNED, reason="others were better"))
    writer.finish(2, Outcome(state=TrialState.FAILED, reason="no luck: Füße", failure=FailureKind.OUT_OF_MEMORY))
    writer.put_back(3, death=True, reason="begun again: its worker died")
    writer.put_back(4, crash=True, reason="begun again: the experiment was interrupted")
    writer.begin(4, xla=False)
    writer.set_baselines({"mean": BaselineMetrics(validation=metrics(1.0), test=metrics(1.5), variance={"ratio": 2.0})})
    writer.add_final_evaluation(0, validation=metrics(0.5), test=metrics(0.75))
    writer.set_refit(Refit(trial=0, result=RefitResult(lines=60, judged_lines=36, epochs=2, seed=7, seconds=0.1 + 0.2)))
    writer.set_status(ExperimentState.STOPPED, "it was told to")
    store.add_trials(name, 3)
    store.set_engine_attribute(name, "notes", {"uid": "1"})


def deleted(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def emptied(file: Path) -> None:
    deleted(file)
    file.touch()


def truncated(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def overwritten(file: Path) -> None:
    deleted(file)
    file.write_bytes(b"this is not a database" * 1000)


@pytest.mark.parametrize("damage", [deleted, emptied, truncated, overwritten])
def test_all_that_was_there_is_there_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    for name in ("first", "second"):
        made(store, name)
    before = [store.load(name) for name in ("first", "second")]
    attributes = [store.storage.get_study_user_attrs(store.study_id(name)) for name in ("first", "second")]
    store.storage.engine.dispose()
    damage(tmp_path / DATABASE)

    here = command_here(tmp_path)
    told = here("status")
    assert "recover" in told.err
    assert "Traceback" not in told.err
    found = here("recover", "--json")
    assert found.code == 0, found.err
    assert [(entry["name"], entry["finished_trials"], entry["lost"]) for entry in found.json["experiments"]] == [
        ("first", 3, []),
        ("second", 3, []),
    ]
    # What was damaged is put aside, not deleted.
    assert bool(list(tmp_path.glob(f"{DATABASE}.damaged-*"))) == (damage in (truncated, overwritten))
    store = Store(workspace)
    assert [store.load(name) for name in ("first", "second")] == before
    again = [store.storage.get_study_user_attrs(store.study_id(name)) for name in ("first", "second")]
    assert again == attributes
    # Once more, there is nothing to do.
    assert recover(workspace).experiments == ()
    assert "recover" not in here("status").err


@pytest.mark.usefixtures("quick_model")
def test_a_recovered_search_goes_on(tmp_path: Path) -> None:
    workspace, dataset = quick_workspace(tmp_path)
    engine = LocalEngine(workspace)
    engine.start(quick_experiment(dataset, max_trials=3))
    before = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    check_complete(before)
    wait_until_gone(workspace)
    engine.store.storage.engine.dispose()
    deleted(tmp_path / DATABASE)
    assert [entry.is_recovered for entry in recover(workspace).experiments] == [True]
    engine = LocalEngine(workspace)
    assert engine.sync("quick") == before
    engine.extend("quick", 2)
    after = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    check_complete(after)
    assert after.trials[:3] == before.trials
    # A point that was tried before the store was lost is not tried again.
    assert len({trial.parameters["penalty"] for trial in after.trials}) == 5
    wait_until_gone(workspace)


def test_what_a_folder_without_a_record_has_lost_is_named(tmp_path: Path) -> None:
    """Versions before 0.3 kept everything but the trials' files in the store alone."""
    store = Store(Workspace(tmp_path))
    made(store, "older")
    trial = tmp_path / "older" / "trial-0000"
    trial.mkdir()
    for name in ("hyperparameters.json", "model.keras"):
        (trial / name).write_text("{}")
    shutil.rmtree(tmp_path / "older" / RECORD_FOLDER)
    made(store, "newer")
    store.storage.engine.dispose()
    deleted(tmp_path / DATABASE)
    here = command_here(tmp_path)
    assert "'newer', 'older'" in here("status").err
    answer = here("recover")
    assert answer.code == 1
    assert "newer: recovered with 3 finished trials" in answer.out
    assert "older: not recovered" in answer.out
    assert "a version before 0.3 wrote it" in answer.out
    assert "hyperparameters of 1 trial and network of 1 trial" in answer.out
    assert [entry.name for entry in Store(Workspace(tmp_path)).experiments()] == ["newer"]


def test_a_store_in_order_has_its_older_experiments_written_down(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    made(store, "older")
    before = store.load("older")
    shutil.rmtree(tmp_path / "older" / RECORD_FOLDER)
    assert command_here(tmp_path)("recover").code == 0
    store.storage.engine.dispose()
    deleted(tmp_path / DATABASE)
    assert recover(workspace).experiments[0].is_recovered
    assert Store(workspace).load("older") == before


def test_a_broken_experiment_is_read_from_its_folder(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    made(store, "broken")
    before = store.load("broken")
    store.storage.set_study_user_attr(store.study_id("broken"), "status", "nonsense")
    assert recover(workspace).experiments[0].is_recovered
    assert store.load("broken") == before


def test_trials_that_were_never_written_down_are_suggested_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    made(store, "gaps")
    before = store.load("gaps")
    (tmp_path / "gaps" / RECORD_FOLDER / "trial-0005.json").unlink()  # the last one
    (tmp_path / "gaps" / RECORD_FOLDER / "trial-0003.json").unlink()
    store.storage.engine.dispose()
    deleted(tmp_path / DATABASE)
    (found,) = recover(workspace).experiments
    assert "1 trial that had not ended" in found.lost[0]
    trials = Store(workspace).load("gaps").trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert trials[:3] == before.trials[:3]
    assert (trials[3].state, dict(trials[3].parameters)) == (TrialState.INTERRUPTED, {"epochs": 3})


def test_nothing_is_recovered_behind_the_back_of_a_process_at_work(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    made(store, "busy")
    store.storage.engine.dispose()
    overwritten(tmp_path / DATABASE)
    with experiment_lock(tmp_path / "busy") as lock:
        assert lock.acquire()
        with pytest.raises(ExperimentError, match="busy is being worked on"):
            recover(workspace)
    assert recover(workspace).experiments[0].is_recovered


def test_a_damaged_record_is_said_and_keeps_the_others(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    for name in ("damaged", "newer-format", "moved", "whole"):
        made(store, name)
    store.storage.engine.dispose()
    deleted(tmp_path / DATABASE)
    (tmp_path / "damaged" / RECORD_FOLDER / "trial-0001.json").write_text('{"number": 1, "sta')
    description = tmp_path / "newer-format" / RECORD_FOLDER / "experiment.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {"format": 99}))
    (tmp_path / "moved").rename(tmp_path / "renamed")
    found = {entry.name: entry for entry in recover(workspace).experiments}
    assert [name for name, entry in found.items() if entry.is_recovered] == ["whole"]
    assert "'trial-0001.json' is not readable as JSON: it is damaged" in found["damaged"].lost[0]
    assert "format 99" in found["newer-format"].lost[0]
    assert "rename the folder" in found["renamed"].lost[0]


def test_a_damaged_record_of_what_the_store_has_is_written_anew(tmp_path: Path) -> None:
    """It keeps neither the experiment from going on, nor others from coming back."""
    workspace = Workspace(tmp_path)
    store = Store(workspace)
    made(store, "here")
    made(store, "lost")
    store.storage.set_study_user_attr(store.study_id("here"), "Somebody.else", 1)
    store.storage.delete_study(store.study_id("lost"))
    status = tmp_path / "here" / RECORD_FOLDER / "status.json"
    whole = status.read_text()
    status.write_text('{"state": "run')
    ExperimentWriter(store, "here").complete_record()
    assert status.read_text() == whole
    status.write_text("")
    assert [entry.name for entry in recover(workspace).experiments if entry.is_recovered] == ["lost"]
    assert status.read_text() == whole


def test_any_text_can_be_recorded(tmp_path: Path) -> None:
    """Paths whose bytes are no UTF-8 are text with half characters, which the store takes too."""
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH))
    reason = "no file /home/\udcff/x: Füße"
    ExperimentWriter(store, "quick").set_status(ExperimentState.FAILED, reason)
    assert FolderRecord(tmp_path / "quick").attributes()["status"]["reason"] == reason
    assert store.load("quick").reason == reason.replace("\udcff", "?")


def test_the_folder_is_told_before_the_store(tmp_path: Path) -> None:
    """Whatever the store can lose was in the folder first: at any moment, the folder holds at least as much."""
    store = Store(Workspace(tmp_path))
    made(store, "quick")
    store.storage.engine.dispose()
    shutil.copytree(tmp_path / "quick", tmp_path / "copy")
    record = tmp_path / "quick" / RECORD_FOLDER
    status = json.loads((record / "status.json").read_text())
    assert status["state"] == "stopped"
    assert json.loads((record / "max_trials.json").read_text()) == 7
    trial = json.loads((record / "trial-0000.json").read_text())
    assert trial["value"] == 0.1 + 0.2
    assert trial["history"] == [[1, 0.9], [2, 0.1 + 0.2], [3, 1 / 3]]
    assert trial["attributes"]["outcome"]["finished"]
    assert trial["attributes"]["outcome"]["seconds"] >= 0
