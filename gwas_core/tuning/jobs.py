"""Jobs that a supervisor sends to its workers, and their answers: trial, timing, baselines, final evaluation, refit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gwas_core.model.calibration import Calibration
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.refit import RefitResult
from gwas_core.model.training import TrialResult
from gwas_core.serialization import TaggedRecords


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """Training of one trial; answered by a ``TrialAnswer`` or, if it was stopped early, a ``PrunedAnswer``.

    Attributes:
        trial: number of the trial.
        hyperparameters: all of them, searched and fixed.
        directory: folder for the trial's files.
        xla: whether training is compiled by XLA.
        seed: of the trial.
    """

    trial: int
    hyperparameters: Mapping[str, HyperparameterValue]
    directory: Path
    xla: Literal["on", "off"]
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class CalibrationJob:
    """Timing of a network with and without XLA; answered by a ``CalibrationAnswer``."""

    hyperparameters: Mapping[str, HyperparameterValue]


@dataclass(frozen=True, kw_only=True)
class BaselinesJob:
    """Evaluation of all baselines; answered by a ``BaselinesAnswer``."""

    threads: int


@dataclass(frozen=True, kw_only=True)
class FinalEvaluationJob:
    """Evaluation of the best trial on the test lines; answered by a ``FinalEvaluationAnswer``."""

    trial: int
    experiment_directory: Path
    trial_directory: Path


@dataclass(frozen=True, kw_only=True)
class RefitJob:
    """Training of the best trial's network on all lines; answered by a ``RefitAnswer``.

    Attributes:
        trial: number of the trial.
        trial_directory: folder of the trial's files.
        epochs: best epoch of the trial.
        seed: of the trial.
    """

    trial: int
    trial_directory: Path
    epochs: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrialAnswer:
    """Result of a trial that was trained to its end."""

    result: TrialResult


@dataclass(frozen=True, kw_only=True)
class PrunedAnswer:
    """Reason for which a trial was stopped early."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class CalibrationAnswer:
    """Timing of a network."""

    calibration: Calibration


@dataclass(frozen=True, kw_only=True)
class BaselinesAnswer:
    """Figures of the baselines, by their names."""

    baselines: Mapping[str, BaselineMetrics]


@dataclass(frozen=True, kw_only=True)
class FinalEvaluationAnswer:
    """Figures of the best trial on the validation and the test lines."""

    validation: PredictionMetrics
    test: PredictionMetrics


@dataclass(frozen=True, kw_only=True)
class RefitAnswer:
    """Result of a refit: the best trial's network was trained on all lines."""

    result: RefitResult


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """Report of a trial after an epoch; answered by an ``EpochAnswer``.

    Attributes:
        epoch: from 1.
        value: objective after this epoch, in the phenotype's unit.
    """

    epoch: int
    value: float


@dataclass(frozen=True, kw_only=True)
class EpochAnswer:
    """Answer to an ``EpochReport``: whether the trial is to be stopped early."""

    prune: bool


Job = TrialJob | CalibrationJob | BaselinesJob | FinalEvaluationJob | RefitJob
Answer = TrialAnswer | PrunedAnswer | CalibrationAnswer | BaselinesAnswer | FinalEvaluationAnswer | RefitAnswer

JOBS = TaggedRecords[Job](
    "job",
    {
        "trial": TrialJob,
        "calibrate": CalibrationJob,
        "baselines": BaselinesJob,
        "finalise": FinalEvaluationJob,
        "refit": RefitJob,
    },
    name="job",
)
"""Reader and writer of jobs."""

ANSWERS = TaggedRecords[Answer](
    "answer",
    {
        "trial": TrialAnswer,
        "pruned": PrunedAnswer,
        "calibrate": CalibrationAnswer,
        "baselines": BaselinesAnswer,
        "finalise": FinalEvaluationAnswer,
        "refit": RefitAnswer,
    },
    name="answer",
)
"""Reader and writer of answers."""
