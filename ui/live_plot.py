"""Draw a plotly figure that is updated in place: zoom, hidden traces and brushes are kept in every refresh.

Also here: how plotly.js reaches the browser and stays there; which reports of clicks and brushes are valid.

The browser draws with the plotly.js that comes with the plotly package. It is copied once to ``static/`` beside the
app, which Streamlit serves under the app's own address; so a browser loads it once and keeps it.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal, TypeGuard

import plotly.graph_objects as go
import streamlit as st
from plotly.io.json import to_json_plotly

from gwas_core.files import atomic_path

Select = Literal["none", "points", "constraints"]
"""What people can choose in a plot: nothing, points, or ranges and the order of parallel axes."""

HEIGHT = 420

_ROOT = Path(__file__).resolve().parent.parent
STATIC = _ROOT / "static"
"""Folder that Streamlit serves as files: everything in it is public."""

_SERVED_AT = "app/static"
# A browser may keep a file without asking again for a tenth of its age (RFC 9111, 4.2.2). The name carries the
# version, so the content never changes, and a copy is dated back to be kept for long.
_OLD = 1_000_000_000.0
_MOST_CHANGES, _MOST_POINTS, _MOST_RANGES, _LONGEST_NAME = 200, 5_000, 100, 200

_component = st.components.v2.component(
    "gwas_live_plot",
    css=(_ROOT / "assets" / "live_plot.css").read_text(encoding="utf-8"),
    js=(_ROOT / "assets" / "live_plot.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # plotly.js puts its style sheet into the page's head, where a shadow root cannot see it
)


@dataclass(frozen=True, kw_only=True)
class PlotPoint:
    """Point that somebody clicked or selected.

    Attributes:
        trace: name of its trace.
        index: its number within the trace.
        id: its ``customdata`` (the first entry, if there are several); None if it has none.
    """

    trace: str
    index: int
    id: str | int | float | None


@dataclass(frozen=True, kw_only=True)
class AxisBrush:
    """Brushes on one parallel axis, as they are now.

    Attributes:
        axis: its name.
        ranges: (lowest, highest) position of each brush; empty if they were removed.
        drawn: the ends of the axis as the browser showed it, which may be older than the figure sent last.
        revision: number of this change.
    """

    axis: str
    ranges: tuple[tuple[float, float], ...]
    drawn: tuple[float, float]
    revision: int


@dataclass(frozen=True, kw_only=True)
class AxisOrder:
    """Names of the parallel axes, in the order that somebody gave them."""

    names: tuple[str, ...]
    revision: int


AxisChange = AxisBrush | AxisOrder


def live_plot(
    figure: go.Figure,
    *,
    key: str,
    label: str,
    description: str = "",
    height: int | None = None,
    select: Select = "none",
    revision: int = 0,
    on_change: Callable[[tuple[AxisChange, ...]], None] | None = None,
    on_points: Callable[[tuple[PlotPoint, ...]], None] | None = None,
    file_name: str | None = None,
) -> tuple[PlotPoint, ...]:
    """Draw a figure, or update it if it is drawn already.

    Colours, fonts and background come from the theme of the page, unless the figure or its template sets them. Two
    entries of a trace's ``meta`` have a meaning: ``better`` ("low" or "high") names the end of its colour scale that
    should stand out, and ``continuous`` the names of parallel axes on which a brush may end between ticks.

    Args:
        figure: to draw.
        key: of the element; zoom and hidden traces are kept as long as it stays the same.
        label: name of the chart, and description: what it shows in a sentence; both for people who cannot see it.
        height: in pixels; that of the figure if it is not given.
        select: see ``Select``.
        revision: the number of the latest change that the figure takes into account.
        on_change: called before the page runs, with the changes to parallel axes that no figure of their revision
            has answered yet, in the order in which they were made. Some may be passed more than once.
        on_points: called before the page runs, with the points clicked or selected.
        file_name: of a downloaded picture, without ending.

    Returns:
        The points whose click or selection made the page run; empty in every other run.
    """
    try:
        script = plotly_script()
    except OSError as error:
        st.error(
            f"Charts cannot be drawn: plotly.js could not be copied to the folder 'static' beside the app "
            f"({error.strerror or 'unknown reason'}). Make that folder writable once, then reload the page.",
            icon=":material/error:",
        )
        return ()
    if height is None:
        height = int(figure.layout.height or HEIGHT)

    def changed() -> None:
        if on_change is not None and (changes := axis_changes(_event(key, "changes"))):
            on_change(changes)

    def pointed() -> None:
        if on_points is not None:
            on_points(plot_points(_event(key, "points")))

    result = _component(
        key=key,
        data={
            "figure": _as_json(figure),
            "script": script,
            "key": key,
            "label": label,
            "description": description,
            "height": height,
            "select": select,
            "revision": revision,
            "file_name": file_name or key,
        },
        on_changes_change=changed,
        on_points_change=pointed,
    )
    return plot_points(result.get("points"))


@cache
def plotly_script(folder: Path = STATIC) -> str:
    """Return the address of plotly.js relative to the app, after copying it to the folder if it is not there yet.

    Args:
        folder: that Streamlit serves as ``app/static``.

    Raises:
        OSError: if it cannot be copied.
    """
    name = f"plotly-{version('plotly')}.min.js"
    target = folder / name
    with as_file(files("plotly") / "package_data" / "plotly.min.js") as source:
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
            os.utime(target, (_OLD, _OLD))
    return f"{_SERVED_AT}/{name}"


def axis_changes(payload: object) -> tuple[AxisChange, ...]:
    """Return the changes to axes that the browser reports, in order; entries that are not valid are left out.

    Args:
        payload: from the browser, so anything.
    """
    if not isinstance(payload, list):
        return ()
    found = [_axis_change(entry) for entry in payload[:_MOST_CHANGES] if isinstance(entry, Mapping)]
    return tuple(sorted((change for change in found if change is not None), key=lambda change: change.revision))


def plot_points(payload: object) -> tuple[PlotPoint, ...]:
    """Return the points that the browser reports as chosen; entries that are not valid are left out.

    Args:
        payload: from the browser, so anything.
    """
    if not isinstance(payload, list):
        return ()
    return tuple(
        PlotPoint(trace=entry["trace"], index=entry["index"], id=_identity(entry.get("id")))
        for entry in payload[:_MOST_POINTS]
        if isinstance(entry, Mapping) and isinstance(entry.get("trace"), str) and _is_count(entry.get("index"))
    )


def _axis_change(entry: Mapping[str, object]) -> AxisChange | None:
    revision, axis, names, ranges, drawn = (
        entry.get(name) for name in ("revision", "axis", "names", "ranges", "drawn")
    )
    if not _is_count(revision):
        return None
    if _is_name(axis) and _is_range(drawn) and isinstance(ranges, list) and all(map(_is_range, ranges[:_MOST_RANGES])):
        pairs = tuple((float(low), float(high)) for low, high in ranges[:_MOST_RANGES])
        return AxisBrush(axis=axis, ranges=pairs, drawn=(float(drawn[0]), float(drawn[1])), revision=revision)
    if isinstance(names, list) and all(_is_name(name) for name in names):
        return AxisOrder(names=tuple(names), revision=revision)
    return None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME


def _is_range(value: object) -> TypeGuard[list[float]]:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(end) for end in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _identity(value: object) -> str | int | float | None:
    return value if isinstance(value, str | int | float) else None


def _event(key: str, name: str) -> object:
    state = st.session_state.get(key)
    return state.get(name) if isinstance(state, Mapping) else None


def _as_json(figure: go.Figure) -> str:
    values = figure.to_plotly_json()
    if values["layout"].get("template") == _plotly_template():
        # plotly.py adds it to every figure that has none; it would replace the theme of the page.
        del values["layout"]["template"]
    return str(to_json_plotly(values))


@cache
def _plotly_template() -> Any:
    return go.Figure().to_plotly_json()["layout"].get("template")
