"""What Katib 0.19 refuses when an experiment is created or changed: its models, its webhook, its suggestion services.

Follows kubeflow/katib: pkg/webhook/v1beta1/experiment, pkg/apis/controller/experiments/v1beta1/experiment_defaults.go,
pkg/suggestion/v1beta1/{skopt,optuna}/service.py. What admission does not look at is not looked at here either.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import Any

from kubeflow_katib_api.models.v1beta1_experiment import V1beta1Experiment
from pydantic import ValidationError

INJECTION_LABEL = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
ALGORITHMS = (
    "random", "tpe", "grid", "hyperband", "bayesianoptimization", "cmaes", "sobol", "multivariate-tpe", "enas", "darts",
    "pbt",
)  # fmt: skip
EDITABLE = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PLACEHOLDER = re.compile(r"\$\{trialParameters\..+?\}")
_META = re.compile(r"\$\{trialSpec\.(.+?)\}")
_META_KEYS = ("Name", "Namespace", "Kind", "APIVersion", "Annotations", "Labels")


class Refused(Exception):
    """Katib's admission says no."""


def with_defaults(experiment: dict[str, Any]) -> dict[str, Any]:
    """What the mutating webhook makes of an experiment."""
    experiment = copy.deepcopy(experiment)
    spec = experiment["spec"]
    spec.setdefault("parallelTrialCount", 3)
    spec.setdefault("resumePolicy", "Never")
    objective = spec.get("objective") or {}
    strategies = objective.setdefault("metricStrategies", [])
    kind = {"minimize": "min", "maximize": "max"}.get(objective.get("type", ""), "latest")
    for name in (objective.get("objectiveMetricName"), *objective.get("additionalMetricNames", ())):
        if name and all(strategy["name"] != name for strategy in strategies):
            strategies.append({"name": name, "value": kind})
    template = spec.get("trialTemplate") or {}
    if (template.get("trialSpec") or {}).get("kind") == "Job":
        for condition, job in (("successCondition", "Complete"), ("failureCondition", "Failed")):
            template.setdefault(condition, f'status.conditions.#(type=="{job}")#|#(status=="True")#')
    collector = spec.setdefault("metricsCollectorSpec", {})
    collector.setdefault("collector", {"kind": "StdOut"})
    return experiment


def admit(
    experiment: dict[str, Any],
    *,
    old: dict[str, Any] | None = None,
    namespace_labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The experiment with its defaults, as the API server would store it.

    Raises:
        Refused: with what Katib would say.
    """
    try:
        V1beta1Experiment.from_dict(experiment)
    except ValidationError as error:
        raise Refused(str(error)) from error
    labels = INJECTION_LABEL if namespace_labels is None else namespace_labels
    if not INJECTION_LABEL.items() <= labels.items():
        raise Refused('the namespace lacks label "katib.kubeflow.org/metrics-collector-injection: enabled"')
    experiment = with_defaults(experiment)
    name, spec = experiment["metadata"].get("name", ""), experiment["spec"]
    # The webhook's own pattern is not anchored at the end; that of Kubernetes' names is.
    _refuse_unless(bool(_NAME.fullmatch(name)), f"metadata.name {name!r} is no DNS label")
    # Katib's: the service of the algorithm, <name>-<algorithm>, must be a label of at most 63 characters.
    _refuse_unless(len(name) <= 40, "metadata.name must be at most 40 characters")
    _check_counts(spec)
    if old is not None:
        _check_change(experiment, old)
    _check_objective(spec.get("objective"))
    algorithm = (spec.get("algorithm") or {}).get("algorithmName", "")
    _refuse_unless(algorithm in ALGORITHMS, f"unable to get Suggestion config data for algorithm {algorithm}")
    if (stopping := spec.get("earlyStopping")) is not None:
        _refuse_unless(
            stopping.get("algorithmName") == "medianstop", "unable to get EarlyStopping config data for the algorithm"
        )
    _refuse_unless(spec["resumePolicy"] in ("Never", "LongRunning", "FromVolume"), "invalid ResumePolicyType")
    _check_template(spec)
    _refuse_unless(bool(spec.get("parameters")), "spec.parameters or spec.nasConfig must be specified")
    for parameter in spec["parameters"]:
        _check_parameter(parameter)
    kind = spec["metricsCollectorSpec"]["collector"].get("kind")
    _refuse_unless(kind in ("StdOut", "None", "File"), f"invalid metrics collector kind: {kind}")
    return experiment


def _refuse_unless(condition: bool, message: str) -> None:
    if not condition:
        raise Refused(message)


def _check_counts(spec: dict[str, Any]) -> None:
    trials, failed, parallel = (
        spec.get(name) for name in ("maxTrialCount", "maxFailedTrialCount", "parallelTrialCount")
    )
    _refuse_unless(failed is None or failed >= 0, "spec.maxFailedTrialCount should not be less than 0")
    _refuse_unless(trials is None or trials > 0, "spec.maxTrialCount must be greater than 0")
    _refuse_unless(parallel > 0, "spec.parallelTrialCount must be greater than 0")
    if trials is not None:
        _refuse_unless(failed is None or failed <= trials, "maxFailedTrialCount should be at most spec.maxTrialCount")
        _refuse_unless(parallel <= trials, "parallelTrialCount should be less than or equal to spec.maxTrialCount")


def condition(resource: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The condition of this type that is true."""
    conditions = (resource.get("status") or {}).get("conditions", ())
    return next((entry for entry in conditions if entry["type"] == kind and entry["status"] == "True"), None)


def is_restartable(experiment: dict[str, Any]) -> bool:
    """Whether raising the number of trials makes a finished experiment go on."""
    succeeded = condition(experiment, "Succeeded")
    return (
        succeeded is not None
        and succeeded["reason"] == "ExperimentMaxTrialsReached"
        and experiment["spec"]["resumePolicy"] in ("LongRunning", "FromVolume")
    )


def _check_change(experiment: dict[str, Any], old: dict[str, Any]) -> None:
    spec, before = experiment["spec"], old["spec"]
    if spec == before:
        return
    is_completed = condition(old, "Succeeded") or condition(old, "Failed")
    _refuse_unless(
        not is_completed or is_restartable(old),
        "spec.resumePolicy: Experiment can be restarted if it is in succeeded state by reaching max trials and "
        "spec.resumePolicy = LongRunning or spec.resumePolicy = FromVolume, when experiment is completed",
    )
    trials = (old.get("status") or {}).get("trials", 0)
    _refuse_unless(
        "maxTrialCount" not in spec or spec["maxTrialCount"] > trials,
        f"spec.maxTrialCount must be greater than status.trials count: {trials}",
    )
    fixed = [{key: value for key, value in each.items() if key not in EDITABLE} for each in (spec, before)]
    _refuse_unless(fixed[0] == fixed[1], f"only {', '.join(f'spec.{name}' for name in EDITABLE)} are editable")


def _check_objective(objective: dict[str, Any] | None) -> None:
    _refuse_unless(objective is not None, "spec.objective must be specified")
    assert objective is not None
    _refuse_unless(
        objective.get("type") in ("minimize", "maximize"), "spec.objective.type must be minimize or maximize"
    )
    metric = objective.get("objectiveMetricName")
    _refuse_unless(bool(metric), "spec.objective.objectiveMetricName must be specified")
    _refuse_unless(
        metric not in objective.get("additionalMetricNames", ()),
        "additionalMetricNames should not contain objectiveMetricName",
    )


def _check_parameter(parameter: dict[str, Any]) -> None:
    kind, space = parameter["parameterType"], parameter.get("feasibleSpace") or {}
    name = parameter["name"]
    _refuse_unless(kind in ("int", "double", "categorical", "discrete"), f"parameterType {kind} is not supported")
    distribution = space.get("distribution", "")
    _refuse_unless(
        distribution in ("", "uniform", "logUniform", "normal", "logNormal"), f"distribution {distribution} is unknown"
    )
    _refuse_unless(bool(space), f"feasibleSpace of {name} must be specified")
    if kind in ("int", "double"):
        _refuse_unless(not space.get("list"), f"feasibleSpace.list is not supported for {kind}")
        _refuse_unless(bool(space.get("max")) and bool(space.get("min")), f"feasibleSpace of {name} needs min and max")
    else:
        _refuse_unless(
            not any(space.get(end) for end in ("min", "max", "step")),
            f"feasibleSpace .max, .min and .step is not supported for {kind}",
        )


def _check_template(spec: dict[str, Any]) -> None:
    template = spec.get("trialTemplate")
    _refuse_unless(template is not None, "spec.trialTemplate must be specified")
    assert template is not None
    for key in ("primaryContainerName", "successCondition", "failureCondition", "trialParameters", "trialSpec"):
        _refuse_unless(bool(template.get(key)), f"spec.trialTemplate.{key} must be specified")
    text = json.dumps(template["trialSpec"])
    searched = {parameter["name"] for parameter in spec.get("parameters", ())}
    names: set[str] = set()
    references: set[str] = set()
    for parameter in template["trialParameters"]:
        name, reference = parameter.get("name", ""), parameter.get("reference", "")
        _refuse_unless(bool(name and reference) and not set("{}") & set(name), f"invalid trialParameters: {parameter}")
        _refuse_unless(name not in names and reference not in references, f"{name} is duplicated")
        names.add(name)
        references.add(reference)
        _refuse_unless(
            reference in searched or _is_meta(reference), f"reference {reference} does not exist in spec.parameters"
        )
        placeholder = f"${{trialParameters.{name}}}"
        _refuse_unless(placeholder in text, f"{name} in spec.trialParameters not found in spec.trialTemplate")
        text = text.replace(placeholder, "test-value")
    left = _PLACEHOLDER.findall(text)
    _refuse_unless(not left, f"{left} in spec.trialTemplate not found in spec.trialParameters")
    job = json.loads(text)
    metadata = job.get("metadata") or {}
    _refuse_unless(not metadata.get("name") and not metadata.get("namespace"), "metadata.name must be omitted")
    _refuse_unless(bool(job.get("apiVersion")) and bool(job.get("kind")), "APIVersion and Kind must be specified")


def _is_meta(reference: str) -> bool:
    match = _META.search(reference)
    return match is not None and match[1].partition("[")[0] in _META_KEYS


# What the suggestion services refuse, once they run: the experiment then fails with "Suggestion has failed".

_SETTINGS = {
    "bayesianoptimization": ("base_estimator", "n_initial_points", "acq_func", "acq_optimizer", "random_state"),
    "random": ("random_state",),
    "grid": ("random_state",),
    "tpe": ("gamma", "prior_weight", "n_EI_candidates", "random_state"),
    "multivariate-tpe": ("n_startup_trials", "n_ei_candidates", "random_state"),
}


def refused_settings(spec: dict[str, Any]) -> str:
    """What the service of the algorithm says to its settings; empty where it accepts them."""
    algorithm = spec["algorithm"]["algorithmName"]
    known = _SETTINGS.get(algorithm)
    for setting in spec["algorithm"].get("algorithmSettings", ()):
        if known is not None and setting["name"] not in known:
            return f"unknown setting {setting['name']} for algorithm {algorithm}"
    if algorithm == "grid":
        points = len(list(itertools.product(*grid(spec).values())))
        if spec["maxTrialCount"] > points:
            return f"Max Trial Count: {spec['maxTrialCount']} > all possible search combinations: {points}"
    return ""


def grid(spec: dict[str, Any]) -> dict[str, list[str]]:
    """The values of each parameter that Katib's grid goes through; lists only, as we give it."""
    return {parameter["name"]: list(parameter["feasibleSpace"]["list"]) for parameter in spec["parameters"]}
