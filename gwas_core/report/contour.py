"""Error over two hyperparameters: smoothed as a surface, or each trial coloured by the rank of its error.

Also here: how far a trial reaches in the smoothed surface, and where it stays empty; hyperparameters that can be axes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from gwas_core.report.figure_style import (
    GREY,
    SEQUENCE,
    VERMILION,
    is_kept,
    marker_trace,
    new_figure,
    opacities,
    value_range,
)
from gwas_core.report.history import baseline_levels
from gwas_core.report.labels import number_label
from gwas_core.report.parallel_coordinates import Axis, AxisScale, parameter_axis
from gwas_core.report.text import plot_text
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Parameter

Floats = NDArray[np.float64]

FEWEST_TRIALS = 4
"""With fewer there is no surface to speak of."""

_HEIGHT = 470
_GRID = 48  # points along a continuous axis
_LEVELS = 12
_STANDARD_DEVIATION = 1 / math.sqrt(12)  # of values spread evenly over an axis of length 1
# Points of the surface to which all trials together count less than one at two bandwidths are left empty.
_LEAST_WEIGHT = math.exp(-2)
_GOLDEN = (math.sqrt(5) - 1) / 2
_SCATTER = 0.4  # of the distance of two steps, over which their points are scattered
_MARKS = {TrialState.SUCCEEDED: ("succeeded", "circle"), TrialState.PRUNED: ("stopped early", "triangle-down")}
_ERROR = "MAE"


@dataclass(frozen=True, eq=False, kw_only=True)
class ErrorSurface:
    """Facts of both figures.

    Attributes:
        x, y: axes of the two parameters, linear, logarithmic or of steps.
        points: one row for each trial that ended with an error: number, state, x and y (positions on the axes; those
            on steps are scattered around theirs), x_value and y_value (of the parameters, as text), value (error),
            rank (1 is the lowest error), kept (by the filter).
        grid_x, grid_y: positions of the smoothed errors, ``(columns,)`` and ``(rows,)``.
        surface: mean error of the trials around each position, near ones counting more; NaN where none is near;
            ``(rows, columns)``. Errors above ``limits`` count as its upper end.
        limits: lowest and highest error that colours tell apart.
    """

    x: Axis
    y: Axis
    points: pd.DataFrame
    grid_x: Floats
    grid_y: Floats
    surface: Floats
    limits: tuple[float, float]


def surface_parameters(record: ExperimentRecord, *, importance: Sequence[str] = ()) -> list[str]:
    """Return the names of the parameters that took more than one value, the most important ones first.

    Args:
        record: of a search in any state.
        importance: names of parameters, the most important first; the others follow in the order of the space.
    """
    trials = _ended(record)
    varying = [
        parameter.name
        for parameter in record.experiment.space.parameters
        if len({trial.parameters.get(parameter.name) for trial in trials}) > 1
    ]
    order = {name: place for place, name in enumerate(importance)}
    return sorted(varying, key=lambda name: order.get(name, len(order)))


def error_surface(record: ExperimentRecord, x: str, y: str, *, selected: Collection[int] | None = None) -> ErrorSurface:
    """Return the errors of the trials over two parameters, and the same smoothed.

    The surface is a kernel regression (Nadaraya 1964, doi:10.1137/1109020) on axes of length 1 with a Gaussian kernel,
    whose width follows Scott's rule for two dimensions, n^(-1/6) standard deviations of values spread evenly. Choices
    without an order have nothing between them, so each is smoothed by itself.

    Args:
        record: of a search in any state.
        x: name of the parameter from left to right.
        y: name of the parameter from bottom to top.
        selected: numbers of the trials that a filter keeps; None for all. The surface is made of all.

    Raises:
        KeyError: a name that the search space does not have.
    """
    known = {parameter.name: parameter for parameter in record.experiment.space.parameters}
    across, up = parameter_axis(known[x]), parameter_axis(known[y])
    rows = []
    for trial in _ended(record):
        places = [axis.position(trial.parameters.get(axis.name)) for axis in (across, up)]
        if not any(map(math.isnan, places)):
            texts = [_value_text(trial, axis) for axis in (across, up)]
            rows.append((trial.number, trial.state.value, *places, *texts, trial.value))
    points = pd.DataFrame(rows, columns=["number", "state", "x", "y", "x_value", "y_value", "value"])
    points = points.astype({"x": "float64", "y": "float64", "value": "float64"})
    points["rank"] = points["value"].rank(method="min").astype("int64")
    points["kept"] = pd.Series(is_kept(points["number"].tolist(), selected), dtype="bool")
    limits = value_range(points["value"].tolist(), levels=baseline_levels(record.baselines)["value"].tolist())
    grid_x, grid_y = _grid(across), _grid(up)
    surface = smoothed(
        _unit(points["x"].to_numpy(), across),
        _unit(points["y"].to_numpy(), up),
        points["value"].clip(upper=limits[1]).to_numpy(),
        grid_x=_unit(grid_x, across),
        grid_y=_unit(grid_y, up),
        apart=(_is_unordered(known[x]), _is_unordered(known[y])),
    )
    # Only the points are scattered, by the golden ratio: evenly, and the same way every time.
    for column, axis, shift in (("x", across, 0.0), ("y", up, 0.5)):
        if axis.scale is AxisScale.STEPS:
            points[column] += _SCATTER * ((points["number"] * _GOLDEN + shift) % 1 - 0.5)
    return ErrorSurface(x=across, y=up, points=points, grid_x=grid_x, grid_y=grid_y, surface=surface, limits=limits)


def smoothed(
    x: Floats,
    y: Floats,
    values: Floats,
    *,
    grid_x: Floats,
    grid_y: Floats,
    apart: tuple[bool, bool] = (False, False),
) -> Floats:
    """Return weighted means of values at the points of a grid, near values counting more (Nadaraya-Watson).

    Args:
        x, y: positions of the values on axes of length 1, ``(values,)``.
        values: what is averaged, ``(values,)``.
        grid_x: positions of the columns, ``(columns,)``.
        grid_y: positions of the rows, ``(rows,)``.
        apart: whether only values at the very position count, along x and along y.

    Returns:
        Means, NaN where no value is near; ``(rows, columns)``.
    """
    bandwidth = _STANDARD_DEVIATION * max(1, len(values)) ** (-1 / 6)
    across, up = (
        _weights(grid, positions, bandwidth=bandwidth, apart=is_apart)
        for grid, positions, is_apart in ((grid_x, x, apart[0]), (grid_y, y, apart[1]))
    )
    weights = up @ across.T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (up * values) @ across.T / weights
    return np.asarray(np.where(weights >= _LEAST_WEIGHT, means, np.nan), dtype=np.float64)


def contour_figure(facts: ErrorSurface) -> go.Figure:
    """Draw the smoothed error as colours, with contour lines where both axes are continuous, and the trials on it.

    Click data begin with the trial's number.

    Args:
        facts: as ``error_surface`` returns them.
    """
    figure = _empty(facts)
    low, high = _colour_range(facts)
    common: JsonObject = {
        "x": facts.grid_x,
        "y": facts.grid_y,
        "z": facts.surface,
        "zmin": low,
        "zmax": high,
        "colorscale": SEQUENCE,
        "colorbar": {"title": {"text": _ERROR}, "thickness": 12, "tickformat": ".4~g"},
        "hoverinfo": "skip",
        "name": "smoothed error",
    }
    if AxisScale.STEPS in (facts.x.scale, facts.y.scale):
        figure.add_trace(go.Heatmap(**common, xgap=2, ygap=2))
    else:
        size = (high - low) / _LEVELS
        contours = {"start": low, "end": high, "size": size, "coloring": "fill"}
        figure.add_trace(go.Contour(**common, contours=contours, line={"width": 0.5}, connectgaps=False))
    for state, (label, symbol) in _MARKS.items():
        rows = facts.points[facts.points["state"] == state.value]
        if len(rows):
            name = f"{label} ({len(rows):,})"
            marker = {"size": 6, "color": "rgba(255,255,255,0.75)", "line": {"width": 1, "color": "#404040"}}
            figure.add_trace(_trials(rows, facts, name, marker | {"symbol": symbol}))
    _add_best(figure, facts)
    return figure


def rank_figure(facts: ErrorSurface) -> go.Figure:
    """Draw the trials over the two parameters, coloured by the rank of their error; 1 is the lowest.

    Ranks tell good trials apart where a few extreme errors would take all the colours. Click data begin with the
    trial's number.

    Args:
        facts: as ``error_surface`` returns them.
    """
    figure = _empty(facts)
    last = max(len(facts.points), 2)
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENCE,
            "cmin": 1,
            "cmax": last,
            "colorbar": {
                "title": {"text": "Rank"},
                "thickness": 12,
                "tickvals": [1, *np.linspace(1, last, 5).round().astype(int).tolist()[1:]],
            },
        }
    )
    for state, (label, symbol) in _MARKS.items():
        rows = facts.points[facts.points["state"] == state.value]
        if len(rows):
            marker = {"size": 9, "color": rows["rank"].tolist(), "coloraxis": "coloraxis", "symbol": symbol}
            figure.add_trace(_trials(rows, facts, f"{label} ({len(rows):,})", marker))
    _add_best(figure, facts)
    return figure


def _ended(record: ExperimentRecord) -> list[TrialRecord]:
    return [
        trial
        for trial in record.trials
        if trial.state in _MARKS and trial.value is not None and math.isfinite(trial.value)
    ]


def _value_text(trial: TrialRecord, axis: Axis) -> str:
    value = trial.parameters[axis.name]
    return number_label(value) if isinstance(value, float) else str(value)


def _is_unordered(parameter: Parameter) -> bool:
    return any(isinstance(choice, str) for choice in parameter.choices)


def _grid(axis: Axis) -> Floats:
    if axis.scale is AxisScale.STEPS:
        return np.arange(len(axis.choices), dtype=np.float64)
    return np.linspace(axis.low, axis.high, _GRID)


def _unit(positions: Floats, axis: Axis) -> Floats:
    """Return positions on an axis of length 1."""
    return np.asarray((positions - axis.low) / ((axis.high - axis.low) or 1.0), dtype=np.float64)


def _weights(grid: Floats, positions: Floats, *, bandwidth: float, apart: bool) -> Floats:
    """Return how much each value counts at each point along one axis, ``(points, values)``."""
    distance = grid[:, None] - positions[None, :]
    if apart:
        return (np.abs(distance) < 1e-6).astype(np.float64)
    return np.exp(-0.5 * (distance / bandwidth) ** 2)


def _colour_range(facts: ErrorSurface) -> tuple[float, float]:
    """Return the ends of the colours: those of the surface, which spans less than the errors it smooths."""
    known = facts.surface[np.isfinite(facts.surface)]
    if not known.size:
        return facts.limits
    low, high = float(known.min()), float(known.max())
    return (low, high) if high - low > 1e-9 * max(abs(low), abs(high)) else facts.limits


def _empty(facts: ErrorSurface) -> go.Figure:
    figure = new_figure(height=_HEIGHT, showlegend=True)
    figure.update_xaxes(_axis(facts.x))
    figure.update_yaxes(_axis(facts.y))
    return figure


def _axis(axis: Axis) -> JsonObject:
    low, high = axis.drawn
    air = 0.0 if axis.scale is AxisScale.STEPS else 0.02 * (high - low)
    return {
        "title": {"text": plot_text(axis.name)},
        "range": [low - air, high + air],
        "tickvals": [position for position, _ in axis.ticks],
        "ticktext": [plot_text(text, limit=18) for _, text in axis.ticks],
        "showgrid": False,
    }


def _trials(rows: pd.DataFrame, facts: ErrorSurface, name: str, marker: JsonObject) -> Any:
    x_name, y_name = plot_text(facts.x.name), plot_text(facts.y.name)
    return marker_trace(len(rows))(
        x=rows["x"].to_numpy(),
        y=rows["y"].to_numpy(),
        mode="markers",
        name=name,
        marker=marker | {"opacity": opacities(rows["kept"])},
        customdata=rows[["number"]].to_numpy(),
        hovertext=[
            f"<b>trial {number}</b>, {state}<br>{x_name} {plot_text(x)}<br>{y_name} {plot_text(y)}<br>"
            f"error {value:.5g}, rank {rank:,} of {len(facts.points):,}"
            for number, state, x, y, value, rank in zip(
                *(rows[column] for column in ("number", "state", "x_value", "y_value", "value", "rank")), strict=True
            )
        ],
        hoverinfo="text",
    )


def _add_best(figure: go.Figure, facts: ErrorSurface) -> None:
    succeeded = facts.points[facts.points["state"] == TrialState.SUCCEEDED.value]
    if succeeded.empty:
        return
    best = succeeded.loc[[succeeded["value"].idxmin()]]
    marker = {"size": 14, "color": VERMILION, "symbol": "star", "line": {"width": 1, "color": GREY}}
    figure.add_trace(_trials(best, facts, f"best, trial {best['number'].iloc[0]}", marker))
