"""What Katib's objects say: states, values, order and ends."""

from __future__ import annotations

import pytest

from gwas_core.kubeflow.katib_status import completion_message, read_trial, read_trials
from gwas_core.tuning.experiment import TrialState
from tests.kubeflow.katib_resources import experiment, trial


@pytest.mark.parametrize(
    ("kinds", "state", "words"),
    [
        ((), TrialState.WAITING, ""),
        (("Running",), TrialState.RUNNING, ""),
        (("Succeeded",), TrialState.SUCCEEDED, ""),
        (("Running", "EarlyStopped"), TrialState.PRUNED, "stopped early"),
        (("Failed",), TrialState.FAILED, "said so"),
        (("Killed",), TrialState.FAILED, "Katib killed it"),
        (("MetricsUnavailable",), TrialState.FAILED, "without reporting its metric"),
    ],
)
def test_states_of_trials(kinds: tuple[str, ...], state: TrialState, words: str) -> None:
    found = read_trial(trial("t", *kinds))
    assert found.state is state
    assert words in found.reason
    assert bool(found.reason) == bool(words)
    assert found.assignments == {"units": "32"}


@pytest.mark.parametrize(
    ("latest", "least", "value"),
    [
        ("0.5", "0.4", 0.4),
        ("0.5", "unavailable", 0.5),
        ("", "unavailable", None),
        ("unavailable", "unavailable", None),
        ("nan", "nan", None),
        ("1e400", "1e400", None),
    ],
)
def test_a_success_without_a_finite_objective_is_a_failure(latest: str, least: str, value: float | None) -> None:
    found = read_trial(trial("t", "Succeeded", latest=latest, least=least))
    assert found.value == value
    if value is None:
        assert found.state is TrialState.FAILED
        assert found.reason == "it ended without reporting a finite val_mean_absolute_error"


def test_what_is_maximised_is_shown_negative() -> None:
    assert read_trial(trial("t", "Succeeded", goal="maximize")).value == -0.9


def test_trials_come_in_the_order_of_suggestion() -> None:
    suggestion = {"status": {"suggestions": [{"name": "quick-b"}, {"name": "quick-a"}]}}
    trials = [trial("quick-z"), trial("quick-a"), trial("quick-b")]
    assert [katib_trial.name for katib_trial in read_trials(trials, suggestion)] == ["quick-b", "quick-a", "quick-z"]
    assert [katib_trial.name for katib_trial in read_trials(trials, None)] == ["quick-a", "quick-b", "quick-z"]


def test_endings() -> None:
    assert completion_message(experiment("Running")) is None
    assert completion_message(experiment("Running", "Succeeded")) == "said so"
    assert completion_message({"metadata": {"name": "quick"}}) is None
