"""What Katib's objects say, in this project's words: pure functions on what the API returned.

Field names are those of Katib 0.19 (kubeflow.org/v1beta1); times are RFC 3339 texts in UTC.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gwas_core.errors import SettingsError
from gwas_core.messages import counted, duration
from gwas_core.model.training import OBJECTIVE
from gwas_core.tuning.experiment import Experiment, TrialState
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings

EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
SUGGESTION_LABEL = "katib.kubeflow.org/suggestion"
TRIAL_LABEL = "katib.kubeflow.org/trial"

METRICS_FILE, RESULT_FILE, FAILURE_FILE = "metrics.jsonl", "result.json", "failure.json"

UNKNOWN_DATASET = "0" * 64
"""Stands for the data of an experiment that was made elsewhere: Katib does not know them."""

_NO_METRIC = "unavailable"
_MEMORY_REMEDY = (
    "its memory limit, 100Mi by default, is too small for it: an administrator raises resources.limits.memory of the "
    "algorithm to 500Mi in the ConfigMap katib-config of Katib's namespace; then stop and resume the experiment"
)


@dataclass(frozen=True, kw_only=True)
class TrialFacts:
    """One trial as Katib has it.

    Attributes:
        name: Katib's, and that of its folder.
        state: waiting, running, succeeded, pruned or failed.
        assignments: hyperparameters as text.
        value: the objective that Katib goes by, to be minimised; None without one.
        reason: why it failed or was pruned.
        created, started, finished: RFC 3339; None before.
    """

    name: str
    state: TrialState
    assignments: Mapping[str, str]
    value: float | None = None
    reason: str = ""
    created: str = ""
    started: str | None = None
    finished: str | None = None


def trial_facts(trial: Mapping[str, Any]) -> TrialFacts:
    """Read one trial. One that succeeded without a finite objective has failed: nobody can learn from it."""
    spec, status = trial.get("spec") or {}, trial.get("status") or {}
    metric = str((spec.get("objective") or {}).get("objectiveMetricName", OBJECTIVE))
    state, reason = _state(trial)
    value = objective(trial)
    if state is TrialState.SUCCEEDED and value is None:
        state, reason = TrialState.FAILED, f"it ended without reporting a finite {metric}"
    return TrialFacts(
        name=trial["metadata"]["name"],
        state=state,
        assignments={str(entry["name"]): str(entry["value"]) for entry in spec.get("parameterAssignments") or ()},
        value=value,
        reason=reason,
        created=str(trial["metadata"].get("creationTimestamp", "")),
        started=status.get("startTime"),
        finished=status.get("completionTime"),
    )


def _state(trial: Mapping[str, Any]) -> tuple[TrialState, str]:
    if (killed := condition(trial, "Killed")) is not None:
        return TrialState.FAILED, f"Katib killed it: {_words(killed)}"
    if (failed := condition(trial, "Failed")) is not None:
        return TrialState.FAILED, _words(failed)
    if (unavailable := condition(trial, "MetricsUnavailable")) is not None:
        return TrialState.FAILED, f"it ended without reporting its metric: {_words(unavailable)}"
    if condition(trial, "Succeeded") is not None:
        return TrialState.SUCCEEDED, ""
    if condition(trial, "EarlyStopped") is not None:
        return TrialState.PRUNED, "stopped early: other trials were better at that epoch"
    return (TrialState.RUNNING if condition(trial, "Running") is not None else TrialState.WAITING), ""


def condition(resource: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """The condition of this type, where it is true."""
    for entry in (resource.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind and entry.get("status") == "True":
            return dict(entry)
    return None


def _words(entry: Mapping[str, Any]) -> str:
    return str(entry.get("message") or entry.get("reason") or "no reason given")[:300]


def objective(trial: Mapping[str, Any]) -> float | None:
    """The objective by the metric's strategy, to be minimised: of a metric to be maximised, its negative."""
    spec = (trial.get("spec") or {}).get("objective") or {}
    metric = spec.get("objectiveMetricName")
    maximised = spec.get("type") == "maximize"
    strategies = {entry.get("name"): entry.get("value") for entry in spec.get("metricStrategies") or ()}
    strategy = strategies.get(metric) or ("max" if maximised else "min")
    for entry in ((trial.get("status") or {}).get("observation") or {}).get("metrics") or ():
        if entry.get("name") == metric:
            text = entry.get(strategy)
            number = finite(entry.get("latest") if text in (None, "", _NO_METRIC) else text)
            return -number if number is not None and maximised else number
    return None


def finite(value: Any) -> float | None:
    """A finite number, from a number or a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def ending(experiment: Mapping[str, Any]) -> str | None:
    """Katib's words for the end of an experiment; None while it goes on."""
    for kind in ("Failed", "Succeeded"):
        if (entry := condition(experiment, kind)) is not None:
            return _words(entry)
    return None


def in_order(trials: Iterable[Mapping[str, Any]], suggestion: Mapping[str, Any] | None) -> list[TrialFacts]:
    """All trials in the order of suggestion, which times to the second do not give."""
    suggested = ((suggestion or {}).get("status") or {}).get("suggestions") or ()
    order = {entry.get("name"): index for index, entry in enumerate(suggested)}
    facts = [trial_facts(trial) for trial in trials]
    return sorted(facts, key=lambda fact: (order.get(fact.name, len(order)), fact.created, fact.name))


# What trials leave in their folders.


def read_history(directory: Path, metric: str = OBJECTIVE) -> list[tuple[int, float]]:
    """(epoch, objective) of every complete line of the folder's metrics; a line being written does not count yet."""
    try:
        text = (directory / METRICS_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    history: dict[int, float] = {}
    for line in text.split("\n")[:-1]:
        try:
            entry = json.loads(line)
            epoch, value = entry["epoch"], finite(entry[metric])
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(epoch, int) and epoch > 0 and value is not None:
            history[epoch] = value
    return sorted(history.items())


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that a trial wrote; empty where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


# Stalls.


def quiet_since(experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> datetime:
    """When something last happened to an experiment."""
    times = [experiment["metadata"].get("creationTimestamp")]
    for resource in (experiment, *trials):
        times.append(resource["metadata"].get("creationTimestamp"))
        conditions = (resource.get("status") or {}).get("conditions") or ()
        times += [entry.get("lastTransitionTime") for entry in conditions]
    return max((moment for moment in map(read_time, times) if moment is not None), default=datetime.now(UTC))


def read_time(text: Any) -> datetime | None:
    """An RFC 3339 text as an aware time."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def stall(
    experiment: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    suggestion: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
) -> str:
    """Why an experiment that runs for Katib has done nothing for long, and what helps; empty where its trials do work.

    Katib retries most errors for ever and says "running" meanwhile.
    """
    unfinished = {fact.name for fact in map(trial_facts, trials) if not fact.state.is_finished()}
    if unfinished:
        troubles = map(pod_trouble, _pods_of(pods, unfinished))
        return next((f"a trial does not start: {text}" for text in troubles if text), "")
    quiet = (now - quiet_since(experiment, trials)).total_seconds()
    return f"no new trial for {duration(quiet)}: {_why_no_suggestion(experiment, suggestion, pods)}"


def _pods_of(pods: Sequence[Mapping[str, Any]], trials: set[str]) -> list[Mapping[str, Any]]:
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(TRIAL_LABEL) in trials]


def _why_no_suggestion(
    experiment: Mapping[str, Any], suggestion: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]]
) -> str:
    if suggestion is None:
        if not (experiment.get("status") or {}).get("conditions"):
            return "Katib has not looked at the experiment yet: its controller (katib-controller) does not seem to run"
        return "Katib has not started its suggestion service"
    if (failed := condition(suggestion, "Failed")) is not None:
        return f"Katib's suggestion service refuses the experiment: {_words(failed)}"
    services = [pod for pod in pods if SUGGESTION_LABEL in (pod["metadata"].get("labels") or {})]
    trouble = next((text for text in map(pod_trouble, services) if text), "")
    is_out_of_memory = any(was_out_of_memory(pod) for pod in services)
    if trouble or condition(suggestion, "DeploymentReady") is None:
        what = trouble or "its pod is not ready"
        hint = "mend that, then stop and resume the experiment" if trouble else f"perhaps {_MEMORY_REMEDY}"
        hint = _MEMORY_REMEDY if is_out_of_memory else hint
        return f"Katib's suggestion service does not run: {what}; {hint}"
    asked = (suggestion.get("spec") or {}).get("requests", 0)
    given = (suggestion.get("status") or {}).get("suggestionCount", 0)
    if asked > given:
        return (
            f"Katib's suggestion service was asked for {asked} points and has given {given}; its log says why; "
            f"perhaps {_MEMORY_REMEDY}"
        )
    return "Katib asks for no further trial; the log of katib-controller says why"


def pod_trouble(pod: Mapping[str, Any]) -> str:
    """What keeps a pod from running; empty where nothing does."""
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    for entry in status.get("conditions") or ():
        if entry.get("type") == "PodScheduled" and entry.get("status") == "False":
            return f"pod {name} finds no place on the cluster ({_words(entry)})"
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        ended = (container.get("lastState") or {}).get("terminated") or {}
        reason = waiting.get("reason") or ""
        if reason in ("", "ContainerCreating", "PodInitializing"):
            continue
        if ended.get("reason"):
            restarts = counted(int(container.get("restartCount") or 0), "restart")
            return f"pod {name} ends again and again ({ended['reason']}, {restarts})"
        return f"pod {name} waits ({reason}: {_words(waiting)})"
    return ""


def was_out_of_memory(pod: Mapping[str, Any]) -> bool:
    """Whether one of its containers was killed for using more memory than it may."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    states = [entry.get(state) or {} for entry in containers for state in ("state", "lastState")]
    return any((state.get("terminated") or {}).get("reason") == "OOMKilled" for state in states)


# Experiments made elsewhere.


@dataclass(frozen=True)
class Foreign:
    """An experiment that was made elsewhere, as far as ours can say the same.

    Attributes:
        experiment: what it is here; the data it is about are not known.
        names: Katib's parameter names and what they are called here.
    """

    experiment: Experiment
    names: dict[str, str]


def foreign_experiment(manifest: Mapping[str, Any]) -> Foreign:
    """An experiment of ours that says what Katib's does, to be looked at.

    Raises:
        SettingsError: it searches something that cannot be shown, such as a network's architecture.
    """
    spec, metadata = manifest.get("spec") or {}, manifest["metadata"]
    parameters = spec.get("parameters") or ()
    if not parameters:
        raise SettingsError("it searches no parameters", field="space")
    names = {str(entry["name"]): _identifier(str(entry["name"])) for entry in parameters}
    if len(set(names.values())) < len(names):
        raise SettingsError("its parameters' names differ only in signs that are not letters", field="space")
    goal = spec.get("objective") or {}
    minimised = goal.get("type") == "minimize"
    metric = f"{goal.get('objectiveMetricName', 'its objective')}{'' if minimised else ' (maximised: shown negative)'}"
    trials = int(spec.get("maxTrialCount") or (manifest.get("status") or {}).get("trials") or 1)
    try:
        space = SearchSpace(tuple(_parameter(entry, names[str(entry["name"])]) for entry in parameters))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"its parameters cannot be shown: {error}", field="space") from error
    experiment = Experiment(
        name=metadata["name"],
        dataset=UNKNOWN_DATASET,
        source=f"Katib, {metric}"[:200],
        space=space,
        algorithm=AlgorithmSettings(name="random"),
        max_trials=max(1, trials),
        parallel_trials=min(64, max(1, int(spec.get("parallelTrialCount") or 3))),
        max_failed_trials=max(1, int(spec.get("maxFailedTrialCount") or trials)),
        engine="kubeflow",
        created=str(metadata.get("creationTimestamp") or datetime.now(UTC).isoformat()),
    )
    # One that is not known here stays the default: how it searches is Katib's affair.
    with suppress(SettingsError, KeyError, TypeError):
        experiment = replace(experiment, algorithm=AlgorithmSettings(name=spec["algorithm"]["algorithmName"]))
    return Foreign(experiment, names)


def _identifier(name: str) -> str:
    text = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
    return text if re.match(r"[A-Za-z_]", text) else f"p_{text}"


def _parameter(entry: Mapping[str, Any], name: str) -> Parameter:
    space = entry.get("feasibleSpace") or {}
    kind = ParameterKind(str(entry.get("parameterType", "")).lower())
    if kind is ParameterKind.CATEGORICAL:
        return Parameter(name=name, kind=kind, choices=tuple(dict.fromkeys(map(str, space.get("list") or ()))))
    if kind is ParameterKind.DISCRETE:
        return Parameter(name=name, kind=kind, choices=tuple(dict.fromkeys(map(float, space.get("list") or ()))))
    minimum, maximum = float(space.get("min", "nan")), float(space.get("max", "nan"))
    is_log = space.get("distribution") in ("logUniform", "logNormal") and minimum > 0
    return Parameter(
        name=name,
        kind=kind,
        minimum=minimum,
        maximum=maximum,
        scale=Scale.LOG if is_log else Scale.UNIFORM,
    )
