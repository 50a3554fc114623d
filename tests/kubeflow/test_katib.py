"""Experiments as Katib gets them, held against what its models, its webhook and its services take."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.katib import MAXIMUM_GRID, check_katib, katib_experiment, to_yaml
from gwas_core.kubeflow.parameters import from_assignments
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.model.networks import parse_network
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import PRESETS, Parameter, ParameterKind, SearchSpace
from gwas_core.tuning.suggest import ALGORITHMS, AlgorithmSettings
from tests.kubeflow.katib_admission import admit, refused_settings
from tests.kubeflow.katib_controller import substitute
from tests.kubeflow.katib_services import SkoptService
from tests.kubeflow.test_parameters import parameters

PIPELINE = ClusterSettings(namespace="alice", gpu=1, cpu="4", memory="8Gi")
JOB = replace(PIPELINE, trial_kind="job")
SMALL = SearchSpace((Parameter(name="epochs", kind=ParameterKind.INT, minimum=1, maximum=9, step=2),))


def experiment(**changes: Any) -> Experiment:
    given: dict[str, Any] = {"name": "soy", "dataset": "ab" * 32, "source": "soy.txt", "engine": "kubeflow"}
    return Experiment(**{**given, "space": SearchSpace.preset("focused"), **changes})


@pytest.mark.parametrize("cluster", [PIPELINE, JOB], ids=["pipeline", "job"])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "grid"])
def test_presets_are_admitted(preset: str, algorithm: str, cluster: ClusterSettings) -> None:
    described = experiment(
        space=SearchSpace.preset(preset),
        algorithm=AlgorithmSettings(name=algorithm),
        early_stopping=EarlyStoppingSettings(),
        name="n" * 40,
    )
    manifest = katib_experiment(described, cluster=cluster)
    spec = admit(manifest)["spec"]
    assert refused_settings(spec) == ""
    assert [entry["name"] for entry in spec["parameters"]] == list(described.space.names)
    assert json.loads(json.dumps(manifest)) == manifest


@settings(max_examples=60, deadline=None)
@given(
    st.lists(parameters(), min_size=1, max_size=4, unique_by=lambda parameter: parameter.name),
    st.sampled_from(ALGORITHMS),
    st.integers(1, 40),
    st.integers(1, 64),
    st.integers(1, 100),
)
def test_whatever_is_not_refused_here_is_not_refused_there(
    chosen: list[Parameter], algorithm: str, trials: int, parallel: int, failed: int
) -> None:
    try:
        manifest = katib_experiment(
            experiment(
                space=SearchSpace(tuple(chosen)),
                algorithm=AlgorithmSettings(name=algorithm),
                max_trials=trials,
                parallel_trials=parallel,
                max_failed_trials=failed,
            ),
            cluster=PIPELINE,
        )
    except SettingsError:
        return
    assert refused_settings(admit(manifest)["spec"]) == ""


def test_what_the_experiment_says_is_there() -> None:
    described = experiment(
        max_trials=20,
        parallel_trials=4,
        max_failed_trials=5,
        seed=11,
        algorithm=AlgorithmSettings(settings={"base_estimator": "RF", "n_initial_points": "7"}),
        early_stopping=EarlyStoppingSettings(min_trials_required=5, start_step=2),
    )
    manifest = katib_experiment(described, cluster=PIPELINE)
    spec = manifest["spec"]
    assert manifest["metadata"]["namespace"] == "alice"
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (20, 4, 5)
    assert spec["resumePolicy"] == "LongRunning"
    assert spec["objective"]["objectiveMetricName"] == "val_mean_absolute_error"
    assert spec["objective"]["type"] == "minimize"
    assert spec["metricsCollectorSpec"]["collector"]["kind"] == "StdOut"
    given = {entry["name"]: entry["value"] for entry in spec["algorithm"]["algorithmSettings"]}
    assert given == {"random_state": "11", "base_estimator": "RF", "n_initial_points": "7"}
    stopping = {entry["name"]: entry["value"] for entry in spec["earlyStopping"]["algorithmSettings"]}
    assert (spec["earlyStopping"]["algorithmName"], stopping) == (
        "medianstop",
        {"min_trials_required": "5", "start_step": "2"},
    )


def test_counts_never_exceed_the_trials() -> None:
    spec = katib_experiment(experiment(max_trials=2, parallel_trials=8), cluster=JOB)["spec"]
    assert (spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (2, 2)


def container(cluster: ClusterSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    job = katib_experiment(experiment(), cluster=cluster)["spec"]["trialTemplate"]["trialSpec"]
    pod = job["spec"]["template"]
    assert job["spec"]["backoffLimit"] == 0
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["serviceAccountName"] == "default-editor"
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"
    (only,) = pod["spec"]["containers"]
    return only, pod["spec"]


def test_the_driver_has_the_volume_and_a_token_for_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, pod = container(PIPELINE)
    assert driver["name"] == "driver"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in driver["volumeMounts"]}
    assert volumes["workspace"]["persistentVolumeClaim"]["claimName"] == "gwas-workspace"
    assert mounts["workspace"] == "/workspace"
    (source,) = volumes["pipelines-token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
    environment = {entry["name"]: entry["value"] for entry in driver["env"]}
    token = f"{mounts['pipelines-token']}/{source['serviceAccountToken']['path']}"
    assert environment["KF_PIPELINES_SA_TOKEN_PATH"] == token
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ClusterSettings.from_environment() == PIPELINE


@pytest.mark.parametrize("cluster", [PIPELINE, JOB], ids=["pipeline", "job"])
def test_the_job_holds_nothing_that_kubernetes_leaves_out(cluster: ClusterSettings) -> None:
    """Katib reads the job into Kubernetes' type, writes it again, and refuses it if anything has gone."""
    job = katib_experiment(experiment(), cluster=cluster)["spec"]["trialTemplate"]["trialSpec"]

    def check(value: Any, where: str) -> None:
        assert value or where == "job.spec.backoffLimit", where
        if isinstance(value, dict):
            for name, entry in value.items():
                check(entry, f"{where}.{name}")
        elif isinstance(value, list):
            for number, entry in enumerate(value):
                check(entry, f"{where}.{number}")

    check(job, "job")


def test_a_job_has_what_training_needs() -> None:
    trial, pod = container(JOB)
    assert trial["resources"]["requests"] == {"cpu": "4", "memory": "8Gi"}
    assert trial["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": "1"}
    assert [volume["name"] for volume in pod["volumes"]] == ["workspace"]
    assert {"name": "OMP_NUM_THREADS", "value": "4"} in trial["env"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (
            {"space": SearchSpace((Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=("huber", "a b")),))},
            "loss.choices",
        ),
        (
            {"algorithm": AlgorithmSettings(name="tpe", settings={"n_startup_trials": "5"})},
            "algorithm.n_startup_trials",
        ),
        ({"space": SMALL, "algorithm": AlgorithmSettings(name="grid"), "max_trials": 6}, "max_trials"),
        (
            {
                "space": SearchSpace(
                    tuple(
                        Parameter(name=name, kind=ParameterKind.INT, minimum=1, maximum=MAXIMUM_GRID // 200)
                        for name in ("a", "b")
                    )
                ),
                "algorithm": AlgorithmSettings(name="grid"),
            },
            "algorithm.name",
        ),
        (
            {
                "space": SearchSpace(
                    tuple(
                        Parameter(
                            name=f"p{number}",
                            kind=ParameterKind.CATEGORICAL,
                            choices=tuple(f"{choice:0150}" for choice in range(1000)),
                        )
                        for number in range(10)
                    )
                )
            },
            "space",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        katib_experiment(experiment(**changes), cluster=PIPELINE)
    assert refusal.value.field == field


def test_a_grid_of_all_its_points() -> None:
    whole = experiment(space=SMALL, algorithm=AlgorithmSettings(name="grid"), max_trials=5)
    check_katib(whole)
    assert refused_settings(admit(katib_experiment(whole, cluster=PIPELINE))["spec"]) == ""


def test_yaml_says_the_same_to_every_reader() -> None:
    manifest = katib_experiment(experiment(space=SearchSpace.preset("tutorial")), cluster=JOB)
    text = to_yaml(manifest)
    assert yaml.safe_load(text) == manifest
    # Go's reader makes numbers of what PyYAML leaves bare, 1e-07 for one; Katib's values must stay texts.
    for value in re.findall(r"(?m)^ *(?:- )?(?:(?:min|max|step|value): )?([-+.]?[0-9]\S*)$", text):
        raise AssertionError(f"{value} is not quoted")
    assert "min: '1e-07'" in text
    assert "&id" not in text


@pytest.mark.parametrize("preset", PRESETS)
def test_the_loop_with_the_real_search(preset: str) -> None:
    """Katib's service logic suggests, its controller substitutes, the driver reads: nothing is lost on the way."""
    described = experiment(
        space=SearchSpace.preset(preset), algorithm=AlgorithmSettings(settings={"n_initial_points": "3"})
    )
    spec = admit(katib_experiment(described, cluster=PIPELINE))["spec"]
    service = SkoptService(spec)
    trials: list[dict[str, Any]] = []
    for round_number in range(3):
        for point in service.suggest(trials, 2):
            name = f"soy-{len(trials):08x}"
            assignments = [{"name": key, "value": value} for key, value in point.items()]
            job = substitute(spec["trialTemplate"], {"name": name, "parameterAssignments": assignments})
            (only,) = job["spec"]["template"]["spec"]["containers"]
            told = read(shlex.split(" ".join(only["args"])))
            assert told.trial == name
            hyperparameters = from_assignments(described.space, dict(entry.split("=", 1) for entry in told.set))
            parse_network(hyperparameters)
            assert {key: str(value) for key, value in hyperparameters.items()}.keys() == {
                *described.space.names,
                *described.space.fixed,
            }
            trials.append(succeeded(name, assignments, spec, 0.7 + 0.01 * len(trials) + round_number / 100))
    assert len({json.dumps(trial["spec"]["parameterAssignments"]) for trial in trials}) == len(trials)


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--kind", "--experiment", "--trial", "--workspace"):
        parser.add_argument(name, required=True)
    parser.add_argument("--set", action="append")
    return parser.parse_args(arguments)


def succeeded(name: str, assignments: list[dict[str, str]], spec: dict[str, Any], value: float) -> dict[str, Any]:
    metric = {"name": spec["objective"]["objectiveMetricName"], **dict.fromkeys(("min", "max", "latest"), str(value))}
    return {
        "metadata": {"name": name},
        "spec": {"objective": spec["objective"], "parameterAssignments": assignments},
        "status": {
            "conditions": [{"type": "Succeeded", "status": "True"}],
            "observation": {"metrics": [metric]},
        },
    }
