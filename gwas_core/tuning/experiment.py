"""Experiment: all settings of one search with their limits and defaults; states of experiments and trials.

Also here: the most trials and parallel trials; which states can be resumed; the seed of a trial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from gwas_core.errors import SettingsError
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.messages import quoted
from gwas_core.model.training import OBJECTIVE, XLA_SETTINGS
from gwas_core.seeds import LARGEST_SEED, training_seed
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings, make_sampler
from gwas_core.workspace import check_experiment_name

MAXIMUM_TRIALS = 10_000
MAXIMUM_PARALLEL_TRIALS = 64
MAXIMUM_SOURCE_LENGTH = 200

_FORMAT = 1
_CONTENT_HASH = re.compile(r"[0-9a-f]{8,64}")

Xla = Literal["auto", "on", "off"]
EngineName = Literal["local", "kubeflow"]


class ExperimentState(StrEnum):
    """State of an experiment.

    ``BROKEN`` is never stored: it is the state of what cannot be read, and can only be deleted or recovered.
    """

    CREATED = "created"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BROKEN = "broken"

    def is_finished(self) -> bool:
        """Return whether the experiment came to its own end, good or bad."""
        return self in (ExperimentState.SUCCEEDED, ExperimentState.FAILED)

    def is_active(self) -> bool:
        """Return whether something is working on the experiment now."""
        return self in (ExperimentState.RUNNING, ExperimentState.STOPPING)

    def can_resume(self) -> bool:
        """Return whether the experiment can be resumed: work is or may be left, and nothing is at it."""
        return not self.is_active() and self not in (ExperimentState.SUCCEEDED, ExperimentState.BROKEN)


class TrialState(StrEnum):
    """State of a trial."""

    WAITING = "waiting"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    PRUNED = "pruned"
    FAILED = "failed"

    def is_finished(self) -> bool:
        """Return whether the trial counts towards ``max_trials``."""
        return self in (TrialState.SUCCEEDED, TrialState.PRUNED, TrialState.FAILED)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Description of a search: everything that decides what it does. Its progress is kept in the store.

    Attributes:
        name: also names its folder, and itself on Katib.
        dataset: content hash of the prepared dataset (no genotype missing), saved in the workspace.
        source: name of the file that the data came from, for people.
        preprocessing, split: how the prepared dataset was made, and how its lines are divided.
        space, algorithm, early_stopping: what is searched, how, and when a trial is given up.
        objective: the metric to minimise.
        max_trials: finished trials (succeeded, pruned or failed) that end the search.
        parallel_trials: trials worked on at the same time; never more than are left to do.
        max_failed_trials: this many failed trials end the search, as Katib's ``maxFailedTrialCount`` does.
            The default of 10 survives a run of unlucky suggestions, and stops what cannot work before
            it has cost a night.
        seed: fixes the suggestions, and with the trial's number each trial's seed.
        xla: whether the network is compiled.
        engine: what runs the trials.
        created: UTC, ISO 8601.

    Raises:
        SettingsError: naming the field that is refused.
    """

    name: str
    dataset: str
    source: str
    space: SearchSpace
    preprocessing: PreprocessingSettings = field(default_factory=PreprocessingSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    early_stopping: EarlyStoppingSettings | None = None
    objective: str = OBJECTIVE
    max_trials: int = 35
    parallel_trials: int = 3
    max_failed_trials: int = 10
    seed: int = 0
    xla: Xla = "auto"
    engine: EngineName = "local"
    created: str = field(default_factory=lambda: now())

    def __post_init__(self) -> None:
        _check_text(self.name, "name")
        check_experiment_name(self.name)
        _check_text(self.dataset, "dataset")
        if not _CONTENT_HASH.fullmatch(self.dataset):
            raise SettingsError(f"{quoted(self.dataset)} is not a dataset's content hash", field="dataset")
        _check_text(self.source, "source")
        if len(self.source) > MAXIMUM_SOURCE_LENGTH or not self.source.isprintable():
            raise SettingsError(
                f"source must have at most {MAXIMUM_SOURCE_LENGTH} printable characters; "
                f"{quoted(self.source)} does not",
                field="source",
            )
        self._check_parts()
        _check_count(self.max_trials, "max_trials", 1, MAXIMUM_TRIALS)
        _check_count(self.parallel_trials, "parallel_trials", 1, MAXIMUM_PARALLEL_TRIALS)
        _check_count(self.max_failed_trials, "max_failed_trials", 1, MAXIMUM_TRIALS)
        _check_count(self.seed, "seed", 0, LARGEST_SEED)
        _check_option(self.xla, "xla", XLA_SETTINGS)
        _check_option(self.engine, "engine", ("local", "kubeflow"))
        _check_option(self.objective, "objective", (OBJECTIVE,))
        _check_time(self.created, "created")
        # The algorithm refuses settings and spaces it cannot work with.
        make_sampler(self.algorithm.name, self.space, seed=self.seed, settings=self.algorithm.settings)

    def _check_parts(self) -> None:
        for name, kind in _PARTS.items():
            value = getattr(self, name)
            if not isinstance(value, kind) and not (name == "early_stopping" and value is None):
                raise SettingsError(f"{name} must be {kind.__name__}, not {quoted(value)}", field=name)

    def trial_seed(self, number: int) -> int:
        """Return the seed of a trial: the same in every attempt, unrelated to those of other trials.

        Args:
            number: of the trial, from 0.

        Returns:
            From 0 to 2**31 - 1.
        """
        return training_seed(self.seed, number)

    def to_dict(self) -> JsonObject:
        """Return the experiment as JSON values with the number of their format.

        Returns:
            An entry for each field; ``from_dict`` of it equals this experiment.
        """
        return {"format": _FORMAT, **to_json_values(self)}

    @classmethod
    def from_dict(cls, values: Any) -> Experiment:
        """Return the experiment that untrusted JSON values describe.

        Args:
            values: as ``to_dict`` returns them; fields that are absent take their default.

        Raises:
            SettingsError: a value that does not fit; ``field`` is its location (``"split.seed"``).
        """
        if isinstance(values, Mapping):
            cls.check_format(values)
            values = {name: value for name, value in values.items() if name != "format"}
        return from_json_values(cls, values, name="experiment")

    @staticmethod
    def check_format(values: Mapping[str, Any]) -> None:
        """Check that this version knows the form in which an experiment was written.

        Args:
            values: as ``to_dict`` returns them.

        Raises:
            SettingsError: another version wrote it.
        """
        version = values.get("format", _FORMAT)
        if isinstance(version, bool) or version != _FORMAT:
            raise SettingsError(
                f"this experiment has format {quoted(version)}; {_FORMAT} is known here", field="format"
            )


_PARTS: dict[str, type] = {
    "space": SearchSpace,
    "preprocessing": PreprocessingSettings,
    "split": SplitSettings,
    "algorithm": AlgorithmSettings,
    "early_stopping": EarlyStoppingSettings,
}


def now() -> str:
    """Return this moment in UTC, as every record writes it (ISO 8601, milliseconds)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _check_text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, not {quoted(value)}", field=name)


def _check_count(value: Any, name: str, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise SettingsError(
            f"{name} must be a whole number from {lowest} to {highest}, not {quoted(value)}", field=name
        )


def _check_option(value: Any, name: str, options: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in options:
        raise SettingsError(f"{name} must be one of {', '.join(options)}, not {quoted(value)}", field=name)


def _check_time(value: Any, name: str) -> None:
    _check_text(value, name)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise SettingsError(f"{name} must be a time such as {now()}, not {quoted(value)}", field=name) from error
    if moment.tzinfo is None:
        raise SettingsError(f"{name} must say its time zone, as {now()} does; {quoted(value)} does not", field=name)
