"""Common style of all figures: colours, light and dark, colour-blind readers, many points, extreme values.

Also here: where an axis of errors ends so that outliers and far baselines do not flatten the rest; which points fade
under a filter; colours of trial states; labels at line ends that do not overlap; ticks at whole numbers; dashed levels
with names, and arrows to those beyond an edge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from gwas_core.tuning.experiment import TrialState

# Okabe and Ito's palette, the least visible last; black and yellow vanish on one of the two backgrounds, and
# their blue is a little lighter here so that it stands out on the dark one too.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#1c84c6", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY = "#7f7f7f"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
STATE_COLOURS = {
    TrialState.SUCCEEDED: BLUE,
    TrialState.PRUNED: ORANGE,
    TrialState.FAILED: VERMILION,
    TrialState.RUNNING: GREEN,
    TrialState.INTERRUPTED: GREY,
    TrialState.WAITING: SKY,
}
"""Colours of trials by state, the same in every chart; words and shapes say the state too."""

SEQUENCE = [[0.0, "#3b528b"], [0.25, "#2c728e"], [0.5, "#21918c"], [0.75, "#28ae80"], [1.0, "#5ec962"]]
"""The middle of viridis: its ends vanish on a dark or a light background."""

FADED = 0.12
"""Opacity of what a filter leaves out: still there, out of the way."""

MANY_POINTS = 3000
"""More markers than this are drawn by the graphics processor; fewer look better as vector graphics."""

LARGEST = 1e30
"""What lies beyond is drawn here: a browser draws in single precision, which ends at 3e38."""

_LINE = "rgba(127,127,127,0.55)"
_GRID = "rgba(127,127,127,0.18)"
_TRANSPARENT = "rgba(0,0,0,0)"
_CHARACTER_WIDTH = 6.4
_LABEL_GAP = 15  # pixels between two labels at the end of lines
_NEAR = 0.5  # of the span of the trials' errors: a baseline farther from them than this does not stretch the axis

_AXIS = {
    "gridcolor": _GRID,
    "linecolor": _LINE,
    "tickcolor": _LINE,
    "zeroline": False,
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
    "automargin": True,
    "title": {"standoff": 8},
}
_TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": _TRANSPARENT,
        "plot_bgcolor": _TRANSPARENT,
        "colorway": list(COLOURS),
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": _TRANSPARENT},
        "hoverlabel": {"align": "left", "namelength": -1},
    }
)


def new_figure(*, height: int, **layout: Any) -> go.Figure:
    """Return an empty figure in the common style.

    Colour and size of the font are left to the page's theme.

    Args:
        height: in pixels.
        layout: further properties of plotly's layout.
    """
    margin = {"l": 60, "r": 20, "t": 40, "b": 50} | layout.pop("margin", {})
    return go.Figure(layout={"template": _TEMPLATE, "height": height, "margin": margin, **layout})


def marker_trace(points: int) -> Any:
    """Return the plotly class to draw markers with.

    Args:
        points: number of markers; more than ``MANY_POINTS`` are drawn by the graphics processor.

    Returns:
        ``go.Scatter`` or ``go.Scattergl``.
    """
    return go.Scattergl if points > MANY_POINTS else go.Scatter


def opacities(kept: ArrayLike, *, opacity: float = 0.85) -> list[float]:
    """Return the opacity of each marker.

    Args:
        kept: whether a filter keeps it, `(markers,)`.
        opacity: of those that are kept; the others have ``FADED``.
    """
    values: list[float] = np.where(np.asarray(kept, dtype=bool), opacity, FADED).tolist()
    return values


def bar_pattern(shape: str) -> dict[str, str | float]:
    """Return a pattern over the colour of bars, which tells them apart without it.

    Args:
        shape: plotly's letter for it; empty for none.
    """
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.75)", "size": 7, "solidity": 0.3}


def is_kept(numbers: Sequence[int], selected: Collection[int] | None) -> list[bool]:
    """Return for each trial whether it is among the selected ones.

    Args:
        numbers: of the trials.
        selected: numbers that are kept; None keeps all.
    """
    return [selected is None or number in selected for number in numbers]


def whole_ticks(last: int) -> int | None:
    """Return the distance of ticks on an axis of whole numbers.

    Args:
        last: highest number on the axis.

    Returns:
        1 for short axes; None if plotly chooses whole numbers by itself.
    """
    return 1 if last <= 8 else None


def value_range(values: Sequence[float], *, levels: Sequence[float] = ()) -> tuple[float, float]:
    """Return the range of an axis of errors, which the errors of the trials set.

    Left outside are a few extreme values, which would flatten all others: those more than 3 interquartile ranges above
    the upper quartile, and those more than twice as bad as the worst baseline. The best value is always inside.
    A baseline is inside if it is near the trials, within half of their span; ``add_levels`` marks the others at the
    edge.

    Args:
        values: errors of trials.
        levels: errors of baselines; they set the range where there are no trials.

    Returns:
        Lower and upper end, with a margin; (0, 1) if there is nothing to show.
    """
    errors, marked = (_drawable(numbers) for numbers in (values, levels))
    if not errors.size:
        errors = marked
    if not errors.size:
        return 0.0, 1.0
    first, third = np.quantile(errors, (0.25, 0.75))
    limit = float(third + 3 * (third - first))
    if marked.size:
        limit = min(limit, float(marked.max() + abs(marked.max())))
    inside = errors[errors <= max(limit, float(errors.min()))]
    lower, upper = float(inside.min()), float(inside.max())
    reach = _NEAR * (upper - lower)
    near = marked[(marked >= lower - reach) & (marked <= upper + reach)]
    lower, upper = min([lower, *near.tolist()]), max([upper, *near.tolist()])
    air = 0.06 * (upper - lower)
    if air <= 1e-9 * abs(upper):
        air = 0.05 * abs(upper) or 0.5
    return lower - air, upper + air


def _drawable(numbers: Sequence[float]) -> NDArray[np.float64]:
    """Return the finite numbers, none of them beyond what a browser draws."""
    found = np.array(numbers, dtype=np.float64)
    return np.clip(found[np.isfinite(found)], -LARGEST, LARGEST)


def add_levels(
    figure: go.Figure,
    levels: Sequence[tuple[str, float]],
    *,
    limits: tuple[float, float],
    pixels: float,
) -> None:
    """Add dashed horizontal lines to a figure, each with its name and value in the right margin.

    A level beyond an edge of the axis has no line: its name and value stand at that edge, with an arrow towards it.

    Args:
        figure: gets the lines; its margin grows if needed.
        levels: name and value of each line; names are our own words, not text from outside.
        limits: of the y axis, by which labels of near lines are kept from covering each other.
        pixels: height of the plot.
    """
    ordered = sorted(levels, key=lambda level: level[1])
    dashes = ("dash", "dot", "dashdot", "longdash", "longdashdot")
    lower, upper = limits
    texts = [level_text(name, value, limits=limits) for name, value in ordered]
    edges = [min(max(value, lower), upper) for _, value in ordered]
    places = [(edge - lower) / (upper - lower) * pixels for edge in edges]
    shifts = np.subtract(_label_places(places, pixels=pixels), places)
    for index, (_, value) in enumerate(ordered):
        if lower <= value <= upper:
            figure.add_shape(
                type="line",
                xref="x domain",
                x0=0,
                x1=1,
                y0=value,
                y1=value,
                layer="below",
                line={"color": GREY, "width": 1.5, "dash": dashes[index % len(dashes)]},
            )
        figure.add_annotation(
            text=texts[index],
            xref="x domain",
            x=1,
            y=edges[index],
            xanchor="left",
            yanchor="middle",
            xshift=5,
            yshift=float(shifts[index]),
            showarrow=False,
            font={"size": 11},
        )
    if ordered:
        longest = max(map(len, texts))
        figure.update_layout(margin_r=max(int(figure.layout.margin.r), round(_CHARACTER_WIDTH * longest) + 12))


def _label_places(places: Sequence[float], *, pixels: float) -> list[float]:
    """Return where labels stand so that none covers another; several at an edge stack up into the plot's side.

    Args:
        places: of the levels in ascending order, from the lower end of the axis.
        pixels: height of the plot.
    """
    count = len(places)
    wanted = list(places)
    for index, place in enumerate(places):
        if place <= 0:
            wanted[index] = _LABEL_GAP * index
        elif place >= pixels:
            wanted[index] = pixels - _LABEL_GAP * (count - 1 - index)
    return spread(sorted(wanted), gap=_LABEL_GAP)


def level_text(name: str, value: float, *, limits: tuple[float, float], arrows: str = "↓↑") -> str:
    """Return name and value of a level, with an arrow before them if it lies beyond an end of the axis.

    Args:
        name: of the level.
        value: of the level.
        limits: lower and upper end of the axis.
        arrows: towards the lower end, and towards the upper one.
    """
    arrow = f"{arrows[0]} " if value < limits[0] else f"{arrows[1]} " if value > limits[1] else ""
    return f"{arrow}{name} {value:.4g}"


def spread(positions: Sequence[float], *, gap: float) -> list[float]:
    """Move positions apart so that neighbours are at least ``gap`` apart.

    Args:
        positions: ascending.
        gap: smallest distance, in the unit of the positions.

    Returns:
        New positions in the same order; each group that was moved stays around its own mean.
    """
    groups: list[list[float]] = []
    for position in positions:
        groups.append([position])
        # A group that runs into the one before becomes one with it, around their common middle.
        while len(groups) > 1 and _first(groups[-1], gap) - _last(groups[-2], gap) < gap:
            groups[-2].extend(groups.pop())
    return [_first(group, gap) + gap * index for group in groups for index in range(len(group))]


def _first(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _last(group: Sequence[float], gap: float) -> float:
    return _first(group, gap) + gap * (len(group) - 1)
