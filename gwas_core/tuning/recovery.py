"""Recovery of a store that was lost or damaged: rebuilt from the records that the experiments' folders hold.

Also here: where a damaged database is put; what is lost of experiments of versions that kept no record; that recovering
writes down what such an experiment has only in the store, for as long as that is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from gwas_core.errors import BrokenExperimentError, ExperimentError, InputError, SettingsError, describe_unexpected
from gwas_core.files import disk_errors
from gwas_core.messages import counted
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, MODEL_FILE
from gwas_core.processes.locks import experiment_lock
from gwas_core.serialization import JsonObject, to_json_values
from gwas_core.tuning.attributes import EXPERIMENT, STATUS, ExperimentStatus
from gwas_core.tuning.broken import UNREADABLE
from gwas_core.tuning.experiment import Experiment, ExperimentState, now
from gwas_core.tuning.folder_record import FolderRecord, RecordedTrial, holds_record, trial_folders
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.storage import DamagedStorage, storage_file
from gwas_core.tuning.store import Store
from gwas_core.tuning.transactions import create_study
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

_LOCK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class RecoveredExperiment:
    """Outcome for one folder.

    Attributes:
        name: of the experiment, and of its folder.
        is_recovered: whether the store has it now.
        finished_trials: number of finished trials that came back.
        lost: what did not come back, each as a sentence; empty if everything did.
    """

    name: str
    is_recovered: bool
    finished_trials: int = 0
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Outcome of a recovery.

    Attributes:
        kept: number of experiments that the store had all the time.
        experiments: those that it had not, or could not read.
        damaged: where the damaged database is now; None if it was not damaged.
    """

    kept: int
    experiments: tuple[RecoveredExperiment, ...]
    damaged: Path | None


def recover(workspace: Workspace) -> Recovery:
    """Bring back every experiment of which the workspace has a folder with a record, and the store nothing to read.

    What the store can read stays as it is. A database that is damaged is put aside, never deleted.

    Args:
        workspace: whose store is lost, damaged, empty, or lacks something.

    Returns:
        What came back, and what is lost.

    Raises:
        ExperimentError: an experiment is being worked on, or a server's storage cannot be used.
        DiskError: the disk is full.
    """
    try:
        store, damaged = Store(workspace), None
        check_database(workspace)
        store.experiments()
    except DamagedStorage as error:
        damaged = _put_aside(workspace, error)
        store = Store(workspace)
    broken = {entry.name for entry in (*store.experiments(), *store.half_made()) if _is_broken(entry.state)}
    readable = [entry.name for entry in store.experiments() if not _is_broken(entry.state)]
    kept = []
    for name in readable:
        try:
            store.load(name)
        except BrokenExperimentError:
            broken.add(name)
        else:
            kept.append(name)
    _complete_records(store, kept)
    missing = sorted({*store.unknown_folders(), *broken})
    return Recovery(
        kept=len(kept),
        experiments=tuple(_recover_experiment(store, name, is_known=name in broken) for name in missing),
        damaged=damaged,
    )


def check_database(workspace: Workspace) -> None:
    """Check that a SQLite storage is whole; a server looks after its own.

    Raises:
        DamagedStorage: it is not.
    """
    file = storage_file(workspace)
    if file is None:
        return
    try:
        with closing(sqlite3.connect(file)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise DamagedStorage(f"the store of experiments {file} is damaged: {found}")


def _is_broken(state: ExperimentState) -> bool:
    return state is ExperimentState.BROKEN


def _put_aside(workspace: Workspace, error: Exception) -> Path:
    """Rename a damaged database, with the files that SQLite keeps beside it, and return its new path."""
    file = storage_file(workspace)
    if file is None:  # a server's
        raise error
    for folder in workspace.root.iterdir():
        if holds_record(folder) or trial_folders(folder):
            with experiment_lock(folder) as lock:
                if not lock.acquire(seconds=_LOCK_SECONDS):
                    raise ExperimentError(
                        f"{folder.name} is being worked on: end its process before the store is recovered"
                    )
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = file.with_name(f"{file.name}.damaged-{stamp}")
    with disk_errors(file):
        file.rename(aside)
        for ending in ("-wal", "-shm"):
            beside = file.with_name(file.name + ending)
            if beside.exists():
                beside.rename(f"{aside}{ending}")
    return aside


def _complete_records(store: Store, names: Iterable[str]) -> None:
    for name in names:
        directory = store.workspace.experiment_directory(name)
        if not directory.is_dir():
            continue
        with experiment_lock(directory) as lock:
            # Whoever works on it writes its record.
            if lock.acquire():
                ExperimentWriter(store, name).complete_record()


def _recover_experiment(store: Store, name: str, *, is_known: bool) -> RecoveredExperiment:
    directory = store.workspace.experiment_directory(name)
    if not holds_record(directory):
        return RecoveredExperiment(name=name, is_recovered=False, lost=_lost_of_older(directory, is_known=is_known))
    with experiment_lock(directory) as lock:
        if not lock.acquire(seconds=_LOCK_SECONDS):
            return RecoveredExperiment(name=name, is_recovered=False, lost=("it is being worked on: try again later",))
        try:
            attributes, trials, lost = _read(directory, name)
            if is_known:
                with store.using():
                    store.storage.delete_study(store.study_id(name))
            with store.using():
                study_id = create_study(store.storage, name, attributes, trials=trials)
        except InputError as error:
            return RecoveredExperiment(name=name, is_recovered=False, lost=(str(error),))
        except UNREADABLE as error:
            # Settings of a newer version, or a file that somebody changed.
            reason = str(error) if isinstance(error, SettingsError) else describe_unexpected(error)
            return RecoveredExperiment(name=name, is_recovered=False, lost=(f"its record cannot be read: {reason}",))
    if study_id is None:
        return RecoveredExperiment(name=name, is_recovered=False, lost=("another one was just created under its name",))
    finished = sum(trial.state.is_finished() for trial in trials)
    return RecoveredExperiment(name=name, is_recovered=True, finished_trials=finished, lost=lost)


def _read(directory: Path, name: str) -> tuple[JsonObject, list[FrozenTrial], tuple[str, ...]]:
    """Return the attributes of the study and its trials, and what is lost of them."""
    record = FolderRecord(directory)
    attributes, lost = record.attributes(), []
    experiment = Experiment.from_dict(attributes[EXPERIMENT])
    if experiment.name != name:
        raise InputError(f"the record in the folder {name} is that of {experiment.name}: rename the folder")
    if STATUS not in attributes:
        state = ExperimentStatus(
            state=ExperimentState.INTERRUPTED, reason="its state was lost; resume goes on", finished=now()
        )
        attributes[STATUS] = to_json_values(state)
        lost.append("its state was not recorded: it counts as interrupted")
    recorded = record.trials()
    count = max(recorded, default=-1) + 1
    if gaps := [number for number in range(count) if number not in recorded]:
        lost.append(f"{counted(len(gaps), 'trial')} that had not ended: begun again, with other hyperparameters")
    trials = [_trial(recorded.get(number), experiment.space) for number in range(count)]
    return attributes, trials, tuple(lost)


def _trial(recorded: RecordedTrial | None, space: SearchSpace) -> FrozenTrial:
    """Return a trial as Optuna takes it; one that is suggested anew in place of one that is lost."""
    if recorded is None:
        return optuna.trial.create_trial(state=OptunaState.WAITING)
    distributions = space.to_distributions()
    parameters = {name: value for name, value in recorded.parameters.items() if name in distributions}
    state = OptunaState[recorded.state]
    trial = optuna.trial.create_trial(
        state=state,
        value=recorded.value,
        params=parameters,
        distributions={name: distributions[name] for name in parameters},
        user_attrs=dict(recorded.attributes),
        # As the writer leaves a trial that waits.
        system_attrs={"fixed_params": parameters} if state is OptunaState.WAITING and parameters else {},
        intermediate_values=dict(recorded.history),
    )
    if recorded.started is not None and state is not OptunaState.WAITING:
        trial.datetime_start = datetime.fromisoformat(recorded.started)
    if recorded.finished is not None and state.is_finished():
        trial.datetime_complete = datetime.fromisoformat(recorded.finished)
    return trial


def _lost_of_older(directory: Path, *, is_known: bool) -> tuple[str, ...]:
    """Return what is lost of an experiment whose folder has no record."""
    folders = trial_folders(directory)
    if is_known and not folders:
        return ("its folder has no record to rebuild it from",)
    lost = (
        "its search space, settings and seed, the state, value and times of each trial, baselines and final judgement "
        "were only in the store: a version before 0.3 wrote it"
    )
    left = _left(folders)
    return (lost, f"what is left in {directory}: {left}") if left else (lost,)


def _left(folders: Sequence[Path]) -> str:
    kinds = ((HYPERPARAMETERS_FILE, "hyperparameters"), (MODEL_FILE, "network"))
    found = [(sum((folder / file).is_file() for folder in folders), what) for file, what in kinds]
    parts = [f"{what} of {counted(number, 'trial')}" for number, what in found if number]
    return " and ".join(parts)
