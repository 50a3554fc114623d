"""Experiments and trials as read from the store: plain values for pages, tables and JSON; the best trial.

Also here: what makes a trial the best, also of equals; durations and numbers of trials by state; time stamps as text
and back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from gwas_core.errors import FailureKind
from gwas_core.model.calibration import Calibration
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.refit import RefitResult
from gwas_core.model.training import OBJECTIVE, TrialResult
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.parallel_trials import ParallelTrials


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """Trial as the store holds it now.

    Attributes:
        number: from 0, in the order of suggestion; never used twice.
        parameters: all hyperparameters, searched and fixed. Some may be missing for the
            fraction of a second in which a trial is being suggested.
        value: the objective, of a trial that succeeded or was pruned (its last epoch then).
        history: (epoch from 1, objective) after each epoch of the latest attempt.
        reason: why it failed, was pruned, or is running again; empty if there is nothing to say.
        attempts: how often it was begun.
        result: what the trial function returned; None until the trial succeeded.
        failure: the kind of reason for which it failed; None unless it did.
        started: of the latest attempt.
        duration: of the latest attempt in seconds, by a clock that nobody sets; None if it was not measured.
        xla: whether training was compiled by XLA, which can change the last digits; None if it is not known.
        directory: folder of the trial's files.
    """

    number: int
    state: TrialState
    parameters: Mapping[str, HyperparameterValue]
    value: float | None
    history: tuple[tuple[int, float], ...]
    reason: str
    attempts: int
    seed: int | None
    result: TrialResult | None
    started: datetime | None
    finished: datetime | None
    directory: Path
    failure: FailureKind | None = None
    xla: bool | None = None
    duration: float | None = None

    @property
    def best_epoch(self) -> int | None:
        """Epoch (from 1) whose weights were kept, or that is best so far."""
        if self.result is not None and self.result.best_epoch is not None:
            return self.result.best_epoch
        return min(self.history, key=lambda entry: entry[1])[0] if self.history else None

    @property
    def epochs(self) -> int:
        """Number of epochs done."""
        return self.history[-1][0] if self.history else 0

    @property
    def seconds(self) -> float | None:
        """Duration of the latest attempt; None until it is finished, or if its times do not tell."""
        if self.duration is not None:
            return self.duration
        if self.started is None or self.finished is None:
            return None
        seconds = (self.finished - self.started).total_seconds()
        # Below zero, the clock was set back meanwhile.
        return seconds if seconds >= 0 else None

    @property
    def metrics(self) -> dict[str, float]:
        """Objective and other figures on the validation lines, by names that begin with ``val_``."""
        metrics: dict[str, float] = {} if self.value is None else {OBJECTIVE: self.value}
        if self.result is not None and self.result.validation is not None:
            for name, value in self.result.validation.figures().items():
                if value is not None and f"val_{name}" != OBJECTIVE:
                    metrics[f"val_{name}"] = value
        return metrics

    def to_dict(self) -> JsonObject:
        """Return the trial as JSON values with what is derived from it, without the history of its epochs.

        Returns:
            What ``trials --json`` prints; times are ISO 8601, ``seconds`` is the duration of the latest attempt.
        """
        return {
            "number": self.number,
            "state": self.state.value,
            "parameters": dict(self.parameters),
            "metrics": self.metrics,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "reason": self.reason,
            "failure": self.failure,
            "attempts": self.attempts,
            "seed": self.seed,
            "xla": self.xla,
            "started": iso(self.started),
            "finished": iso(self.finished),
            "seconds": self.seconds,
            "directory": str(self.directory),
        }


@dataclass(frozen=True, kw_only=True)
class FinalMetrics:
    """Figures of the best trial's network on the lines that it was not trained on.

    Attributes:
        trial: number of the trial.
        validation, test: figures on these parts of the split.
        test_evaluations: number of networks that were evaluated on the test lines so far: more than one once the
            search was extended and found a better one.
    """

    trial: int
    validation: PredictionMetrics
    test: PredictionMetrics
    test_evaluations: int = 1


@dataclass(frozen=True, kw_only=True)
class Refit:
    """Refit of the best trial's network on all lines, which is what is taken home, or why there is none.

    Attributes:
        trial: number of the trial.
        result: how it was trained; None if that failed.
        reason: why it failed; empty otherwise.
    """

    trial: int
    result: RefitResult | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ExperimentRecord:
    """Experiment with all its trials.

    Attributes:
        experiment: as it was created, with ``max_trials`` as it was extended since.
        reason: why it is in this state; empty if there is nothing to say.
        baselines: metrics of the simple methods by name; None until they are there.
        baselines_reason: why they are not there although they were tried.
        calibration: how long training takes here, with and without XLA; None until it was measured, or if that failed.
        final_evaluation: of the best trial, on the test lines; it may be the one of an earlier best trial.
        started: first start; finished: when it last stopped being worked on.
        parallel: trials at a time on the machine that ran it last; None before, and on a cluster.
        refit: of the best trial's network on all lines, perhaps of an earlier best trial; None until it was tried, and
            in experiments of versions that made none.
    """

    experiment: Experiment
    state: ExperimentState
    reason: str
    trials: tuple[TrialRecord, ...]
    baselines: Mapping[str, BaselineMetrics] | None
    baselines_reason: str
    calibration: Calibration | None
    final_evaluation: FinalMetrics | None
    started: datetime | None
    finished: datetime | None
    directory: Path
    parallel: ParallelTrials | None = None
    refit: Refit | None = None

    @property
    def parallel_trials(self) -> int:
        """Number of trials at a time: as many as were asked for, or as this machine has cores and memory for."""
        return self.experiment.parallel_trials if self.parallel is None else self.parallel.used

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.experiment.name

    @cached_property
    def counts(self) -> Counter[TrialState]:
        """Number of trials by state; 0 for states that no trial is in."""
        return Counter(trial.state for trial in self.trials)

    @property
    def finished_trials(self) -> int:
        """Number of trials that count towards ``max_trials``."""
        return sum(trial.state.is_finished() for trial in self.trials)

    @cached_property
    def best(self) -> TrialRecord | None:
        """Trial with the lowest objective among those that succeeded; the earlier one of equals."""
        succeeded = [trial for trial in self.trials if trial.state is TrialState.SUCCEEDED and trial.value is not None]
        return min(succeeded, key=lambda trial: (trial.value, trial.number), default=None)

    @property
    def evaluated_best(self) -> FinalMetrics | None:
        """Final evaluation of the trial that is the best one now."""
        evaluation = self.final_evaluation
        is_of_best = evaluation is not None and self.best is not None and evaluation.trial == self.best.number
        return evaluation if is_of_best else None

    @property
    def refit_of_best(self) -> Refit | None:
        """Refit of the trial that is the best one now, once it was evaluated; None until it was tried."""
        evaluation, refit = self.evaluated_best, self.refit
        return refit if evaluation is not None and refit is not None and refit.trial == evaluation.trial else None


@dataclass(frozen=True, kw_only=True)
class ExperimentSummary:
    """Entry of the list of experiments.

    Attributes:
        values: (trial number, objective) of the trials that succeeded, in order of number.
        baselines, final_evaluation: as in ``ExperimentRecord``.
        dataset: content hash of the prepared dataset.
        dataset_as_read: content hash, in the library, of the dataset that it was prepared from; empty if an earlier
            version created it.
    """

    name: str
    source: str
    created: str
    engine: str
    state: ExperimentState
    reason: str
    max_trials: int
    counts: Counter[TrialState]
    values: tuple[tuple[int, float], ...]
    baselines: Mapping[str, BaselineMetrics] | None
    final_evaluation: FinalMetrics | None = None
    dataset: str = ""
    dataset_as_read: str = ""

    @property
    def best(self) -> tuple[int, float] | None:
        """Number and objective of the best trial so far."""
        return min(self.values, key=lambda entry: (entry[1], entry[0]), default=None)

    @property
    def evaluated_best(self) -> FinalMetrics | None:
        """Final evaluation of the trial that is the best one now."""
        evaluation, best = self.final_evaluation, self.best
        is_of_best = evaluation is not None and best is not None and evaluation.trial == best[0]
        return evaluation if is_of_best else None

    @property
    def finished_trials(self) -> int:
        """Number of trials that count towards ``max_trials``."""
        return sum(count for state, count in self.counts.items() if state.is_finished())


def moment(text: object) -> datetime | None:
    """Return a stored time in UTC; None for anything that is no text.

    Args:
        text: ISO 8601, with a time zone.
    """
    if not isinstance(text, str) or not text:
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def iso(value: datetime | None) -> str | None:
    """Return a time as JSON writes it (ISO 8601, milliseconds).

    Args:
        value: with its time zone; None stays None.
    """
    return None if value is None else value.isoformat(timespec="milliseconds")
