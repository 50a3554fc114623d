"""Sync of trials: writing into the store what Katib, and the trials' own files, say of them.

Also here: whose figure counts, Katib's or the trial's own; the folder of a trial's name; a point outside of the space;
why all wait.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.katib_status import KatibTrial
from gwas_core.kubeflow.parameters import from_assignments
from gwas_core.kubeflow.trial_files import RecordedResult, TrialFailure, read_failure, read_history, read_result
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.training import TrialResult
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter

# What Kubernetes allows as a name, and therefore no path.
_FOLDER = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def sync_trials(
    writer: ExperimentWriter,
    record: ExperimentRecord,
    trials: Iterable[KatibTrial],
    *,
    external_names: Mapping[str, str] | None,
    seconds: float = math.inf,
) -> bool:
    """Bring the store's trials up to date; what is finished there stays as it is.

    Args:
        writer: of the experiment.
        record: the experiment as the store has it.
        trials: all its trials on Katib, in the order of suggestion.
        external_names: our parameter name by Katib's, of an experiment made elsewhere; None for one of our own.
        seconds: time after which no further trial is begun with: hundreds of new ones take half a minute, and
            somebody waits for the page.

    Returns:
        False if time ran out before all trials were written.
    """
    deadline = time.monotonic() + seconds
    known = {trial.directory.name: trial for trial in record.trials}
    for katib_trial in trials:
        if time.monotonic() > deadline:
            return False
        if is_folder_name(katib_trial.name):
            _sync_trial(writer, record, katib_trial, known.get(katib_trial.name), external_names)
    return True


def is_folder_name(name: str) -> bool:
    """Return whether a trial's name can be that of its folder."""
    return _FOLDER.fullmatch(name) is not None


def _sync_trial(
    writer: ExperimentWriter,
    record: ExperimentRecord,
    katib_trial: KatibTrial,
    trial: TrialRecord | None,
    external_names: Mapping[str, str] | None,
) -> None:
    if trial is not None and trial.state.is_finished():
        return
    directory = record.directory / katib_trial.name
    if trial is None:
        parameters = read_parameters(record.experiment.space, katib_trial.assignments, external_names)
        if parameters is None:
            return
        if katib_trial.state.is_finished():
            _add_finished(writer, katib_trial, directory, parameters)
            return
        number, reported = writer.add(parameters, folder=katib_trial.name), set[int]()
    else:
        number, reported = trial.number, {epoch for epoch, _ in trial.history}
    if katib_trial.state is TrialState.WAITING:
        return
    recorded = read_result(directory)
    seed = None if recorded is None else recorded.seed
    if trial is None or trial.state is not TrialState.RUNNING:
        writer.begin(number, seed=seed, started=katib_trial.started)
        reported = set()
    history = read_history(directory)
    for epoch, value in history:
        if epoch not in reported:
            writer.report(number, epoch, value)
    if katib_trial.state.is_finished():
        if seed is not None:
            writer.correct_seed(number, seed)  # a running trial has not told it yet
        writer.finish(number, _outcome(katib_trial, recorded, history, read_failure(directory)))


def _add_finished(
    writer: ExperimentWriter, katib_trial: KatibTrial, directory: Path, parameters: Mapping[str, HyperparameterValue]
) -> None:
    """Write a trial that is seen for the first time when it has ended, in one step: there may be hundreds."""
    recorded, history = read_result(directory), read_history(directory)
    writer.add_finished(
        parameters,
        _outcome(katib_trial, recorded, history, read_failure(directory)),
        folder=katib_trial.name,
        history=history,
        seed=None if recorded is None else recorded.seed,
        started=katib_trial.started,
    )


def read_parameters(
    space: SearchSpace, assignments: Mapping[str, str], external_names: Mapping[str, str] | None
) -> dict[str, HyperparameterValue] | None:
    """Return the point that Katib's texts name, or None if the space does not hold it.

    Args:
        space: the search space of the experiment.
        assignments: value of each parameter as text, by Katib's name.
        external_names: see ``sync_trials``.
    """
    try:
        if external_names is None:
            return dict(from_assignments(space, assignments))
        # Made elsewhere: the space was made from Katib's, which may be stepped or bounded a little differently.
        renamed = {external_names.get(name, name): value for name, value in assignments.items()}
        return {parameter.name: parameter.nearest(renamed[parameter.name]) for parameter in space.parameters}
    except (SettingsError, KeyError):
        return None


def _outcome(
    katib_trial: KatibTrial,
    recorded: RecordedResult | None,
    history: list[tuple[int, float]],
    failure: TrialFailure | None,
) -> Outcome:
    if katib_trial.state is TrialState.SUCCEEDED:
        assert katib_trial.value is not None
        best_epoch = min(history, key=lambda entry: entry[1])[0] if history else None
        if recorded is None:
            result = TrialResult(val_mean_absolute_error=katib_trial.value, best_epoch=best_epoch)
        else:
            # The trial's own figure where it left one: Katib's is the least of all that was printed.
            own = recorded.result
            result = replace(
                own,
                val_mean_absolute_error=(
                    own.val_mean_absolute_error if math.isfinite(own.val_mean_absolute_error) else katib_trial.value
                ),
                best_epoch=best_epoch if own.best_epoch is None else own.best_epoch,
            )
        return Outcome(state=TrialState.SUCCEEDED, result=result, finished=katib_trial.finished)
    if katib_trial.state is TrialState.FAILED and failure is not None:
        return Outcome(
            state=TrialState.FAILED, reason=failure.reason[:500], failure=failure.kind, finished=katib_trial.finished
        )
    return Outcome(
        state=katib_trial.state, reason=katib_trial.reason, failure=katib_trial.failure, finished=katib_trial.finished
    )


def put_back_running_trials(writer: ExperimentWriter, store: Store) -> None:
    """Write that trials which have not finished wait to be begun again.

    Args:
        writer: of the experiment.
        store: that holds it.
    """
    for trial in store.load(writer.experiment.name).trials:
        if trial.state is TrialState.RUNNING:
            writer.put_back(trial.number)


def set_waiting_reason(writer: ExperimentWriter, record: ExperimentRecord, reason: str) -> None:
    """Write why nothing seems to happen; with an empty reason, that something happens again.

    Args:
        writer: of the experiment.
        record: the experiment as the store has it.
        reason: sentence for people; empty if something happens again.
    """
    if reason != record.reason:
        writer.set_status(ExperimentState.RUNNING, reason)
