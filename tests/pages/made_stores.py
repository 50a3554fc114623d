"""Stores in any state, written as the engine writes them, without running anything."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import FailureKind
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.training import TrialResult
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.tuning.quick_experiments import quick_experiment
from tests.tuning.test_store import multiply_trial

HASH = "0123456789abcdef" * 4
DIVERGED = "val_mean_absolute_error became nan in epoch 2: training diverged"
ERRORS = {"mean": 1.0, "gblup": 0.6}


def judgement(error: float) -> PredictionMetrics:
    """What the network or a baseline reached on some lines."""
    return PredictionMetrics(
        lines=12,
        mean_absolute_error=error,
        root_mean_squared_error=1.3 * error,
        pearson=0.5,
        within_family_pearson=None,
    )


@dataclass(frozen=True, kw_only=True)
class MadeExperiment:
    """An experiment in a store, and what writes it."""

    store: Store
    writer: ExperimentWriter
    name: str

    @property
    def directory(self) -> Path:
        return self.store.workspace.experiment_directory(self.name)


def new_experiment(root: Path, name: str = "made", **settings: Any) -> MadeExperiment:
    """An experiment that was created."""
    store = Store(Workspace(root))
    store.create(quick_experiment(HASH, name, **settings))
    return MadeExperiment(store=store, writer=ExperimentWriter(store, name), name=name)


def begin(made: MadeExperiment, *errors: float) -> int:
    """Have one more trial suggested and begun, with these errors after its epochs, and files in its folder."""
    writer = made.writer
    trial = writer.study.ask(writer.experiment.space.to_distributions())
    writer.begin(trial.number)
    directory = made.store.workspace.trial_directory(made.name, trial.number)
    directory.mkdir(parents=True)
    (directory / "log.txt").write_text(f"trial {trial.number} says hello\n", encoding="utf-8")
    for epoch, error in enumerate(errors, start=1):
        writer.report(trial.number, epoch, error)
    return int(trial.number)


def succeed(made: MadeExperiment, *errors: float) -> int:
    number = begin(made, *errors)
    result = TrialResult(
        val_mean_absolute_error=min(errors), best_epoch=1, epochs=len(errors), validation=judgement(min(errors))
    )
    made.writer.finish(number, Outcome(state=TrialState.SUCCEEDED, result=result))
    return number


def fail(made: MadeExperiment, reason: str = DIVERGED, failure: FailureKind = FailureKind.NOT_FINITE) -> int:
    number = begin(made, 0.9)
    made.writer.finish(number, Outcome(state=TrialState.FAILED, reason=reason, failure=failure))
    return number


def mixed_store(root: Path, state: ExperimentState, *, reason: str = "") -> MadeExperiment:
    """Two trials that succeeded, one pruned, one failed, one under way; with baselines."""
    made = new_experiment(root, max_trials=8)
    made.writer.set_status(ExperimentState.RUNNING)
    succeed(made, 0.8, 0.7)
    succeed(made, 0.7, 0.5, 0.6)
    pruned = begin(made, 2.0)
    made.writer.finish(
        pruned, Outcome(state=TrialState.PRUNED, reason="stopped early: other trials were better at epoch 1")
    )
    fail(made)
    begin(made, 0.9)
    made.writer.set_baselines(
        {name: BaselineMetrics(validation=judgement(error), test=judgement(error)) for name, error in ERRORS.items()}
    )
    if state is not ExperimentState.RUNNING:
        made.writer.set_status(state, reason)
    return made


def thousand_trials(root: Path, trials: int = 1000) -> None:
    """An experiment of 1,000 trials, or so many, of 29 parameters, all different; every tenth failed."""
    space = SearchSpace.preset("tutorial")
    made = new_experiment(root, space=space, max_trials=1000, max_failed_trials=1000)
    made.writer.set_status(ExperimentState.RUNNING)
    succeed(made, *np.linspace(0.9, 0.5, 15).tolist())
    database = root / "_experiments.sqlite3"
    multiply_trial(database, trials)
    random = np.random.default_rng(0)
    distributions = space.to_distributions()
    parameters = [
        (distributions[entry.name].to_internal_repr(_any_value(entry, random)), number + 1, entry.name)
        for number in range(trials)
        for entry in space.parameters
    ]
    with closing(sqlite3.connect(database)) as connection:
        connection.executemany(
            "UPDATE trial_params SET param_value = ? WHERE trial_id = ? AND param_name = ?", parameters
        )
        connection.execute("UPDATE trial_values SET value = 0.4 + (trial_id * 37 % 1000) / 1000.0")
        connection.execute("UPDATE trials SET state = 'FAIL' WHERE trial_id % 10 = 5")
        connection.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'outcome' AND trial_id % 10 = 5",
            [json.dumps({"reason": DIVERGED})],
        )
        connection.commit()
    made.writer.set_status(ExperimentState.SUCCEEDED)


def _any_value(parameter: Any, random: np.random.Generator) -> Any:
    if parameter.kind.is_range():
        return parameter.at_position(float(random.uniform()))
    return parameter.choices[int(random.integers(len(parameter.choices)))]
