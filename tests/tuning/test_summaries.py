"""The list of experiments reads only what changed, and always says what a fresh look would say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest

from gwas_core.engines.selection import Engines
from gwas_core.errors import FailureKind
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning import summaries
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.store import Store
from gwas_core.tuning.summaries import SummaryReader
from gwas_core.tuning.tables import Reader
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.counting import counted_statements
from tests.pages.made_stores import ERRORS, HASH, BaselineMetrics, begin, fail, judgement, mixed_store, succeed
from tests.pages.made_stores import MadeExperiment as Made
from tests.tuning.quick_experiments import quick_experiment

OF_TRIALS = ("trials", "trial_values", "trial_params", "trial_user_attributes")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Workspace(tmp_path / "workspace"))


def made(store: Store, name: str) -> Made:
    return Made(store=store, writer=ExperimentWriter(store, name), name=name)


def test_whatever_changes_the_list_is_what_a_fresh_look_says(store: Store) -> None:
    """Random changes by another process's store, each followed by a look through one that knows what was before."""
    random = np.random.default_rng(5)
    other = Store(store.workspace)  # as another process has it: nothing it writes passes through ours
    counter = iter(range(1000))
    states = [ExperimentState.STOPPED, ExperimentState.INTERRUPTED, ExperimentState.SUCCEEDED, ExperimentState.FAILED]

    def create(name: str) -> None:
        other.create(quick_experiment(HASH, name, max_trials=int(random.integers(1, 9))))

    def run_and_stop(name: str) -> None:
        experiment = made(other, name)
        experiment.writer.set_status(ExperimentState.RUNNING)
        compare()
        experiment.writer.take_over(maximum_crashes=5)
        compare()
        for _ in range(int(random.integers(0, 3))):
            succeed(experiment, *random.uniform(size=2).tolist())
            compare()
        fail(experiment, "no luck", FailureKind.UNKNOWN)
        compare()
        under_way = begin(experiment, 0.5)
        compare()
        if random.uniform() < 0.5:
            experiment.writer.put_back(under_way)
        experiment.writer.set_status(states[int(random.integers(len(states)))], "as it happens")
        for path in experiment.directory.glob("trial-*"):
            shutil.rmtree(path)  # a trial that was put back is begun again

    def extend(name: str) -> None:
        other.add_trials(name, int(random.integers(1, 50)))

    def add_baselines(name: str) -> None:
        error = float(random.uniform())
        found = {model: BaselineMetrics(validation=judgement(error), test=judgement(error)) for model in ERRORS}
        made(other, name).writer.set_baselines(found)

    def delete(name: str) -> None:
        other.delete(name)

    def replace(name: str) -> None:
        """Delete it and make another one, which may get the number of the old one."""
        other.delete(name)
        create(name)

    def compare() -> None:
        assert store.experiments() == SummaryReader(Reader(store.storage)).read()

    changes: list[Callable[[str], None]] = [run_and_stop, run_and_stop, extend, add_baselines, delete, replace]
    for _ in range(25):
        names = [summary.name for summary in store.experiments()]
        if len(names) < 3:
            create(f"made-{next(counter)}")
        else:
            changes[int(random.integers(len(changes)))](names[int(random.integers(len(names)))])
        compare()


def tables_read(statements: list[str]) -> set[str]:
    words = {word.strip('",()') for statement in statements for word in statement.split()}
    return words & set(OF_TRIALS)


def test_what_did_not_change_is_not_read_again(store: Store) -> None:
    mixed_store(store.workspace.root, ExperimentState.STOPPED)
    for number in range(20):
        store.create(quick_experiment(HASH, f"stopped-{number}"))
        ExperimentWriter(store, f"stopped-{number}").set_status(ExperimentState.STOPPED)
    before = store.experiments()
    with counted_statements() as statements:
        again = store.experiments()
    assert again is before, "what is drawn from it need not be drawn again"
    assert tables_read(statements) == {"trials"}, "their number and states, and nothing that belongs to them"

    ExperimentWriter(store, "stopped-7").set_status(ExperimentState.FAILED, "no luck")
    changed = store.experiments()
    assert [a.name for a, b in zip(changed, before, strict=True) if a is not b] == ["stopped-7"]


@pytest.mark.parametrize("most", [0, 20_000])
def test_trials_of_a_stopped_one_that_somebody_adds_are_noticed(
    store: Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Optuna's own tools, which open the same storage; also where there are more trials than are looked at."""
    monkeypatch.setattr(summaries, "_MOST_TRIALS", most)
    mixed_store(store.workspace.root, ExperimentState.STOPPED)
    assert store.experiments()[0].finished_trials == 4
    study = optuna.load_study(study_name="made", storage=Store(store.workspace).storage)
    study.add_trial(optuna.trial.create_trial(value=0.1))
    assert store.experiments()[0].best == (5, 0.1)


def test_a_running_one_is_read_again_when_a_trial_has_ended(store: Store) -> None:
    store.create(quick_experiment(HASH))
    running = made(Store(store.workspace), "quick")
    running.writer.set_status(ExperimentState.RUNNING)
    trial = begin(running, 0.5)
    before = store.experiments()
    running.writer.report(trial, 2, 0.4)
    assert store.experiments() is before, "epochs are not in the list"
    running.writer.finish(trial, Outcome(state=TrialState.PRUNED, reason="others were better"))
    assert store.experiments()[0].counts == {TrialState.PRUNED: 1}


def test_a_living_supervisor_spares_reading_its_trials(store: Store) -> None:
    running = mixed_store(store.workspace.root, ExperimentState.RUNNING)
    engines = Engines(store.workspace, store=store)
    assert store.experiments()[0].state is ExperimentState.RUNNING
    with experiment_lock(running.directory) as lock:
        assert lock.acquire()
        with counted_statements() as statements:
            (summary,) = engines.experiments()
    assert summary.state is ExperimentState.RUNNING
    assert tables_read(statements) == {"trials"}, "the states of its trials, and nothing that belongs to them"
    # Once it is gone, the experiment was interrupted.
    (summary,) = engines.experiments()
    assert summary.state is ExperimentState.INTERRUPTED
