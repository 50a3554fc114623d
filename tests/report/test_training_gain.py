"""Whether training helped is said in words, with what is not known said too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gwas_core.model.training import TrialResult
from gwas_core.report.training_gain import Start, training_gain, training_sentence
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import TrialRecord
from tests.report.example_records import trial


def trained(parameters: dict[str, Any] | None = None, **result: Any) -> TrialRecord:
    record = trial(0, state=TrialState.SUCCEEDED)
    result = {"val_mean_absolute_error": 0.49, **result}
    return replace(record, parameters={**record.parameters, **(parameters or {})}, result=TrialResult(**result))


def test_no_better_epoch_than_the_start() -> None:
    gain = training_gain(trained(best_epoch=0, initial_error=0.49))
    assert gain is not None
    assert (gain.start, gain.relative) == (Start.CLOSED_FORM, 0.0)
    said = training_sentence(gain)
    assert "training did not improve on the closed-form start" in said
    assert "validation lines" in said
    assert training_sentence(training_gain(trained(best_epoch=0))) == said, "also where the error was not recorded"


def test_a_better_epoch_says_by_how_much() -> None:
    gain = training_gain(trained(best_epoch=7, initial_error=0.5))
    assert gain is not None
    assert gain.relative == pytest.approx(0.02)
    said = training_sentence(gain)
    assert "from 0.5000 to 0.4900 (2.0% lower) by epoch 7" in said
    assert "While choosing, on the validation lines" in said
    assert "less than 0.1 % lower" in training_sentence(training_gain(trained(best_epoch=1, initial_error=0.4901)))


@pytest.mark.parametrize(
    ("parameters", "result", "words"),
    [
        ({}, {"best_epoch": 2}, "by how much was not recorded"),
        ({}, {}, "is not known"),
        ({"linear_start": "zero"}, {"best_epoch": 0}, "the start without effects"),
        ({"network": "tutorial"}, {"best_epoch": 2}, "started at random weights"),
    ],
)
def test_what_is_not_known_is_said(parameters: dict[str, Any], result: dict[str, Any], words: str) -> None:
    assert words in training_sentence(training_gain(trained(parameters, **result)))


def test_a_trial_that_did_not_succeed_has_no_gain() -> None:
    assert training_gain(trial(0, state=TrialState.FAILED)) is None
    assert "is not known" in training_sentence(None)
