"""Objects of an experiment on a cluster: created, looked at, deleted, and taken over by a new start.

Also here: how stopping keeps finished trials although Katib cannot pause; which trials its search still knows; what
happens if the name is taken there; the end of trials under way; the counts of trials that Katib is given.

Katib cannot pause. As its maintainers advise (katib #934), stopping deletes the Experiment and orphans what it
owns; a new Experiment of the same name then finds trials and Suggestion by their names. Being owned
again is what makes Katib look at the experiment when they change.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.kubeflow.katib_status import condition, read_trial
from gwas_core.kubeflow.kubernetes_api import Conflict, Invalid, KubernetesApi, NotFound, Unreachable
from gwas_core.kubeflow.labels import CREATED_ANNOTATION, EXPERIMENT_LABEL
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

_POLL_SECONDS = 0.1
_GONE_SECONDS = 30.0


@dataclass(frozen=True)
class KatibObjects:
    """Objects of one experiment, as the cluster has them at a moment.

    Attributes:
        suggestion: what the search knows; None if Katib has not made it yet.
    """

    experiment: JsonObject
    suggestion: JsonObject | None
    trials: list[JsonObject]


def read(api: KubernetesApi, name: str, *, uid: str) -> KatibObjects:
    """Return the experiment and what belongs to it; the trials are read last and so know at least as much.

    Args:
        api: of the namespace.
        name: of the experiment.
        uid: of the experiment that is meant: another one may have taken its name since.

    Raises:
        NotFound: it is gone, or another one has taken its name.
    """
    experiment = api.get("experiments", name)
    if experiment["metadata"]["uid"] != uid:
        raise NotFound(f"another experiment is called {name}")
    return KatibObjects(experiment, find(api, "suggestions", name), list_trials(api, name))


def list_trials(api: KubernetesApi, name: str) -> list[JsonObject]:
    """Return all trials of an experiment, in any order."""
    return api.list("trials", labels={EXPERIMENT_LABEL: name})


def find(api: KubernetesApi, plural: str, name: str) -> JsonObject | None:
    """Return an object, or None if there is none.

    Args:
        api: of the namespace.
        plural: kind of the object, such as ``"experiments"``.
        name: of the object.
    """
    try:
        return api.get(plural, name)
    except NotFound:
        return None


def create(api: KubernetesApi, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject:
    """Create the experiment, once the last remains of an earlier one are gone, and return it.

    Args:
        manifest: of the experiment.
        dry_run: only find out whether it would be accepted.

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


def is_same(experiment: JsonObject, *, uid: str, created: str) -> bool:
    """Return whether a Katib experiment is the one that was started here.

    Args:
        experiment: the Katib experiment.
        uid: its identifier; empty before that was known, and ``created`` decides then.
        created: when the experiment of the store was created, as its annotation says.
    """
    metadata = experiment["metadata"]
    return bool(metadata["uid"] == uid or (metadata.get("annotations") or {}).get(CREATED_ANNOTATION) == created)


def delete_experiment_alone(api: KubernetesApi, name: str) -> None:
    """Delete the experiment alone, and wait until it is gone; its trials and what its search knows stay.

    Raises:
        Unreachable: it is not gone in time.
    """
    api.delete("experiments", name, keep_dependents=True)
    deadline = time.monotonic() + _GONE_SECONDS
    while find(api, "experiments", name) is not None:
        if time.monotonic() > deadline:
            raise Unreachable(f"the cluster takes its time to delete {name}")
        time.sleep(_POLL_SECONDS)


def delete_everything(api: KubernetesApi, name: str) -> None:
    """Delete the experiment and everything that was ever its own."""
    api.delete("experiments", name)
    api.delete("suggestions", name)
    for trial in list_trials(api, name):
        api.delete("trials", trial["metadata"]["name"])


def delete_unfinished(api: KubernetesApi, trials: Iterable[JsonObject]) -> None:
    """End the trials that are under way.

    Args:
        api: of the namespace.
        trials: as Katib has them; those that have finished stay.
    """
    for trial in trials:
        if not read_trial(trial).state.is_finished():
            api.delete("trials", trial["metadata"]["name"])


def resumable_trials(api: KubernetesApi, name: str, *, resume_policy: str) -> list[JsonObject] | None:
    """Return the finished trials that Katib's search still knows.

    Trials that were under way are ended, and gone when this returns: Katib gives up on a trial whose name is taken.

    Args:
        api: of the namespace.
        name: of the experiment.
        resume_policy: of the experiment: whether Katib's search outlives its end.

    Returns:
        None if there is no such search; everything of the experiment is deleted then.

    Raises:
        Unreachable: trials are not gone in time.
    """
    suggestion = find(api, "suggestions", name)
    is_usable = (
        # With other policies the service ends with the experiment, and a new one breaks when it is told of trials
        # that it did not suggest.
        resume_policy == "LongRunning"
        and suggestion is not None
        and condition(suggestion, "DeploymentReady") is not None
        and condition(suggestion, "Failed") is None
    )
    if not is_usable:
        delete_everything(api, name)
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        trials = list_trials(api, name)
        going = [trial for trial in trials if "deletionTimestamp" in trial["metadata"]]
        unfinished = [trial for trial in trials if trial not in going and not read_trial(trial).state.is_finished()]
        if not going and not unfinished:
            return trials if is_usable else None
        if time.monotonic() > deadline:
            raise Unreachable(f"the cluster takes its time to delete trials of {name}: try again")
        delete_unfinished(api, unfinished)
        time.sleep(_POLL_SECONDS)


def adopt(api: KubernetesApi, experiment: JsonObject, trials: Iterable[JsonObject]) -> None:
    """Make a new experiment the owner of the Suggestion and the trials of the one before it.

    Args:
        api: of the namespace.
        experiment: the new one, as the cluster returns it.
        trials: of the one before.
    """
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


def set_counts(spec: JsonObject, record: ExperimentRecord, known: Iterable[JsonObject], *, forgiven: int) -> None:
    """Set the counts of trials so that Katib does what is left of the experiment.

    Katib counts the trials it knows, which may be others than ours.

    Args:
        spec: of the new experiment, whose ``maxTrialCount`` is that of the whole search; changed in place.
        record: the experiment as the store has it.
        known: the trials that Katib will find there.
        forgiven: number of failures that no longer count.
    """
    trials = [read_trial(trial) for trial in known]
    failed = sum(trial.state is TrialState.FAILED for trial in trials)
    spec["maxTrialCount"] += len(trials) - record.finished_trials
    spent = record.counts[TrialState.FAILED] - forgiven
    allowed = record.experiment.max_failed_trials - spent + failed
    # Katib refuses counts above that of all trials.
    spec["maxFailedTrialCount"] = max(1, min(allowed, spec["maxTrialCount"]))
    spec["parallelTrialCount"] = min(spec["parallelTrialCount"], spec["maxTrialCount"])
