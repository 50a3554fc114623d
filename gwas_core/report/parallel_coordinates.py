"""Parallel coordinates of an experiment: one curve for each trial, one axis for each parameter and the objective.

Also here: which parameters have an axis at first; linear, log or stepped axes and their ticks; where a brush snaps and
which filter it stands for; colours by rank; outliers of the objective; parameters that are the same in all trials; why
a trial is not drawn.

``parallel_coordinates`` works out what is drawn where, and ``parallel_coordinates_figure`` draws it. Every axis
converts values to positions and back, so that a brush on it becomes a ``TrialFilter``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.report.figure_style import LARGEST
from gwas_core.report.labels import number_label, shortened, told_apart
from gwas_core.report.text import plot_text
from gwas_core.report.trial_filters import Range, TrialFilter, filter_trials
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace

AXES_SHOWN = 7
"""Parameters shown at first; more are hard to follow with the eye."""

MOST_IN_COLOUR = 50
"""Of more trials than this only the best are in colour, and the others grey: a thousand colours are a blur."""

OBJECTIVE_TITLE = "validation error"

_MOST_STEPS = 12  # a range with at most so many values is drawn as steps
_MOST_SNAPPING_STEPS = 40  # beyond it ticks would run into each other, and steps are no longer caught one by one
_TICKS = 6
_CLEARANCE = 0.07  # of an axis: ticks nearer than this to another are left out
_TOUCHING = 0.006  # of an axis, about two pixels: a brush this near to an end includes it
_LABEL_LENGTH = 16
_TITLE_LENGTH = 26
_TITLE_ANGLE = 25  # degrees: level titles would run into each other
_LETTER_WIDTH = 7  # pixels, about
_FAINT = 0.5  # of the scale of colours, for the trials in grey
_FAINT_COLOUR = "#d5d7dd"
# Viridis, by name in plotly only as a whole.
_SCALE: tuple[tuple[float, str], ...] = (
    (0.0, "#440154"), (0.125, "#48186a"), (0.25, "#424086"), (0.375, "#33638d"), (0.5, "#26828e"),
    (0.625, "#1fa088"), (0.75, "#3fbc73"), (0.875, "#84d44b"), (1.0, "#fde725"),
)  # fmt: skip
_WIDEST_LINEAR = 100  # an objective that spans more than this factor is drawn on a log scale


class AxisScale(StrEnum):
    """Placement of values on an axis."""

    LINEAR = "linear"
    LOG = "log"
    STEPS = "steps"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis; positions run from ``low`` to ``high``.

    A position is the value itself (linear), its decimal logarithm (log), or the number of the step (steps).

    Attributes:
        name: of the parameter or the objective, as filters call it.
        title: text above the axis.
        scale: how values become positions.
        low: position of the lower end.
        high: position of the upper end.
        choices: values of an axis of steps, in order.
        is_range: whether the parameter has a range rather than a list of choices.
        whole: whether values are whole numbers.
        open_low: whether values below the lower end are drawn at it (outliers of the objective).
        open_high: whether values above the upper end are drawn at it.
    """

    name: str
    title: str
    scale: AxisScale
    low: float
    high: float
    choices: tuple[HyperparameterValue, ...] = ()
    is_range: bool = True
    whole: bool = False
    open_low: bool = False
    open_high: bool = False

    @property
    def drawn(self) -> tuple[float, float]:
        """Positions at the lower and the upper end, margins included."""
        margin = 0.5 if self.scale is AxisScale.STEPS else 0.0
        return self.low - margin, self.high + margin

    @property
    def snaps(self) -> bool:
        """Whether a brush jumps from step to step."""
        return self.scale is AxisScale.STEPS and len(self.choices) <= _MOST_SNAPPING_STEPS

    def position(self, value: HyperparameterValue | None) -> float:
        """Return where a value is drawn.

        Args:
            value: of a parameter, or the objective.

        Returns:
            In the unit of the axis: log10 of the value on a log axis, the number of the step on one of steps; NaN for a
            value that has no place on this axis.
        """
        if self.scale is AxisScale.STEPS:
            return self._step(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return math.nan
        if self.scale is AxisScale.LOG:
            if value <= 0:
                return math.nan
            value = math.log10(value)
        tolerance = 1e-9 * (self.high - self.low)  # logarithms there and back
        if value < self.low:
            return self.low if self.open_low or value >= self.low - tolerance else math.nan
        if value > self.high:
            return self.high if self.open_high or value <= self.high + tolerance else math.nan
        return float(value)

    def value(self, position: float) -> float:
        """Return the value at a position, rounded to what can be told apart by eye.

        Args:
            position: on a linear or log axis, as ``position`` returns it.
        """
        length = self.high - self.low
        if self.scale is AxisScale.LOG:
            number = 10.0**position
            # A thousandth of the axis, as a share of the value.
            return _rounded(number, tolerance=number * length * math.log(10) / 1000)
        return _rounded(position, tolerance=length / 1000)

    def filter_of(self, ranges: Iterable[Sequence[float]]) -> TrialFilter | None:
        """Return the filter that brushes stand for.

        Args:
            ranges: lowest and highest position of each brush on this axis. A brush that touches an end of the axis
                includes that end and all values beyond it.

        Returns:
            None if the brushes let every trial through.
        """
        brushed = [(min(pair), max(pair)) for pair in ranges]
        if not brushed:
            return None
        if self.scale is AxisScale.STEPS:
            return self._steps_filter(brushed)
        found = [self._range(low, high) for low, high in brushed]
        if any(entry == (None, None) for entry in found):
            return None
        return TrialFilter(parameter=self.name, ranges=tuple(found))

    def ranges_of(self, trial_filter: TrialFilter) -> list[list[float]]:
        """Return the brushes that show a filter.

        Args:
            trial_filter: of this axis' parameter.

        Returns:
            Lowest and highest positions of each brush, in ascending order.
        """
        if self.scale is AxisScale.STEPS:
            kept = [index for index, choice in enumerate(self.choices) if trial_filter.accepts(choice)]
            margin = 0.25 if self.snaps else 0.4
            return [[first - margin, last + margin] for first, last in _runs(kept)] or [[-0.5, -0.5]]
        drawn = [
            [self._end(low, self.low), self._end(high, self.high)]
            for low, high in trial_filter.ranges
            if self._reaches(low, high)
        ]
        # A filter that meets no value of the axis still hides every curve, so it is a brush of no height.
        return drawn or [[self.low, self.low]]

    @cached_property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Positions and texts of the ticks in ascending order, both ends among them; no text occurs twice."""
        if self.scale is AxisScale.STEPS:
            positions, texts = self._step_ticks()
        else:
            positions = self._inner_ticks()
            texts = [self._tick_text(position) for position in positions]
        return tuple(zip(positions, told_apart(texts), strict=True))

    @cached_property
    def _steps(self) -> dict[HyperparameterValue, float]:
        return {choice: float(index) for index, choice in enumerate(self.choices)}

    def _step(self, value: HyperparameterValue | None) -> float:
        if not isinstance(value, str | int | float):
            return math.nan
        if value in self._steps or not self.is_range or isinstance(value, str):
            return self._steps.get(value, math.nan)
        near = [index for index, choice in enumerate(self.choices) if math.isclose(float(choice), value, rel_tol=1e-9)]
        return float(near[0]) if near else math.nan

    def _steps_filter(self, brushed: list[tuple[float, float]]) -> TrialFilter | None:
        kept = [index for index in range(len(self.choices)) if any(low <= index <= high for low, high in brushed)]
        if len(kept) == len(self.choices):
            return None
        if not kept:
            # Between two steps: the brush is kept as narrow as it is by the step nearest to it.
            middle = sum(brushed[0]) / 2
            kept = [min(max(round(middle), 0), len(self.choices) - 1)]
        if not self.is_range:
            return TrialFilter(parameter=self.name, choices=tuple(self.choices[index] for index in kept))
        last = len(self.choices) - 1
        return TrialFilter(
            parameter=self.name,
            ranges=tuple(
                (None if first == 0 else self._number(first), None if end == last else self._number(end))
                for first, end in _runs(kept)
            ),
        )

    def _number(self, index: int) -> float:
        choice = self.choices[index]
        return choice if isinstance(choice, int) else float(choice)

    def _range(self, low: float, high: float) -> Range:
        near = _TOUCHING * (self.high - self.low)
        lowest = None if low <= self.low + near else self.value(low)
        highest = None if high >= self.high - near else self.value(high)
        if self.whole and lowest is not None and highest is not None and math.ceil(lowest) > math.floor(highest):
            return lowest, highest  # between two whole numbers: no trial passes, and the chip says why
        if self.whole:
            return (
                None if lowest is None else math.ceil(lowest),
                None if highest is None else math.floor(highest),
            )
        return lowest, highest

    def _reaches(self, low: float | None, high: float | None) -> bool:
        ends = [math.nan if end is None else self._unbounded(end) for end in (low, high)]
        return not (ends[0] > self.high and not self.open_high) and not (ends[1] < self.low and not self.open_low)

    def _end(self, value: float | None, end: float) -> float:
        return end if value is None else min(max(self._unbounded(value), self.low), self.high)

    def _unbounded(self, value: float) -> float:
        if self.scale is AxisScale.LOG:
            return math.log10(value) if value > 0 else -math.inf
        return float(value)

    def _step_ticks(self) -> tuple[list[float], list[str]]:
        count = len(self.choices)
        every = 1 if self.snaps else math.ceil(count / _TICKS)
        indices = [index for index in range(0, count, every) if index == 0 or count - 1 - index >= every / 2]
        if indices[-1] != count - 1:
            indices.append(count - 1)
        return [float(index) for index in indices], [_choice_text(self.choices[index]) for index in indices]

    def _inner_ticks(self) -> list[float]:
        length = self.high - self.low
        if self.scale is AxisScale.LOG:
            candidates = _log_ticks(self.low, self.high)
        else:
            candidates = _linear_ticks(self.low, self.high, whole=self.whole)
        inner = [
            tick
            for tick in candidates
            if tick - self.low > _CLEARANCE * length and self.high - tick > _CLEARANCE * length
        ]
        return [self.low, *inner, self.high]

    def _tick_text(self, position: float) -> str:
        number = 10.0**position if self.scale is AxisScale.LOG else position
        digits = 6 if self.whole else 4
        if position in (self.low, self.high):
            beyond = "≥ " if self.open_high and position == self.high else ""
            beyond = "≤ " if self.open_low and position == self.low else beyond
            return beyond + number_label(number, digits=digits)
        return number_label(number, digits=digits)


@dataclass(frozen=True, kw_only=True)
class ParallelCoordinates:
    """Facts of the chart.

    Attributes:
        axes: in the order they are drawn.
        trials: numbers of the trials that are drawn, one curve each.
        positions: where each curve crosses each axis, `(axes, trials)`.
        colours: ranks of the objective, from 0 for the worst to 1 for the best, `(trials,)`; the higher ones are drawn
            on top. Of more than ``MOST_IN_COLOUR`` trials, the best are from 0.5 to 1 and the others, in grey, below.
        in_colour: number of trials in colour, the best of those that pass the filters; all of them if they are few.
        not_drawn: number of trials without a curve, by reason ("failed", "not finished", ...).
        varying: names of the parameters that could be axes, in the order of the search space.
        constants: name and value of the parameters that are the same in all trials.
        lower_is_better: direction of the objective.
    """

    axes: tuple[Axis, ...]
    trials: tuple[int, ...]
    positions: NDArray[np.float64]
    colours: NDArray[np.float64]
    in_colour: int
    not_drawn: Mapping[str, int]
    varying: tuple[str, ...]
    constants: tuple[tuple[str, HyperparameterValue], ...]
    lower_is_better: bool

    def axis(self, name: str) -> Axis | None:
        """Return the axis of this name; None if it is not drawn.

        Args:
            name: of the parameter or the objective.
        """
        return next((axis for axis in self.axes if axis.name == name), None)


def parallel_coordinates(
    record: ExperimentRecord,
    *,
    axes: Sequence[str] | None = None,
    filters: Sequence[TrialFilter] = (),
    include_pruned: bool = False,
    objective_title: str = OBJECTIVE_TITLE,
    lower_is_better: bool = True,
) -> ParallelCoordinates:
    """Return the facts of the chart.

    Args:
        record: of a search in any state.
        axes: names of parameters and of the objective, in the order to draw; unknown and constant ones are left out. By
            default ``default_axes``, then the objective.
        filters: their parameters are always axes, so that no hidden filter hides curves.
        include_pruned: whether trials that were stopped early have a curve too. Their objective is that of their last
            epoch, so they compare only roughly.
        objective_title: text above the axis of the objective.
        lower_is_better: direction of the objective.
    """
    space, objective = record.experiment.space, record.experiment.objective
    parameter_axes = {parameter.name: parameter_axis(parameter) for parameter in space.parameters}
    constants, varying = _constants(record.trials, space, filters)
    drawn, not_drawn = _drawn(record.trials, parameter_axes.values(), include_pruned=include_pruned)
    objective_axis = _objective_axis(
        [trial.value for trial in drawn if trial.value is not None],
        name=objective,
        title=objective_title,
        lower_is_better=lower_is_better,
    )
    available = {name: parameter_axes[name] for name in varying} | {objective: objective_axis}
    chosen = [*default_axes(varying), objective] if axes is None else list(axes)
    chosen += [entry.parameter for entry in filters]
    shown_axes = tuple(available[name] for name in dict.fromkeys(chosen) if name in available)
    positions = np.array(
        [[axis.position(_value(trial, axis.name, objective)) for trial in drawn] for axis in shown_axes],
        dtype=np.float64,
    ).reshape(len(shown_axes), len(drawn))
    passing = {trial.number for trial in filter_trials(drawn, filters, objective=objective)}
    colours, in_colour = _colours(
        drawn, np.array([trial.number in passing for trial in drawn], dtype=bool), lower_is_better=lower_is_better
    )
    return ParallelCoordinates(
        axes=shown_axes,
        trials=tuple(trial.number for trial in drawn),
        positions=positions,
        colours=colours,
        in_colour=in_colour,
        not_drawn=not_drawn,
        varying=varying,
        constants=constants,
        lower_is_better=lower_is_better,
    )


def default_axes(
    varying: Sequence[str], importance: Mapping[str, float] | None = None, *, limit: int = AXES_SHOWN
) -> tuple[str, ...]:
    """Return the parameters to show at first.

    Args:
        varying: names of the parameters that could be axes, in the order of the search space.
        importance: by name; parameters without one come last.
        limit: largest number of axes.

    Returns:
        All if they are few, otherwise the most important ones, in the order of the search space.
    """
    if len(varying) <= limit:
        return tuple(varying)
    known = importance or {}
    ranked = sorted(varying, key=lambda name: -known.get(name, -math.inf))  # stable: equals in their order
    kept = set(ranked[:limit])
    return tuple(name for name in varying if name in kept)


def parallel_coordinates_figure(
    facts: ParallelCoordinates, *, filters: Sequence[TrialFilter] = (), height: int = 420
) -> go.Figure:
    """Draw the facts, with the filters as brushes.

    ``meta`` tells the page's plot what plotly has no attribute for: which end of the colours is the better one (it is
    made to stand out on a light page and on a dark one), which colours the trials have that are not grey, and which
    axes are continuous although their ticks are given.

    Args:
        facts: to draw.
        filters: those on drawn axes are shown.
        height: in pixels.
    """
    by_name = {entry.parameter: entry for entry in filters}
    is_faint = facts.in_colour < len(facts.trials)
    meta: JsonObject = {"better": "high", "continuous": [axis.name for axis in facts.axes if not axis.snaps]}
    if is_faint:
        meta |= {"faint": _FAINT, "scale": _SCALE}
    trace = go.Parcoords(
        dimensions=[
            _dimension(axis, positions, by_name.get(axis.name))
            for axis, positions in zip(facts.axes, facts.positions, strict=True)
        ],
        line={
            "color": facts.colours.astype(np.float32),
            "colorscale": _faint_scale() if is_faint else _SCALE,
            "cmin": 0,
            "cmax": 1,
        },
        labelangle=-_TITLE_ANGLE,
        meta=meta,
    )
    figure = go.Figure(trace)
    longest = max((min(len(axis.title), _TITLE_LENGTH) for axis in facts.axes), default=0)
    top = 40 + round(longest * _LETTER_WIDTH * math.sin(math.radians(_TITLE_ANGLE)))
    figure.update_layout(height=height, margin={"l": 60, "r": 60, "t": top, "b": 16})
    return figure


def _faint_scale() -> list[list[float | str]]:
    """Return the colours for a light page: grey for the trials that are not among the best."""
    above: list[list[float | str]] = [[_FAINT + place * (1 - _FAINT), colour] for place, colour in _SCALE]
    return [[0.0, _FAINT_COLOUR], [_FAINT, _FAINT_COLOUR], *above]


def _dimension(axis: Axis, positions: NDArray[np.float64], trial_filter: TrialFilter | None) -> JsonObject:
    dimension: JsonObject = {
        "name": axis.name,
        "label": plot_text(axis.title, limit=_TITLE_LENGTH),
        "values": positions.astype(np.float32),
        "range": list(axis.drawn),
        "tickvals": [position for position, _ in axis.ticks],
        "ticktext": [text for _, text in axis.ticks],
    }
    if trial_filter is not None:
        dimension["constraintrange"] = axis.ranges_of(trial_filter)
    return dimension


def _constants(
    trials: Sequence[TrialRecord], space: SearchSpace, filters: Sequence[TrialFilter]
) -> tuple[tuple[tuple[str, HyperparameterValue], ...], tuple[str, ...]]:
    """Return the parameters that are the same in all trials, with their values, and the names of the others.

    With fewer than two trials every parameter of more than one value may still vary.
    """
    filtered = {entry.parameter for entry in filters}
    constants: list[tuple[str, HyperparameterValue]] = []
    varying: list[str] = []
    for parameter in space.parameters:
        values = {
            value for trial in trials if isinstance(value := trial.parameters.get(parameter.name), str | int | float)
        }
        if parameter.size == 1:
            constants.append((parameter.name, parameter.at(0)))
        elif len(trials) > 1 and len(values) == 1 and parameter.name not in filtered:
            constants.append((parameter.name, values.pop()))
        else:
            varying.append(parameter.name)
    return (*constants, *space.fixed.items()), tuple(varying)


def _drawn(
    trials: Sequence[TrialRecord], axes: Collection[Axis], *, include_pruned: bool
) -> tuple[list[TrialRecord], dict[str, int]]:
    drawn = []
    reasons: dict[str, int] = {}
    for trial in trials:
        reason = _reason_not_drawn(trial, axes, include_pruned=include_pruned)
        if reason is None:
            drawn.append(trial)
        else:
            reasons[reason] = reasons.get(reason, 0) + 1
    return drawn, reasons


def _reason_not_drawn(trial: TrialRecord, axes: Collection[Axis], *, include_pruned: bool) -> str | None:
    if trial.state is TrialState.FAILED:
        return "failed"
    if trial.state is TrialState.PRUNED and not include_pruned:
        return "stopped early"
    if not trial.state.is_finished():
        return "not finished"
    if trial.value is None or not math.isfinite(trial.value):
        return "without a finite result"
    if any(math.isnan(axis.position(trial.parameters.get(axis.name))) for axis in axes):
        return "with parameters outside the search space"
    return None


def _value(trial: TrialRecord, name: str, objective: str) -> HyperparameterValue | None:
    return trial.value if name == objective else trial.parameters.get(name)


def parameter_axis(parameter: Parameter) -> Axis:
    """Return the axis of a parameter, with the scale on which it is searched.

    Args:
        parameter: of the search space; of few values or a list, its axis has steps.
    """
    is_range = parameter.kind.is_range()
    size = parameter.size
    if not is_range or (size is not None and size <= _MOST_STEPS):
        choices = tuple(parameter.at(index) for index in range(size or 0))
        return Axis(
            name=parameter.name,
            title=parameter.name,
            scale=AxisScale.STEPS,
            low=0.0,
            high=float(len(choices) - 1),
            choices=choices,
            is_range=is_range,
        )
    low, high = float(parameter.bounds[0]), float(parameter.last)
    is_log = parameter.scale is Scale.LOG
    return Axis(
        name=parameter.name,
        title=parameter.name,
        scale=AxisScale.LOG if is_log else AxisScale.LINEAR,
        low=math.log10(low) if is_log else low,
        high=math.log10(high) if is_log else high,
        whole=parameter.kind is ParameterKind.INT,
    )


def _objective_axis(values: Sequence[float], *, name: str, title: str, lower_is_better: bool) -> Axis:
    """Return the axis of the objective, with outliers at its worse end.

    A few trials with extreme errors would otherwise press all others into one line: if nine trials in ten would have
    less than half of the axis, it ends at twice their width.
    """
    sign = 1.0 if lower_is_better else -1.0
    drawn = np.array(values or [0.0, 1.0], dtype=np.float64)
    badness = np.sort(np.clip(drawn, -LARGEST, LARGEST) * sign)
    best, worst = float(badness[0]), float(badness[-1])
    limit = best + 2 * (float(np.quantile(badness, 0.9)) - best)
    low, high = sorted((best * sign, (limit if best < limit < worst else worst) * sign))
    largest = max(abs(low), abs(high))
    if high - low <= max(1e-9 * largest, 1 / LARGEST):
        air = 0.05 * (largest if largest > 1 / LARGEST else 1.0)
        low, high = low - air, high + air
    is_log = low > 0 and high / low > _WIDEST_LINEAR
    if is_log:
        low = max(low, 1 / LARGEST)
    return Axis(
        name=name,
        title=f"{title} {'↓' if lower_is_better else '↑'}",
        scale=AxisScale.LOG if is_log else AxisScale.LINEAR,
        low=math.log10(low) if is_log else low,
        high=math.log10(high) if is_log else high,
        open_low=float(drawn.min()) < low,
        open_high=float(drawn.max()) > high,
    )


def _colours(
    drawn: Sequence[TrialRecord], passing: NDArray[np.bool_], *, lower_is_better: bool
) -> tuple[NDArray[np.float64], int]:
    """Return ranks of the objective from 0 to 1, so that poor trials do not leave all good ones in one colour.

    Args:
        drawn: the trials.
        passing: whether each passes the filters.
        lower_is_better: direction of the objective.

    Returns:
        Ranks, and the number of trials that are in colour.
    """
    ranks = pd.Series([trial.value for trial in drawn], dtype="float64").rank().to_numpy()
    from_low = (ranks - 1) / max(1, len(ranks) - 1)
    colours = np.asarray(1.0 - from_low if lower_is_better else from_low, dtype=np.float64)
    if passing.sum() <= MOST_IN_COLOUR and len(drawn) <= MOST_IN_COLOUR:
        return colours, len(drawn)
    # Equals are told apart by their place, so that there are never more in colour than can be followed.
    best = np.argsort(np.where(passing, -colours, 1.0), kind="stable")[: min(MOST_IN_COLOUR, int(passing.sum()))]
    colours *= 0.99 * _FAINT
    colours[best] = np.linspace(1.0, _FAINT + 0.01, len(best)) if len(best) > 1 else 1.0
    return colours, len(best)


def _choice_text(choice: HyperparameterValue) -> str:
    return shortened(choice, limit=_LABEL_LENGTH) if isinstance(choice, str) else number_label(choice, digits=6)


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of neighbouring numbers."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _rounded(value: float, *, tolerance: float) -> float:
    """Return the number with the fewest decimals within ``tolerance`` of ``value``."""
    if value == 0 or tolerance <= 0 or not math.isfinite(value):
        return value
    decimals = -math.floor(math.log10(2 * tolerance))  # rounding errs by half of the last digit at most
    return float(f"{round(value, decimals):.12g}")


def _log_ticks(low: float, high: float) -> list[float]:
    """Return positions of 1, 10, 100 ..., thinned if they are many, with 2 and 5 between them if they are few."""
    first, last = math.ceil(low), math.floor(high)
    every = max(1, math.ceil((last - first + 1) / _TICKS))
    multiples = (1, 2, 5) if high - low < 2.5 else (1,)
    return [
        decade + math.log10(multiple)
        for decade in range(first - 1, last + 1)
        for multiple in multiples
        if (decade - first) % every == 0
    ]


def _linear_ticks(low: float, high: float, *, whole: bool) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step)
    return [round(index * step, 12) for index in range(first, math.floor(high / step) + 1)]
