"""Kill -9 at random moments: no finished trial is lost, none is counted twice, nothing is left running."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from gwas_core.model.training import TrialResult
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.points import tried_points
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import AlgorithmSettings, make_sampler, suggest
from gwas_core.tuning.supervisor import MAXIMUM_CRASHES
from gwas_core.tuning.writer import ExperimentWriter
from tests import waiting
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import (
    WORKER,
    behaviours,
    processes_of,
    quick_experiment,
    quick_workspace,
    supervisor_of,
    wait_until,
    wait_until_gone,
)
from tests.waiting import hold_trials, release_trials

pytestmark = pytest.mark.usefixtures("quick_model")


@pytest.fixture
def engine(tmp_path: Path) -> LocalEngine:
    workspace, _ = quick_workspace(tmp_path)
    return LocalEngine(workspace)


def dataset_of(engine: LocalEngine) -> str:
    (directory,) = engine.store.workspace.datasets.iterdir()
    return directory.name


def attempts(record: ExperimentRecord) -> int:
    """How often any trial was begun."""
    return sum(trial.attempts for trial in record.trials)


def finished(record: ExperimentRecord) -> dict[int, TrialRecord]:
    """The finished trials, all that is known of them, by number."""
    return {trial.number: trial for trial in record.trials if trial.state.is_finished()}


@pytest.mark.parametrize("seed", [1, 2])
def test_supervisor_killed_at_random_moments(engine: LocalEngine, seed: int) -> None:
    moments = random.Random(seed)
    workspace = engine.store.workspace
    experiment = quick_experiment(dataset_of(engine), max_trials=14, fixed={"epochs": 2, "epoch_seconds": 0.1})
    targets = (0, *sorted(moments.sample(range(1, 9), 2)))
    # So many more may finish until the kill: it then hits a search that is at work, however slow this test is.
    hold_trials(workspace.root, targets[0] + 2)
    record = engine.start(experiment)
    # Before its first worker is there, and twice while trials begin and end; once all its
    # processes at the same time, as by a power cut.
    for everyone, target in zip((False, True, False), targets, strict=True):
        hold_trials(workspace.root, target + 2)
        wait_until(partial(engine.sync, "quick"), lambda record, target=target: record.finished_trials >= target)
        time.sleep(moments.uniform(0.0, 0.4))
        seen = finished(engine.sync("quick"))
        for process in [supervisor_of(workspace), *(processes_of(workspace) if everyone else [])]:
            process.kill()
        wait_until_gone(workspace)
        # Another process, such as a dashboard started after the machine, finds it so. A killed
        # process keeps its lock until the kernel has closed its files.
        engine = LocalEngine(workspace, store=Store(workspace))
        record = wait_until(partial(engine.sync, "quick"), lambda record: not record.state.is_active())
        assert record.state is ExperimentState.INTERRUPTED
        assert "resume goes on" in record.reason
        assert record.counts[TrialState.RUNNING] == 0
        assert engine.experiments()[0].counts == record.counts
        # What was finished stays exactly as it was.
        assert seen.items() <= finished(record).items()
        seen = finished(record)
        resumed = engine.resume("quick")
        assert seen.items() <= finished(resumed).items()
    release_trials(workspace.root)
    record = wait_until(partial(engine.sync, "quick"), lambda record: not record.state.is_active())
    check_complete(record)
    assert len(record.trials) == 14
    assert record.counts == {TrialState.SUCCEEDED: 14}
    assert seen.items() <= finished(record).items()
    assert record.final_evaluation.test_evaluations == 1
    # No point was tried twice.
    assert len({trial.parameters["penalty"] for trial in record.trials}) == 14
    wait_until_gone(workspace)


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_random_moments(engine: LocalEngine, seed: int) -> None:
    moments = random.Random(seed)
    workspace = engine.store.workspace
    experiment = quick_experiment(
        dataset_of(engine), max_trials=10, max_failed_trials=10, fixed={"epochs": 2, "epoch_seconds": 0.2}
    )
    # Four kills can fail four trials; with four that succeed, two of ten are left to be hit until the last kill.
    hold_trials(workspace.root, 3)
    record = engine.start(experiment)
    for _ in range(4):
        # A trial has been begun since the last kill, or the next is no kill at work.
        begun = attempts(record)
        record = wait_until(partial(engine.sync, "quick"), lambda record, begun=begun: attempts(record) > begun)
        time.sleep(moments.uniform(0.0, 0.4))
        seen = finished(engine.sync("quick"))
        # Any of them, or what they are forked from, which is the end of all. After that there is none for a moment.
        moments.choice(waiting.wait_until(lambda: processes_of(workspace, WORKER))).kill()
    release_trials(workspace.root)
    record = wait_until(partial(engine.sync, "quick"), lambda record: not record.state.is_active())
    check_complete(record)
    assert seen.items() <= finished(record).items()
    for trial in record.trials:
        # Once is forgiven, twice is a failure, and both are said.
        assert trial.attempts <= 2
        assert ("SIGKILL" in trial.reason) == (trial.attempts == 2)
        assert (trial.state is TrialState.FAILED) == ("twice" in trial.reason)
        assert trial.epochs == (2 if trial.state is TrialState.SUCCEEDED else trial.epochs)
    assert (record.baselines or {}).keys() >= {"mean", "gblup"} or "twice" in record.baselines_reason
    wait_until_gone(workspace)


def test_a_trial_that_kills_its_supervisor_again_and_again_is_given_up(engine: LocalEngine) -> None:
    """Each crash is written by a real writer that begins the trial and then is gone, as after kill -9."""
    store = engine.store
    store.create(quick_experiment(dataset_of(engine)))
    for crash in range(1, MAXIMUM_CRASHES + 1):
        writer = ExperimentWriter(store, "quick")
        number = writer.study.ask(writer.experiment.space.to_distributions()).number
        assert number == 0, "a trial that was put back is the next one again"
        writer.begin(number)
        assert take_over(store) == (TrialState.FAILED if crash == MAXIMUM_CRASHES else TrialState.INTERRUPTED)
    (trial,) = store.load("quick").trials
    assert trial.attempts == MAXIMUM_CRASHES
    assert f"interrupted {MAXIMUM_CRASHES} times" in trial.reason


def take_over(store: Store) -> TrialState:
    """Have a new writer take over; the state of trial 0 after that."""
    ExperimentWriter(store, "quick").take_over(maximum_crashes=MAXIMUM_CRASHES)
    return store.load("quick").trials[0].state


def test_killed_between_writing_an_outcome_and_telling_it(engine: LocalEngine) -> None:
    store = engine.store
    store.create(quick_experiment(dataset_of(engine)))
    writer = ExperimentWriter(store, "quick")
    for number in range(2):
        writer.study.ask(writer.experiment.space.to_distributions())
        writer.begin(number)
        writer.report(number, 1, 0.5)
    writer.write_outcome(0, Outcome(state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=0.5)))
    writer.write_outcome(1, Outcome(state=TrialState.PRUNED, reason="others were better"))
    assert store.load("quick").finished_trials == 0
    assert take_over(store) is TrialState.SUCCEEDED
    succeeded, pruned = store.load("quick").trials
    assert (succeeded.value, succeeded.attempts) == (0.5, 1)
    assert (pruned.state, pruned.value, pruned.reason) == (TrialState.PRUNED, 0.5, "others were better")


def test_half_suggested_trial_is_completed(engine: LocalEngine) -> None:
    """Killed while its parameters were being written, a trial gets the rest, under its number."""
    store = engine.store
    experiment = quick_experiment(dataset_of(engine), max_trials=2, fixed={})
    store.create(experiment)
    writer = ExperimentWriter(store, "quick")
    assert writer.study.ask().number == 0  # no parameters at all
    assert take_over(store) is TrialState.INTERRUPTED
    (Path(store.load("quick").directory) / "split.json").write_text(SPLIT, encoding="utf-8")
    engine.resume("quick")
    record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    check_complete(record)


SPLIT = '{"train": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "validation": [10, 11, 12, 13, 14], "test": [15, 16, 17, 18, 19]}'


def test_pid_of_a_dead_supervisor_means_nothing(engine: LocalEngine) -> None:
    """Liveness is a lock: a process that merely looks like a supervisor does not keep an experiment running."""
    store = engine.store
    store.create(quick_experiment(dataset_of(engine)))
    ExperimentWriter(store, "quick").set_status(ExperimentState.RUNNING)
    with psutil.Popen(["/bin/sleep", "20"]) as impostor:
        assert engine.sync("quick").state is ExperimentState.INTERRUPTED
        impostor.kill()


def test_the_point_of_a_trial_that_waits_is_taken(engine: LocalEngine) -> None:
    """A worker may die while the next trial is being suggested: that one must not get the dead one's point."""
    store = engine.store
    space = behaviours("good", "fails", "raises")
    store.create(quick_experiment(dataset_of(engine), space=space, algorithm=AlgorithmSettings(name="grid")))
    writer = ExperimentWriter(store, "quick")
    trial = suggest(writer.study, sampler=make_sampler("grid", space, seed=0), space=space)
    point = (trial.params["behaviour"],)
    writer.begin(trial.number)
    assert tried_points(writer.trials(), space) == {point}
    writer.put_back(trial.number, death=True)
    assert tried_points(writer.trials(), space) == {point}
