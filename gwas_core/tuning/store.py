"""Store of all experiments and trials: read, created, deleted, and requests to stop or extend them.

Also here: which names are taken; what another version of this program wrote and how it is read; what engines note;
whether a trial was trained with XLA; studies of other programs in the same storage; the refusal to delete what runs;
the newest first.
"""

from __future__ import annotations

import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from gwas_core.errors import ExperimentError, FailureKind
from gwas_core.processes.locks import experiment_lock
from gwas_core.serialization import to_json_values
from gwas_core.tuning.attributes import (
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
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary, TrialRecord, moment
from gwas_core.tuning.storage import open_storage, translated_errors
from gwas_core.tuning.summaries import FINISHED, SummaryReader, unfinished_state
from gwas_core.tuning.tables import Reader, TrialRow
from gwas_core.workspace import Workspace, check_experiment_name


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
        self._reader = Reader(self.storage)
        self._summaries = SummaryReader(self._reader)
        # Connections are closed with the store, not at some later collection of garbage.
        weakref.finalize(self, self.storage.engine.dispose)

    def create(self, experiment: Experiment) -> None:
        """Add an experiment, without running it.

        Args:
            experiment: only its name is checked here: whether its dataset is there is for the engine that starts it.

        Raises:
            ExperimentError: the name is taken.
        """
        taken = f"there is already an experiment named {experiment.name}: choose another name or delete it"
        directory = self.workspace.experiment_directory(experiment.name)
        with translated_errors():
            if self._reader.study_id(experiment.name) is not None:
                raise ExperimentError(taken)
            if directory.exists() and any(directory.iterdir()):
                raise ExperimentError(
                    f"the workspace already has a folder {directory.name} of something else: choose another name"
                )
            try:
                study_id = self.storage.create_new_study([StudyDirection.MINIMIZE], experiment.name)
            except optuna.exceptions.DuplicatedStudyError as error:
                raise ExperimentError(taken) from error
            status = ExperimentStatus(state=ExperimentState.CREATED)
            self.storage.set_study_user_attr(study_id, STATUS, to_json_values(status))
            # Last: a study is an experiment of ours from the moment it has this.
            self.storage.set_study_user_attr(study_id, EXPERIMENT, experiment.to_dict())
        directory.mkdir(parents=True, exist_ok=True)

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments, the newest first; only what changed since the last call is read again.

        Returns:
            Entries of the list of experiments, without their trials.
        """
        with translated_errors():
            return self._summaries.read()

    def engine_of(self, name: str) -> str:
        """Return the name of the engine that runs the experiment, without reading its trials.

        Raises:
            ExperimentError: there is none of this name.
        """
        return self._attributes(self.study_id(name), name).header.engine

    def holds_unstarted(self, experiment: Experiment) -> bool:
        """Return whether exactly this experiment was created and nothing has run it yet."""
        with translated_errors():
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
            ExperimentError: there is none of this name.
        """
        study_id = self.study_id(name)
        # The state before the trials: a finished experiment is then seen with all of them.
        attributes = self._attributes(study_id, name)
        with translated_errors():
            rows = self._reader.trials(study_id)
        return self._record(attributes, rows)

    def delete(self, name: str) -> None:
        """Remove an experiment and its folder.

        Raises:
            ExperimentError: it is being worked on, or does not exist.
        """
        study_id = self.study_id(name)
        directory = self.workspace.experiment_directory(name)
        with experiment_lock(directory) as lock:
            if not lock.acquire(seconds=0.2):
                raise ExperimentError(f"{name} is running: stop it before deleting it")
            with translated_errors():
                self.storage.delete_study(study_id)
            shutil.rmtree(directory)

    def request_stop(self, name: str) -> None:
        """Ask the process that runs the experiment to stop it."""
        self._set(name, STOP_REQUESTED, True)

    def clear_stop_request(self, name: str) -> None:
        """Take back a request to stop, before the experiment is started again."""
        self._set(name, STOP_REQUESTED, False)

    def set_max_trials(self, name: str, max_trials: int) -> None:
        """Change the number of trials after which the experiment ends; the process that runs it notices.

        Args:
            name: of the experiment.
            max_trials: finished trials that end it.
        """
        replace(self.load(name).experiment, max_trials=max_trials)  # refuses what an experiment would refuse
        self._set(name, MAX_TRIALS, max_trials)

    def engine_attribute(self, name: str, key: str) -> Any:
        """Return what an engine keeps of its own with an experiment; None if there is nothing of that name.

        Args:
            name: of the experiment.
            key: as given to ``set_engine_attribute``.

        Returns:
            JSON values.
        """
        study_id = self.study_id(name)
        with translated_errors():
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
        with translated_errors():
            study_id = self._reader.study_id(name)
        if study_id is None:
            raise ExperimentError(f"there is no experiment named {name}")
        return study_id

    def _attributes(self, study_id: int, name: str) -> StudyAttributes:
        with translated_errors():
            attributes = StudyAttributes.read(self._reader.study_attributes(study_id))
        if attributes is None:
            raise ExperimentError(f"{name} is a study of another program, or was just being created or deleted")
        return attributes

    def _set(self, name: str, key: str, value: Any) -> None:
        study_id = self.study_id(name)
        with translated_errors():
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
            directory=self._trial_directory(experiment.name, row.number, attributes.folder),
        )

    def _trial_directory(self, name: str, number: int, folder: str | None) -> Path:
        directory = self.workspace.trial_directory(name, number)
        return directory.with_name(folder) if folder else directory
