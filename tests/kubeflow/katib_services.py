"""Katib's suggestion services, as 0.19.0 has them: the real scikit-optimize and Optuna, values as strings.

Follows kubeflow/katib: pkg/suggestion/v1beta1/{skopt,optuna}/base_service.py and
pkg/earlystopping/v1beta1/medianstop/service.py, their quirks included.
"""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import optuna

from tests.kubeflow.katib_admission import condition, grid

Assignments = dict[str, str]


class Service(Protocol):
    """One suggestion service: what it knows is gone when its pod is."""

    def suggest(self, trials: list[dict[str, Any]], count: int) -> list[Assignments]:
        """So many new points. Raises whatever goes wrong; Katib then asks again, for ever."""


def make_service(spec: dict[str, Any]) -> Service:
    """The service of the experiment's algorithm."""
    if spec["algorithm"]["algorithmName"] == "bayesianoptimization":
        return SkoptService(spec)
    return OptunaService(spec)


def settings(spec: dict[str, Any], part: str = "algorithm") -> dict[str, str]:
    """The settings of the algorithm, or of early stopping."""
    return {entry["name"]: entry["value"] for entry in (spec.get(part) or {}).get("algorithmSettings", ())}


def told(trials: list[dict[str, Any]]) -> list[tuple[str, Assignments, str]]:
    """Name, point and objective, as text, of the trials a service is told of."""
    known = []
    for trial in trials:
        conditions = (trial.get("status") or {}).get("conditions") or [{"type": ""}]
        value = objective(trial)
        if conditions[-1]["type"] in ("Succeeded", "EarlyStopped") and value is not None:
            point = {entry["name"]: entry["value"] for entry in trial["spec"]["parameterAssignments"]}
            known.append((trial["metadata"]["name"], point, value))
    return known


def objective(trial: dict[str, Any]) -> str | None:
    """The trial's objective by its metric's strategy; None before there is an observation."""
    spec = trial["spec"]["objective"]
    name = spec["objectiveMetricName"]
    strategy = next(entry["value"] for entry in spec["metricStrategies"] if entry["name"] == name)
    for metric in ((trial.get("status") or {}).get("observation") or {}).get("metrics", ()):
        if metric["name"] == name:
            value = str(metric[strategy])
            return metric["latest"] if value == "unavailable" else value
    return None


class SkoptService:
    """``bayesianoptimization``: every double on a log scale; discrete values are names to it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        import skopt

        self._parameters = spec["parameters"]
        given = settings(spec)
        dimensions: list[Any] = []
        for parameter in self._parameters:
            space = parameter["feasibleSpace"]
            if parameter["parameterType"] == "int":
                dimensions.append(skopt.space.Integer(int(space["min"]), int(space["max"])))
            elif parameter["parameterType"] == "double":
                dimensions.append(skopt.space.Real(float(space["min"]), float(space["max"]), "log-uniform"))
            else:
                dimensions.append(skopt.space.Categorical(space["list"]))
        self._optimizer = skopt.Optimizer(
            dimensions,
            base_estimator=given.get("base_estimator", "GP"),
            n_initial_points=int(given.get("n_initial_points", 10)),
            acq_func=given.get("acq_func", "gp_hedge"),
            acq_optimizer=given.get("acq_optimizer", "auto"),
            random_state=int(given["random_state"]) if "random_state" in given else None,
        )
        self._recorded: set[str] = set()

    def suggest(self, trials: list[dict[str, Any]], count: int) -> list[Assignments]:
        with warnings.catch_warnings():
            # It says so when it takes a random point instead of one it had before; Katib's service only logs that.
            warnings.simplefilter("ignore", UserWarning)
            return self._suggest(trials, count)

    def _suggest(self, trials: list[dict[str, Any]], count: int) -> list[Assignments]:
        new = [entry for entry in told(trials) if entry[0] not in self._recorded]
        self._recorded.update(name for name, _, _ in new)
        if new:
            points = [[self._read(parameter, point) for parameter in self._parameters] for _, point, _ in new]
            self._optimizer.tell(points, [float(value) for _, _, value in new])
        return [
            {parameter["name"]: str(value) for parameter, value in zip(self._parameters, point, strict=True)}
            for point in self._optimizer.ask(n_points=count)
        ]

    @staticmethod
    def _read(parameter: dict[str, Any], point: Assignments) -> Any:
        kinds: dict[str, Any] = {"int": int, "double": float}
        return kinds.get(parameter["parameterType"], str)(point[parameter["name"]])


class OptunaService:
    """``random``, ``grid`` and the rest: fails on being told of a trial that it did not suggest itself."""

    def __init__(self, spec: dict[str, Any]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(settings(spec).get("random_state", 0))
        sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
        if spec["algorithm"]["algorithmName"] == "grid":
            sampler = optuna.samplers.GridSampler(grid(spec), seed=seed)
        self._study = optuna.create_study(sampler=sampler)
        self._distributions = {parameter["name"]: _distribution(parameter) for parameter in spec["parameters"]}
        self._numbers: dict[str, list[int]] = {}
        self._recorded: set[str] = set()

    def suggest(self, trials: list[dict[str, Any]], count: int) -> list[Assignments]:
        for name, point, value in told(trials):
            if name in self._recorded:
                continue
            self._recorded.add(name)
            numbers = self._numbers.get(_key(point))
            if not numbers:
                raise ValueError("An unknown trial has been passed in the GetSuggestion request.")
            self._study.tell(numbers.pop(0), float(value))
        suggested = []
        for _ in range(count):
            trial = self._study.ask(fixed_distributions=self._distributions)
            point = {name: str(value) for name, value in trial.params.items()}
            self._numbers.setdefault(_key(point), []).append(trial.number)
            suggested.append(point)
        return suggested


def _key(point: Assignments) -> str:
    return ",".join(f"{name}:{value}" for name, value in sorted(point.items()))


def _distribution(parameter: dict[str, Any]) -> optuna.distributions.BaseDistribution:
    space = parameter["feasibleSpace"]
    if parameter["parameterType"] == "int":
        return optuna.distributions.IntDistribution(int(space["min"]), int(space["max"]))
    if parameter["parameterType"] == "double":
        is_log = space.get("distribution") == "logUniform"
        return optuna.distributions.FloatDistribution(float(space["min"]), float(space["max"]), log=is_log)
    return optuna.distributions.CategoricalDistribution(space["list"])


class MedianStop:
    """``medianstop``: its median is the mean of the means of the first values of each trial that succeeded."""

    def __init__(self, spec: dict[str, Any]) -> None:
        given = settings(spec, "earlyStopping")
        self._required = int(given.get("min_trials_required", 3))
        self._start = int(given.get("start_step", 4))
        self._metric = spec["objective"]["objectiveMetricName"]
        self._means: dict[str, float] = {}

    def rules(self, trials: list[dict[str, Any]], logs: dict[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
        """The rule that the next trial is measured by, if there is one yet."""
        for trial in trials:
            name = trial["metadata"]["name"]
            if name not in self._means and condition(trial, "Succeeded"):
                values = [float(value) for metric, value in logs.get(name, ()) if metric == self._metric][: self._start]
                self._means[name] = sum(values) / len(values)
        if len(self._means) < self._required:
            return []
        median = sum(self._means.values()) / len(self._means)
        return [{"name": self._metric, "value": str(median), "comparison": "greater", "startStep": self._start}]
