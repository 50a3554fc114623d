"""Experiments in every state as the store would report them, made without a search."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, FinalMetrics, TrialRecord
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from tests.report.made_records import SPACE

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TRIAL_FIELDS = {"parameters", "value", "history", "reason", "directory"}


def judgement(mean_absolute_error: float, pearson: float | None, within: float | None = None) -> PredictionMetrics:
    return PredictionMetrics(
        lines=100,
        mean_absolute_error=mean_absolute_error,
        root_mean_squared_error=1.3 * mean_absolute_error,
        pearson=pearson,
        within_family_pearson=within,
    )


def baselines() -> dict[str, BaselineMetrics]:
    """In the order in which they are computed; two so near each other that their labels would collide."""
    figures = {
        "mean": (0.777, None, None),
        "family_mean": (0.640, 0.556, None),
        "gblup": (0.518, 0.745, 0.564),
        "gblup_family": (0.514, 0.746, 0.569),
    }
    return {
        name: BaselineMetrics(validation=judgement(*values), test=judgement(*values))
        for name, values in figures.items()
    }


def trial(number: int, state: TrialState = TrialState.SUCCEEDED, **changes: Any) -> TrialRecord:
    """A trial of three epochs; one that failed or waits has no value, as in the store."""
    values: dict[str, Any] = {
        "parameters": {},
        "value": 0.6 if state in (TrialState.SUCCEEDED, TrialState.PRUNED) else None,
        "history": ((1, 0.8), (2, 0.6), (3, 0.7)),
        "reason": "",
        "attempts": 1,
        "seed": number,
        "result": None,
        "started": START + timedelta(minutes=number),
        "finished": START + timedelta(minutes=number + 1) if state.is_finished() else None,
        "directory": Path(f"trial-{number:04d}"),
    }
    if state in (TrialState.FAILED, TrialState.WAITING):
        values["history"] = ()
    return TrialRecord(number=number, state=state, **values | changes)


def record(
    trials: Iterable[TrialRecord] = (),
    *,
    space: SearchSpace | None = None,
    with_baselines: bool = True,
    final_evaluation: FinalMetrics | None = None,
    directory: Path = Path("example"),
) -> ExperimentRecord:
    return ExperimentRecord(
        experiment=Experiment(
            name="example",
            dataset="0123456789abcdef",
            source="example.txt",
            space=space or SPACE,
            algorithm=AlgorithmSettings(name="random"),
            max_trials=1000,
        ),
        state=ExperimentState.RUNNING,
        reason="",
        trials=tuple(trials),
        baselines=baselines() if with_baselines else None,
        baselines_reason="",
        final_evaluation=final_evaluation,
        calibration=None,
        started=START,
        finished=None,
        directory=directory,
    )


def random_parameters(space: SearchSpace, random: np.random.Generator) -> dict[str, HyperparameterValue]:
    """A point of the space, fixed values included."""
    values: dict[str, HyperparameterValue] = dict(space.fixed)
    for parameter in space.parameters:
        if parameter.kind.is_range():
            values[parameter.name] = parameter.at_position(random.random())
        else:
            values[parameter.name] = parameter.choices[random.integers(len(parameter.choices))]
    return values


def searched(number: int, *, preset: str | None = None, seed: int = 0, errors: Any = None) -> ExperimentRecord:
    """A record of so many succeeded trials at random points; ``errors`` maps parameters and noise to a value."""
    space = SPACE if preset is None else SearchSpace.preset(preset)
    random = np.random.default_rng(seed)
    trials = []
    for index in range(number):
        parameters = random_parameters(space, random)
        noise = float(random.normal())
        value = 0.6 + 0.1 * abs(noise) if errors is None else float(errors(parameters, noise))
        trials.append(trial(index, parameters=parameters, value=value))
    return record(trials, space=space)
