"""Bayesian search (``bayesianoptimization``) with scikit-optimize, the library behind Katib's.

Also here: its settings; what pruned, failed and running trials count as; which trials the model is fitted to if there
are many.
"""

from __future__ import annotations

import functools
import importlib
import logging
import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.seeds import derived_seed
from gwas_core.tuning.points import Point, point_of
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace

_logger = logging.getLogger(__name__)

BASE_ESTIMATORS = ("GP", "RF", "ET")
ACQUISITION_FUNCTIONS = ("gp_hedge", "LCB", "EI", "PI")
ACQUISITION_OPTIMIZERS = ("auto", "sampling", "lbfgs")
MAXIMUM_INITIAL_POINTS = 10_000
MAXIMUM_MODEL_POINTS = 200
"""A Gaussian process costs the cube of its points: with 200 of them a suggestion takes 4 s, with 1,000 it takes 90."""


@dataclass(frozen=True, kw_only=True)
class BayesianSettings:
    """Settings of ``bayesianoptimization`` as Katib has them, with its defaults.

    Three values Katib accepts are refused here, since they cannot work: the acquisition functions EIps and
    PIps, for which Katib never passes on the times they need, and the base estimator GBRT, which
    scikit-optimize 0.10.2 makes in a way that today's scikit-learn refuses.

    Attributes:
        base_estimator: the model of the objective: a Gaussian process, random forest or extra trees.
        n_initial_points: random points before the model is asked.
        acq_func: how expected gain and uncertainty are weighed; ``gp_hedge`` learns which of three serves best.
        acq_optimizer: how the acquisition function's optimum is found.

    Raises:
        SettingsError: a value Katib or scikit-optimize would refuse.
    """

    base_estimator: str = "GP"
    n_initial_points: int = 10
    acq_func: str = "gp_hedge"
    acq_optimizer: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("base_estimator", BASE_ESTIMATORS),
            ("acq_func", ACQUISITION_FUNCTIONS),
            ("acq_optimizer", ACQUISITION_OPTIMIZERS),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise SettingsError(
                    f"{name} must be one of {', '.join(allowed)}, not {quoted(value)}", field=f"algorithm.{name}"
                )
        if not 0 <= self.n_initial_points <= MAXIMUM_INITIAL_POINTS:
            raise SettingsError(
                f"n_initial_points must lie within 0 to {MAXIMUM_INITIAL_POINTS}, but is {self.n_initial_points}",
                field="algorithm.n_initial_points",
            )
        if self.acq_optimizer == "lbfgs" and self.base_estimator != "GP":
            raise SettingsError(
                f"acq_optimizer lbfgs needs gradients, which base_estimator {self.base_estimator} has not: "
                "use auto or sampling",
                field="algorithm.acq_optimizer",
            )


class BayesianSampler(BaseSampler):
    """Sampler that suggests the point for which scikit-optimize's optimizer asks next.

    What the model is told:

    - a finished trial: its value;
    - a pruned trial: its best value so far. The objective is a trial's best epoch, so this is the objective
      over the epochs it had: a bound on what it would have reached, and far better than not knowing;
    - a failed trial: the worst value of all others. Failures (a loss that left the finite numbers) come from
      regions, which the model should learn to leave, and the worst seen does that without
      flattening everything else as an invented huge value would;
    - a running trial: the best value so far (the constant liar, scikit-optimize's ``cl_min``), so that
      points asked for in parallel keep apart.

    The optimizer is made anew for each suggestion from what the study holds, with one fit; only the hedge's
    memory of which acquisition function did well lives on between suggestions, and starts afresh when
    a search is resumed. Until ``n_initial_points`` trials are known, and whenever the model cannot be
    fitted, points are random. Beyond ``MAXIMUM_MODEL_POINTS`` it sees the best and the latest trials.

    Raises:
        SettingsError: settings that do not fit the space.
    """

    def __init__(self, space: SearchSpace, *, seed: int, settings: BayesianSettings | None = None) -> None:
        self._space = space
        self._seed = seed
        self._settings = settings or BayesianSettings()
        # A list of one choice has nothing to search.
        self._searched = [parameter for parameter in space.parameters if parameter.size != 1]
        if self._settings.acq_optimizer == "lbfgs" and not any(_has_order(parameter) for parameter in self._searched):
            raise SettingsError(
                "acq_optimizer lbfgs needs at least one parameter that is not categorical: use auto or sampling",
                field="algorithm.acq_optimizer",
            )
        self._random = RandomSampler(seed=seed)
        self._previous: Any = None

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002 (Optuna's signature)
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Return the distributions of the whole space."""
        return self._space.to_distributions()

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> Point:
        """Return a complete point: values of all parameters by name.

        Args:
            study: its trials, those under way among them, are taken into account.
            trial: for which the point is; its number, with the seed of the sampler, fixes what is random.
            search_space: not used: it is always the whole space.
        """
        trials = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        points, values = observations(trials, self._space, direction=study.direction)
        running = [
            point
            for other in trials
            if other.state is TrialState.RUNNING and (point := point_of(other, self._space)) is not None
        ]
        if not points or not self._searched or len(points) + len(running) < self._settings.n_initial_points:
            _import_optimizer()
            return dict(self._random_point(study, trial))
        points, values = most_telling(points, values, limit=MAXIMUM_MODEL_POINTS)
        try:
            suggested = self._suggest(points, values, running, seed=derived_seed(self._seed, trial.number))
        except np.linalg.LinAlgError as error:
            # Points too alike for the covariance matrix to be inverted; the next result may mend it.
            _logger.warning("the model could not be fitted (%s): trial %d is a random point", error, trial.number)
            return dict(self._random_point(study, trial))
        fixed = {parameter.name: parameter.at(0) for parameter in self._space.parameters if parameter.size == 1}
        return suggested | fixed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a parameter that is not in the space."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _random_point(self, study: Study, trial: FrozenTrial) -> Point:
        random = RandomSampler(seed=derived_seed(self._seed, trial.number))
        return {
            name: random.sample_independent(study, trial, name, distribution)
            for name, distribution in self._space.to_distributions().items()
        }

    def _suggest(self, points: Sequence[Point], values: Sequence[float], running: Sequence[Point], seed: int) -> Point:
        optimizer = self._optimizer(seed)
        lies = [min(values)] * len(running)
        # One thread: the matrices are small, the cores are busy training, and sums come out the same everywhere.
        with threadpool_limits(limits=1), _known_warnings_silenced():
            optimizer.tell([self._encode(point) for point in [*points, *running]], [*values, *lies])
            asked = optimizer.ask()
        self._previous = optimizer
        return {
            parameter.name: _decode(parameter, coordinate)
            for parameter, coordinate in zip(self._searched, asked, strict=True)
        }

    def _optimizer(self, seed: int) -> Any:
        from skopt import Optimizer

        chosen = self._settings
        optimizer = Optimizer(
            [_dimension(parameter) for parameter in self._searched],
            base_estimator=chosen.base_estimator,
            n_initial_points=0,  # those are dealt with before the optimizer is made
            acq_func=chosen.acq_func,
            acq_optimizer=chosen.acq_optimizer,
            random_state=seed,
        )
        if self._previous is not None and chosen.acq_func == "gp_hedge":
            # The next fit judges what each function proposed last time, and adds that to its gains.
            optimizer.gains_ = self._previous.gains_
            optimizer.next_xs_ = self._previous.next_xs_
        return optimizer

    def _encode(self, point: Point) -> list[Any]:
        return [_encode(parameter, point[parameter.name]) for parameter in self._searched]


def observations(
    trials: Sequence[FrozenTrial], space: SearchSpace, *, direction: StudyDirection
) -> tuple[list[Point], list[float]]:
    """Return the points of finished trials and their values, to be minimised and all finite.

    ``BayesianSampler`` says what pruned and failed trials count as. Both lists are empty while no trial has a value.

    Args:
        trials: of the study, in any state.
        space: whose points are read.
        direction: of the study; values are negated if it is to be maximised.

    Returns:
        Points by parameter name, and a value for each of them.
    """
    sign = -1.0 if direction is StudyDirection.MAXIMIZE else 1.0
    points: list[Point] = []
    values: list[float | None] = []
    for trial in trials:
        point = point_of(trial, space) if trial.state.is_finished() else None
        if point is not None:
            points.append(point)
            values.append(_value(trial, sign))
    known = [value for value in values if value is not None]
    if not known:
        return [], []
    return points, [max(known) if value is None else value for value in values]


def most_telling(points: Sequence[Point], values: Sequence[float], *, limit: int) -> tuple[list[Point], list[float]]:
    """Return at most ``limit`` observations, in their order: half of them the best ones, the rest the latest.

    Args:
        points: of finished trials, in the order of the trials.
        values: one for each point, to be minimised.
        limit: most observations to keep.

    Returns:
        Points and values that are kept.
    """
    best = set(sorted(range(len(values)), key=values.__getitem__)[: limit // 2])
    others = [index for index in range(len(values)) if index not in best]
    kept = sorted(best.union(others[max(len(others) - (limit - len(best)), 0) :]))
    return [points[index] for index in kept], [values[index] for index in kept]


def _value(trial: FrozenTrial, sign: float) -> float | None:
    """Return the trial's value, to be minimised; None for a failure."""
    reported: list[float | None] = []
    if trial.state is TrialState.COMPLETE:
        reported = [trial.value]
    elif trial.state is TrialState.PRUNED:
        reported = list(trial.intermediate_values.values())
    return min((sign * value for value in reported if value is not None and math.isfinite(value)), default=None)


def _has_order(parameter: Parameter) -> bool:
    return parameter.kind is not ParameterKind.CATEGORICAL


@functools.cache
def _import_optimizer() -> None:
    """Import scikit-optimize while the first trials run: with scikit-learn behind it, it takes a second."""
    threading.Thread(target=importlib.import_module, args=("skopt",), daemon=True).start()


def _dimension(parameter: Parameter) -> Any:
    """Return the dimension as which scikit-optimize searches a parameter.

    Ranges without a step become 0 to 1 on their scale, which is what it makes of them itself for a
    Gaussian process; doing it here keeps rounding at the ends of a log scale out of its
    checks, and lets its test for repeated points work for ranges as small as 1e-9. Numbers that can
    be numbered are searched by rank: unlike Katib, which gives the model a discrete list as
    unordered names, the model then knows that 16 lies between 8 and 32.
    """
    from skopt.space import Categorical, Integer, Real

    if parameter.kind is ParameterKind.CATEGORICAL:
        return Categorical(list(parameter.choices))
    if parameter.size is None:
        return Real(0.0, 1.0)
    if parameter.scale is Scale.LOG:
        return Integer(*parameter.bounds, prior="log-uniform")
    return Integer(0, parameter.size - 1)


def _encode(parameter: Parameter, value: Any) -> Any:
    if parameter.kind is ParameterKind.CATEGORICAL or (parameter.size is not None and parameter.scale is Scale.LOG):
        return value
    return parameter.position(value) if parameter.size is None else parameter.index(value)


def _decode(parameter: Parameter, coordinate: Any) -> str | int | float:
    if parameter.kind is ParameterKind.CATEGORICAL:
        return str(coordinate)
    if parameter.size is None:
        return parameter.at_position(float(coordinate))
    if parameter.scale is Scale.LOG:
        return parameter.nearest(int(coordinate))
    return parameter.at(int(coordinate))


@contextmanager
def _known_warnings_silenced() -> Iterator[None]:
    """Silence what scikit-optimize says in ordinary use, and nothing else."""
    with warnings.catch_warnings():
        # It found that its optimum was tried before and took a random point instead, as it should.
        warnings.filterwarnings("ignore", message="The objective has been evaluated at point", category=UserWarning)
        # Rounding makes the variance at a known point -1e-17 rather than 0; it is set to 0.
        warnings.filterwarnings("ignore", message="Predicted variances smaller than 0", category=UserWarning)
        yield
