"""Points of a search space: which combinations count as tried, so that none is tried twice, and whether any is left."""

from __future__ import annotations

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from gwas_core.errors import SettingsError, SpaceExhausted
from gwas_core.tuning.space import SearchSpace

Point = dict[str, str | int | float]
PointKey = tuple[str | int | float, ...]


def point_of(trial: FrozenTrial, space: SearchSpace) -> Point | None:
    """Return the trial's point, exactly as the space has it, or None if it has none in this space.

    A waiting trial has been given its values but not yet taken them. A trial whose process was
    killed while it was being created has only some of them, and so no point.

    Args:
        trial: in any state.
        space: a trial that lacks a parameter of it, or has a value that it does not allow, has no point.

    Returns:
        Value of each parameter by name, in its type.
    """
    values = trial.params
    if trial.state is TrialState.WAITING:
        values = trial.system_attrs.get("fixed_params", {})
    try:
        return {parameter.name: parameter.check(values[parameter.name]) for parameter in space.parameters}
    except (KeyError, SettingsError):
        return None


def key_of(point: Point, space: SearchSpace) -> PointKey:
    """Return the point as a tuple in the space's order: equal for equal points.

    Args:
        point: complete, as ``point_of`` returns it.
        space: its order of parameters counts.
    """
    return tuple(point[name] for name in space.names)


def tried_points(trials: Iterable[FrozenTrial], space: SearchSpace) -> set[PointKey]:
    """Return all points that trials have or had; those of failed trials too, as they would fail again.

    Args:
        trials: of the study, in any state.
        space: whose points count.

    Returns:
        Points as ``key_of`` gives them.
    """
    points = (point_of(trial, space) for trial in trials)
    return {key_of(point, space) for point in points if point is not None}


def check_not_exhausted(space: SearchSpace, tried: set[PointKey]) -> None:
    """Check that there is another point.

    Args:
        space: finite or not.
        tried: points that trials have or had, as ``key_of`` gives them.

    Raises:
        SpaceExhausted: every point of a finite space has been tried.
    """
    if space.size is not None and len(tried) >= space.size:
        raise SpaceExhausted(
            f"all {space.size} points of the search space have been tried: widen a range or add a choice to go on"
        )
