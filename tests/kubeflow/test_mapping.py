"""What Katib's objects say: states, values, stalls, and experiments made elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.mapping import (
    ending,
    foreign_experiment,
    in_order,
    quiet_since,
    read_history,
    stall,
    trial_facts,
)
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.space import Scale

Resource = dict[str, Any]
Seen = tuple[Resource, list[Resource], Resource | None, list[Resource]]
MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def conditions(*kinds: str, message: str = "said so") -> list[Resource]:
    return [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": message,
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        }
        for kind in kinds
    ]


def trial(name: str = "t", *kinds: str, latest: str = "0.5", least: str = "0.4", goal: str = "minimize") -> Resource:
    metric = {"name": "val_mean_absolute_error", "latest": latest, "min": least, "max": "0.9"}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-03-01T11:00:00Z"},
        "spec": {
            "objective": {
                "type": goal,
                "objectiveMetricName": "val_mean_absolute_error",
                "metricStrategies": [
                    {"name": "val_mean_absolute_error", "value": "min" if goal == "minimize" else "max"}
                ],
            },
            "parameterAssignments": [{"name": "units", "value": "32"}],
        },
        "status": {
            "conditions": conditions("Created", *kinds),
            "observation": {"metrics": [metric]},
            "startTime": "2026-03-01T11:00:01Z",
        },
    }


@pytest.mark.parametrize(
    ("kinds", "state", "words"),
    [
        ((), TrialState.WAITING, ""),
        (("Running",), TrialState.RUNNING, ""),
        (("Succeeded",), TrialState.SUCCEEDED, ""),
        (("Running", "EarlyStopped"), TrialState.PRUNED, "stopped early"),
        (("Failed",), TrialState.FAILED, "said so"),
        (("Killed",), TrialState.FAILED, "Katib killed it"),
        (("MetricsUnavailable",), TrialState.FAILED, "without reporting its metric"),
    ],
)
def test_states_of_trials(kinds: tuple[str, ...], state: TrialState, words: str) -> None:
    facts = trial_facts(trial("t", *kinds))
    assert facts.state is state
    assert words in facts.reason
    assert bool(facts.reason) == bool(words)
    assert facts.assignments == {"units": "32"}


@pytest.mark.parametrize(
    ("latest", "least", "value"),
    [
        ("0.5", "0.4", 0.4),
        ("0.5", "unavailable", 0.5),
        ("", "unavailable", None),
        ("unavailable", "unavailable", None),
        ("nan", "nan", None),
        ("1e400", "1e400", None),
    ],
)
def test_a_success_without_a_finite_objective_is_a_failure(latest: str, least: str, value: float | None) -> None:
    facts = trial_facts(trial("t", "Succeeded", latest=latest, least=least))
    assert facts.value == value
    if value is None:
        assert facts.state is TrialState.FAILED
        assert facts.reason == "it ended without reporting a finite val_mean_absolute_error"


def test_what_is_maximised_is_shown_negative() -> None:
    assert trial_facts(trial("t", "Succeeded", goal="maximize")).value == -0.9


def test_trials_come_in_the_order_of_suggestion() -> None:
    suggestion = {"status": {"suggestions": [{"name": "quick-b"}, {"name": "quick-a"}]}}
    trials = [trial("quick-z"), trial("quick-a"), trial("quick-b")]
    assert [fact.name for fact in in_order(trials, suggestion)] == ["quick-b", "quick-a", "quick-z"]
    assert [fact.name for fact in in_order(trials, None)] == ["quick-a", "quick-b", "quick-z"]


def test_metrics_are_read_as_far_as_they_are_written(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text(
        '{"epoch": 1, "val_mean_absolute_error": 0.5}\n'
        'not JSON\n{"epoch": 2}\n{"epoch": "x", "val_mean_absolute_error": 1}\n'
        '{"epoch": 3, "val_mean_absolute_error": NaN}\n'
        '{"epoch": 4, "val_mean_absolute_error": 0.25}\n'
        '{"epoch": 5, "val_mean_abs',
        encoding="utf-8",
    )
    assert read_history(tmp_path) == [(1, 0.5), (4, 0.25)]


# Stalls.


def experiment(*kinds: str) -> Resource:
    return {
        "metadata": {"name": "quick", "creationTimestamp": "2026-03-01T11:30:00Z"},
        "status": {"conditions": conditions(*kinds)},
    }


def pod(label: str, value: str, container: Resource, **status: Any) -> Resource:
    return {
        "metadata": {"name": "pod-1", "labels": {f"katib.kubeflow.org/{label}": value}},
        "status": {"containerStatuses": [container], **status},
    }


def suggestion(*kinds: str, requests: int = 3, count: int = 0) -> Resource:
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
    seen: tuple[Resource, list[Resource], Resource | None, list[Resource]], words: list[str]
) -> None:
    since = quiet_since(seen[0], seen[1])
    text = stall(*seen, now=since + timedelta(minutes=12, seconds=3))
    assert all(word in text for word in words), text


def test_a_trial_that_takes_its_time_is_no_stall() -> None:
    pods = [pod("trial", "t", {"state": {"running": {}}}), pod("trial", "other", BACKING_OFF)]
    assert stall(experiment("Running"), [trial("t", "Running")], None, pods, now=MOMENT) == ""


def test_endings() -> None:
    assert ending(experiment("Running")) is None
    assert ending(experiment("Running", "Succeeded")) == "said so"
    assert ending({"metadata": {"name": "quick"}}) is None


# Experiments made elsewhere.


def foreign(**changes: Any) -> Resource:
    parameters = [
        {"name": "learning-rate", "parameterType": "double", "feasibleSpace": {"min": "0.001", "max": "0.1"}},
        {
            "name": "l2",
            "parameterType": "double",
            "feasibleSpace": {"min": "1e-6", "max": "1", "distribution": "logUniform"},
        },
        {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "5"}},
        {"name": "units", "parameterType": "discrete", "feasibleSpace": {"list": ["16", "32"]}},
        {"name": "optimizer", "parameterType": "categorical", "feasibleSpace": {"list": ["adam", "sgd"]}},
    ]
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
        "algorithm": {"algorithmName": "hyperband"},
        "parameters": parameters,
        "maxTrialCount": 12,
    }
    metadata = {"name": "mnist", "creationTimestamp": "2026-03-01T11:00:00Z"}
    return {"metadata": metadata, "spec": spec | changes}


def test_a_foreign_space_is_made_from_katibs() -> None:
    made = foreign_experiment(foreign())
    assert made.names["learning-rate"] == "learning_rate"
    parameters = {parameter.name: parameter for parameter in made.experiment.space.parameters}
    assert parameters["learning_rate"].bounds == (0.001, 0.1)
    assert parameters["l2"].scale is Scale.LOG
    assert parameters["layers"].bounds == (1, 5)
    assert parameters["units"].choices == (16, 32)
    assert parameters["optimizer"].choices == ("adam", "sgd")
    assert made.experiment.max_trials == 12
    assert made.experiment.engine == "kubeflow"
    assert "accuracy (maximised: shown negative)" in made.experiment.source


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": []}, "no parameters"),
        ({"parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "?"}}]}, "cannot be shown"),
        ({"parameters": [{"name": "x", "parameterType": "colour", "feasibleSpace": {}}]}, "cannot be shown"),
        (
            {
                "parameters": [
                    {"name": name, "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}}
                    for name in ("a-b", "a.b")
                ]
            },
            "signs",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        foreign_experiment(foreign(**changes))
