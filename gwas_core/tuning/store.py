"""Store of all experiments and trials: read, created, deleted, and requests to stop or extend them.

Also here: which names are taken; what another version of this program wrote and how it is read; what engines note;
whether a trial was trained with XLA; studies of other programs in the same storage; the refusal to delete what runs;
the newest first.
"""

from __future__ import annotations

import shutil
import weakref
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from gwas_core.errors import ExperimentError, FailureKind, InputError
from gwas_core.model.calibration import Calibration
from gwas_core.model.metrics import BaselineMetrics
from gwas_core.model.training import TrialResult
from gwas_core.processes.locks import experiment_lock
from gwas_core.serialization import Record, from_json_values
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary, FinalMetrics, TrialRecord, moment
from gwas_core.tuning.storage import open_storage, translated_errors
from gwas_core.tuning.tables import Reader, TrialRow
from gwas_core.workspace import Workspace, check_experiment_name

# User attributes of a study. Each is written at once, so none is ever half there.
EXPERIMENT = "experiment"
STATUS = "status"
MAX_TRIALS = "max_trials"
STOP_REQUESTED = "stop_requested"
BASELINES = "baselines"
CALIBRATION = "calibration"
RESULT = "result"

_OWN_ATTRIBUTES = {EXPERIMENT, STATUS, MAX_TRIALS, STOP_REQUESTED, BASELINES, CALIBRATION, RESULT}

# User attributes of a trial.
ATTEMPT = "attempt"
OUTCOME = "outcome"
FOLDER = "folder"

_FINISHED = {"COMPLETE": TrialState.SUCCEEDED, "PRUNED": TrialState.PRUNED, "FAIL": TrialState.FAILED}


class Store:
    """Reading, creating and deleting of experiments, and requests to the process that runs one.

    Safe to share between threads. What is read is never cached. An experiment's own writer
    is ``ExperimentWriter`` (one process at a time, the one that holds its lock).

    Raises:
        ExperimentError: from every method, when the database cannot be used.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.storage: RDBStorage = open_storage(workspace)
        self._reader = Reader(self.storage)
        # Connections are closed with the store, not at some later collection of garbage.
        weakref.finalize(self, self.storage.engine.dispose)

    def create(self, experiment: Experiment) -> None:
        """Add an experiment, without running it.

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
            status = {"state": ExperimentState.CREATED, "reason": "", "started": None, "finished": None}
            self.storage.set_study_user_attr(study_id, STATUS, status)
            # Last: a study is an experiment of ours from the moment it has this.
            self.storage.set_study_user_attr(study_id, EXPERIMENT, experiment.to_dict())
        directory.mkdir(parents=True, exist_ok=True)

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments, the newest first; a few queries, however many there are.

        Returns:
            Entries of the list of experiments, without their trials.
        """
        with translated_errors():
            studies = self._reader.all_study_attributes((EXPERIMENT, STATUS, MAX_TRIALS, BASELINES))
            outcomes = self._reader.outcomes()
        summaries = [
            _summary(attributes, outcomes.get(study_id, []))
            for study_id, attributes in reversed(studies.items())
            if EXPERIMENT in attributes and STATUS in attributes
        ]
        return tuple(summaries)

    def engine_of(self, name: str) -> str:
        """Return the name of the engine that runs the experiment, without reading its trials.

        Raises:
            ExperimentError: there is none of this name.
        """
        engine: str = self._attributes(self.study_id(name), name)[EXPERIMENT]["engine"]
        return engine

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
        """Return what an engine keeps of its own with an experiment; None if there is nothing of that name."""
        study_id = self.study_id(name)
        with translated_errors():
            return self._reader.study_attributes(study_id).get(key)

    def set_engine_attribute(self, name: str, key: str, value: Any) -> None:
        """Store what an engine keeps of its own with an experiment, such as where on a cluster it runs.

        Args:
            key: none of the store's own attributes.
            value: JSON values.
        """
        assert key not in _OWN_ATTRIBUTES, key
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

    def _attributes(self, study_id: int, name: str) -> dict[str, Any]:
        with translated_errors():
            attributes = self._reader.study_attributes(study_id)
        if EXPERIMENT not in attributes or STATUS not in attributes:
            raise ExperimentError(f"{name} is a study of another program, or was just being created or deleted")
        return attributes

    def _set(self, name: str, key: str, value: Any) -> None:
        study_id = self.study_id(name)
        with translated_errors():
            self.storage.set_study_user_attr(study_id, key, value)

    def _record(self, attributes: Mapping[str, Any], rows: list[TrialRow]) -> ExperimentRecord:
        experiment = Experiment.from_dict(attributes[EXPERIMENT])
        experiment = replace(experiment, max_trials=attributes.get(MAX_TRIALS, experiment.max_trials))
        status = attributes[STATUS]
        state = ExperimentState(status["state"])
        if state is ExperimentState.RUNNING and attributes.get(STOP_REQUESTED):
            state = ExperimentState.STOPPING
        baselines = attributes.get(BASELINES) or {}
        return ExperimentRecord(
            experiment=experiment,
            state=state,
            reason=status["reason"],
            trials=tuple(self._trial(experiment, row, active=state.is_active()) for row in rows),
            baselines=read_baselines(attributes.get(BASELINES)),
            baselines_reason=baselines.get("reason", ""),
            calibration=read_record(Calibration, attributes.get(CALIBRATION)),
            final_evaluation=read_record(FinalMetrics, attributes.get(RESULT)),
            started=moment(status["started"]),
            finished=moment(status["finished"]),
            directory=self.workspace.experiment_directory(experiment.name),
        )

    def _trial(self, experiment: Experiment, row: TrialRow, *, active: bool) -> TrialRecord:
        attempt = row.attributes.get(ATTEMPT) or {}
        outcome = (row.attributes.get(OUTCOME) or {}) if row.state in _FINISHED else {}
        state = _FINISHED.get(row.state) or _unfinished_state(row.state, active=active)
        value = row.value
        if state is TrialState.PRUNED and value is None and row.history:
            value = row.history[-1][1]
        return TrialRecord(
            number=row.number,
            state=state,
            parameters={**row.parameters, **experiment.space.fixed},
            value=value,
            history=row.history,
            reason=outcome.get("reason") or attempt.get("reason") or "",
            attempts=attempt.get("number", 0),
            seed=attempt.get("seed"),
            xla=_xla(attempt, outcome),
            result=read_record(TrialResult, outcome.get("result")),
            failure=FailureKind.read(outcome.get("failure")) if state is TrialState.FAILED else None,
            started=moment(attempt.get("started")) or row.started,
            finished=moment(outcome.get("finished")) or row.finished,
            directory=self._trial_directory(experiment.name, row),
        )

    def _trial_directory(self, name: str, row: TrialRow) -> Path:
        directory = self.workspace.trial_directory(name, row.number)
        folder = row.attributes.get(FOLDER)
        return directory.with_name(folder) if folder else directory


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


def read_baselines(values: Any) -> dict[str, BaselineMetrics] | None:
    """Return the baselines of a stored attribute, without those that another version wrote in another form."""
    results = values.get("results") if isinstance(values, Mapping) else None
    if not isinstance(results, Mapping):
        return None
    read = {name: read_record(BaselineMetrics, result) for name, result in results.items()}
    return {name: metrics for name, metrics in read.items() if metrics is not None}


def _xla(attempt: Mapping[str, Any], outcome: Mapping[str, Any]) -> bool | None:
    """Whether the trial's training was compiled; its result knows best, and trials of before 0.2 know nothing else."""
    for record in (outcome.get("result") or {}, attempt):
        if isinstance(record.get("xla"), bool):
            return bool(record["xla"])
    return None


def _unfinished_state(optuna_state: str, *, active: bool) -> TrialState:
    if not active:
        return TrialState.INTERRUPTED
    return TrialState.RUNNING if optuna_state == "RUNNING" else TrialState.WAITING


def _summary(attributes: Mapping[str, Any], outcomes: list[tuple[int, str, float | None]]) -> ExperimentSummary:
    # Not through Experiment.from_dict: checking a search space takes a hundred times longer than the rest.
    experiment = attributes[EXPERIMENT]
    state = ExperimentState(attributes[STATUS]["state"])
    return ExperimentSummary(
        name=experiment["name"],
        source=experiment["source"],
        created=experiment["created"],
        engine=experiment["engine"],
        state=state,
        reason=attributes[STATUS]["reason"],
        max_trials=attributes.get(MAX_TRIALS, experiment["max_trials"]),
        counts=Counter(
            _FINISHED.get(name) or _unfinished_state(name, active=state.is_active()) for _, name, _ in outcomes
        ),
        values=tuple((number, value) for number, name, value in outcomes if name == "COMPLETE" and value is not None),
        baselines=read_baselines(attributes.get(BASELINES)),
    )
