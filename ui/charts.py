"""Charts with the table behind them: the one place where pages draw a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ui.live_plot import PlotPoint, live_plot


def show(
    figure: go.Figure,
    *,
    key: str,
    label: str,
    description: str = "",
    table: pd.DataFrame | None = None,
    on_points: Callable[[tuple[PlotPoint, ...]], None] | None = None,
    file_name: str | None = None,
) -> None:
    """Draw a figure, updated in place when its data change, and the table behind it on request.

    Args:
        label: what the chart is; description: what it says, for those who do not see it.
        on_points: called with the points somebody clicked, before the page runs.
    """
    live_plot(
        _with_style(figure),
        key=key,
        label=label,
        description=description,
        select="none" if on_points is None else "points",
        on_points=on_points,
        file_name=file_name or key,
    )
    if table is not None:
        with st.popover("Table", icon=":material/table:"):
            st.dataframe(table, hide_index=True, height=300, alt=f"{label}: the numbers")
            st.download_button(
                "Download as CSV",
                data=lambda: table.to_csv(index=False).encode(),
                file_name=f"{file_name or key}.csv",
                mime="text/csv",
                key=f"{key}-csv",
                icon=":material/download:",
                on_click="ignore",
            )


def _with_style(figure: go.Figure) -> go.Figure:
    """The figure with what its template says written out: the component leaves templates to the page's theme."""
    template = figure.layout.template.layout.to_plotly_json()
    if template.get("paper_bgcolor") != "rgba(0,0,0,0)":
        return figure  # plotly's own template, which would paint over the theme
    own = figure.layout.to_plotly_json()
    own.pop("template", None)
    merged: dict[str, Any] = {}
    for name in {*own, *(name for name in template if not name.endswith("axis"))}:
        axis = re.fullmatch(r"([xy]axis)\d*", name)
        merged[name] = _merged(template.get(axis[1] if axis else name), own.get(name))
    styled = go.Figure(data=figure.data, layout=merged)
    for trace in styled.data:
        # Numbers of numpy reach the browser as typed arrays, in which the component finds no identity.
        if isinstance(trace.customdata, np.ndarray):
            plain = trace.customdata.tolist()
            trace.customdata = None  # plotly skips a value that equals the one before
            trace.customdata = plain
    return styled


def _merged(basis: Any, own: Any) -> Any:
    if isinstance(basis, dict) and isinstance(own, dict):
        return {name: _merged(basis.get(name), own.get(name)) for name in {*basis, *own}}
    return basis if own is None else own


def chart_with_table(figure: go.Figure, table: pd.DataFrame, *, key: str, title: str) -> None:
    """A titled chart; ``title`` is Markdown."""
    st.markdown(f"**{title}**")
    show(figure, key=key, label=title.replace("\\", ""), table=table)
