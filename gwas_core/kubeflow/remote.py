"""An experiment's objects on a cluster: created, looked at, deleted, and taken over by a new start.

Katib cannot pause. As its maintainers advise (katib #934), stopping deletes the Experiment and orphans what it
owns; a new Experiment of the same name then finds trials and Suggestion by their names. Being owned
again is what makes Katib look at the experiment when they change.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.kubeflow.api import Api, Conflict, Invalid, NotFound, Resource, Unreachable
from gwas_core.kubeflow.mapping import EXPERIMENT_LABEL, condition, trial_facts
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

CREATED_ANNOTATION = "deep-gwas-dashboard/created"
"""Tells one creation of a name from another, even where the answer to it was lost."""

_POLL_SECONDS = 0.1
_GONE_SECONDS = 30.0


@dataclass(frozen=True)
class Seen:
    """One look at the cluster."""

    experiment: Resource
    suggestion: Resource | None
    trials: list[Resource]


def look(api: Api, name: str, *, uid: str) -> Seen:
    """The experiment and what belongs to it; the trials are read last and so know at least as much.

    Raises:
        NotFound: it is gone, or another one has taken its name.
    """
    experiment = api.get("experiments", name)
    if experiment["metadata"]["uid"] != uid:
        raise NotFound(f"another experiment is called {name}")
    return Seen(experiment, find(api, "suggestions", name), trials_of(api, name))


def trials_of(api: Api, name: str) -> list[Resource]:
    return api.list("trials", labels={EXPERIMENT_LABEL: name})


def find(api: Api, plural: str, name: str) -> Resource | None:
    """An object, or None."""
    try:
        return api.get(plural, name)
    except NotFound:
        return None


def create(api: Api, manifest: Resource, *, dry_run: bool = False) -> Resource:
    """Create the experiment, waiting for the last remains of an earlier one.

    Raises:
        SettingsError: Katib refuses it.
        ExperimentError: the name is taken on the cluster, or it does not answer.
    """
    name = manifest["metadata"]["name"]
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        try:
            return api.create("experiments", manifest, dry_run=dry_run)
        except Invalid as error:
            raise SettingsError(f"Katib refuses the experiment: {error}", field="experiment") from error
        except Conflict as error:
            existing = find(api, "experiments", name)
            if existing is not None and "deletionTimestamp" not in existing["metadata"]:
                raise ExperimentError(
                    f"{api.namespace} already has a Katib experiment named {name}: choose another name"
                ) from error
            if time.monotonic() > deadline:
                raise Unreachable(f"the earlier Katib experiment {name} is still being deleted: try again") from error
        time.sleep(_POLL_SECONDS)


def is_same(experiment: Resource, *, uid: str, created: str) -> bool:
    """Whether a Katib experiment is the one that was started as ``uid``, or, before that was known, at ``created``."""
    metadata = experiment["metadata"]
    return bool(metadata["uid"] == uid or (metadata.get("annotations") or {}).get(CREATED_ANNOTATION) == created)


def take_away(api: Api, name: str) -> None:
    """Delete the experiment alone: its trials and what its search knows stay."""
    api.delete("experiments", name, keep_dependents=True)
    deadline = time.monotonic() + _GONE_SECONDS
    while find(api, "experiments", name) is not None:
        if time.monotonic() > deadline:
            raise Unreachable(f"the cluster takes its time to delete {name}")
        time.sleep(_POLL_SECONDS)


def delete_everything(api: Api, name: str) -> None:
    """Delete the experiment and everything that was ever its own."""
    api.delete("experiments", name)
    api.delete("suggestions", name)
    for trial in trials_of(api, name):
        api.delete("trials", trial["metadata"]["name"])


def delete_unfinished(api: Api, trials: Iterable[Resource]) -> None:
    """End the trials that are under way."""
    for trial in trials:
        if not trial_facts(trial).state.is_finished():
            api.delete("trials", trial["metadata"]["name"])


def known_trials(api: Api, name: str, *, resume_policy: str) -> list[Resource] | None:
    """The finished trials that Katib's search still knows of; None where there is no such search, and nothing left.

    Those that were under way are ended, and gone when this returns: Katib gives up on a trial whose name is taken.
    """
    suggestion = find(api, "suggestions", name)
    is_usable = (
        # The others' services end with the experiment, and one that is told of trials it did not suggest breaks.
        resume_policy == "LongRunning"
        and suggestion is not None
        and condition(suggestion, "DeploymentReady") is not None
        and condition(suggestion, "Failed") is None
    )
    if not is_usable:
        delete_everything(api, name)
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        trials = trials_of(api, name)
        going = [trial for trial in trials if "deletionTimestamp" in trial["metadata"]]
        unfinished = [trial for trial in trials if trial not in going and not trial_facts(trial).state.is_finished()]
        if not going and not unfinished:
            return trials if is_usable else None
        if time.monotonic() > deadline:
            raise Unreachable(f"the cluster takes its time to delete trials of {name}: try again")
        delete_unfinished(api, unfinished)
        time.sleep(_POLL_SECONDS)


def adopt(api: Api, experiment: Resource, trials: Iterable[Resource]) -> None:
    """Have a new experiment own the Suggestion and the trials of the one before it."""
    metadata = experiment["metadata"]
    owner = {
        "apiVersion": experiment["apiVersion"],
        "kind": experiment["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    owned = {"metadata": {"ownerReferences": [owner]}}
    for trial in trials:
        api.patch("trials", trial["metadata"]["name"], owned)
    # Last, since this is what has Katib look.
    api.patch("suggestions", metadata["name"], owned)


def set_counts(spec: Resource, record: ExperimentRecord, known: Iterable[Resource], *, forgiven: int) -> None:
    """Have Katib do what is left of the experiment: it counts the trials it knows, which may be others than ours.

    Args:
        spec: of the new experiment, whose ``maxTrialCount`` is that of the whole search.
        known: the trials that it will find there.
        forgiven: failures that no longer count.
    """
    facts = [trial_facts(trial) for trial in known]
    failed = sum(fact.state is TrialState.FAILED for fact in facts)
    spec["maxTrialCount"] += len(facts) - record.finished_trials
    spent = record.counts[TrialState.FAILED] - forgiven
    allowed = record.experiment.max_failed_trials - spent + failed
    # Katib refuses counts above that of all trials.
    spec["maxFailedTrialCount"] = max(1, min(allowed, spec["maxTrialCount"]))
    spec["parallelTrialCount"] = min(spec["parallelTrialCount"], spec["maxTrialCount"])
