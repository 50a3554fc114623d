"""Trials as tables: all of them, ranked, or a few side by side; trials as JSON; advice after a failure.

Also here: columns and order of the table; how many trials there were since the last improvement; parameters that differ
between trials.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from gwas_core.errors import FailureKind
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

# Best first; what failed has nothing to compare and comes last.
_ORDER = (
    TrialState.SUCCEEDED,
    TrialState.PRUNED,
    TrialState.RUNNING,
    TrialState.WAITING,
    TrialState.INTERRUPTED,
    TrialState.FAILED,
)

_FEWER = "Run fewer trials in parallel, or lower the largest batch size, filters and units in the search space."
_NEXT_STEPS = {
    FailureKind.NOT_FINITE: "Lower the highest learning rate in the search space.",
    FailureKind.OUT_OF_MEMORY: _FEWER,
    # Nearly always it was the system that ended it, to free memory.
    FailureKind.WORKER_DIED: _FEWER,
    FailureKind.DISK_FULL: "Free some disk space, then resume the experiment.",
    FailureKind.FILES_LOST: "Its files were removed while it ran: resume the experiment, or start it anew.",
}
_OTHERWISE = "The end of its log says more. If other trials succeed, it can be left alone."


def ranked(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return trials in the order of a ranking.

    Args:
        trials: of one experiment, in any order.

    Returns:
        Succeeded trials from best to worst, then pruned and unfinished ones, and failed ones last.
    """
    return sorted(
        trials,
        key=lambda trial: (
            _ORDER.index(trial.state),
            trial.value if trial.value is not None else float("inf"),
            trial.number,
        ),
    )


def searched_names(record: ExperimentRecord) -> list[str]:
    """Return the names of the parameters that differ between trials, in the order of the space."""
    return [parameter.name for parameter in record.experiment.space.parameters]


def trial_rows(trials: Sequence[TrialRecord], names: Sequence[str]) -> pd.DataFrame:
    """Return trials as a table for people.

    Args:
        trials: a row for each, in this order.
        names: of the parameters that get a column.

    Returns:
        Columns Trial, State, Error (objective, in the phenotype's unit), Epochs, Seconds, the parameters, Reason.
    """
    return pd.DataFrame(
        {
            "Trial": [trial.number for trial in trials],
            "State": [trial.state.value for trial in trials],
            "Error": pd.Series([trial.value for trial in trials], dtype="float64"),
            "Epochs": [trial.epochs for trial in trials],
            "Seconds": pd.Series([trial.seconds for trial in trials], dtype="float64"),
            **{name: _column([trial.parameters.get(name) for trial in trials]) for name in names},
            "Reason": [trial.reason for trial in trials],
        }
    )


def compare_trials(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return the parameters and outcomes of trials side by side.

    Args:
        trials: in the order of the columns.

    Returns:
        A row for each outcome and parameter, a column for each trial: ``What``, ``Differs``, then ``Trial N``; all
        values as text, parameters that differ first.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial.parameters))
    outcomes: list[tuple[str, Sequence[HyperparameterValue | None]]] = [
        ("validation error", [trial.value for trial in trials]),
        ("state", [trial.state.value for trial in trials]),
        ("epochs", [trial.epochs for trial in trials]),
        ("best epoch", [trial.best_epoch for trial in trials]),
        ("seconds", [trial.seconds for trial in trials]),
    ]
    rows = [_comparison_row(name, values, trials) for name, values in outcomes]
    parameters = [_comparison_row(name, [trial.parameters.get(name) for trial in trials], trials) for name in names]
    parameters.sort(key=lambda row: not row["Differs"])
    return pd.DataFrame([*rows, *parameters])


def trials_json(record: ExperimentRecord, trials: Iterable[TrialRecord]) -> str:
    """Return trials with their learning curves as JSON text, without the paths of this machine.

    Args:
        record: of the experiment, for its name and objective.
        trials: those to write.
    """
    entries = []
    for trial in trials:
        values = trial.to_dict() | {"history": [list(entry) for entry in trial.history]}
        del values["directory"]
        entries.append(values)
    content = {"experiment": record.name, "objective": record.experiment.objective, "trials": entries}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def trials_since_improvement(record: ExperimentRecord) -> int:
    """Return how many trials were finished after the best one; 0 while there is no best one."""
    best = record.best
    if best is None or best.finished is None:
        return 0
    moment = best.finished
    return sum(
        trial.state.is_finished() and trial.finished is not None and trial.finished > moment for trial in record.trials
    )


def next_step(failure: FailureKind | None) -> str:
    """Return what a person can do about a trial that failed, by the kind of its failure.

    Args:
        failure: kind of the failure; None if it is not known.
    """
    return _OTHERWISE if failure is None else _NEXT_STEPS.get(failure, _OTHERWISE)


def _comparison_row(
    name: str, values: Sequence[HyperparameterValue | None], trials: Sequence[TrialRecord]
) -> dict[str, str | bool]:
    texts = [_text(value) for value in values]
    columns = {f"Trial {trial.number}": text for trial, text in zip(trials, texts, strict=True)}
    return {"What": name, "Differs": len(set(texts)) > 1, **columns}


def _text(value: HyperparameterValue | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _column(values: Sequence[HyperparameterValue | None]) -> pd.Series[Any]:
    """Return values as a column: numbers stay numbers, so that they sort; mixed kinds become text."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        if all(isinstance(value, int) for value in values):
            return pd.Series(values, dtype="int64")
        return pd.Series(values, dtype="float64")
    return pd.Series([None if value is None else str(value) for value in values], dtype="object")
