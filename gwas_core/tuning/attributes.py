"""Attributes of studies and trials in the database: their names, and the records that are stored under them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from gwas_core.errors import FailureKind, InputError, SettingsError
from gwas_core.messages import quoted
from gwas_core.model.calibration import Calibration
from gwas_core.model.metrics import BaselineMetrics
from gwas_core.model.training import TrialResult
from gwas_core.serialization import JsonObject, Record, from_json_values
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.parallel_trials import ParallelTrials
from gwas_core.tuning.records import FinalMetrics, Refit
from gwas_core.tuning.tables import stored_values

_Value = TypeVar("_Value")
_CONTENT_HASH = re.compile(r"[0-9a-f]{64}")

# User attributes of a study. Each is written at once, so none is ever half there.
EXPERIMENT = "experiment"
STATUS = "status"
MAX_TRIALS = "max_trials"
STOP_REQUESTED = "stop_requested"
BASELINES = "baselines"
CALIBRATION = "calibration"
RESULT = "result"
REFIT = "refit"
PARALLEL_TRIALS = "parallel_trials"
DATASET_AS_READ = "dataset_as_read"

STUDY_ATTRIBUTES = frozenset(
    {
        EXPERIMENT,
        STATUS,
        MAX_TRIALS,
        STOP_REQUESTED,
        BASELINES,
        CALIBRATION,
        RESULT,
        REFIT,
        PARALLEL_TRIALS,
        DATASET_AS_READ,
    }
)
"""Attributes of a study that the store and its writer keep; engines may add others."""

# User attributes of a trial.
ATTEMPT = "attempt"
OUTCOME = "outcome"
FOLDER = "folder"


@dataclass(frozen=True, kw_only=True)
class ExperimentStatus:
    """State of an experiment.

    Attributes:
        state: of the experiment.
        reason: why it is in this state; empty if there is nothing to say.
        started: first start, ISO 8601; None before.
        finished: when it last stopped being worked on, ISO 8601; None while it is.
        forgiven_failures: number of failed trials that no longer count towards ``max_failed_trials``.
    """

    state: ExperimentState
    reason: str = ""
    started: str | None = None
    finished: str | None = None
    forgiven_failures: int = 0


@dataclass(frozen=True, kw_only=True)
class ExperimentHeader:
    """Fields of an experiment that a list shows; see ``Experiment``."""

    name: str
    dataset: str
    source: str
    created: str
    engine: str
    max_trials: int


@dataclass(frozen=True, kw_only=True)
class BaselinesAttribute:
    """Baselines of an experiment, or why there are none.

    Attributes:
        results: by name; None if they could not be evaluated.
        reason: why not; empty otherwise.
    """

    results: Mapping[str, BaselineMetrics] | None
    reason: str = ""

    @classmethod
    def read(cls, values: Any) -> BaselinesAttribute | None:
        """Return what is stored, without the results that another version wrote in another form.

        Args:
            values: JSON values; None if nothing is stored.
        """
        if not isinstance(values, Mapping):
            return None
        results = values.get("results")
        read: dict[str, BaselineMetrics] | None = None
        if isinstance(results, Mapping):
            found = {name: read_record(BaselineMetrics, result) for name, result in results.items()}
            read = {name: metrics for name, metrics in found.items() if metrics is not None}
        return cls(results=read, reason=str(values.get("reason", "")))


@dataclass(frozen=True, kw_only=True)
class CalibrationFailure:
    """Reason for which a network could not be timed, stored in place of its ``Calibration``.

    Attributes:
        xla: whether trials use XLA. Without it there is less that can go wrong, and the trials tell more of what does.
    """

    reason: str
    xla: bool = False


@dataclass(frozen=True, kw_only=True)
class StudyAttributes:
    """Attributes of a study that is an experiment.

    Attributes:
        description: the experiment as it was created.
        status: its state.
        max_trials: finished trials that end it, as it was extended since it was created.
        stop_requested: whether the process that runs it was asked to stop.
        baselines: None until they were tried.
        calibration: None until the network was timed, or if that failed.
        measured_xla: whether trials use XLA as measured, False if measuring failed; None until it was tried.
        final_evaluation: of the best trial on the test lines; None until it was done.
        refit: of the best trial's network on all lines; None until it was tried.
        parallel_trials: trials at a time on the machine that ran it last; None before, and on a cluster.
        dataset_as_read: content hash, in the library, of the dataset that it was prepared from; empty if an earlier
            version created it.
    """

    description: JsonObject
    status: ExperimentStatus
    max_trials: int
    stop_requested: bool
    baselines: BaselinesAttribute | None
    calibration: Calibration | None
    measured_xla: bool | None
    final_evaluation: FinalMetrics | None
    refit: Refit | None
    parallel_trials: ParallelTrials | None
    dataset_as_read: str = ""

    @classmethod
    def read(cls, attributes: JsonObject) -> StudyAttributes | None:
        """Return the attributes of a study; None if it is no experiment.

        Args:
            attributes: JSON values by name; what is absent counts as not stored.

        Raises:
            InputError: the experiment, or its state, is not readable.
        """
        if EXPERIMENT not in attributes:
            return None
        description, calibration = attributes[EXPERIMENT], attributes.get(CALIBRATION)
        if not isinstance(description, Mapping):
            raise InputError("its description is damaged")
        try:
            Experiment.check_format(description)
        except SettingsError as error:
            raise InputError(str(error)) from error
        if STATUS not in attributes:
            raise InputError("its state is lost")
        max_trials = attributes.get(MAX_TRIALS, description.get("max_trials"))
        if isinstance(max_trials, bool) or not isinstance(max_trials, int):
            raise InputError(f"max_trials must be a whole number, not {quoted(max_trials)}")
        return cls(
            description=dict(description),
            status=from_json_values(
                ExperimentStatus, attributes[STATUS], name="status", error=InputError, ignore_unknown=True
            ),
            max_trials=max_trials,
            stop_requested=bool(attributes.get(STOP_REQUESTED)),
            baselines=BaselinesAttribute.read(attributes.get(BASELINES)),
            calibration=read_record(Calibration, calibration),
            measured_xla=bool(calibration.get("xla")) if isinstance(calibration, Mapping) else None,
            final_evaluation=read_record(FinalMetrics, attributes.get(RESULT)),
            refit=read_record(Refit, attributes.get(REFIT)),
            parallel_trials=read_record(ParallelTrials, attributes.get(PARALLEL_TRIALS)),
            dataset_as_read=_content_hash(attributes.get(DATASET_AS_READ)),
        )

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> StudyAttributes | None:
        """Return the attributes of a study; None if it is no experiment.

        Args:
            texts: JSON by name, as the database holds it.

        Raises:
            InputError: the experiment, or its state, is not readable.
        """
        return cls.read({key: stored_values(text) for key, text in texts.items()})

    @property
    def header(self) -> ExperimentHeader:
        """Fields that a list shows, read without checking the search space, which takes a hundred times longer.

        Raises:
            InputError: one of them is not readable.
        """
        values = {field.name: self.description.get(field.name) for field in fields(ExperimentHeader)}
        header = from_json_values(ExperimentHeader, values, name="experiment", error=InputError)
        try:
            datetime.fromisoformat(header.created)
        except ValueError as error:
            raise InputError(f"created must be a time, not {quoted(header.created)}") from error
        return header

    def experiment(self) -> Experiment:
        """Return the whole experiment, checked, with ``max_trials`` as it was extended.

        Raises:
            SettingsError: a version that this one does not know wrote it.
        """
        return replace(Experiment.from_dict(self.description), max_trials=self.max_trials)


def _content_hash(value: Any) -> str:
    return value if isinstance(value, str) and _CONTENT_HASH.fullmatch(value) else ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Attempts at a trial so far.

    Attributes:
        number: of the latest attempt, from 1; 0 before the first.
        deaths: attempts that ended with the death of their worker alone.
        crashes: attempts that ended with the death of the supervisor.
        running: whether the latest attempt is under way, as far as its supervisor could write it.
        reason: why there is more than one.
        xla: whether training is compiled by XLA, the same in every attempt; None if that was not known beforehand.
    """

    number: int = 0
    seed: int = 0
    started: str | None = None
    running: bool = False
    deaths: int = 0
    crashes: int = 0
    reason: str = ""
    xla: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of a trial.

    Attributes:
        state: succeeded, pruned or failed.
        reason: why it failed or was pruned.
        result: what the trial function returned; of a trial that succeeded.
        failure: the kind of the reason, of a trial that failed.
        finished: time of the end, if that was before it is written; ISO 8601.
        seconds: duration of the latest attempt by a clock that nobody sets; None if it was not measured.
    """

    state: TrialState
    reason: str = ""
    result: TrialResult | None = None
    failure: FailureKind | None = None
    finished: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not self.state.is_finished() or (self.state is TrialState.SUCCEEDED) != (self.result is not None):
            raise ValueError(f"an outcome is succeeded with a result, pruned or failed, not {self.state}")
        if self.state is TrialState.FAILED and self.failure is None:
            object.__setattr__(self, "failure", FailureKind.UNKNOWN)

    @property
    def value(self) -> float:
        """Objective of a trial that succeeded."""
        assert self.result is not None
        return self.result.val_mean_absolute_error


@dataclass(frozen=True, kw_only=True)
class StoredOutcome:
    """Readable parts of the outcome of a trial, whichever version stored it; see ``Outcome``."""

    reason: str = ""
    result: TrialResult | None = None
    failure: FailureKind | None = None
    finished: str | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, values: Any) -> StoredOutcome | None:
        """Return what can be read of an outcome, without the parts that another version wrote in another form.

        Args:
            values: JSON values; None if nothing is stored.
        """
        whole = read_record(cls, values)
        if whole is not None or not isinstance(values, Mapping):
            return whole
        return cls(
            reason=str(values.get("reason") or ""),
            result=read_record(TrialResult, values.get("result")),
            failure=FailureKind.read(values.get("failure")),
            finished=_of_type(str, values.get("finished")),
            seconds=_of_type(float, values.get("seconds")),
        )


@dataclass(frozen=True, kw_only=True)
class TrialAttributes:
    """Attributes of a trial.

    Attributes:
        attempt: attempts so far; None before the first.
        outcome: how the trial ended; None before. It is written before the trial counts as finished.
        folder: name of the trial's folder if it is not that of its number, as of trials on a cluster.
    """

    attempt: Attempt | None
    outcome: StoredOutcome | None
    folder: str | None

    @classmethod
    def read(cls, attributes: JsonObject) -> TrialAttributes:
        """Return the attributes of a trial.

        Args:
            attributes: JSON values by name; what is absent counts as not stored.
        """
        return cls(
            attempt=read_record(Attempt, attributes.get(ATTEMPT)),
            outcome=StoredOutcome.read(attributes.get(OUTCOME)),
            folder=_of_type(str, attributes.get(FOLDER)),
        )

    @property
    def xla(self) -> bool | None:
        """Whether training was compiled; trials of before 0.2 say so in their result alone."""
        result = None if self.outcome is None else self.outcome.result
        if result is not None and result.xla is not None:
            return result.xla
        return None if self.attempt is None else self.attempt.xla


def _of_type(kind: type[_Value], value: Any) -> _Value | None:
    return value if isinstance(value, kind) else None


def read_record(kind: type[Record], values: Any) -> Record | None:
    """Return what a stored attribute holds; None if it is not there, or another version wrote it in another form.

    Args:
        kind: dataclass of the record.
        values: JSON values, or None.
    """
    if values is None:
        return None
    try:
        return from_json_values(kind, values, name=kind.__name__, error=InputError, ignore_unknown=True)
    except InputError:
        return None
