"""Median stopping, by cases worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from gwas_core.errors import SettingsError
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.early_stopping import EarlyStoppingSettings, MedianStop, is_worse_than_median, reported_values

# Means of the first two: 0.6, 0.8 and 1.0; their median is 0.8.
SUCCEEDED = [[0.7, 0.5, 0.1], [0.9, 0.7, 0.9], [1.1, 0.9]]


@pytest.mark.parametrize(
    ("values", "stopped"),
    [
        ([0.9, 0.85], True),
        ([0.9, 0.8], False),  # equal is not worse
        ([0.79, 2.0], False),  # the best counts, not the last
        ([5.0], False),  # one report is too early
        ([], False),
        ([0.9, 0.85, 0.81], True),  # also later
        ([0.9, 0.85, 0.5], False),
        ([math.nan, math.nan], True),
        ([math.nan, 0.7], False),
        ([math.inf, 0.9], True),
    ],
)
def test_a_trial_is_stopped_when_its_best_is_worse_than_the_median(values: list[float], stopped: bool) -> None:
    assert is_worse_than_median(values, SUCCEEDED, min_trials_required=3, start_step=2) is stopped


@pytest.mark.parametrize(
    ("succeeded", "stopped"),
    [
        (SUCCEEDED[:2], False),  # too few
        ([*SUCCEEDED[:2], []], False),  # one of three has reported nothing
        ([*SUCCEEDED[:2], [math.nan]], False),
        ([*SUCCEEDED[:2], [0.1]], True),  # a short trial counts with what it has: median 0.6
        # An even number: the median of 0.6, 0.8, 1.0 and 1.2 is 0.9.
        ([*SUCCEEDED, [1.2, 1.2]], False),
        # One diverged trial: the mean of the means, 250 000.6, would stop nobody; the median is 0.8.
        ([*SUCCEEDED[:2], [1e6, 1e6], [0.7, 0.7], [0.8, 0.8]], True),
    ],
)
def test_which_trials_the_median_is_taken_over(succeeded: list[list[float]], stopped: bool) -> None:
    assert is_worse_than_median([0.88, 0.85], succeeded, min_trials_required=3, start_step=2) is stopped


def study_with(direction: str, *trials: tuple[TrialState, list[float]]) -> optuna.Study:
    study = optuna.create_study(direction=direction)
    for state, values in trials:
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=values[-1] if state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
                intermediate_values=dict(enumerate(values, start=1)),
            )
        )
    return study


def test_katibs_defaults_in_a_study() -> None:
    early = [1.0, 0.9, 0.8, 0.7]  # mean 0.85
    study = study_with("minimize", *[(TrialState.COMPLETE, [*early, 0.1])] * 3)
    study.pruner = EarlyStoppingSettings().make_pruner()
    trial = study.ask()
    for epoch, (value, stopped) in enumerate([(0.99, False), (0.95, False), (0.9, False), (0.86, True)], start=1):
        trial.report(value, epoch)
        assert trial.should_prune() is stopped
    trial.report(0.85, 5)
    assert not trial.should_prune()


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING])
def test_only_trials_that_succeeded_count(state: TrialState) -> None:
    others = [(TrialState.COMPLETE, [0.5])] * 2
    pruner = MedianStop(min_trials_required=3, start_step=1)
    for third, stopped in ((state, False), (TrialState.COMPLETE, True)):
        study = study_with("minimize", *others, (third, [0.5]))
        trial = study.ask()
        trial.report(0.6, 1)
        assert pruner.prune(study, study.trials[trial.number]) is stopped


def test_maximising_turns_the_comparison_round() -> None:
    study = study_with("maximize", *[(TrialState.COMPLETE, [0.5, 0.7])] * 3)  # mean 0.6
    study.pruner = MedianStop(start_step=2)
    for values, stopped in (([0.2, 0.59], True), ([0.61, 0.1], False)):
        trial = study.ask()
        for epoch, value in enumerate(values, start=1):
            trial.report(value, epoch)
        assert trial.should_prune() is stopped


def test_reports_are_taken_in_the_order_of_their_epochs() -> None:
    trial = optuna.trial.create_trial(value=1.0, intermediate_values={3: 0.3, 1: 0.1, 2: 0.2})
    assert reported_values(trial) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "early_stopping"),
        ({"algorithm": "hyperband"}, "early_stopping.algorithm"),
        ({"algorithm": None}, "early_stopping.algorithm"),
        ({"min_trials_required": 0}, "early_stopping.min_trials_required"),
        ({"min_trials_required": 2.5}, "early_stopping.min_trials_required"),
        ({"min_trials_required": "many"}, "early_stopping.min_trials_required"),
        ({"start_step": "0"}, "early_stopping.start_step"),
        ({"start_step": True}, "early_stopping.start_step"),
        ({"start_step": -4}, "early_stopping.start_step"),
        ({"start_step": "9" * 5000}, "early_stopping.start_step"),
        ({"patience": 3}, "early_stopping.patience"),
    ],
)
def test_settings_katib_would_refuse_are_refused(values: Any, field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        from_json_values(EarlyStoppingSettings, values, name="early stopping", field="early_stopping")
    assert refusal.value.field == field
    assert len(str(refusal.value)) < 200


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(SettingsError) as refusal:
        EarlyStoppingSettings(start_step=10**5000)
    assert refusal.value.field == "early_stopping.start_step"
    assert len(str(refusal.value)) < 200


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_settings_survive_being_written(trials: int, step: int) -> None:
    chosen = EarlyStoppingSettings(min_trials_required=trials, start_step=step)
    assert from_json_values(EarlyStoppingSettings, to_json_values(chosen), name="early stopping") == chosen


def test_defaults_are_katibs() -> None:
    assert to_json_values(EarlyStoppingSettings()) == {
        "algorithm": "medianstop",
        "min_trials_required": 3,
        "start_step": 4,
    }
