"""Stalls: why an experiment that Katib says is running makes no progress, and what helps.

Also here: what keeps a pod from running (no node has room, image, crash loop, memory limit), and what the suggestion
service says.

Katib retries most errors for ever and says "running" meanwhile, so the reason is looked for in the suggestion service
and in the pods.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gwas_core.kubeflow.katib_status import condition, message_of, read_time, read_trial
from gwas_core.kubeflow.labels import SUGGESTION_LABEL, TRIAL_LABEL
from gwas_core.messages import counted, duration
from gwas_core.serialization import JsonObject

_MEMORY_REMEDY = (
    "its memory limit, 100Mi by default, is too small for it: an administrator raises resources.limits.memory of the "
    "algorithm to 500Mi in the ConfigMap katib-config of Katib's namespace; then stop and resume the experiment"
)


def last_change(experiment: JsonObject, trials: Sequence[JsonObject]) -> datetime:
    """Return when something last happened to an experiment or one of its trials.

    Args:
        experiment: as the cluster returns it.
        trials: all its trials.
    """
    times = [experiment["metadata"].get("creationTimestamp")]
    for resource in (experiment, *trials):
        times.append(resource["metadata"].get("creationTimestamp"))
        conditions = (resource.get("status") or {}).get("conditions") or ()
        times += [entry.get("lastTransitionTime") for entry in conditions]
    return max((moment for moment in map(read_time, times) if moment is not None), default=datetime.now(UTC))


def explain_stall(
    experiment: JsonObject,
    trials: Sequence[JsonObject],
    suggestion: JsonObject | None,
    pods: Sequence[JsonObject],
    *,
    now: datetime,
) -> str:
    """Return why an experiment has done nothing for long, and what helps; empty if its trials run.

    Args:
        experiment: the Katib experiment, with its trials and its suggestion, if Katib has made one.
        pods: of the experiment: those of its trials and of its suggestion service.
        now: the present time, aware.
    """
    unfinished = {trial.name for trial in map(read_trial, trials) if not trial.state.is_finished()}
    if unfinished:
        troubles = map(explain_pod, _pods_of(pods, unfinished))
        return next((f"a trial does not start: {text}" for text in troubles if text), "")
    quiet = (now - last_change(experiment, trials)).total_seconds()
    return f"no new trial for {duration(quiet)}: {_why_no_suggestion(experiment, suggestion, pods)}"


def _pods_of(pods: Sequence[JsonObject], trials: set[str]) -> list[JsonObject]:
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(TRIAL_LABEL) in trials]


def _why_no_suggestion(experiment: JsonObject, suggestion: JsonObject | None, pods: Sequence[JsonObject]) -> str:
    if suggestion is None:
        if not (experiment.get("status") or {}).get("conditions"):
            return "Katib has not looked at the experiment yet: its controller (katib-controller) does not seem to run"
        return "Katib has not started its suggestion service"
    if (failed := condition(suggestion, "Failed")) is not None:
        return f"Katib's suggestion service refuses the experiment: {message_of(failed)}"
    services = [pod for pod in pods if SUGGESTION_LABEL in (pod["metadata"].get("labels") or {})]
    trouble = next((text for text in map(explain_pod, services) if text), "")
    is_out_of_memory = any(_was_out_of_memory(pod) for pod in services)
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


def explain_pod(pod: JsonObject) -> str:
    """Return what keeps a pod from running; empty if nothing does.

    Args:
        pod: as the cluster returns it.
    """
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    for entry in status.get("conditions") or ():
        if entry.get("type") == "PodScheduled" and entry.get("status") == "False":
            return f"pod {name} finds no place on the cluster ({message_of(entry)})"
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        ended = (container.get("lastState") or {}).get("terminated") or {}
        reason = waiting.get("reason") or ""
        if reason in ("", "ContainerCreating", "PodInitializing"):
            continue
        if ended.get("reason"):
            restarts = counted(int(container.get("restartCount") or 0), "restart")
            return f"pod {name} ends again and again ({ended['reason']}, {restarts})"
        return f"pod {name} waits ({reason}: {message_of(waiting)})"
    return ""


def _was_out_of_memory(pod: JsonObject) -> bool:
    """Return whether a container of the pod was killed for using more memory than it may."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    states = [entry.get(state) or {} for entry in containers for state in ("state", "lastState")]
    return any((state.get("terminated") or {}).get("reason") == "OOMKilled" for state in states)
