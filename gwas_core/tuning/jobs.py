"""Jobs that a supervisor sends to its workers (trial, timing, baselines, final evaluation), as messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gwas_core.errors import InputError
from gwas_core.serialization import from_json_values, to_json_values


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """Training of one trial; answered by its ``TrialResult``.

    Attributes:
        hyperparameters: all of them, searched and fixed.
        directory: folder for the trial's files.
        xla: whether training is compiled by XLA.
        seed: of the trial.
    """

    hyperparameters: Mapping[str, Any]
    directory: Path
    xla: Literal["on", "off"]
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class CalibrationJob:
    """Timing of a network with and without XLA; answered by its ``Calibration``."""

    hyperparameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BaselinesJob:
    """Evaluation of all baselines; answered by their ``BaselineMetrics`` by name."""

    threads: int


@dataclass(frozen=True, kw_only=True)
class FinalEvaluationJob:
    """Evaluation of the best trial on the test lines; answered by ``PredictionMetrics`` by part of the split."""

    trial: int
    experiment_directory: Path
    trial_directory: Path


Job = TrialJob | CalibrationJob | BaselinesJob | FinalEvaluationJob

TRIAL, CALIBRATION, BASELINES, FINAL_EVALUATION = "trial", "calibrate", "baselines", "finalise"
"""Names of the jobs in messages."""

_KINDS: dict[str, type[Job]] = {
    TRIAL: TrialJob,
    CALIBRATION: CalibrationJob,
    BASELINES: BaselinesJob,
    FINAL_EVALUATION: FinalEvaluationJob,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def job_message(job: Job) -> dict[str, Any]:
    """Return a job as JSON values, with its name under ``job``."""
    return {"job": _NAMES[type(job)], **to_json_values(job)}


def read_job(message: Mapping[str, Any]) -> Job:
    """Return the job that a message describes.

    Raises:
        InputError: it describes none.
    """
    values = dict(message)
    kind = _KINDS.get(str(values.pop("job", "")))
    if kind is None:
        raise InputError(f"there is no job {message.get('job')!r}")
    return from_json_values(kind, values, name="job", error=InputError)
