"""Common style of all figures: colours, light and dark, colour-blind readers, many points, extreme values.

Also here: where an axis of errors ends so that outliers do not flatten the rest; which points fade under a filter;
labels at line ends that do not overlap; ticks at whole numbers; dashed levels with names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

# Okabe and Ito's palette, the least visible last; black and yellow vanish on one of the two backgrounds, and
# their blue is a little lighter here so that it stands out on the dark one too.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#1c84c6", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY = "#7f7f7f"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
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
    """Return the range of an axis of errors on which a few extreme values do not flatten all others.

    Values more than twice as bad as the worst baseline are left outside; without baselines those more than 3
    interquartile ranges above the upper quartile are. The best value is always inside.

    Args:
        values: errors of trials.
        levels: errors of baselines.

    Returns:
        Lower and upper end, with a margin; (0, 1) if there is nothing to show.
    """
    everything = np.array([*values, *levels], dtype=np.float64)
    everything = np.clip(everything[np.isfinite(everything)], -LARGEST, LARGEST)
    if not everything.size:
        return 0.0, 1.0
    if levels:
        limit = max(levels) + abs(max(levels))
    else:
        first, third = np.quantile(everything, (0.25, 0.75))
        limit = float(third + 3 * (third - first))
    if values:
        limit = max(limit, min(values))
    upper = float(everything[everything <= limit].max())
    lower = float(everything.min())
    air = 0.06 * (upper - lower)
    if air <= 1e-9 * abs(upper):
        air = 0.05 * abs(upper) or 0.5
    return lower - air, upper + air


def add_levels(
    figure: go.Figure,
    levels: Sequence[tuple[str, float]],
    *,
    limits: tuple[float, float],
    pixels: float,
) -> None:
    """Add dashed horizontal lines to a figure, each with its name and value in the right margin.

    Args:
        figure: gets the lines; its margin grows if needed.
        levels: name and value of each line; names are our own words, not text from outside.
        limits: of the y axis, by which labels of near lines are kept from covering each other.
        pixels: height of the plot.
    """
    ordered = sorted(levels, key=lambda level: level[1])
    dashes = ("dash", "dot", "dashdot", "longdash", "longdashdot")
    span = limits[1] - limits[0]
    wanted = [(value - limits[0]) / span * pixels for _, value in ordered]
    shifts = np.subtract(spread(wanted, gap=_LABEL_GAP), wanted)
    for index, (name, value) in enumerate(ordered):
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
            text=f"{name} {value:.4g}",
            xref="x domain",
            x=1,
            y=value,
            xanchor="left",
            yanchor="middle",
            xshift=5,
            yshift=float(shifts[index]),
            showarrow=False,
            font={"size": 11},
        )
    if ordered:
        longest = max(len(f"{name} {value:.4g}") for name, value in ordered)
        figure.update_layout(margin_r=max(int(figure.layout.margin.r), round(_CHARACTER_WIDTH * longest) + 12))


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
