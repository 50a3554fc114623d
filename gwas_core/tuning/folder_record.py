"""Folder record: all that the store holds of an experiment, kept in its folder too, so that the store can be rebuilt.

Also here: which folders of a workspace hold experiments; what is left of an experiment of before there were records.

Each attribute of the study and each trial is a JSON file of its own in ``record/``, written whole before the store is
told. A store that is lost or damaged then loses nothing (``recovery``).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gwas_core.errors import InputError
from gwas_core.files import disk_errors, read_json, write_text
from gwas_core.genotypes.splits import SPLIT_FILE
from gwas_core.messages import counted, listed
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.serialization import JsonObject, from_json_values, to_json_values

RECORD_FOLDER = "record"

_TRIAL = re.compile(r"trial-(\d{4,})\.json")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_LARGEST_FILE = 100 * 1024**2


@dataclass(frozen=True, kw_only=True)
class RecordedTrial:
    """Trial as it is stored.

    Attributes:
        number: from 0, in the order of suggestion.
        state: name of an ``optuna.trial.TrialState``.
        value: the objective, of a trial that succeeded.
        parameters: values of the searched parameters.
        history: (epoch, objective) of the latest attempt.
        attributes: user attributes of the trial in Optuna.
        started: time that Optuna noted, ISO 8601, as it writes it; None if there is none yet.
        finished: the same.
    """

    number: int
    state: str
    value: float | None = None
    parameters: Mapping[str, HyperparameterValue] = field(default_factory=dict)
    history: tuple[tuple[int, float], ...] = ()
    attributes: JsonObject = field(default_factory=dict)
    started: str | None = None
    finished: str | None = None


class FolderRecord:
    """Record in one experiment's folder.

    Args:
        directory: the experiment's folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._folder = directory / RECORD_FOLDER

    def begin(self) -> None:
        """Make an empty record: from now on the folder is that of an experiment, which is there once it is written."""
        with disk_errors(self._folder):
            with suppress(FileNotFoundError):
                shutil.rmtree(self._folder)
            self._folder.mkdir()

    def write_attribute(self, key: str, values: Any) -> None:
        """Write an attribute of the study, unless the experiment's folder is not here, as where only its store is.

        Args:
            key: name of the attribute.
            values: JSON values.

        Raises:
            DiskError: the disk is full, or does not let it be written.
        """
        assert can_record(key), key
        self._write(f"{key}.json", values)

    def write_trial(self, trial: RecordedTrial) -> None:
        """Write a trial as it is about to be stored, unless the experiment's folder is not here.

        Raises:
            DiskError: the disk is full, or does not let it be written.
        """
        self._write(f"trial-{trial.number:04d}.json", to_json_values(trial))

    def holds_trial(self, number: int) -> bool:
        """Return whether a trial was written."""
        return (self._folder / f"trial-{number:04d}.json").is_file()

    def attributes(self) -> JsonObject:
        """Return the attributes of the study by name; empty if there is no record.

        Raises:
            InputError: a file is damaged.
        """
        return {path.stem: _read(path) for path in self._files() if not _TRIAL.fullmatch(path.name)}

    def trials(self) -> dict[int, RecordedTrial]:
        """Return the trials by their numbers, in ascending order.

        Raises:
            InputError: a file is damaged.
        """
        trials = [
            from_json_values(RecordedTrial, _read(path), name=path.name, error=InputError, ignore_unknown=True)
            for path in self._files()
            if _TRIAL.fullmatch(path.name)
        ]
        return {trial.number: trial for trial in sorted(trials, key=lambda trial: trial.number)}

    def _write(self, name: str, values: Any) -> None:
        # The folder itself is never made here: one that was deleted is to stay so.
        if self._directory.is_dir():
            write_text(self._folder / name, json.dumps(values) + "\n")

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.glob("*.json") if not path.name.startswith("."))


def can_record(key: str) -> bool:
    """Return whether an attribute of a study can be in a record: all of ours can, others may have any name."""
    return _KEY.fullmatch(key) is not None


def _read(path: Path) -> Any:
    try:
        return read_json(path, limit=_LARGEST_FILE)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def holds_record(directory: Path) -> bool:
    """Return whether a folder has the record of an experiment, from which the store can be rebuilt."""
    return (directory / RECORD_FOLDER / "experiment.json").is_file()


def holds_experiment(directory: Path) -> bool:
    """Return whether a folder is that of an experiment: with its record or, of older versions, a split or trials."""
    if (directory / RECORD_FOLDER).is_dir():
        return holds_record(directory)
    return (directory / SPLIT_FILE).is_file() or bool(trial_folders(directory))


def holds_work(directory: Path) -> bool:
    """Return whether a folder has anything that a new experiment of its name would lose.

    What was written for an experiment before the store was told of it (see ``Store.create``) is nothing to lose: the
    process that made it was killed, and nobody ever saw that experiment.
    """
    if not directory.is_dir():
        return False
    if not (directory / RECORD_FOLDER).is_dir():
        return any(not path.name.startswith(".") for path in directory.iterdir())
    return bool(trial_folders(directory)) or any((directory / RECORD_FOLDER).glob("trial-*.json"))


def unknown_folders_sentence(names: Sequence[str]) -> str:
    """Return a sentence on folders of a workspace that hold experiments which its store does not know.

    Args:
        names: of the folders, at least one.
    """
    hold = "holds an experiment" if len(names) == 1 else "hold experiments"
    return f"{counted(len(names), 'folder')} of the workspace {hold} that the store does not know: {listed(names)}."


def trial_folders(directory: Path) -> list[Path]:
    """Return the folders of trials in an experiment's folder, in ascending order."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.glob("trial-*") if path.is_dir())
