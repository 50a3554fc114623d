"""The network beside the baselines, on the same lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwas_core.report.figure_style import BLUE, GREY, new_figure
from gwas_core.report.summary import NETWORK_TITLE, comparison
from gwas_core.report.text import plot_text
from gwas_core.tuning.records import ExperimentRecord

_PANELS = (
    ("mean_absolute_error", "Mean absolute error,<br>lower is better"),
    ("pearson", "Pearson correlation,<br>higher is better"),
    ("within_family_pearson", "Pearson within<br>families, higher is better"),
)


def judgements_table(record: ExperimentRecord, part: str = "test") -> pd.DataFrame:
    """title, is_network, lines and the four figures of the network and every baseline, lowest MAE first.

    A correlation that is not defined (that of a constant prediction) is NaN. Empty before anything was judged.
    """
    rows = [
        {
            "title": title,
            "is_network": title == NETWORK_TITLE,
            "lines": judgement["lines"],
            "mean_absolute_error": judgement["mean_absolute_error"],
            "root_mean_squared_error": judgement["root_mean_squared_error"],
            "pearson": judgement["pearson"],
            "within_family_pearson": judgement["within_family_pearson"],
        }
        for title, judgement in comparison(record, part)
    ]
    columns = ["title", "is_network", "lines", "mean_absolute_error", "root_mean_squared_error"]
    columns += ["pearson", "within_family_pearson"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:], "float64"))


def judgements_figure(table: pd.DataFrame) -> go.Figure:
    """Dots with their values, a panel a figure; the network is a filled diamond, baselines are open circles."""
    panels = [(name, title) for name, title in _PANELS if name == _PANELS[0][0] or table[name].notna().any()]
    figure = make_subplots(
        rows=1,
        cols=len(panels),
        shared_yaxes=True,
        horizontal_spacing=0.05,
        figure=new_figure(height=110 + 40 * max(len(table), 2), showlegend=False),
    )
    figure.update_layout(margin={"t": 12, "b": 60})
    rows = table.iloc[::-1]
    for column, (name, title) in enumerate(panels, start=1):
        figure.add_trace(_dots(rows, name), row=1, col=column)
        figure.update_xaxes(title={"text": title}, range=_axis_range(rows[name]), nticks=4, row=1, col=column)
        for row in rows[rows[name].isna()].itertuples():
            figure.add_annotation(
                x=0, xref="x domain", y=_label(row), text="none", xanchor="left", showarrow=False, row=1, col=column
            )
    figure.update_yaxes(type="category", ticks="", range=[-0.5, len(table) - 0.3])
    return figure


def _dots(rows: pd.DataFrame, name: str) -> Any:
    known = rows[rows[name].notna()]
    network = known["is_network"].to_numpy(dtype=bool)
    return go.Scatter(
        x=known[name].to_numpy(),
        y=[_label(row) for row in known.itertuples()],
        mode="markers+text",
        text=[f"{value:.3f}" for value in known[name]],
        textposition="top center",
        cliponaxis=False,
        marker={
            "symbol": np.where(network, "diamond", "circle-open").tolist(),
            "color": np.where(network, BLUE, GREY).tolist(),
            "size": np.where(network, 13, 10).tolist(),
            "line": {"width": 2},
            "opacity": 1,
        },
        hovertemplate="%{y}: %{x:.5g}<extra></extra>",
    )


def _label(row: Any) -> str:
    title = plot_text(row.title)
    return f"<b>{title}</b>" if row.is_network else title


def _axis_range(values: pd.Series[float]) -> list[float]:
    """The values with room for their labels."""
    if values.notna().sum() == 0:
        return [0.0, 1.0]
    low, high = float(values.min()), float(values.max())
    width = (high - low) or 0.1 * abs(high) or 1.0
    return [low - 0.18 * width, high + 0.18 * width]
