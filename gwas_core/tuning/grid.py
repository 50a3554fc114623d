"""Grid search: every point of a finite space once, the first few spread over the whole grid.

Also here: a range without a step is refused.
"""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from gwas_core.errors import SettingsError
from gwas_core.seeds import derived_seed
from gwas_core.tuning.points import Point, check_not_exhausted, key_of, tried_points
from gwas_core.tuning.space import SearchSpace


class Grid:
    """Points of a finite space in a fixed order, each once.

    The order steps through the row-major numbering by a stride near the golden section of the number
    of points and coprime to it: every point comes once, and the first few are spread over the
    whole grid, so that a search stopped early has not seen one corner only.

    Raises:
        SettingsError: a parameter has no end of values and needs a step.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        for parameter in space.parameters:
            if parameter.size is None:
                raise SettingsError(
                    f"grid search needs a step for {parameter.name}: between {parameter.minimum} and "
                    f"{parameter.maximum} there is no end of values",
                    field=f"{parameter.name}.step",
                )
        self._parameters = space.parameters
        self._sizes = [parameter.size or 1 for parameter in space.parameters]
        self.size = math.prod(self._sizes)
        self._start = derived_seed(seed) % self.size
        # Whole numbers: the size can be far beyond what a float counts.
        stride = max(self.size * 618_034 // 1_000_000, 1)
        while math.gcd(stride, self.size) != 1:
            stride += 1
        self._stride = stride

    def point(self, number: int) -> Point:
        """Return the point with a number from 0 to ``size`` - 1 in this order.

        Returns:
            Value of each parameter by name.
        """
        index = (self._start + number * self._stride) % self.size
        point: Point = {}
        for parameter, size in zip(reversed(self._parameters), reversed(self._sizes), strict=True):
            index, digit = divmod(index, size)
            point[parameter.name] = parameter.at(digit)
        return point


class GridSampler(BaseSampler):
    """Sampler of every point of a finite space, one after the other; the study says which are done.

    Optuna's own grid sampler stops only studies run by ``optimize`` and repeats points when the
    grid is used up or several trials run at once.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        self._space = space
        self._grid = Grid(space, seed=seed)

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
        """Return the first point of the grid that no other trial has.

        Args:
            study: its trials, those under way among them, are taken into account.
            trial: for which the point is; the study has it already.
            search_space: not used: it is always the whole space.

        Returns:
            Value of each parameter by name.

        Raises:
            SpaceExhausted: there is none left.
        """
        others = (other for other in study.get_trials(deepcopy=False) if other.number != trial.number)
        tried = tried_points(others, self._space)
        check_not_exhausted(self._space, tried)
        points = (self._grid.point(number) for number in range(self._grid.size))
        return dict(next(point for point in points if key_of(point, self._space) not in tried))

    def sample_independent(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
        param_name: str,
        param_distribution: BaseDistribution,  # noqa: ARG002
    ) -> Any:
        """Refuse, since a grid has no values for parameters that it does not know."""
        raise SettingsError(f"{param_name} is not in the search space", field=param_name)
