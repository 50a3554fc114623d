from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.report.card import metrics_table
from gwas_core.report.comparison import comparison
from gwas_core.report.estimate import remaining_seconds
from gwas_core.report.summary import summarise
from gwas_core.report.verdict import Outcome, experiment_verdict, verdict_sentence
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, FinalMetrics, TrialRecord
from tests.tuning.quick_experiments import quick_experiment

DRAW = "The network does not beat GBLUP (REML) on the test lines (the same error), nor any other baseline."
START = datetime(2026, 1, 1, tzinfo=UTC)


def judgement(error: float, pearson: float | None = 0.5) -> PredictionMetrics:
    return PredictionMetrics(
        lines=20,
        mean_absolute_error=error,
        root_mean_squared_error=error * 1.2,
        pearson=pearson,
        within_family_pearson=None,
    )


def trial(number: int, state: TrialState, *, seconds: float | None = None, value: float | None = None) -> TrialRecord:
    return TrialRecord(
        number=number,
        state=state,
        parameters={"penalty": 1.0},
        value=value,
        history=(),
        reason="",
        attempts=1,
        seed=number,
        result=None,
        started=START,
        finished=None if seconds is None else START + timedelta(seconds=seconds),
        directory=Path("trial"),
    )


def record(
    *trials: TrialRecord,
    network: float | None = None,
    state: ExperimentState = ExperimentState.RUNNING,
    **baselines: float,
) -> ExperimentRecord:
    """An experiment of 12 trials, 3 at a time."""
    evaluation = None
    if network is not None:
        evaluation = FinalMetrics(trial=0, validation=judgement(network), test=judgement(network))
    return ExperimentRecord(
        experiment=quick_experiment("0" * 64, max_trials=12, parallel_trials=3),
        state=state,
        reason="",
        trials=trials,
        baselines={
            name: BaselineMetrics(validation=judgement(error), test=judgement(error))
            for name, error in baselines.items()
        },
        baselines_reason="",
        calibration=None,
        final_evaluation=evaluation,
        started=START,
        finished=None,
        directory=Path("experiment"),
    )


@pytest.mark.parametrize(
    ("network", "baselines", "said"),
    [
        (None, {"mean": 1.0}, "No network has been judged on the test lines yet."),
        (0.5, {}, "No baseline could be computed, so there is nothing to compare the network with."),
        (
            0.45,
            {"mean": 1.0, "gblup": 0.5},
            "The network predicts the test lines better than the best baseline, GBLUP (REML) (10.0 % lower error).",
        ),
        (
            0.55,
            {"mean": 1.0, "gblup": 0.5},
            "The network does not beat GBLUP (REML) on the test lines (10.0 % higher error); it beats: Training mean.",
        ),
        (
            1.5,
            {"mean": 1.0},
            "The network does not beat Training mean on the test lines (50.0 % higher error), nor any other baseline.",
        ),
        # A draw is not a win.
        (0.5, {"gblup": 0.5}, DRAW),
    ],
)  # fmt: skip
def test_the_verdict_is_honest(network: float | None, baselines: dict[str, float], said: str) -> None:
    assert verdict_sentence(experiment_verdict(record(network=network, **baselines))) == said


def test_a_verdict_carries_its_facts() -> None:
    verdict = experiment_verdict(record(network=0.55, mean=1.0, gblup=0.5))
    assert (verdict.is_judged, verdict.is_better, verdict.strongest_baseline) == (True, False, "gblup")
    assert verdict.beaten == ("mean",)
    gblup, mean = verdict.contrasts
    assert (gblup.outcome, gblup.interval) == (Outcome.WORSE, None)
    assert gblup.difference == pytest.approx(0.05)
    assert gblup.relative == pytest.approx(0.1)
    assert mean.outcome is Outcome.BETTER
    assert experiment_verdict(record(network=0.4, mean=1.0, gblup=0.5)).is_better
    assert not experiment_verdict(record(mean=1.0)).is_judged


def test_the_comparison_is_sorted_by_error() -> None:
    rows = comparison(record(network=0.6, mean=1.0, gblup=0.5), "test")
    assert [row.title for row in rows] == ["GBLUP (REML)", "This network", "Training mean"]
    table = metrics_table(rows).splitlines()
    assert table[2] == "| GBLUP (REML) | 0.500 | 0.600 | 0.500 | – |"


def test_test_figures_belong_to_the_trial_that_was_judged() -> None:
    judged = trial(0, TrialState.SUCCEEDED, seconds=1, value=0.6)
    better = trial(1, TrialState.SUCCEEDED, seconds=1, value=0.5)
    assert summarise(record(judged, network=0.6)).to_dict()["best"]["test_mean_absolute_error"] == 0.6
    best = summarise(record(judged, better, network=0.6)).to_dict()["best"]
    assert best["trial"] == 1
    assert "test_mean_absolute_error" not in best


def test_time_left_is_a_range_once_two_trials_are_finished() -> None:
    finished = [trial(n, TrialState.SUCCEEDED, seconds=seconds) for n, seconds in enumerate((10, 20, 30))]
    assert remaining_seconds(record(finished[0])) is None
    # 9 left, 3 at a time: 3 rounds of 15 (lower quartile) to 25 (upper quartile) seconds.
    assert remaining_seconds(record(*finished)) == (45.0, 75.0)
    under_way = trial(3, TrialState.RUNNING)
    assert remaining_seconds(record(*finished, under_way)) == (37.5, 75.0)
    assert remaining_seconds(record(*finished, state=ExperimentState.STOPPED)) is None
    pruned = [trial(n, TrialState.PRUNED, seconds=1) for n in range(12)]
    assert remaining_seconds(record(*pruned)) == (0.0, 0.0)
