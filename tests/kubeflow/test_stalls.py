"""Why nothing happens on a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gwas_core.kubeflow.stalls import explain_stall, last_change
from gwas_core.serialization import JsonObject
from tests.kubeflow.katib_resources import conditions, experiment, trial

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def pod(label: str, value: str, container: JsonObject, **status: Any) -> JsonObject:
    return {
        "metadata": {"name": "pod-1", "labels": {f"katib.kubeflow.org/{label}": value}},
        "status": {"containerStatuses": [container], **status},
    }


def suggestion(*kinds: str, requests: int = 3, count: int = 0) -> JsonObject:
    status = {"conditions": conditions(*kinds, message="Validation failed: unknown setting"), "suggestionCount": count}
    return {"spec": {"requests": requests}, "status": status}


KILLED = {
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "OOMKilled"}},
}
BACKING_OFF = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: Insufficient cpu"}]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ((experiment(), [], None, []), ["no new trial for 12 min", "katib-controller"]),
        ((experiment("Created"), [], None, []), ["has not started its suggestion service"]),
        (
            (experiment("Created"), [], suggestion("Created"), [pod("suggestion", "quick", KILLED)]),
            ["OOMKilled, 4 restarts", "100Mi", "katib-config", "500Mi"],
        ),
        ((experiment("Created"), [], suggestion("Created"), []), ["its pod is not ready", "100Mi", "katib-config"]),
        (
            (experiment("Created"), [], suggestion("Created"), [pod("suggestion", "quick", BACKING_OFF)]),
            ["ImagePullBackOff", "mend that"],
        ),
        ((experiment("Created"), [], suggestion("Failed"), []), ["refuses the experiment: Validation failed"]),
        (
            (experiment("Running"), [trial("t", "Succeeded")], suggestion("DeploymentReady", count=1), []),
            ["asked for 3 points and has given 1", "katib-config"],
        ),
        (
            (experiment("Running"), [trial("t")], None, [pod("trial", "t", BACKING_OFF)]),
            ["a trial does not start: pod pod-1 waits (ImagePullBackOff"],
        ),
        (
            (experiment("Running"), [trial("t")], None, [pod("trial", "t", {}, conditions=UNSCHEDULED)]),
            ["finds no place on the cluster", "Insufficient cpu"],
        ),
    ],
)
def test_stalls_are_explained(
    seen: tuple[JsonObject, list[JsonObject], JsonObject | None, list[JsonObject]], words: list[str]
) -> None:
    since = last_change(seen[0], seen[1])
    text = explain_stall(*seen, now=since + timedelta(minutes=12, seconds=3))
    assert all(word in text for word in words), text


def test_a_trial_that_takes_its_time_is_no_stall() -> None:
    pods = [pod("trial", "t", {"state": {"running": {}}}), pod("trial", "other", BACKING_OFF)]
    assert explain_stall(experiment("Running"), [trial("t", "Running")], None, pods, now=MOMENT) == ""
