"""Katib's objects as its API returns them, for tests of what is read from them."""

from __future__ import annotations

from gwas_core.serialization import JsonObject


def conditions(*kinds: str, message: str = "said so") -> list[JsonObject]:
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


def trial(name: str = "t", *kinds: str, latest: str = "0.5", least: str = "0.4", goal: str = "minimize") -> JsonObject:
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


def experiment(*kinds: str) -> JsonObject:
    return {
        "metadata": {"name": "quick", "creationTimestamp": "2026-03-01T11:30:00Z"},
        "status": {"conditions": conditions(*kinds)},
    }
