"""Jobs of workers: what is sent is what is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import InputError
from gwas_core.tuning.jobs import BaselinesJob, CalibrationJob, FinalEvaluationJob, Job, TrialJob, job_message, read_job

VALUES = {"network": "hybrid", "epochs": 3, "rate": 1e-5, "whole": 2.0, "flag": True}


@pytest.mark.parametrize(
    "job",
    [
        TrialJob(hyperparameters=VALUES, directory=Path("/tmp/my {wörk} 100%"), xla="on", seed=2**31 - 1),
        CalibrationJob(hyperparameters=VALUES),
        BaselinesJob(threads=2),
        FinalEvaluationJob(trial=3, experiment_directory=Path("a"), trial_directory=Path("a/b")),
    ],
)
def test_a_job_survives_the_channel(job: Job) -> None:
    read = read_job(json.loads(json.dumps(job_message(job))))
    assert read == job
    assert type(read) is type(job)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_hyperparameters_arrive_to_the_last_digit(value: float) -> None:
    job = CalibrationJob(hyperparameters={"rate": value})
    read = read_job(json.loads(json.dumps(job_message(job))))
    assert isinstance(read, CalibrationJob)
    assert repr(read.hyperparameters["rate"]) == repr(value)


@pytest.mark.parametrize("message", [{}, {"job": "dance"}, {"job": "trial"}, {"job": "baselines", "threads": "two"}])
def test_anything_else_is_refused(message: dict[str, str]) -> None:
    with pytest.raises(InputError):
        read_job(message)
