"""Writing into the store what Katib, and the trials' own files, say of an experiment."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.mapping import FAILURE_FILE, RESULT_FILE, TrialFacts, finite, read_history, read_object
from gwas_core.kubeflow.parameters import from_assignments
from gwas_core.model.training import OBJECTIVE
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.writer import ExperimentWriter, Outcome

# What Kubernetes allows as a name, and therefore no path.
_FOLDER = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def mirror(
    writer: ExperimentWriter,
    record: ExperimentRecord,
    facts: Iterable[TrialFacts],
    *,
    foreign_names: Mapping[str, str] | None,
    seconds: float = math.inf,
) -> bool:
    """Bring the store's trials up to date; what is finished there stays as it is. False where time ran out.

    Args:
        record: the experiment as the store has it.
        facts: all its trials on Katib, in the order of suggestion.
        foreign_names: of an experiment made elsewhere, Katib's parameter names and what they are called here.
        seconds: after which no further trial is begun with: hundreds that are new take half a minute, and somebody
            waits for the page.
    """
    deadline = time.monotonic() + seconds
    known = {trial.directory.name: trial for trial in record.trials}
    for fact in facts:
        if time.monotonic() > deadline:
            return False
        if is_folder(fact.name):
            _mirror_trial(writer, record, fact, known.get(fact.name), foreign_names)
    return True


def is_folder(name: str) -> bool:
    """Whether a trial's name can be that of its folder."""
    return _FOLDER.fullmatch(name) is not None


def _mirror_trial(
    writer: ExperimentWriter,
    record: ExperimentRecord,
    fact: TrialFacts,
    trial: TrialRecord | None,
    foreign_names: Mapping[str, str] | None,
) -> None:
    if trial is not None and trial.state.is_finished():
        return
    directory = record.directory / fact.name
    if trial is None:
        parameters = read_parameters(record.experiment.space, fact.assignments, foreign_names)
        if parameters is None:
            return
        if fact.state.is_finished():
            _add_finished(writer, fact, directory, parameters)
            return
        number, reported = writer.add(parameters, folder=fact.name), set[int]()
    else:
        number, reported = trial.number, {epoch for epoch, _ in trial.history}
    if fact.state is TrialState.WAITING:
        return
    result = read_object(directory / RESULT_FILE)
    if trial is None or trial.state is not TrialState.RUNNING:
        writer.begin(number, seed=_whole(result.get("seed")), started=fact.started)
        reported = set()
    history = read_history(directory)
    for epoch, value in history:
        if epoch not in reported:
            writer.report(number, epoch, value)
    if fact.state.is_finished():
        if (seed := _whole(result.get("seed"))) is not None:
            writer.correct_seed(number, seed)  # a running trial has not told it yet
        writer.finish(number, _outcome(fact, result, history, read_object(directory / FAILURE_FILE)))


def _add_finished(writer: ExperimentWriter, fact: TrialFacts, directory: Path, parameters: Mapping[str, Any]) -> None:
    """A trial that is seen for the first time when it has ended: at once, for there may be hundreds."""
    result, history = read_object(directory / RESULT_FILE), read_history(directory)
    writer.add_finished(
        parameters,
        _outcome(fact, result, history, read_object(directory / FAILURE_FILE)),
        folder=fact.name,
        history=history,
        seed=_whole(result.get("seed")),
        started=fact.started,
    )


def read_parameters(
    space: SearchSpace, assignments: Mapping[str, str], foreign_names: Mapping[str, str] | None
) -> dict[str, Any] | None:
    """The point that Katib's texts name; None where the space does not hold it."""
    try:
        if foreign_names is None:
            return dict(from_assignments(space, assignments))
        # Made elsewhere: the space was made from Katib's, which may be stepped or bounded a little differently.
        renamed = {foreign_names.get(name, name): value for name, value in assignments.items()}
        return {parameter.name: parameter.nearest(renamed[parameter.name]) for parameter in space.parameters}
    except (SettingsError, KeyError):
        return None


def _outcome(
    fact: TrialFacts, result: Mapping[str, Any], history: list[tuple[int, float]], failure: Mapping[str, Any]
) -> Outcome:
    if fact.state is TrialState.SUCCEEDED:
        assert fact.value is not None
        values: dict[str, Any] = {"best_epoch": min(history, key=lambda entry: entry[1])[0]} if history else {}
        # The trial's own figure where it left one: Katib's is the least of all that was printed.
        own = finite(result.get(OBJECTIVE))
        values |= {**result, OBJECTIVE: fact.value if own is None else own}
        return Outcome(state=TrialState.SUCCEEDED, result=values, finished=fact.finished)
    reason = failure.get("reason")
    if fact.state is TrialState.FAILED and isinstance(reason, str) and reason:
        return Outcome(state=TrialState.FAILED, reason=reason[:500], finished=fact.finished)
    return Outcome(state=fact.state, reason=fact.reason, finished=fact.finished)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
