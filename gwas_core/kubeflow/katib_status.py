"""Status of Katib's objects, as this project's types: pure functions on what the API returned.

Also here: which condition means waiting, running, pruned or failed; the objective from the metric's strategy; the order
of suggestion; times.

Field names are those of Katib 0.19 (kubeflow.org/v1beta1); times are RFC 3339 texts in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gwas_core.errors import FailureKind
from gwas_core.kubeflow.trial_files import finite_number
from gwas_core.model.training import OBJECTIVE
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import TrialState

_NO_METRIC = "unavailable"


@dataclass(frozen=True, kw_only=True)
class KatibTrial:
    """One trial as Katib has it.

    Attributes:
        name: Katib's name of the trial, which is also that of its folder.
        state: waiting, running, succeeded, pruned or failed.
        assignments: value of each hyperparameter, as text.
        value: the objective that Katib goes by, to be minimised; None without one.
        reason: why it failed or was pruned.
        created, started, finished: times, RFC 3339; None before.
        failure: why it failed, where Katib's report says it.
    """

    name: str
    state: TrialState
    assignments: Mapping[str, str]
    value: float | None = None
    reason: str = ""
    created: str = ""
    started: str | None = None
    finished: str | None = None
    failure: FailureKind | None = None


def read_trial(trial: JsonObject) -> KatibTrial:
    """Return what Katib says of one trial.

    One that succeeded without a finite objective has failed, because nobody can learn from it.

    Args:
        trial: as the cluster returns it.
    """
    spec, status = trial.get("spec") or {}, trial.get("status") or {}
    metric = str((spec.get("objective") or {}).get("objectiveMetricName", OBJECTIVE))
    state, reason = _state(trial)
    value = objective(trial)
    failure = None
    if state is TrialState.SUCCEEDED and value is None:
        failure = FailureKind.NOT_FINITE
        state, reason = TrialState.FAILED, f"it ended without reporting a finite {metric}"
    return KatibTrial(
        name=trial["metadata"]["name"],
        state=state,
        assignments={str(entry["name"]): str(entry["value"]) for entry in spec.get("parameterAssignments") or ()},
        value=value,
        reason=reason,
        created=str(trial["metadata"].get("creationTimestamp", "")),
        started=status.get("startTime"),
        finished=status.get("completionTime"),
        failure=failure,
    )


def _state(trial: JsonObject) -> tuple[TrialState, str]:
    if (killed := condition(trial, "Killed")) is not None:
        return TrialState.FAILED, f"Katib killed it: {message_of(killed)}"
    if (failed := condition(trial, "Failed")) is not None:
        return TrialState.FAILED, message_of(failed)
    if (unavailable := condition(trial, "MetricsUnavailable")) is not None:
        return TrialState.FAILED, f"it ended without reporting its metric: {message_of(unavailable)}"
    if condition(trial, "Succeeded") is not None:
        return TrialState.SUCCEEDED, ""
    if condition(trial, "EarlyStopped") is not None:
        return TrialState.PRUNED, "stopped early: other trials were better at that epoch"
    return (TrialState.RUNNING if condition(trial, "Running") is not None else TrialState.WAITING), ""


def condition(resource: JsonObject, kind: str) -> JsonObject | None:
    """Return a condition of an object if it is true, or None.

    Args:
        resource: experiment, trial, suggestion or pod, as the cluster returns it.
        kind: type of the condition, such as ``"Succeeded"``.
    """
    for entry in (resource.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind and entry.get("status") == "True":
            return dict(entry)
    return None


def message_of(entry: JsonObject) -> str:
    """Return the message of a condition, else its reason, in at most 300 characters."""
    return str(entry.get("message") or entry.get("reason") or "no reason given")[:300]


def objective(trial: JsonObject) -> float | None:
    """Return the objective by the metric's strategy, to be minimised, or None if there is none.

    For a metric to be maximised it is the negative of the metric.

    Args:
        trial: as the cluster returns it.
    """
    spec = (trial.get("spec") or {}).get("objective") or {}
    metric = spec.get("objectiveMetricName")
    maximised = spec.get("type") == "maximize"
    strategies = {entry.get("name"): entry.get("value") for entry in spec.get("metricStrategies") or ()}
    strategy = strategies.get(metric) or ("max" if maximised else "min")
    for entry in ((trial.get("status") or {}).get("observation") or {}).get("metrics") or ():
        if entry.get("name") == metric:
            text = entry.get(strategy)
            number = finite_number(entry.get("latest") if text in (None, "", _NO_METRIC) else text)
            return -number if number is not None and maximised else number
    return None


def completion_message(experiment: JsonObject) -> str | None:
    """Return what Katib says about the end of an experiment, or None while it goes on.

    Args:
        experiment: as the cluster returns it.
    """
    for kind in ("Failed", "Succeeded"):
        if (entry := condition(experiment, kind)) is not None:
            return message_of(entry)
    return None


def read_trials(trials: Iterable[JsonObject], suggestion: JsonObject | None) -> list[KatibTrial]:
    """Return all trials in the order of suggestion, which their times, to the second, do not give.

    Args:
        trials: Katib's trials, in any order.
        suggestion: Katib's suggestion of the experiment, if there is one.
    """
    suggested = ((suggestion or {}).get("status") or {}).get("suggestions") or ()
    order = {entry.get("name"): index for index, entry in enumerate(suggested)}
    return sorted(
        map(read_trial, trials), key=lambda trial: (order.get(trial.name, len(order)), trial.created, trial.name)
    )


def read_time(text: Any) -> datetime | None:
    """Return an RFC 3339 text as an aware time, or None for anything else.

    Args:
        text: as Kubernetes writes times; one without a zone is UTC.
    """
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
