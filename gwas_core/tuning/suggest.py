"""Suggestion of the next trial's hyperparameters by algorithm: random, grid, TPE, CMA-ES, Sobol, Bayesian.

Also here: algorithms and their settings; the first trial at the defaults; how often an algorithm that proposes a tried
point is asked again.

One mechanism serves every algorithm: each proposal is put exactly on an allowed value, and is not taken if a trial of
the study has had it before. One process asks at a time (the
experiment's supervisor); any number of trials may be running meanwhile.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.seeds import derived_seed
from gwas_core.serialization import JsonObject
from gwas_core.tuning.bayesian import BayesianSampler, BayesianSettings
from gwas_core.tuning.grid import Grid, GridSampler
from gwas_core.tuning.points import Point, PointKey, check_not_exhausted, key_of, tried_points
from gwas_core.tuning.space import Parameter, SearchSpace

ALGORITHMS = ("bayesianoptimization", "random", "grid", "tpe", "multivariate-tpe", "cmaes", "sobol")
"""Katib's names; the first is the default."""

_SETTINGS: dict[str, tuple[str, ...]] = {
    "bayesianoptimization": ("base_estimator", "n_initial_points", "acq_func", "acq_optimizer", "random_state"),
    "random": ("random_state",),
    "grid": ("random_state",),
    "tpe": ("n_startup_trials", "n_ei_candidates", "random_state"),
    "multivariate-tpe": ("n_startup_trials", "n_ei_candidates", "random_state"),
    "cmaes": ("random_state",),  # Katib's sigma and restart_strategy: Optuna is retiring the one, has dropped the other
    "sobol": ("random_state",),
}
_SMALLEST_SETTING = {"n_ei_candidates": 1, "n_startup_trials": 0, "n_initial_points": 0, "random_state": 0}
_LARGEST_SEED = 2**32 - 1
_RANDOM_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True)
class AlgorithmSettings:
    """Algorithm and its settings, as Katib has them.

    Attributes:
        name: one of ``ALGORITHMS``.
        settings: names and values of settings, as text; what is absent takes Katib's default.

    Raises:
        SettingsError: on creation, for an unknown algorithm or setting or a value that does not fit; ``field``
            is ``algorithm.name`` or ``algorithm.<setting>``.
    """

    name: str = ALGORITHMS[0]
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in _SETTINGS:
            raise SettingsError(
                f"there is no algorithm {quoted(self.name)}; there are {', '.join(ALGORITHMS)}", field="algorithm.name"
            )
        if not isinstance(self.settings, Mapping):
            raise SettingsError(
                f"settings must be named values, not {quoted(self.settings)}", field="algorithm.settings"
            )
        known = _SETTINGS[self.name]
        for name in self.settings:
            if name not in known:
                raise SettingsError(
                    f"{self.name} has no setting {quoted(name)}; it has {', '.join(known)}",
                    field=f"algorithm.{str(name)[:40]}",
                )
        object.__setattr__(self, "settings", {name: _as_text(name, value) for name, value in self.settings.items()})
        values = self.values()
        values.pop("random_state", None)
        if self.name == "bayesianoptimization":
            BayesianSettings(**values)

    def values(self) -> JsonObject:
        """Return the settings that were given, with numbers as numbers.

        Returns:
            Values by name of the setting, without those that keep their default.
        """
        return {
            name: _whole_number(name, text) if name in _SMALLEST_SETTING else text
            for name, text in self.settings.items()
        }


def make_sampler(
    name: str, space: SearchSpace, *, seed: int, settings: Mapping[str, str] | None = None
) -> SpaceSampler:
    """Return the sampler for an algorithm, ready for ``suggest``.

    Args:
        name: one of ``ALGORITHMS``.
        space: to search.
        seed: the same seed gives the same search; ``random_state`` among the settings goes before it.
        settings: the algorithm's settings as Katib has them, names and values as text.

    Raises:
        SettingsError: see ``AlgorithmSettings``; also for a space the algorithm cannot search, with
            ``algorithm.name`` or ``<parameter>.step`` as its field.
    """
    values = AlgorithmSettings(name=name, settings=settings or {}).values()
    seed = values.pop("random_state", seed)
    if not 0 <= seed <= _LARGEST_SEED:
        raise SettingsError(f"the seed must lie within 0 to {_LARGEST_SEED}, but is {seed}", field="seed")
    return SpaceSampler(space, _algorithm(name, space, seed, values), seed=seed)


def suggest(study: Study, *, sampler: SpaceSampler, space: SearchSpace, use_defaults: bool = True) -> Trial:
    """Return the next trial of the study: running, with every parameter set, at a point that no trial has had.

    Trials that were enqueued come first, as they are. The first trial of all takes the space's defaults, where
    each parameter has one and ``use_defaults`` is left on: a sound point to measure the others by.

    Args:
        study: of the experiment; it gets the trial.
        sampler: from ``make_sampler``.
        space: the same as the sampler's.
        use_defaults: whether the first trial takes the defaults of the space.

    Raises:
        SpaceExhausted: every point has been suggested; the study is left as it was.
    """
    trials = study.get_trials(deepcopy=False)
    if not trials and use_defaults and space.defaults is not None:
        study.enqueue_trial(space.defaults)
    elif not any(trial.state is TrialState.WAITING for trial in trials):
        check_not_exhausted(space, tried_points(trials, space))
    study.sampler = sampler
    try:
        return study.ask(fixed_distributions=space.to_distributions())
    except StorageInternalError:
        # As on a full disk: it is no trial that failed. Whoever takes the experiment over gives it its parameters.
        raise
    except Exception:
        # Optuna creates the trial before it samples: do not leave it running for ever.
        for trial in study.get_trials(deepcopy=False)[len(trials) :]:
            if trial.state is TrialState.RUNNING:
                study.tell(trial.number, state=TrialState.FAIL)
        raise


@dataclass(frozen=True)
class _Algorithm:
    """Use of one algorithm.

    Attributes:
        make: a sampler for a seed.
        joint: the parameters it samples together; the others it samples one by one.
        attempts: how often asking it again is worth while, should it propose a point tried before.
    """

    make: Callable[[int], BaseSampler]
    joint: Callable[[Parameter], bool] = lambda _: False
    attempts: int = 20


class SpaceSampler(BaseSampler):
    """Sampler of points of one space, exactly on its allowed values and none twice, by any algorithm."""

    def __init__(self, space: SearchSpace, algorithm: _Algorithm, *, seed: int) -> None:
        self._space = space
        self._algorithm = algorithm
        self._seed = seed
        self._distributions = space.to_distributions()

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002 (Optuna's signature)
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Return the distributions of the whole space."""
        return dict(self._distributions)

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> Point:
        """Return a complete point that no other trial of the study has.

        Args:
            study: its trials, those under way among them, are taken into account.
            trial: for which the point is; its number, with the seed of the sampler, fixes what is random.
            search_space: not used: it is always the whole space.

        Returns:
            Value of each parameter by name.

        Raises:
            SpaceExhausted: there is none left.
        """
        others = (other for other in study.get_trials(deepcopy=False) if other.number != trial.number)
        tried = tried_points(others, self._space)
        for attempt in range(self._algorithm.attempts):
            sampler = self._algorithm.make(derived_seed(self._seed, trial.number, attempt))
            point = self._draw(sampler, study, trial, joint=self._algorithm.joint)
            if key_of(point, self._space) not in tried:
                return dict(point)
        return dict(self._untried_point(study, trial, tried))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a parameter that is not in the space."""
        sampler = RandomSampler(seed=derived_seed(self._seed, trial.number))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _draw(
        self, sampler: BaseSampler, study: Study, trial: FrozenTrial, *, joint: Callable[[Parameter], bool]
    ) -> Point:
        together = {p.name: self._distributions[p.name] for p in self._space.parameters if joint(p)}
        values = sampler.sample_relative(study, trial, together) if together else {}
        point: Point = {}
        for parameter in self._space.parameters:
            name = parameter.name
            value = values.get(name)
            if value is None:
                value = sampler.sample_independent(study, trial, name, self._distributions[name])
            point[name] = parameter.nearest(value)
        return point

    def _untried_point(self, study: Study, trial: FrozenTrial, tried: set[PointKey]) -> Point:
        """Return a random point not tried before, for an algorithm that keeps proposing points that were."""
        sampler = RandomSampler(seed=derived_seed(self._seed, trial.number, self._algorithm.attempts))
        for _ in range(_RANDOM_ATTEMPTS):
            point = self._draw(sampler, study, trial, joint=lambda _: False)
            if key_of(point, self._space) not in tried:
                return point
        check_not_exhausted(self._space, tried)
        # A hundred misses: nearly all points have been tried, so there are few enough to go through.
        grid = Grid(self._space, seed=self._seed)
        return next(point for point in map(grid.point, itertools.count()) if key_of(point, self._space) not in tried)


def _algorithm(name: str, space: SearchSpace, seed: int, settings: JsonObject) -> _Algorithm:
    match name:
        case "bayesianoptimization":
            bayesian = BayesianSampler(space, seed=seed, settings=BayesianSettings(**settings))
            return _Algorithm(lambda _: bayesian, joint=lambda _: True, attempts=1)
        case "grid":
            grid = GridSampler(space, seed=seed)
            return _Algorithm(lambda _: grid, joint=lambda _: True, attempts=1)
        case "tpe":
            return _Algorithm(lambda seed: TPESampler(seed=seed, multivariate=False, **settings))
        case "multivariate-tpe":
            return _Algorithm(
                lambda seed: TPESampler(seed=seed, multivariate=True, **settings), joint=lambda p: p.size != 1
            )
        case "cmaes":
            _check_cmaes(space)
            return _Algorithm(
                lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False),
                joint=lambda parameter: parameter.kind.is_range(),
            )
        case "sobol":
            # One sequence for the whole search: the study counts how far along it is.
            return _Algorithm(lambda _: _sobol_sampler(seed), joint=lambda p: p.size != 1)
        case _:
            return _Algorithm(lambda seed: RandomSampler(seed=seed))


def _check_cmaes(space: SearchSpace) -> None:
    ranges = sum(parameter.kind.is_range() for parameter in space.parameters)
    if ranges < 2:
        raise SettingsError(
            f"cmaes needs at least two parameters of kind double or int, but there is {ranges or 'none'}: "
            "choose another algorithm",
            field="algorithm.name",
        )


def _sobol_sampler(seed: int) -> QMCSampler:
    with warnings.catch_warnings():
        # Optuna calls the class experimental since 3.0; its interface has been the same ever since.
        warnings.filterwarnings("ignore", message="QMCSampler is experimental", category=ExperimentalWarning)
        # Scrambled, since the plain sequence begins in the corner where every value is smallest.
        return QMCSampler(qmc_type="sobol", scramble=True, seed=seed, warn_independent_sampling=False)


def _as_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return quoted(value)
    raise SettingsError(f"{name} must be text or a whole number, not {quoted(value)}", field=f"algorithm.{name}")


def _whole_number(name: str, text: str) -> int:
    smallest = _SMALLEST_SETTING[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and smallest <= int(text) <= _LARGEST_SEED):
        raise SettingsError(
            f"{name} must be a whole number from {smallest} to {_LARGEST_SEED}, not {quoted(text)}",
            field=f"algorithm.{name}",
        )
    return int(text)
