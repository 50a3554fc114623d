"""Writer of one experiment's progress and results: attempts, epochs, outcomes, state, baselines.

Also here: how unfinished trials are settled after a kill; which failures no longer count after a resume; how often the
test lines were used; whether a stop or more trials are asked for; that a trial begun again keeps its seed and XLA; that
the experiment's folder holds whatever is written here, and holds it first; how long an attempt took.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from gwas_core.errors import ExperimentError, FailureKind, InputError
from gwas_core.model.calibration import Calibration
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.serialization import JsonObject, to_json_values
from gwas_core.tuning.attributes import (
    ATTEMPT,
    BASELINES,
    CALIBRATION,
    FOLDER,
    OUTCOME,
    PARALLEL_TRIALS,
    REFIT,
    RESULT,
    STATUS,
    STOP_REQUESTED,
    Attempt,
    BaselinesAttribute,
    CalibrationFailure,
    ExperimentStatus,
    Outcome,
    StudyAttributes,
    read_record,
)
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState, now
from gwas_core.tuning.folder_record import FolderRecord, RecordedTrial, can_record
from gwas_core.tuning.parallel_trials import ParallelTrials
from gwas_core.tuning.records import FinalMetrics, Refit
from gwas_core.tuning.store import Store

_OPTUNA_STATES = {
    TrialState.SUCCEEDED: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
}


_Class = TypeVar("_Class", bound=type[Any])


def _through_store(cls: _Class) -> _Class:
    """Have every method use the store as ``Store.using`` does: its errors in words, and no file that was deleted."""

    def wrapped(method: Any) -> Any:
        @functools.wraps(method)
        def use(self: ExperimentWriter, *args: Any, **kwargs: Any) -> Any:
            with self.store.using():
                return method(self, *args, **kwargs)

        return use

    for name, attribute in list(vars(cls).items()):
        if callable(attribute) and not name.startswith("_"):
            setattr(cls, name, wrapped(attribute))
    return cls


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Requests to the process that runs the experiment."""

    stop: bool
    max_trials: int


@_through_store
class ExperimentWriter:
    """Writer of an experiment's Optuna study; its progress is written in no other way.

    A trial counts as finished when its state is told to Optuna, in one transaction. What
    belongs to it is written before; a process killed in between leaves an outcome that
    ``take_over`` completes. Everything is in the experiment's folder (``folder_record``) before it is in the store.

    Attributes:
        experiment: as it was created and extended.
        forgiven_failures: number of failed trials that no longer count towards ``max_failed_trials``.
        measured_xla: whether XLA pays here, False if measuring it failed; None if it was not measured yet.

    Raises:
        ExperimentError: there is no such experiment, or the database cannot be used.
        DiskError: from every method, when the disk is full.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        sampler: optuna.samplers.BaseSampler | None = None,
        pruner: optuna.pruners.BasePruner | None = None,
    ) -> None:
        self.store = store  # which closes its connections when it goes
        self._storage = store.storage
        self._study_id = store.study_id(name)
        self.experiment: Experiment = store.experiment(name)
        self._record = FolderRecord(store.workspace.experiment_directory(name))
        self._began: dict[int, float] = {}
        with store.using():
            self.study = optuna.load_study(
                study_name=name,
                storage=store.storage,
                sampler=sampler or optuna.samplers.RandomSampler(seed=self.experiment.seed),
                pruner=pruner or optuna.pruners.NopPruner(),
            )
        attributes = self._attributes()
        self.forgiven_failures: int = attributes.status.forgiven_failures
        self.measured_xla: bool | None = attributes.measured_xla

    def requests(self) -> Requests:
        """Return what is asked now; one small query."""
        attributes = self._attributes()
        return Requests(stop=attributes.stop_requested, max_trials=attributes.max_trials)

    def state(self) -> ExperimentState:
        """Return the stored state of the experiment."""
        return self._attributes().status.state

    def set_status(self, state: ExperimentState, reason: str = "", *, since: str | None = None) -> None:
        """Write the state of the experiment and since when it is in it: now, unless ``since`` is given.

        Args:
            state: of the experiment.
            reason: why it is in this state; empty if there is nothing to say.
            since: ISO 8601.
        """
        status = replace(self._attributes().status, state=state, reason=reason)
        if state.is_active():
            status = replace(status, started=status.started or since or now(), finished=None)
        else:
            status = replace(status, finished=since or now())
        self._set_status(status)

    def forgive_failures(self) -> None:
        """Write that the failures so far no longer count towards ``max_failed_trials``."""
        self.forgiven_failures = len(self.trials([OptunaState.FAIL]))
        self._set_status(replace(self._attributes().status, forgiven_failures=self.forgiven_failures))

    def _attributes(self) -> StudyAttributes:
        attributes = StudyAttributes.read(self.study.user_attrs)
        if attributes is None:
            raise ExperimentError(f"{self.experiment.name} was just deleted")
        return attributes

    def _set_status(self, status: ExperimentStatus) -> None:
        self._set(STATUS, to_json_values(status))

    def _set(self, key: str, values: JsonObject) -> None:
        self._record.write_attribute(key, values)
        self.study.set_user_attr(key, values)

    def complete_record(self) -> None:
        """Write what the experiment's folder lacks of what the store holds, as of versions that kept no record."""
        try:
            recorded = self._record.attributes()
        except InputError:
            recorded = {}  # a file is damaged: all are written anew
        for key, values in self.study.user_attrs.items():
            if key != STOP_REQUESTED and can_record(key) and recorded.get(key) != values:
                self._record.write_attribute(key, values)
        for trial in self.trials():
            if not self._record.holds_trial(trial.number):
                self._record.write_trial(_recorded(trial))

    def has_baselines(self) -> bool:
        """Return whether the baselines are stored."""
        baselines = self._attributes().baselines
        return baselines is not None and baselines.results is not None

    def set_baselines(self, results: Mapping[str, BaselineMetrics]) -> None:
        """Store the baselines.

        Args:
            results: by name of the baseline.
        """
        self._set(BASELINES, to_json_values(BaselinesAttribute(results=results)))

    def set_baselines_failure(self, reason: str) -> None:
        """Store why there are no baselines.

        Args:
            reason: one sentence. Baselines are tried again when the experiment is resumed.
        """
        self._set(BASELINES, to_json_values(BaselinesAttribute(results=None, reason=reason)))

    def set_calibration(self, calibration: Calibration) -> None:
        """Store the timing of the network, with the choice of XLA that follows from it."""
        self._set(CALIBRATION, to_json_values(calibration))
        self.measured_xla = calibration.xla

    def set_calibration_failure(self, reason: str) -> None:
        """Store why the network could not be timed; its trials run without XLA.

        Args:
            reason: one sentence. The network is not timed again.
        """
        failure = CalibrationFailure(reason=reason)
        self._set(CALIBRATION, to_json_values(failure))
        self.measured_xla = failure.xla

    def set_parallel_trials(self, parallel: ParallelTrials) -> None:
        """Store how many trials are worked on at a time, and why not as many as were asked for."""
        self._set(PARALLEL_TRIALS, to_json_values(parallel))

    def final_evaluation(self) -> FinalMetrics | None:
        """Return the stored evaluation of the best trial on the test lines."""
        return self._attributes().final_evaluation

    def add_final_evaluation(self, trial: int, *, validation: PredictionMetrics, test: PredictionMetrics) -> None:
        """Store how a trial did on the test lines, and that they were used once more.

        Args:
            trial: number of the trial.
            validation: figures on the validation lines.
            test: figures on the test lines.
        """
        before = self.final_evaluation()
        evaluation = FinalMetrics(
            trial=trial,
            validation=validation,
            test=test,
            test_evaluations=1 if before is None else before.test_evaluations + 1,
        )
        self._set(RESULT, to_json_values(evaluation))

    def refit(self) -> Refit | None:
        """Return the stored refit of the best trial's network on all lines."""
        return self._attributes().refit

    def set_refit(self, refit: Refit) -> None:
        """Store how a trial's network was trained on all lines, or why that failed."""
        self._set(REFIT, to_json_values(refit))

    def trials(self, states: Iterable[OptunaState] | None = None) -> list[FrozenTrial]:
        """Return Optuna's trials, which must not be changed.

        Args:
            states: of the trials that are returned; all if None.
        """
        return self.study.get_trials(deepcopy=False, states=None if states is None else tuple(states))

    def attempt(self, number: int) -> Attempt:
        """Return the attempts of a trial so far."""
        stored = self._storage.get_trial(self._trial_id(number)).user_attrs.get(ATTEMPT)
        return read_record(Attempt, stored) or Attempt()

    def add(self, parameters: Mapping[str, HyperparameterValue], *, folder: str) -> int:
        """Add a trial that was suggested elsewhere and waits to be begun; return its number.

        Args:
            parameters: a value for each searched parameter, which the space allows.
            folder: name of the trial's folder in that of the experiment.
        """
        distributions = self.experiment.space.to_distributions()
        trial = optuna.trial.create_trial(
            state=OptunaState.WAITING,
            params={name: parameters[name] for name in distributions},
            distributions=distributions,
            user_attrs={FOLDER: folder},
        )
        self._record.write_trial(replace(_recorded(trial), number=len(self.trials())))
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study_id, trial))

    def add_finished(
        self,
        parameters: Mapping[str, HyperparameterValue],
        outcome: Outcome,
        *,
        folder: str,
        history: Iterable[tuple[int, float]],
        seed: int | None,
        started: str | None,
    ) -> None:
        """Add a trial that was suggested and has ended elsewhere: ``add`` to ``finish`` in one transaction.

        Args:
            history: (epoch, objective), as would have been reported.
            seed: of the trial, if it is not the one that this experiment gives that number.
            started: when; ISO 8601.
        """
        distributions = self.experiment.space.to_distributions()
        number = len(self.trials())
        attempt = Attempt(
            number=1,
            seed=self.experiment.trial_seed(number) if seed is None else seed,
            started=started or now(),
            running=True,
        )
        trial = optuna.trial.create_trial(
            state=_OPTUNA_STATES[outcome.state],
            value=outcome.value if outcome.state is TrialState.SUCCEEDED else None,
            params={name: parameters[name] for name in distributions},
            distributions=distributions,
            user_attrs={FOLDER: folder, ATTEMPT: to_json_values(attempt), OUTCOME: to_json_values(outcome)},
            intermediate_values=dict(history),
        )
        self._record.write_trial(replace(_recorded(trial), number=number))
        self._storage.create_new_trial(self._study_id, trial)

    def begin(
        self, number: int, *, seed: int | None = None, started: str | None = None, xla: bool | None = None
    ) -> Attempt:
        """Write that an attempt at a trial starts, and return it; epochs of an earlier one no longer count.

        Args:
            seed: of the trial, if it is not the one that this experiment gives that number.
            started: time of the start, if that was before it is written; ISO 8601.
            xla: whether training is to be compiled by XLA. An earlier attempt's choice stands: what was measured
                meanwhile must not change the trial's digits.
        """
        trial_id = self._trial_id(number)
        # Optuna cannot delete what was reported, but takes NaN as nothing.
        for step, value in self._storage.get_trial(trial_id).intermediate_values.items():
            if not math.isnan(value):
                self._storage.set_trial_intermediate_value(trial_id, step, math.nan)
        before = self.attempt(number)
        attempt = replace(
            before,
            number=before.number + 1,
            seed=self.experiment.trial_seed(number) if seed is None else seed,
            started=started or now(),
            running=True,
            xla=xla if before.xla is None else before.xla,
        )
        self._began[number] = time.monotonic()
        self._set_attempt(trial_id, attempt, state=OptunaState.RUNNING)
        if self._storage.get_trial(trial_id).state is OptunaState.WAITING:
            self._storage.set_trial_state_values(trial_id, OptunaState.RUNNING)
        return attempt

    def correct_seed(self, number: int, seed: int) -> None:
        """Write the seed of the attempt under way, which was not known when the attempt began.

        Args:
            number: of the trial.
            seed: with which the attempt is really trained.
        """
        self._set_attempt(self._trial_id(number), replace(self.attempt(number), seed=seed))

    def put_back(self, number: int, *, death: bool = False, crash: bool = False, reason: str = "") -> Attempt:
        """Write that the attempt under way ended without an outcome, and return the attempts so far.

        The trial waits, as Optuna has it: asking the study for the next trial gives this one again, with
        its number and parameters. One that was only half suggested gets the rest of them then.

        Args:
            number: of the trial.
            death: whether the attempt ended with the death of its worker alone.
            crash: whether it ended with the death of the supervisor.
            reason: why the trial is begun again; that of an earlier attempt stays if empty.
        """
        before = self.attempt(number)
        attempt = replace(
            before,
            running=False,
            deaths=before.deaths + death,
            crashes=before.crashes + crash,
            reason=reason or before.reason,
        )
        trial_id = self._trial_id(number)
        self._set_attempt(trial_id, attempt, state=OptunaState.WAITING)
        # As Optuna's own enqueue_trial leaves it; without, a sampler would not know that its point is taken.
        self._storage.set_trial_system_attr(trial_id, "fixed_params", self._storage.get_trial(trial_id).params)
        self._storage.set_trial_state_values(trial_id, OptunaState.WAITING)
        return attempt

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Store the objective after an epoch; return whether the trial should be given up.

        Args:
            number: of the trial.
            epoch: from 1.
            value: objective after this epoch, in the phenotype's unit.
        """
        trial_id = self._trial_id(number)
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)
        if isinstance(self.study.pruner, optuna.pruners.NopPruner):
            return False
        trial = self._storage.get_trial(trial_id)
        trial.intermediate_values = {
            step: value for step, value in trial.intermediate_values.items() if not math.isnan(value)
        }
        return self.study.pruner.prune(self.study, trial)

    def finish(self, number: int, outcome: Outcome) -> None:
        """Write how a trial ended; from here on it counts.

        Args:
            number: of a trial that was begun.
            outcome: its value is what the trial counts with in the search.
        """
        self.write_outcome(number, outcome)
        self._tell(number, outcome)

    def write_outcome(self, number: int, outcome: Outcome) -> None:
        """Write what belongs to a finished trial, before it counts as one: the first half of ``finish``.

        Args:
            number: of a trial that was begun.
            outcome: found by ``take_over`` if this process ends before the second half.
        """
        began = self._began.pop(number, None)
        if outcome.finished is None:
            # The times of a trial that ended elsewhere come with it; both clocks are of one machine here.
            seconds = None if began is None else round(time.monotonic() - began, 3)
            outcome = replace(outcome, finished=now(), seconds=seconds)
        trial_id, values = self._trial_id(number), to_json_values(outcome)
        recorded = _recorded(self._storage.get_trial(trial_id), {OUTCOME: values})
        is_success = outcome.state is TrialState.SUCCEEDED
        value = outcome.value if is_success else None
        self._record.write_trial(replace(recorded, state=_OPTUNA_STATES[outcome.state].name, value=value))
        self._storage.set_trial_user_attr(trial_id, OUTCOME, values)

    def take_over(self, *, maximum_crashes: int) -> None:
        """Settle the trials that were under way when an earlier process ended.

        Those whose outcome was written are finished; the others wait to be begun again. One
        that was being run the last ``maximum_crashes`` times its supervisor died has failed.

        Args:
            maximum_crashes: deaths of supervisors during one trial after which the trial has failed.
        """
        for trial in self.trials([OptunaState.RUNNING]):
            attempt = self.attempt(trial.number)
            crashes = attempt.crashes + attempt.running
            if (outcome := read_record(Outcome, trial.user_attrs.get(OUTCOME))) is not None:
                self._tell(trial.number, outcome)
            elif crashes >= maximum_crashes:
                reason = f"the experiment was interrupted {crashes} times while this trial ran: perhaps it is the cause"
                failed = Outcome(state=TrialState.FAILED, reason=reason, failure=FailureKind.INTERRUPTED)
                self.finish(trial.number, failed)
            elif attempt.running:
                self.put_back(trial.number, crash=True, reason="begun again: the experiment was interrupted")
            else:
                self.put_back(trial.number)

    def _tell(self, number: int, outcome: Outcome) -> None:
        if outcome.state is TrialState.SUCCEEDED:
            self.study.tell(number, outcome.value)
        else:
            self.study.tell(number, state=_OPTUNA_STATES[outcome.state])

    def _set_attempt(self, trial_id: int, attempt: Attempt, *, state: OptunaState | None = None) -> None:
        values, trial = to_json_values(attempt), self._storage.get_trial(trial_id)
        recorded = _recorded(trial, {ATTEMPT: values})
        self._record.write_trial(recorded if state is None else replace(recorded, state=state.name))
        self._storage.set_trial_user_attr(trial_id, ATTEMPT, values)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def _recorded(trial: FrozenTrial, attributes: JsonObject | None = None) -> RecordedTrial:
    """Return a trial as the folder keeps it, with attributes that the store is about to be told."""
    history = sorted((step, value) for step, value in trial.intermediate_values.items() if not math.isnan(value))
    return RecordedTrial(
        number=trial.number,
        state=trial.state.name,
        value=trial.value,
        parameters=dict(trial.params),
        history=tuple(history),
        attributes={**trial.user_attrs, **(attributes or {})},
        started=None if trial.datetime_start is None else trial.datetime_start.isoformat(),
        finished=None if trial.datetime_complete is None else trial.datetime_complete.isoformat(),
    )
