"""A full disk: every command says so in a sentence, no trial is lost to it, and all goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gwas_core.errors import DiskError, ExperimentError, FailureKind, describe_unexpected
from gwas_core.files import atomic_path, has_room
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import make_split, save_split
from gwas_core.model.training import TrialResult
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import make_sampler, suggest
from gwas_core.tuning.writer import ExperimentWriter
from tests.commands.conftest import command_here
from tests.small_disk import fill, make_room, small_disk
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until, wait_until_gone
from tests.waiting import hold_trials, release_trials

pytestmark = pytest.mark.usefixtures("quick_model")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", megabytes=6) as folder:
        yield folder


def running(store: Store, dataset: str, name: str) -> None:
    """An experiment that was at work when its machine was switched off: one trial done, a bad one, one under way."""
    experiment = quick_experiment(dataset, name)
    split = make_split(Dataset.load(store.workspace.dataset_directory(dataset)), experiment.split)
    store.create(experiment, prepare=lambda directory: save_split(split, directory))
    writer = ExperimentWriter(store, name)
    writer.set_status(ExperimentState.RUNNING)
    for _ in range(2):
        number = writer.study.ask(writer.experiment.space.to_distributions()).number
        writer.begin(number)
    writer.finish(0, Outcome(state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=50.0)))


def test_every_command_says_it_in_a_sentence_and_works_once_there_is_room(disk: Path) -> None:
    workspace, dataset = quick_workspace(disk / "workspace")
    engine = LocalEngine(workspace)
    engine.start(quick_experiment(dataset, "done", max_trials=1))
    wait_until(lambda: engine.sync("done"), lambda record: not record.state.is_active())
    running(engine.store, dataset, "broken-off")
    running(engine.store, dataset, "at-work")
    here = command_here(workspace.root)
    table = disk / "lines.txt"
    rows = [f"line-{i}\t{i % 7}.5\t{i % 3}\t{i % 2}\t{(i * 7) % 3}" for i in range(60)]
    table.write_text("\n".join(["line\theight\tS1_1\tS1_2\tS1_3", *rows]) + "\n")
    tune = ("tune", table, "--name", "new", "--max-trials", "1", "--detach")
    fill(disk)
    with experiment_lock(workspace.experiment_directory("at-work")) as lock:
        assert lock.acquire()
        stopped = here("stop", "at-work")
    assert stopped.code == 1
    assert stopped.err.startswith("error: the disk is full: "), stopped.err
    for arguments in (
        ("status",),
        ("status", "broken-off"),
        ("trials", "broken-off"),
        ("resume", "broken-off", "--detach"),
        ("extend", "done", "--trials", "1", "--detach"),
        ("recover",),
        tune,
    ):
        answer = here(*arguments)
        assert "Traceback" not in answer.err, arguments
        assert answer.code in (0, 1), arguments
        # What only reads, works; what writes says why it does not.
        if answer.code:
            assert "disk is full" in answer.err, (arguments, answer)
            assert "invalid data" not in answer.err
    assert here("status").code == here("trials", "broken-off").code == 0
    assert "disk is full" in here("status", "broken-off").out
    assert [here(*arguments).code for arguments in (("resume", "broken-off", "--detach"), tune)] == [1, 1]

    make_room(disk)
    assert here(*tune).code == 0, "nothing is left of the attempt that failed"
    assert here("resume", "broken-off", "--detach").code == 0
    assert here("extend", "done", "--trials", "1", "--detach").code == 0
    for name in ("broken-off", "done"):
        record = wait_until(lambda name=name: engine.sync(name), lambda record: not record.state.is_active())
        assert record.state is ExperimentState.SUCCEEDED, (name, record.reason)
    assert engine.store.load("broken-off").trials[0].value == 50.0
    wait_until_gone(workspace)


def test_what_is_in_the_way_can_be_deleted(disk: Path) -> None:
    workspace, dataset = quick_workspace(disk / "workspace")
    store = Store(workspace)
    running(store, dataset, "large")
    (store.workspace.experiment_directory("large") / "model.keras").write_bytes(b"x" * 500_000)
    fill(disk)
    assert command_here(workspace.root)("delete", "large", "--yes").code == 0
    assert store.experiments() == ()
    assert has_room(disk)


def test_a_disk_that_fills_up_interrupts_the_search_and_fails_no_trial(disk: Path) -> None:
    workspace, dataset = quick_workspace(disk / "workspace")
    engine = LocalEngine(workspace)
    hold_trials(workspace.root, 2)
    engine.start(quick_experiment(dataset, max_trials=6))
    wait_until(lambda: engine.sync("quick"), lambda record: record.finished_trials >= 2)
    fill(disk)
    release_trials(workspace.root)
    record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    wait_until_gone(workspace)
    assert record.state is ExperimentState.INTERRUPTED
    assert not [trial.reason for trial in record.trials if trial.state is TrialState.FAILED]
    finished = {trial.number: trial for trial in record.trials if trial.state.is_finished()}
    make_room(disk)
    record = engine.sync("quick")
    assert record.state is ExperimentState.INTERRUPTED
    engine.resume("quick")
    record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    check_complete(record)
    assert record.counts == {TrialState.SUCCEEDED: 6}
    assert finished.items() <= {trial.number: trial for trial in record.trials}.items()
    wait_until_gone(workspace)


def test_a_trial_that_finds_no_room_is_begun_again_and_the_reason_says_so(tmp_path: Path) -> None:
    """Here the store has room, and the trial has not: what it says can be written."""
    workspace, dataset = quick_workspace(tmp_path / "workspace")
    engine = LocalEngine(workspace)
    engine.start(quick_experiment(dataset, max_trials=2, parallel_trials=1, fixed={"behaviour": "full_once"}))
    for number in range(2):
        record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
        assert record.state is ExperimentState.INTERRUPTED
        assert "disk is full" in record.reason
        assert [trial.state for trial in record.trials] == [TrialState.SUCCEEDED] * number + [TrialState.INTERRUPTED]
        assert "begun again: the disk was full" in record.trials[-1].reason
        engine.resume("quick")
    check_complete(wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active()))
    wait_until_gone(workspace)


def test_a_suggestion_that_the_store_does_not_take_fails_no_trial(tmp_path: Path) -> None:
    """Optuna makes the trial first and its parameters after; here the second half finds no place."""
    workspace, dataset = quick_workspace(tmp_path / "workspace")
    store = Store(workspace)
    store.create(quick_experiment(dataset))
    writer = ExperimentWriter(store, "quick")
    space, sampler = writer.experiment.space, make_sampler("random", writer.experiment.space, seed=0)
    with store.storage.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE trial_params RENAME TO elsewhere")
    with pytest.raises(ExperimentError, match="no such table"), store.using():
        suggest(writer.study, sampler=sampler, space=space)
    with store.storage.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO trial_params")
    assert store.load("quick").counts[TrialState.FAILED] == 0
    writer.take_over(maximum_crashes=5)
    trial = suggest(writer.study, sampler=sampler, space=space)
    assert trial.number == 0
    assert set(trial.params) == {"penalty"}


def test_whoever_writes_says_that_the_disk_is_full(disk: Path) -> None:
    (disk / "old.txt").write_text("old")
    fill(disk)
    refused = pytest.raises(DiskError, match=r"disk is full: .*old\.txt cannot be written")
    with refused as error, atomic_path(disk / "old.txt") as path:
        path.write_bytes(b"new" * 100_000)
    assert FailureKind.of(error.value) is FailureKind.DISK_FULL
    assert (disk / "old.txt").read_text() == "old"
    assert {path.name for path in disk.iterdir()} == {"old.txt", "filler"}
    _, dataset = quick_workspace(disk.parent / "elsewhere")
    whole = Dataset.load(disk.parent / "elsewhere" / "_datasets" / dataset)
    # numpy says of a full disk only how much it could write.
    with pytest.raises(DiskError, match="disk is full"):
        whole.save(disk / "datasets" / dataset)
    assert not (disk / "datasets" / dataset).exists()
    make_room(disk)
    whole.save(disk / "datasets" / dataset)
    assert "disk is full" in describe_unexpected(OSError(28, "No space left on device"))
