"""Experiments made elsewhere, as ours."""

from __future__ import annotations

from typing import Any

import pytest

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.external_experiments import read_external_experiment
from gwas_core.serialization import JsonObject
from gwas_core.tuning.space import Scale


def external(**changes: Any) -> JsonObject:
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


def test_an_external_space_is_made_from_katibs() -> None:
    made = read_external_experiment(external())
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
        read_external_experiment(external(**changes))
