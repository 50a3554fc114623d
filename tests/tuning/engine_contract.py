"""What every engine must do. Subclass ``EngineContract`` in an engine's test module and give it a ``bench``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.engine import Engine, watch
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import AlgorithmSettings
from tests.tuning.quick_experiments import behaviours, wait_until
from tests.waiting import LIMIT, hold_trials, release_trials


@dataclass(frozen=True)
class Bench:
    """An engine, the store it writes to, and a maker of experiments it can run.

    The maker takes what ``quick_experiments.quick_experiment`` takes, and knows the dataset.
    """

    engine: Engine
    store: Store
    experiment: Callable[..., Experiment]


def run(bench: Bench, experiment: Experiment) -> ExperimentRecord:
    """Start an experiment and wait for its end."""
    bench.engine.start(experiment)
    *_, last = watch(bench.engine, experiment.name, seconds=0.1)
    return last


def finished(record: ExperimentRecord) -> dict[int, float | None]:
    """Number and objective of the trials that are finished."""
    return {trial.number: trial.value for trial in record.trials if trial.state.is_finished()}


def check_complete(record: ExperimentRecord) -> None:
    """All trials are there, once, finished and with what belongs to them."""
    assert record.state is ExperimentState.SUCCEEDED, record.reason
    assert [trial.number for trial in record.trials] == list(range(record.experiment.max_trials))
    assert all(trial.state.is_finished() for trial in record.trials)
    for trial in record.trials:
        assert record.experiment.space.check(trial.parameters) == trial.parameters
        if trial.state is TrialState.SUCCEEDED:
            assert trial.value is not None
            assert math.isfinite(trial.value)
            assert trial.metrics["val_mean_absolute_error"] == trial.value
            assert (trial.directory / "metrics.jsonl").is_file()


class EngineContract:
    """The tests. ``bench`` is a fixture of the subclass."""

    def test_runs_to_its_end_with_all_trials_accounted_for(self, bench: Bench) -> None:
        experiment = bench.experiment(max_trials=5)
        started = bench.engine.start(experiment)
        assert started.state is ExperimentState.RUNNING
        assert started.experiment == experiment
        with pytest.raises(ExperimentError, match="already an experiment named quick"):
            bench.engine.start(experiment)
        with pytest.raises(ExperimentError, match="already running"):
            bench.engine.resume("quick")
        seen = list(watch(bench.engine, "quick", seconds=0.1))
        done = [record.finished_trials for record in seen]
        assert done == sorted(done), "finished trials may only become more"
        record = seen[-1]
        check_complete(record)
        assert record.best is not None
        assert record.best.value == min(trial.value for trial in record.trials if trial.value is not None)
        assert record.best.number == record.final_evaluation.trial
        assert record.final_evaluation.test_evaluations == 1
        assert record.final_evaluation.validation.mean_absolute_error == pytest.approx(record.best.value)
        assert {"mean", "gblup"} <= set(record.baselines)
        assert record.started is not None
        assert record.finished is not None
        assert record.started <= record.finished
        # Nothing left to do is said, and an end is an end.
        with pytest.raises(ExperimentError, match="not running: it is succeeded"):
            bench.engine.stop("quick")
        with pytest.raises(ExperimentError, match="extend it"):
            bench.engine.resume("quick")

        # Extended, it goes on where it was; the test lines are used again only for another best trial.
        extended = bench.engine.extend("quick", 3)
        assert extended.state is ExperimentState.RUNNING
        *_, longer = watch(bench.engine, "quick", seconds=0.1)
        check_complete(longer)
        assert longer.experiment.max_trials == 8
        assert finished(record).items() <= finished(longer).items()
        assert longer.final_evaluation.test_evaluations == (1 if longer.best.number == record.best.number else 2)
        assert longer.final_evaluation.trial == longer.best.number

    def test_stop_resume_and_extend_on_the_way(self, bench: Bench) -> None:
        root = bench.store.workspace.root
        hold_trials(root, 2)
        bench.engine.start(bench.experiment(max_trials=6))
        wait_until(lambda: bench.engine.sync("quick"), lambda record: record.finished_trials >= 2)
        stopped = bench.engine.stop("quick", wait=LIMIT)
        assert stopped.state is ExperimentState.STOPPED
        assert 2 <= stopped.finished_trials < 6
        assert stopped.counts[TrialState.RUNNING] == 0
        assert stopped.final_evaluation is None, "test lines are for the chosen model only"
        with pytest.raises(ExperimentError, match="not running"):
            bench.engine.stop("quick")
        resumed = bench.engine.resume("quick")
        assert resumed.state is ExperimentState.RUNNING
        assert finished(stopped).items() <= finished(resumed).items()
        extended = bench.engine.extend("quick", 1)
        assert extended.experiment.max_trials == 7
        release_trials(root)
        *_, last = watch(bench.engine, "quick", seconds=0.1)
        check_complete(last)
        assert len(last.trials) == 7
        assert finished(stopped).items() <= finished(last).items()
        # A trial that was stopped half-way was begun again under its number, with its parameters.
        before = {trial.number: trial for trial in stopped.trials if trial.state is TrialState.INTERRUPTED}
        assert all(last.trials[number].parameters == trial.parameters for number, trial in before.items())

    def test_the_last_failure_allowed_ends_it(self, bench: Bench) -> None:
        names = ("fails", "raises", "not_finite", "infinite")
        experiment = bench.experiment(
            space=behaviours(*names),
            algorithm=AlgorithmSettings(name="grid"),
            max_trials=20,
            max_failed_trials=3,
            parallel_trials=1,
        )
        record = run(bench, experiment)
        assert record.state is ExperimentState.FAILED
        assert record.counts == {TrialState.FAILED: 3}
        assert "3 trials failed, which is the limit" in record.reason
        assert all(trial.reason in record.reason or trial.reason for trial in record.trials)
        # Resumed, the failures before are forgiven; the fourth point is the last one there is.
        bench.engine.resume("quick")
        *_, last = watch(bench.engine, "quick", seconds=0.1)
        assert last.state is ExperimentState.FAILED
        assert len(last.trials) == 4
        assert "none of 4 trials succeeded" in last.reason

    def test_hopeless_trials_are_pruned(self, bench: Bench) -> None:
        experiment = bench.experiment(
            max_trials=6,
            parallel_trials=1,
            early_stopping=EarlyStoppingSettings(min_trials_required=1, start_step=2),
            fixed={"epochs": 4},
        )
        record = run(bench, experiment)
        check_complete(record)
        pruned = [trial for trial in record.trials if trial.state is TrialState.PRUNED]
        assert pruned, "the space holds penalties far too large"
        assert all(2 <= trial.epochs < 4 for trial in pruned)
        assert all("stopped early" in trial.reason for trial in pruned)
        assert all(trial.value is not None and trial.value > record.best.value for trial in pruned)

    def test_starts_what_was_created_before(self, bench: Bench) -> None:
        """Front ends create an experiment, put its papers into its folder, and then have it started."""
        experiment = bench.experiment(max_trials=1)
        bench.store.create(experiment)
        (bench.store.load("quick").directory / "papers.json").write_text("{}", encoding="utf-8")
        with pytest.raises(ExperimentError, match="already an experiment named quick"):
            bench.engine.start(bench.experiment(max_trials=2))
        check_complete(run(bench, experiment))
        assert (bench.store.load("quick").directory / "papers.json").is_file()

    def test_refuses_what_cannot_be(self, bench: Bench) -> None:
        for ask in (bench.engine.sync, bench.engine.stop, bench.engine.resume):
            with pytest.raises(ExperimentError, match="no experiment named nobody"):
                ask("nobody")
        with pytest.raises(ExperimentError, match="no experiment named nobody"):
            bench.engine.extend("nobody", 1)
        with pytest.raises(SettingsError) as refusal:
            bench.engine.start(bench.experiment(dataset="0" * 64))
        assert refusal.value.field == "dataset"
        with pytest.raises(ExperimentError, match="no experiment named quick"):
            bench.engine.sync("quick")
