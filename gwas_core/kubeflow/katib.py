"""Katib experiments: the manifest of one of our experiments, and checks of what Katib can run.

Also here: the largest grid and manifest; algorithm settings by Katib's names; the driver's command line, pod, token and
resources; quotes in YAML around texts that look like numbers.

Katib's admission checks little, and its suggestion services retry most errors for ever, which looks like "running".
So everything that is known to fail is refused here, before the experiment is created.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import yaml
from kubeflow_katib_api.models.io_k8s_apimachinery_pkg_apis_meta_v1_object_meta import (
    IoK8sApimachineryPkgApisMetaV1ObjectMeta as ObjectMeta,
)
from kubeflow_katib_api.models.v1beta1_algorithm_setting import V1beta1AlgorithmSetting
from kubeflow_katib_api.models.v1beta1_algorithm_spec import V1beta1AlgorithmSpec
from kubeflow_katib_api.models.v1beta1_collector_spec import V1beta1CollectorSpec
from kubeflow_katib_api.models.v1beta1_early_stopping_setting import V1beta1EarlyStoppingSetting
from kubeflow_katib_api.models.v1beta1_early_stopping_spec import V1beta1EarlyStoppingSpec
from kubeflow_katib_api.models.v1beta1_experiment import V1beta1Experiment
from kubeflow_katib_api.models.v1beta1_experiment_spec import V1beta1ExperimentSpec
from kubeflow_katib_api.models.v1beta1_metric_strategy import V1beta1MetricStrategy
from kubeflow_katib_api.models.v1beta1_metrics_collector_spec import V1beta1MetricsCollectorSpec
from kubeflow_katib_api.models.v1beta1_objective_spec import V1beta1ObjectiveSpec
from kubeflow_katib_api.models.v1beta1_trial_parameter_spec import V1beta1TrialParameterSpec
from kubeflow_katib_api.models.v1beta1_trial_template import V1beta1TrialTemplate

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.labels import APPLICATION_LABELS, DATASET_ANNOTATION, NO_SIDECAR
from gwas_core.kubeflow.parameters import to_katib
from gwas_core.kubeflow.pipelines_api import TOKEN_VARIABLE
from gwas_core.kubeflow.settings import FILE_SYSTEM_GROUP, ClusterSettings
from gwas_core.processes.threads import thread_environment
from gwas_core.serialization import JsonObject
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import Experiment

API_VERSION = "kubeflow.org/v1beta1"
GROUP, VERSION, PLURAL = "kubeflow.org", "v1beta1", "experiments"

PRIMARY_CONTAINER = "driver"
TOKEN_PATH = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105 - where Kubernetes puts it
TOKEN_AUDIENCE = "pipelines.kubeflow.org"  # noqa: S105

MAXIMUM_GRID = 100_000
"""Largest grid: Katib's grid service lists every combination in its 100 MiB before it suggests the first."""
MAXIMUM_MANIFEST_BYTES = 1_000_000
"""Largest manifest: the API server takes 1.5 MB at most, and each trial holds another copy of the template."""

# No hyperparameter's name has a dash, so none can be taken for this one.
_TRIAL_NAME = "trial-name"
# Katib's tpe and random run on Hyperopt, whose settings have other names and are fewer than Optuna's.
_HYPEROPT_SETTINGS = {"n_ei_candidates": "n_EI_candidates", "random_state": "random_state"}
_DRIVER_REQUESTS = {"cpu": "100m", "memory": "512Mi"}
_TOKEN_SECONDS = 7200


def katib_experiment(experiment: Experiment, *, cluster: ClusterSettings) -> JsonObject:
    """Return the manifest, JSON-ready, that creates the experiment.

    Args:
        experiment: to be submitted.
        cluster: namespace, image, claim and resources of the trials.

    Raises:
        SettingsError: see ``check_katib``.
    """
    check_katib(experiment)
    manifest = _manifest(experiment, cluster)
    if len(json.dumps(manifest)) > MAXIMUM_MANIFEST_BYTES:
        raise SettingsError(
            f"the search space is too large for Katib: its manifest would be over {MAXIMUM_MANIFEST_BYTES // 1000} kB; "
            "use fewer or shorter choices",
            field="space",
        )
    return manifest


def check_katib(experiment: Experiment) -> None:
    """Check that Katib can run the experiment.

    Raises:
        SettingsError: names the field that Katib would refuse, or that would stall it.
    """
    algorithm = experiment.algorithm.name
    parameters = [to_katib(parameter, algorithm=algorithm) for parameter in experiment.space.parameters]
    _algorithm_settings(experiment)
    if algorithm == "cmaes" and sum(parameter.parameter_type in ("double", "int") for parameter in parameters) < 2:
        raise SettingsError("Katib's cmaes needs at least two ranges without a step", field="algorithm.name")
    if algorithm == "grid":
        _check_grid(experiment)


def _check_grid(experiment: Experiment) -> None:
    size = experiment.space.size or 0
    if size > MAXIMUM_GRID:
        raise SettingsError(
            f"the grid has {size:,} points, and Katib lists them all in memory: keep it below {MAXIMUM_GRID:,}, "
            "or use random",
            field="algorithm.name",
        )
    if experiment.max_trials > size:
        raise SettingsError(
            f"Katib refuses {experiment.max_trials} trials of a grid that has {size:,} points: ask for at most that",
            field="max_trials",
        )


def to_yaml(manifest: JsonObject) -> str:
    """Return the manifest as YAML for ``kubectl apply``.

    Texts that could be read as numbers are quoted: PyYAML leaves 1e-05 without quotes, which Kubernetes reads as a
    number and then refuses, because Katib's values are texts.

    Args:
        manifest: as ``katib_experiment`` returns it.
    """
    return yaml.dump(dict(manifest), Dumper=_Dumper, sort_keys=False)


class _Dumper(yaml.SafeDumper):
    """YAML writer that quotes texts which begin like a number, and repeats a value instead of referring to it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="'" if re.match(r"[-+.]?[0-9.]", text) else None
    ),
)


def _manifest(experiment: Experiment, cluster: ClusterSettings) -> JsonObject:
    algorithm = experiment.algorithm.name
    spec = V1beta1ExperimentSpec(
        objective=V1beta1ObjectiveSpec(
            type="minimize",
            objectiveMetricName=experiment.objective,
            metricStrategies=[V1beta1MetricStrategy(name=experiment.objective, value="min")],
        ),
        algorithm=V1beta1AlgorithmSpec(
            algorithmName=algorithm,
            algorithmSettings=[
                V1beta1AlgorithmSetting(name=name, value=value)
                for name, value in _algorithm_settings(experiment).items()
            ],
        ),
        earlyStopping=_early_stopping(experiment.early_stopping),
        # Katib refuses more at a time, or more failures, than there are trials.
        parallelTrialCount=min(experiment.parallel_trials, experiment.max_trials),
        maxTrialCount=experiment.max_trials,
        maxFailedTrialCount=min(experiment.max_failed_trials, experiment.max_trials),
        resumePolicy=cluster.resume_policy,
        metricsCollectorSpec=V1beta1MetricsCollectorSpec(collector=V1beta1CollectorSpec(kind="StdOut")),
        parameters=[to_katib(parameter, algorithm=algorithm) for parameter in experiment.space.parameters],
        trialTemplate=_trial_template(experiment, cluster),
    )
    manifest: JsonObject = V1beta1Experiment(
        apiVersion=API_VERSION,
        kind="Experiment",
        metadata=ObjectMeta(
            name=experiment.name,
            namespace=cluster.namespace,
            labels=dict(APPLICATION_LABELS),
            annotations={DATASET_ANNOTATION: experiment.dataset},
        ),
        spec=spec,
    ).to_dict()
    return manifest


def _algorithm_settings(experiment: Experiment) -> dict[str, str]:
    """Return the algorithm's settings by Katib's names; its seed is the experiment's, as on this machine."""
    algorithm = experiment.algorithm.name
    settings = {"random_state": str(experiment.seed), **experiment.algorithm.settings}
    if algorithm == "sobol":
        # One fixed sequence, whatever the seed.
        return {}
    if algorithm not in ("tpe", "random"):
        return settings
    for name in settings:
        if name not in _HYPEROPT_SETTINGS:
            raise SettingsError(
                f"Katib's {algorithm} has no setting {name}: leave it out or use multivariate-tpe",
                field=f"algorithm.{name}",
            )
    return {_HYPEROPT_SETTINGS[name]: value for name, value in settings.items()}


def _early_stopping(settings: EarlyStoppingSettings | None) -> V1beta1EarlyStoppingSpec | None:
    if settings is None:
        return None
    values = asdict(settings)
    return V1beta1EarlyStoppingSpec(
        algorithmName=values.pop("algorithm"),
        algorithmSettings=[V1beta1EarlyStoppingSetting(name=name, value=str(value)) for name, value in values.items()],
    )


def _trial_template(experiment: Experiment, cluster: ClusterSettings) -> V1beta1TrialTemplate:
    names = experiment.space.names
    return V1beta1TrialTemplate(
        # A finished pod's log stays readable.
        retain=True,
        primaryContainerName=PRIMARY_CONTAINER,
        successCondition='status.conditions.#(type=="Complete")#|#(status=="True")#',
        failureCondition='status.conditions.#(type=="Failed")#|#(status=="True")#',
        trialParameters=[
            V1beta1TrialParameterSpec(name=_TRIAL_NAME, reference="${trialSpec.Name}"),
            *(V1beta1TrialParameterSpec(name=name, reference=name) for name in names),
        ],
        trialSpec=_job(driver_arguments(experiment, cluster), cluster),
    )


def driver_arguments(experiment: Experiment, cluster: ClusterSettings) -> list[str]:
    """Return the driver's command line with Katib's placeholders, safe in the shell that it passes through.

    Args:
        experiment: whose space decides the placeholders.
        cluster: says how trials run, and where the claim is mounted.
    """
    arguments = [
        f"--kind={cluster.trial_kind}",
        f"--experiment={experiment.name}",
        f"--trial={_placeholder(_TRIAL_NAME)}",
        f"--workspace={cluster.mount_path}",
    ]
    return arguments + [f"--set={name}={_placeholder(name)}" for name in experiment.space.names]


def _placeholder(name: str) -> str:
    return f"${{trialParameters.{name}}}"


def _job(arguments: list[str], cluster: ClusterSettings) -> JsonObject:
    is_driver = cluster.trial_kind == "pipeline"
    environment = {"GWAS_WORKSPACE": cluster.mount_path}
    mounts: list[JsonObject] = [{"name": "workspace", "mountPath": cluster.mount_path}]
    volumes: list[JsonObject] = [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": cluster.claim}},
    ]
    if is_driver:
        environment |= {**cluster.to_environment(), TOKEN_VARIABLE: TOKEN_PATH}
        directory, _, file = TOKEN_PATH.rpartition("/")
        mounts.append({"name": "pipelines-token", "mountPath": directory, "readOnly": True})
        token = {"path": file, "audience": TOKEN_AUDIENCE, "expirationSeconds": _TOKEN_SECONDS}
        volumes.append({"name": "pipelines-token", "projected": {"sources": [{"serviceAccountToken": token}]}})
    else:
        # Libraries would start a thread for each core of the node, however many pods share it.
        environment |= thread_environment({}, cluster.threads)
    container = {
        "name": PRIMARY_CONTAINER,
        "image": cluster.image,
        # Katib wraps the command in a shell; without it here, Katib would have to ask the registry for the image's own.
        "command": ["python", "-m", "gwas_core.kubeflow.driver"],
        "args": arguments,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": _DRIVER_REQUESTS} if is_driver else _training_resources(cluster),
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {**APPLICATION_LABELS, **NO_SIDECAR}, "annotations": dict(NO_SIDECAR)},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": cluster.service_account,
                    "securityContext": {"fsGroup": FILE_SYSTEM_GROUP},
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    }


def _training_resources(cluster: ClusterSettings) -> JsonObject:
    resources: JsonObject = {
        "requests": {"cpu": cluster.cpu, "memory": cluster.memory},
        "limits": {"memory": cluster.memory},
    }
    if cluster.gpu:
        resources["limits"]["nvidia.com/gpu"] = str(cluster.gpu)
    return resources
