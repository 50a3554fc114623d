"""Charts and tables of an evaluation: the network against baselines, with 95 % confidence intervals.

Also here: marks for better, worse and undecided; the table of differences, network less baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwas_core.evaluation.intervals import FIGURES, Estimate
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.report.figure_style import BLUE, GREY, VERMILION, new_figure
from gwas_core.report.titles import MODEL_TITLES
from gwas_core.report.verdict import LOWER_IS_BETTER, Outcome, contrast_of

_ON_AXES = {"pearson": "Pearson r", "within_family_pearson": "r in families", "mean_absolute_error": "MAE"}
_COLUMNS = ("model", "title", "figure", "value", "lower", "upper")
_MARKS = {
    Outcome.BETTER: ("diamond", BLUE),
    Outcome.WORSE: ("square", VERMILION),
    Outcome.UNDECIDED: ("circle-open", GREY),
}

MARKS_LEGEND = (
    "Filled diamond: the network is better (95 % interval excludes zero); filled square: worse (95 % interval excludes "
    "zero); open circle: no clear difference (95 % interval holds zero)."
)
"""What the marks of ``differences_figure`` say."""


def evaluation_table(result: EvaluationResult) -> pd.DataFrame:
    """Return the figures of every model.

    Returns:
        A row for every model and figure that is defined, strongest models first: model, title, figure, value, lower,
        upper (ends of the interval; NaN if there is none). Errors are in the phenotype's unit.
    """
    return _table(result.comparison.models)


def differences_table(result: EvaluationResult) -> pd.DataFrame:
    """Return the network's figures less those of each baseline.

    Returns:
        Rows and columns as of ``evaluation_table``, and ``better``: a value of ``Outcome``.
    """
    table = _table(result.comparison.differences)
    outcomes = [_outcome(str(row.model), str(row.figure), result.comparison.differences) for row in table.itertuples()]
    return table.assign(better=pd.Series(outcomes, index=table.index, dtype="object"))


def _outcome(model: str, figure: str, differences: Mapping[str, Mapping[str, Estimate]]) -> str:
    contrast = contrast_of(model, figure, differences[model][figure])
    # A single value without an interval decides nothing here.
    return (Outcome.UNDECIDED if contrast is None or contrast.interval is None else contrast.outcome).value


def _table(models: Mapping[str, Mapping[str, Estimate]]) -> pd.DataFrame:
    rows = [
        (name, MODEL_TITLES[name], figure, estimate.value, *(estimate.interval or (None, None)))
        for name in MODEL_TITLES
        for figure, estimate in models.get(name, {}).items()
        if estimate.value is not None
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(
        {"value": "float64", "lower": "float64", "upper": "float64"}
    )


def evaluation_rows(result: EvaluationResult) -> dict[str, list[tuple[str, ...]]]:
    """Return two tables of text: the figures of every model, and the network less each baseline.

    Returns:
        By the table's title, rows of a model's title and one cell for each of ``FIGURES``: ``0.745 [0.731, 0.758]``,
        or a dash for a figure that is not defined.
    """
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
    # + 0.0 makes a negative zero positive.
    value = f"{row.value + 0.0:{sign}.3f}"
    return value if pd.isna(row.lower) else f"{value} [{row.lower + 0.0:{sign}.3f}, {row.upper + 0.0:{sign}.3f}]"


def differences_figure(table: pd.DataFrame) -> go.Figure:
    """Draw differences with their intervals, one panel for each figure.

    A dashed line marks where both models are equal; ``MARKS_LEGEND`` says what the marks mean.

    Args:
        table: of ``differences_table``.
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


def _bars(rows: pd.DataFrame) -> Any:
    marks = [_MARKS[Outcome(better)] for better in rows["better"]]
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
