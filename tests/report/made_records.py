"""Experiments as the store would give them, of any size and in any state, without running one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace

STARTED = datetime(2025, 11, 1, 12, tzinfo=UTC)
_DOUBLE, _INT = ParameterKind.DOUBLE, ParameterKind.INT
SPACE = SearchSpace(
    (
        Parameter(name="learning_rate", kind=_DOUBLE, minimum=1e-5, maximum=1e-2, scale="log"),
        Parameter(name="batch_size", kind=ParameterKind.DISCRETE, choices=(16, 32, 64, 128)),
        Parameter(name="linear_l2", kind=_DOUBLE, minimum=1e-5, maximum=1.0, scale="log"),
        Parameter(name="conv_filters", kind=_INT, minimum=2, maximum=32, scale="log"),
        Parameter(name="conv_kernel_size", kind=_INT, minimum=4, maximum=100, scale="log"),
        Parameter(name="conv_l2", kind=_DOUBLE, minimum=1e-6, maximum=1e-1, scale="log"),
        Parameter(name="dropout_rate", kind=_DOUBLE, minimum=0.0, maximum=0.7),
        Parameter(name="num_dense_units", kind=_INT, minimum=2, maximum=64, scale="log"),
    ),
    {"network": "hybrid", "epochs": 30},
)
"""Of every kind and scale; the presets, which also change, have less to look at."""


def made_trial(
    number: int,
    *,
    parameters: dict[str, Any],
    value: float | None,
    state: TrialState = TrialState.SUCCEEDED,
) -> TrialRecord:
    """One trial; a finished one took a minute."""
    return TrialRecord(
        number=number,
        state=state,
        parameters=parameters,
        value=value,
        history=() if value is None else ((1, value * 1.2), (2, value)),
        reason="",
        attempts=1,
        seed=number,
        result=None,
        started=STARTED + timedelta(minutes=number),
        finished=STARTED + timedelta(minutes=number + 1) if state.is_finished() else None,
        directory=Path("trials") / str(number),
    )


def made_record(
    trials: Sequence[TrialRecord],
    *,
    space: SearchSpace,
    state: ExperimentState = ExperimentState.RUNNING,
    max_trials: int = 1000,
) -> ExperimentRecord:
    """An experiment with these trials."""
    experiment = Experiment(name="made", dataset="0123456789abcdef", source="made", space=space, max_trials=max_trials)
    return ExperimentRecord(
        experiment=experiment,
        state=state,
        reason="",
        trials=tuple(trials),
        baselines=None,
        baselines_reason="",
        calibration=None,
        final_evaluation=None,
        started=STARTED,
        finished=None,
        directory=Path("made"),
    )


def searched_record(
    count: int, *, preset: str | None = None, seed: int = 0, all_succeed: bool = True
) -> ExperimentRecord:
    """An experiment that tried ``count`` random points of a preset, or of ``SPACE``; the first n are always the same.

    The error is lowest at a learning rate of 3e-4. Unless all succeed, every tenth trial failed, every seventh was
    stopped early, and the last is still running.
    """
    space = SPACE if preset is None else SearchSpace.preset(preset)
    generator = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        parameters = {
            parameter.name: parameter.at_position(float(generator.uniform()))
            if parameter.kind.is_range()
            else parameter.choices[int(generator.integers(len(parameter.choices)))]
            for parameter in space.parameters
        }
        rate = float(parameters["learning_rate"])
        value = 0.3 + 0.05 * abs(math.log10(rate / 3e-4)) + float(generator.normal(0, 0.005))
        state = TrialState.SUCCEEDED
        if not all_succeed:
            if number == count - 1:
                state = TrialState.RUNNING
            elif number % 10 == 9:
                state = TrialState.FAILED
            elif number % 7 == 6:
                state = TrialState.PRUNED
        has_value = state in (TrialState.SUCCEEDED, TrialState.PRUNED)
        trials.append(
            made_trial(
                number, parameters={**parameters, **space.fixed}, value=value if has_value else None, state=state
            )
        )
    return made_record(trials, space=space)
