"""Draw charts with the table behind them and its download."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from gwas_core.spreadsheets import csv_text
from ui.live_plot import PlotPoint, live_plot
from ui.tables import data_table
from ui.text import markdown_text


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
    """Draw a figure, which is updated in place when its data change, and offer the table behind it.

    Args:
        figure: to draw.
        key: of the element; zoom is kept as long as it stays the same.
        label: name of the chart, and description: what it shows; both for people who cannot see it.
        table: the numbers of the chart; no table is offered without.
        on_points: called with the points somebody clicked, before the page runs.
        file_name: of downloads, without ending; ``key`` if it is not given.
    """
    live_plot(
        figure,
        key=key,
        label=label,
        description=description,
        select="none" if on_points is None else "points",
        on_points=on_points,
        file_name=file_name or key,
    )
    if table is not None:
        with st.popover("Table", icon=":material/table:"):
            data_table(table, height=300, alt=f"{label}: the numbers")
            st.download_button(
                "Download as CSV",
                data=lambda: csv_text(table).encode(),
                file_name=f"{file_name or key}.csv",
                mime="text/csv",
                key=f"{key}-csv",
                icon=":material/download:",
                on_click="ignore",
            )


def chart_with_table(figure: go.Figure, table: pd.DataFrame, *, key: str, title: str) -> None:
    """Draw a chart with its title and table.

    Args:
        title: plain text.
    """
    st.markdown(f"**{markdown_text(title)}**")
    show(figure, key=key, label=title, table=table)
