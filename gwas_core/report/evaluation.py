"""An evaluation: the network against baselines on lines nothing was chosen by, with 95 % confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwas_core.evaluation.intervals import FIGURES
from gwas_core.evaluation.models import MISSING_PATTERN, NETWORK
from gwas_core.report.figure_style import BLUE, GREY, VERMILION, new_figure
from gwas_core.report.summary import BASELINE_TITLES

TITLES = {
    NETWORK: "Network",
    "gblup_family": BASELINE_TITLES["gblup_family"],
    "gblup": BASELINE_TITLES["gblup"],
    "family_mean": BASELINE_TITLES["family_mean"],
    MISSING_PATTERN: "Missing pattern, no allele",
    "mean": BASELINE_TITLES["mean"],
}
"""Models in the order in which they are shown."""

FIGURE_TITLES = {
    "pearson": "Pearson correlation",
    "within_family_pearson": "Pearson within families",
    "mean_absolute_error": "Mean absolute error",
}
_IN_SENTENCES = {
    "pearson": "Pearson correlation",
    "within_family_pearson": "correlation within families",
    "mean_absolute_error": "mean absolute error",
}
_ON_AXES = {"pearson": "Pearson r", "within_family_pearson": "r in families", "mean_absolute_error": "MAE"}
LOWER_IS_BETTER = ("mean_absolute_error",)
_COLUMNS = ("model", "title", "figure", "value", "lower", "upper")


def evaluation_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """model, title, figure, value, lower, upper: a row for every model and figure that is defined."""
    return _table({name: result[name] for name in TITLES if name in result})


def differences_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The same of the network less each baseline, and ``better``: yes, no, or unsure where the interval holds 0."""
    differences = result["differences"]
    table = _table({name: differences[name] for name in TITLES if name in differences})
    better = [_is_better(row) for row in table.itertuples()]
    return table.assign(better=pd.Series(better, index=table.index, dtype="object"))


def _table(models: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    rows = [
        (name, TITLES[name], figure, values[figure], *(values["intervals"][figure] or (None, None)))
        for name, values in models.items()
        for figure in FIGURES
        if values[figure] is not None
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(
        {"value": "float64", "lower": "float64", "upper": "float64"}
    )


def _is_better(row: Any) -> str:
    sign = -1 if row.figure in LOWER_IS_BETTER else 1
    low, high = sorted((sign * row.lower, sign * row.upper))
    return "yes" if low > 0 else "no" if high < 0 else "unsure"


def evaluation_rows(result: Mapping[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Two tables of text, by title: every model, and the network less each baseline; a cell for each figure."""
    return {
        "figures": _text_rows(evaluation_table(result), sign=""),
        "network less": _text_rows(differences_table(result), sign="+"),
    }


def _text_rows(table: pd.DataFrame, *, sign: str) -> list[tuple[str, ...]]:
    cells = {(row.title, row.figure): _cell(row, sign) for row in table.itertuples()}
    return [
        (title, *(cells.get((title, figure), "–") for figure in FIGURES)) for title in table["title"].drop_duplicates()
    ]


def _cell(row: Any, sign: str) -> str:
    value = f"{row.value + 0.0:{sign}.3f}"
    return value if pd.isna(row.lower) else f"{value} [{row.lower + 0.0:{sign}.3f}, {row.upper + 0.0:{sign}.3f}]"


def strongest_baseline(result: Mapping[str, Any]) -> str:
    """The linear model to beat: GBLUP with a family effect, where there are families."""
    return "gblup_family" if "gblup_family" in result else "gblup"


def evaluation_verdict(result: Mapping[str, Any]) -> str:
    """One sentence: did the network beat the strongest baseline, as far as these lines can tell?"""
    name = strongest_baseline(result)
    table = differences_table(result)
    rows = table[(table["model"] == name) & table["lower"].notna()]
    if rows.empty:
        return "There is nothing to compare the network by."
    said = {
        outcome: [
            f"{_IN_SENTENCES[str(row.figure)]} {_cell(row, '+')}"
            for row in rows[rows["better"] == outcome].itertuples()
        ]
        for outcome in ("yes", "no", "unsure")
    }
    against = TITLES[name]
    clauses = []
    if said["yes"]:
        clauses.append(f"is better than {against} in {'; '.join(said['yes'])}")
    if said["no"]:
        clauses.append(f"is worse than {against} in {'; '.join(said['no'])}")
    if said["unsure"]:
        clauses.append(f"cannot be told from {against} in {'; '.join(said['unsure'])}")
    return f"The network {', and '.join(clauses)}."


def differences_figure(table: pd.DataFrame) -> go.Figure:
    """Differences with their intervals, a panel a figure, around the line where both models are equal.

    A filled diamond: better for certain. A filled square: worse for certain. An open circle: these lines cannot tell.
    """
    figures = [name for name in FIGURES if (table["figure"] == name).any()] or list(FIGURES[:1])
    titles = list(dict.fromkeys(table["title"]))
    figure = make_subplots(
        rows=1,
        cols=len(figures),
        shared_yaxes=True,
        horizontal_spacing=0.06,
        figure=new_figure(height=130 + 44 * max(len(titles), 2), showlegend=False),
    )
    figure.update_layout(margin={"t": 12, "b": 66})
    for column, name in enumerate(figures, start=1):
        rows = table[table["figure"] == name].iloc[::-1]
        figure.add_trace(_bars(rows), row=1, col=column)
        better = "left is better" if name in LOWER_IS_BETTER else "right is better"
        figure.update_xaxes(title={"text": f"{_ON_AXES[name]},<br>{better}"}, nticks=4, tickangle=0, row=1, col=column)
        figure.add_shape(
            type="line", x0=0, x1=0, y0=0, y1=1, yref="y domain", line={"color": GREY, "dash": "dash", "width": 1.5},
            layer="below", row=1, col=column,
        )  # fmt: skip
    figure.update_yaxes(
        type="category", ticks="", categoryorder="array", categoryarray=titles[::-1], range=[-0.5, len(titles) - 0.5]
    )
    return figure


_MARKS = {"yes": ("diamond", BLUE), "no": ("square", VERMILION), "unsure": ("circle-open", GREY)}


def _bars(rows: pd.DataFrame) -> Any:
    marks = [_MARKS[better] for better in rows["better"]]
    return go.Scatter(
        x=rows["value"].to_numpy(),
        y=rows["title"].tolist(),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows["value"]).to_numpy(),
            "arrayminus": (rows["value"] - rows["lower"]).to_numpy(),
            "color": GREY,
            "thickness": 2,
            "width": 6,
        },
        mode="markers+text",
        text=[f"{value + 0.0:+.3f}" for value in rows["value"]],
        textposition="top center",
        cliponaxis=False,
        marker={
            "symbol": [symbol for symbol, _ in marks],
            "color": [colour for _, colour in marks],
            "size": 11,
            "line": {"width": 2},
            "opacity": 1,
        },
        customdata=[[_cell(row, "+")] for row in rows.itertuples()],
        hovertemplate="network less %{y}: %{customdata[0]}<extra></extra>",
    )
