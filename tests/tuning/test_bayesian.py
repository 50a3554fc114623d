"""Bayesian search: what the model is told, and what its points are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from gwas_core.tuning.bayesian import BayesianSampler, BayesianSettings, most_telling, observations
from gwas_core.tuning.space import Parameter, SearchSpace
from gwas_core.tuning.suggest import make_sampler, suggest

SPACE = SearchSpace((Parameter(name="x", kind="int", minimum=0, maximum=100),))


def add(
    study: Study, x: int, state: TrialState, *, value: float | None = None, reported: tuple[float, ...] = ()
) -> None:
    study.add_trial(
        optuna.trial.create_trial(
            state=state,
            value=value,
            params={"x": x},
            distributions=SPACE.to_distributions(),
            intermediate_values=dict(enumerate(reported, start=1)),
        )
    )


def told(study: Study) -> list[tuple[int, float]]:
    points, values = observations(study.get_trials(), SPACE, direction=study.direction)
    return [(int(point["x"]), value) for point, value in zip(points, values, strict=True)]


def test_pruned_trials_count_with_their_best_epoch_and_failed_ones_as_the_worst() -> None:
    study = optuna.create_study(direction="minimize")
    add(study, 1, TrialState.COMPLETE, value=0.8)
    add(study, 2, TrialState.PRUNED, value=0.95, reported=(0.9, 0.85, 0.95))
    add(study, 3, TrialState.FAIL, reported=(0.1,))
    add(study, 4, TrialState.RUNNING)
    add(study, 5, TrialState.COMPLETE, value=math.inf)
    add(study, 6, TrialState.PRUNED, value=math.inf)
    assert told(study) == [(1, 0.8), (2, 0.85), (3, 0.85), (5, 0.85), (6, 0.85)]


def test_values_to_be_maximised_are_turned_round() -> None:
    study = optuna.create_study(direction="maximize")
    add(study, 1, TrialState.COMPLETE, value=0.8)
    add(study, 2, TrialState.PRUNED, value=0.2, reported=(0.2, 0.6, 0.3))
    add(study, 3, TrialState.FAIL)
    assert told(study) == [(1, -0.8), (2, -0.6), (3, -0.6)]


def test_failures_alone_say_nothing() -> None:
    study = optuna.create_study()
    add(study, 1, TrialState.FAIL)
    assert observations(study.get_trials(), SPACE, direction=StudyDirection.MINIMIZE) == ([], [])


def test_trials_of_another_space_are_left_out() -> None:
    study = optuna.create_study()
    add(study, 7, TrialState.COMPLETE, value=1.0)
    narrower = SearchSpace((Parameter(name="x", kind="int", minimum=0, maximum=5),))
    assert observations(study.get_trials(), narrower, direction=study.direction) == ([], [])


def test_of_many_trials_the_best_and_the_latest_are_kept() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 6.0, 3.0]
    points: list[Any] = [{"x": number} for number in range(6)]
    assert most_telling(points, values, limit=4) == ([{"x": x} for x in (1, 3, 4, 5)], [1.0, 2.0, 6.0, 3.0])
    assert most_telling(points, values, limit=3) == ([{"x": x} for x in (1, 4, 5)], [1.0, 6.0, 3.0])
    assert most_telling(points, values, limit=6) == (points, values)
    assert most_telling(points, values, limit=9) == (points, values)


def asked_points(study: Study, count: int, **settings: str) -> list[int]:
    sampler = make_sampler("bayesianoptimization", SPACE, seed=3, settings=settings)
    return [suggest(study, sampler=sampler, space=SPACE).params["x"] for _ in range(count)]


def parabola(minimum: int, *, at: tuple[int, ...]) -> Study:
    study = optuna.create_study()
    for x in at:
        add(study, x, TrialState.COMPLETE, value=((x - minimum) / 100) ** 2)
    return study


def test_the_model_goes_where_the_objective_is_small() -> None:
    study = parabola(42, at=(0, 10, 25, 60, 80, 100))
    assert abs(asked_points(study, 1, n_initial_points="0", acq_func="EI")[0] - 42) <= 4


def test_points_asked_for_in_parallel_keep_apart() -> None:
    study = parabola(42, at=(0, 10, 25, 60, 80, 100))
    first, second, third = asked_points(study, 3, n_initial_points="0", acq_func="EI")
    assert len({first, second, third}) == 3
    # Without being told that one is running, the model would ask for the same point again.
    assert asked_points(parabola(42, at=(0, 10, 25, 60, 80, 100)), 1, n_initial_points="0", acq_func="EI") == [first]


def test_the_model_leaves_regions_that_fail() -> None:
    study = parabola(20, at=(5, 40, 50, 60, 70, 80, 90, 100))
    for x in (10, 15, 20, 25, 30):
        add(study, x, TrialState.FAIL)
    sampler = make_sampler("bayesianoptimization", SPACE, seed=3, settings={"n_initial_points": "0", "acq_func": "PI"})
    asked = [suggest(study, sampler=sampler, space=SPACE).params["x"] for _ in range(3)]
    assert not any(10 <= x <= 30 for x in asked)


def test_points_are_random_until_enough_is_known() -> None:
    def asked(finished: int, running: int) -> int:
        study = parabola(42, at=tuple(range(0, 10 * finished, 10)))
        for x in range(90, 90 + running):
            add(study, x, TrialState.RUNNING)
        return asked_points(study, 1, n_initial_points="6", acq_func="EI")[0]

    sampler = make_sampler("random", SPACE, seed=3)
    at_random = suggest(parabola(0, at=(1, 2, 3, 4, 5)), sampler=sampler, space=SPACE).params["x"]
    assert asked(5, 0) == at_random
    assert asked(3, 2) == at_random
    assert asked(6, 0) != at_random
    assert asked(3, 3) != at_random


@pytest.mark.parametrize(
    "settings",
    [
        {"base_estimator": "RF"},
        {"base_estimator": "ET"},
        {"acq_func": "LCB"},
        {"acq_func": "PI"},
        {"acq_optimizer": "sampling"},
        {"acq_optimizer": "lbfgs"},
    ],
)
def test_every_setting_works(settings: dict[str, str]) -> None:
    study = parabola(42, at=(0, 10, 25, 60, 80, 100))
    assert 0 <= asked_points(study, 1, n_initial_points="2", **settings)[0] <= 100


def test_a_space_of_names_only_can_be_searched() -> None:
    names = SearchSpace(
        tuple(Parameter(name=name, kind="categorical", choices=tuple("abcde")) for name in ("one", "two"))
    )
    study = optuna.create_study()
    sampler = make_sampler("bayesianoptimization", names, seed=1, settings={"n_initial_points": "8"})
    for _ in range(16):
        trial = suggest(study, sampler=sampler, space=names)
        study.tell(trial, sum(value != "c" for value in trial.params.values()))
    assert study.best_value == 0


def test_the_ends_of_tiny_and_of_wide_log_ranges_are_kept() -> None:
    space = SearchSpace(
        (
            Parameter(name="tiny", kind="double", minimum=1e-9, maximum=1.1e-9, scale="log"),
            Parameter(name="wide", kind="double", minimum=3e-300, maximum=7e300, scale="log"),
            Parameter(name="far", kind="double", minimum=1e9, maximum=1e9 + 10),
            Parameter(name="whole", kind="int", minimum=-(2**50), maximum=2**50),
        )
    )
    study = optuna.create_study()
    sampler = make_sampler("bayesianoptimization", space, seed=1, settings={"n_initial_points": "3", "acq_func": "EI"})
    for _ in range(8):
        trial = suggest(study, sampler=sampler, space=space)
        assert space.check(trial.params) == trial.params
        # Smallest at one corner, where the model will go.
        study.tell(trial, sum(p.position(trial.params[p.name]) for p in space.parameters))
    assert study.best_trial.number >= 3
    corner = {p.name: p.minimum for p in space.parameters}
    assert any(trial.params[name] == value for trial in study.trials for name, value in corner.items())


def test_a_model_that_cannot_be_fitted_costs_one_random_point(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def singular(*_: Any, **__: Any) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    study = parabola(42, at=(0, 10, 25, 60, 80, 100))
    with monkeypatch.context() as patch:
        patch.setattr("skopt.learning.gaussian_process.gpr.GaussianProcessRegressor.fit", singular)
        assert len(asked_points(study, 1, n_initial_points="2")) == 1
    assert "random point" in caplog.text
    assert len(asked_points(study, 1, n_initial_points="2")) == 1


def test_the_sampler_also_serves_optuna_alone() -> None:
    study = optuna.create_study(sampler=BayesianSampler(SPACE, seed=1, settings=BayesianSettings(n_initial_points=4)))
    study.optimize(lambda trial: (trial.suggest_int("x", 0, 100) - 30) ** 2, n_trials=8)
    assert len(study.trials) == 8
    assert study.best_trial.number >= 4
