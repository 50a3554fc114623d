"""Store of all experiments and trials: read, created, deleted, and requests to stop or extend them.

Also here: which names are taken; what another version of this program wrote and how it is read; what engines note;
whether a trial was trained with XLA; studies of other programs in the same storage; the refusal to delete what runs;
the newest first; experiments that are broken; folders of experiments that the store does not know.
"""

from __future__ import annotations

import secrets
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from optuna.storages import RDBStorage

from gwas_core.errors import (
    BrokenExperimentError,
    DiskError,
    ExperimentError,
    FailureKind,
    SettingsError,
)
from gwas_core.files import disk_errors
from gwas_core.processes.locks import FileLock, experiment_lock
from gwas_core.serialization import to_json_values
from gwas_core.tuning.attributes import (
    DATASET_AS_READ,
    EXPERIMENT,
    MAX_TRIALS,
    STATUS,
    STOP_REQUESTED,
    STUDY_ATTRIBUTES,
    Attempt,
    ExperimentStatus,
    StoredOutcome,
    StudyAttributes,
    TrialAttributes,
)
from gwas_core.tuning.broken import HALF_MADE, UNREADABLE, broken_error, broken_summary, half_made_error
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.folder_record import FolderRecord, holds_experiment, holds_work
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary, TrialRecord, moment
from gwas_core.tuning.storage import StorageUse, open_storage, storage_file
from gwas_core.tuning.summaries import FINISHED, SummaryReader, unfinished_state
from gwas_core.tuning.tables import Reader, TrialRow
from gwas_core.tuning.transactions import change_attribute, create_study
from gwas_core.workspace import Workspace, check_experiment_name

_CREATION_SECONDS = 1.0
_EXTENSION_SECONDS = 60.0
_TRASH = "_deleted-"

Part = TypeVar("Part")


class Store:
    """Reading, creating and deleting of experiments, and requests to the process that runs one.

    Safe to share between threads. What is returned is always as it is now. An experiment's own writer
    is ``ExperimentWriter`` (one process at a time, the one that holds its lock).

    Raises:
        ExperimentError: from every method, when the database cannot be used.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.storage: RDBStorage = open_storage(workspace)
        self.using = StorageUse(storage_file(workspace))
        self._reader = Reader(self.storage)
        self._summaries = SummaryReader(self._reader)
        # Connections are closed with the store, not at some later collection of garbage.
        weakref.finalize(self, self.storage.engine.dispose)

    def create(
        self, experiment: Experiment, *, prepare: Callable[[Path], None] | None = None, dataset_as_read: str = ""
    ) -> None:
        """Add an experiment, without running it.

        Its folder is written first, and then the store is told in one transaction: a process that is killed on the way
        leaves a folder that the next experiment of this name takes over.

        Args:
            experiment: only its name is checked here: whether its dataset is there is for the engine that starts it.
            prepare: writes what else belongs into the experiment's folder.
            dataset_as_read: content hash of the dataset that its own was prepared from; empty if it is not known.

        Raises:
            ExperimentError: the name is taken.
            DiskError: the disk is full, or does not let the folder be written.
        """
        directory = self.workspace.experiment_directory(experiment.name)
        self._check_free(experiment.name)
        with experiment_lock(directory) as lock:
            if not lock.acquire(seconds=_CREATION_SECONDS):
                raise ExperimentError(f"another process is at work on {experiment.name}: choose another name")
            self._check_free(experiment.name)
            status = ExperimentStatus(state=ExperimentState.CREATED)
            attributes: dict[str, Any] = {STATUS: to_json_values(status)}
            if dataset_as_read:
                attributes[DATASET_AS_READ] = dataset_as_read
            attributes[EXPERIMENT] = experiment.to_dict()
            try:
                record = FolderRecord(directory)
                record.begin()
                if prepare is not None:
                    prepare(directory)
                # The experiment itself last: with it, the folder counts as that of an experiment.
                for key, values in attributes.items():
                    record.write_attribute(key, values)
                with self.using():
                    study_id = create_study(self.storage, experiment.name, attributes)
                if study_id is None:
                    # To another machine on the same store, whose folder this is not.
                    raise ExperimentError(_taken(experiment.name))
            except Exception:
                shutil.rmtree(directory, ignore_errors=True)
                raise

    def _check_free(self, name: str) -> None:
        with self.using():
            study_id = self._reader.study_id(name)
        if study_id is not None:
            raise ExperimentError(_taken(name))
        directory = self.workspace.experiment_directory(name)
        if not holds_work(directory):
            return
        if holds_experiment(directory):
            raise ExperimentError(
                f"the folder {directory.name} holds an experiment that the store does not know: `recover` brings it "
                "back; or choose another name"
            )
        raise ExperimentError(
            f"the workspace already has a folder {directory.name} of something else: choose another name"
        )

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments, the newest first; only what changed since the last call is read again.

        Returns:
            Entries of the list of experiments, without their trials. One that cannot be read has the state ``BROKEN``
            and the reason for it.
        """
        with self.using():
            return self._summaries.read()

    def half_made(self) -> tuple[ExperimentSummary, ...]:
        """Return the studies without content, which an experiment's creation left that was broken off.

        Only versions before 0.3 left such. A study that another program has just made looks the same.
        """
        with self.using():
            others = self._summaries.other_names()
            # Most stores hold none, and need no look at trials then.
            names = self._reader.without_content(but=STATUS) if any(map(_is_name, others)) else {}
        return tuple(broken_summary(name, HALF_MADE) for name in reversed(names.values()) if _is_name(name))

    def taken_names(self) -> set[str]:
        """Return the names that no new experiment can have: those of studies and of folders."""
        with self.using():
            names = set(self._reader.names().values())
        return names | set(_folders(self.workspace.root))

    def unknown_folders(self, known: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of the folders that hold experiments which the store does not know, in ascending order.

        That is so where the store was lost or replaced by an older one. A folder that somebody works on is left out: an
        experiment that is just being created has its folder first.

        Args:
            known: names of experiments that the store was just seen to have; where these are all, it is not asked.
        """
        left = set(_folders(self.workspace.root)) - set(known)
        folders = [self.workspace.root / name for name in sorted(left) if holds_experiment(self.workspace.root / name)]
        if not folders:
            return ()
        with self.using():
            names = set(self._reader.names().values())
        return tuple(folder.name for folder in folders if folder.name not in names and _is_free(folder))

    def engine_of(self, name: str) -> str:
        """Return the name of the engine that runs the experiment, without reading its trials.

        Raises:
            ExperimentError: there is none of this name.
        """
        return self._part(name, lambda attributes: attributes.header.engine)

    def experiment(self, name: str) -> Experiment:
        """Return an experiment as it was created and extended, without reading its trials.

        Raises:
            BrokenExperimentError: it cannot be read.
            ExperimentError: there is none of this name.
        """
        return self._part(name, StudyAttributes.experiment)

    def _part(self, name: str, read: Callable[[StudyAttributes], Part]) -> Part:
        attributes = self._attributes(self.study_id(name), name)
        try:
            return read(attributes)
        except UNREADABLE as error:
            raise broken_error(name, error) from error

    def holds_unstarted(self, experiment: Experiment) -> bool:
        """Return whether exactly this experiment was created and nothing has run it yet."""
        with self.using():
            study_id = self._reader.study_id(experiment.name)
        if study_id is None:
            return False
        record = self.load(experiment.name)
        return record.state is ExperimentState.CREATED and record.experiment == experiment

    def load(self, name: str) -> ExperimentRecord:
        """Return one experiment with all its trials, as they are now.

        Args:
            name: of the experiment.

        Returns:
            Record of this moment; nothing is cached.

        Raises:
            BrokenExperimentError: it cannot be read.
            ExperimentError: there is none of this name.
        """
        study_id = self.study_id(name)
        # The state before the trials: a finished experiment is then seen with all of them.
        attributes = self._attributes(study_id, name)
        try:
            with self.using():
                rows = self._reader.trials(study_id)
            return self._record(attributes, rows)
        except UNREADABLE as error:
            raise broken_error(name, error) from error

    def delete(self, name: str) -> None:
        """Remove an experiment, broken or not, and its folder.

        Raises:
            ExperimentError: it is being worked on, or does not exist.
        """
        study_id = self.study_id(name)
        with suppress(BrokenExperimentError):
            self._attributes(study_id, name)  # refuses the study of another program
        directory = self.workspace.experiment_directory(name)
        with experiment_lock(directory) as lock:
            if not lock.acquire(seconds=0.2):
                raise ExperimentError(f"{name} is running: stop it before deleting it")
            # Out of the way at once, so that a process killed meanwhile leaves no folder that would be recovered or
            # would keep the name.
            trash = self.workspace.root / f"{_TRASH}{secrets.token_hex(4)}-{name}"
            with disk_errors(directory):
                directory.rename(trash)
            try:
                self._delete_study(study_id, trash)
            except BaseException:
                with suppress(OSError):
                    trash.rename(directory)
                raise
            shutil.rmtree(trash, ignore_errors=True)
        self._empty_trash()

    def _delete_study(self, study_id: int, trash: Path) -> None:
        try:
            with self.using():
                self.storage.delete_study(study_id)
        except DiskError:
            # The database grows before it shrinks: what goes with the experiment makes room for that.
            shutil.rmtree(trash, ignore_errors=True)
            with self.using():
                self.storage.delete_study(study_id)

    def _empty_trash(self) -> None:
        """Remove what processes that were killed meanwhile left of experiments that they deleted."""
        with self.using():
            names = set(self._reader.names().values())
        for trash in self.workspace.root.glob(f"{_TRASH}*"):
            if trash.name.removeprefix(_TRASH).partition("-")[2] not in names:
                shutil.rmtree(trash, ignore_errors=True)

    def request_stop(self, name: str) -> None:
        """Ask the process that runs the experiment to stop it."""
        self._set(name, STOP_REQUESTED, True)

    def clear_stop_request(self, name: str) -> None:
        """Take back a request to stop, before the experiment is started again."""
        self._set(name, STOP_REQUESTED, False)

    def add_trials(self, name: str, extra_trials: int) -> int:
        """Raise the number of trials after which the experiment ends, and return it; none of several at once is lost.

        Args:
            name: of the experiment.
            extra_trials: number of trials to add.

        Raises:
            SettingsError: that would be more than an experiment may have.
        """
        study_id = self.study_id(name)
        experiment = self.experiment(name)
        record = FolderRecord(self.workspace.experiment_directory(name))

        def added(stored: Any) -> int:
            before = stored if isinstance(stored, int) else self._attributes(study_id, name).max_trials
            after = replace(experiment, max_trials=before + extra_trials).max_trials
            record.write_attribute(MAX_TRIALS, after)
            return after

        with self.using():
            return int(change_attribute(self.storage, study_id, MAX_TRIALS, added))

    @contextmanager
    def extension_lock(self, name: str) -> Iterator[None]:
        """Hold what one process of a machine can hold that extends the experiment.

        No extension is lost without it; it keeps what else follows from the number of trials in step, as the folder.

        Args:
            name: of the experiment.

        Raises:
            ExperimentError: another process extends it, and does not come to an end.
        """
        with FileLock(self.workspace.experiment_directory(name) / ".extension.lock") as lock:
            if not lock.acquire(seconds=_EXTENSION_SECONDS):
                raise ExperimentError(f"another process is extending {name}: try again")
            yield

    def engine_attribute(self, name: str, key: str) -> Any:
        """Return what an engine keeps of its own with an experiment; None if there is nothing of that name.

        Args:
            name: of the experiment.
            key: as given to ``set_engine_attribute``.

        Returns:
            JSON values.
        """
        study_id = self.study_id(name)
        with self.using():
            return self._reader.study_attributes(study_id).get(key)

    def set_engine_attribute(self, name: str, key: str, value: Any) -> None:
        """Store what an engine keeps of its own with an experiment, such as where on a cluster it runs.

        Args:
            key: none of the store's own attributes.
            value: JSON values.
        """
        assert key not in STUDY_ATTRIBUTES, key
        self._set(name, key, value)

    def study_id(self, name: str) -> int:
        """Return Optuna's number of an experiment.

        Raises:
            ExperimentError: there is none of this name.
        """
        check_experiment_name(name)
        with self.using():
            study_id = self._reader.study_id(name)
        if study_id is None:
            raise ExperimentError(f"there is no experiment named {name}")
        return study_id

    def _attributes(self, study_id: int, name: str) -> StudyAttributes:
        with self.using():
            stored = self._reader.study_attributes(study_id)
            is_half_made = EXPERIMENT not in stored and study_id in self._reader.without_content(but=STATUS)
        if is_half_made:
            raise half_made_error(name)
        try:
            attributes = StudyAttributes.read(stored)
        except UNREADABLE as error:
            raise broken_error(name, error) from error
        if attributes is None:
            raise ExperimentError(f"experiment {name} is a study of another program, or was just deleted")
        return attributes

    def _set(self, name: str, key: str, value: Any) -> None:
        study_id = self.study_id(name)
        if key != STOP_REQUESTED:  # of no meaning for a store that is rebuilt
            FolderRecord(self.workspace.experiment_directory(name)).write_attribute(key, value)
        with self.using():
            self.storage.set_study_user_attr(study_id, key, value)

    def _record(self, attributes: StudyAttributes, rows: list[TrialRow]) -> ExperimentRecord:
        experiment, status, baselines = attributes.experiment(), attributes.status, attributes.baselines
        state = status.state
        if state is ExperimentState.RUNNING and attributes.stop_requested:
            state = ExperimentState.STOPPING
        return ExperimentRecord(
            experiment=experiment,
            state=state,
            reason=status.reason,
            trials=tuple(self._trial(experiment, row, active=state.is_active()) for row in rows),
            baselines=None if baselines is None else baselines.results,
            baselines_reason="" if baselines is None else baselines.reason,
            calibration=attributes.calibration,
            final_evaluation=attributes.final_evaluation,
            refit=attributes.refit,
            started=moment(status.started),
            finished=moment(status.finished),
            parallel=attributes.parallel_trials,
            directory=self.workspace.experiment_directory(experiment.name),
        )

    def _trial(self, experiment: Experiment, row: TrialRow, *, active: bool) -> TrialRecord:
        attributes = TrialAttributes.read(row.attributes)
        attempt = attributes.attempt or Attempt()
        outcome = (attributes.outcome if row.state in FINISHED else None) or StoredOutcome()
        state = FINISHED.get(row.state) or unfinished_state(row.state, active=active)
        value = row.value
        if state is TrialState.PRUNED and value is None and row.history:
            value = row.history[-1][1]
        return TrialRecord(
            number=row.number,
            state=state,
            parameters={**row.parameters, **experiment.space.fixed},
            value=value,
            history=row.history,
            reason=outcome.reason or attempt.reason,
            attempts=attempt.number,
            seed=None if attributes.attempt is None else attempt.seed,
            xla=attributes.xla,
            result=outcome.result,
            failure=outcome.failure or FailureKind.UNKNOWN if state is TrialState.FAILED else None,
            started=moment(attempt.started) or row.started,
            finished=moment(outcome.finished) or row.finished,
            duration=outcome.seconds,
            directory=self._trial_directory(experiment.name, row.number, attributes.folder),
        )

    def _trial_directory(self, name: str, number: int, folder: str | None) -> Path:
        directory = self.workspace.trial_directory(name, number)
        return directory.with_name(folder) if folder else directory


def _taken(name: str) -> str:
    return f"there is already an experiment named {name}: choose another name or delete it"


def _is_name(name: str) -> bool:
    try:
        check_experiment_name(name)
    except SettingsError:
        return False
    return True


def _folders(root: Path) -> Iterable[str]:
    """Return the folders of a workspace that can be those of experiments, by name."""
    return [path.name for path in root.iterdir() if _is_name(path.name) and path.is_dir()] if root.is_dir() else []


def _is_free(directory: Path) -> bool:
    with experiment_lock(directory) as lock:
        return lock.acquire()
