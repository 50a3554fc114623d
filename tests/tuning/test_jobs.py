"""Jobs of workers and their answers: what is sent is what is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import InputError
from gwas_core.model.metrics import compute_metrics
from gwas_core.model.training import TrialResult
from gwas_core.tuning.jobs import (
    ANSWERS,
    JOBS,
    Answer,
    BaselinesJob,
    CalibrationJob,
    FinalEvaluationAnswer,
    FinalEvaluationJob,
    Job,
    PrunedAnswer,
    TrialAnswer,
    TrialJob,
)

METRICS = compute_metrics(np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0]))
VALUES = {"network": "hybrid", "epochs": 3, "rate": 1e-5, "whole": 2.0, "flag": True}


@pytest.mark.parametrize(
    "job",
    [
        TrialJob(trial=7, hyperparameters=VALUES, directory=Path("/tmp/my {wörk} 100%"), xla="on", seed=2**31 - 1),
        CalibrationJob(hyperparameters=VALUES),
        BaselinesJob(threads=2),
        FinalEvaluationJob(trial=3, experiment_directory=Path("a"), trial_directory=Path("a/b")),
    ],
)
def test_a_job_survives_the_channel(job: Job) -> None:
    read = JOBS.from_json_values(json.loads(json.dumps(JOBS.to_json_values(job))))
    assert read == job
    assert type(read) is type(job)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_hyperparameters_arrive_to_the_last_digit(value: float) -> None:
    job = CalibrationJob(hyperparameters={"rate": value})
    read = JOBS.from_json_values(json.loads(json.dumps(JOBS.to_json_values(job))))
    assert isinstance(read, CalibrationJob)
    assert repr(read.hyperparameters["rate"]) == repr(value)


@pytest.mark.parametrize("message", [{}, {"job": "dance"}, {"job": "trial"}, {"job": "baselines", "threads": "two"}])
def test_anything_else_is_refused(message: dict[str, str]) -> None:
    with pytest.raises(InputError):
        JOBS.from_json_values(message)


@pytest.mark.parametrize(
    "answer",
    [
        TrialAnswer(result=TrialResult(val_mean_absolute_error=1 / 3, best_epoch=2, validation=METRICS, xla=True)),
        PrunedAnswer(reason="stopped early"),
        FinalEvaluationAnswer(validation=METRICS, test=METRICS),
    ],
)
def test_an_answer_survives_the_channel(answer: Answer) -> None:
    assert ANSWERS.from_json_values(json.loads(json.dumps(ANSWERS.to_json_values(answer)))) == answer
