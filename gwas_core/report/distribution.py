"""Distribution of the trials' errors: a histogram, and the share of trials up to each error, beside the baselines.

Also here: which error of a trial counts; the width of the histogram's bins.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from gwas_core.report.figure_style import (
    GREY,
    STATE_COLOURS,
    VERMILION,
    bar_pattern,
    is_kept,
    level_text,
    new_figure,
    value_range,
)
from gwas_core.report.history import ERROR_TITLE, baseline_levels
from gwas_core.report.text import plot_text
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

_HEIGHT = 500
_FEWEST_BINS, _MOST_BINS = 8, 40
_DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")
_STATES = ((TrialState.SUCCEEDED, "succeeded", ""), (TrialState.PRUNED, "stopped early", "/"))


@dataclass(frozen=True, eq=False, kw_only=True)
class ErrorDistribution:
    """Facts of the figure.

    Attributes:
        trials: one row for each trial that has ended with an error, the best first: number, state, value (the lowest
            validation MAE of its epochs), share (of all these trials, with an error up to this one), kept (by the
            filter).
        bins: edges of the histogram's bins, which cover ``limits``; ``(bins + 1,)``.
        baselines: as of ``baseline_levels``.
        limits: of the error axis, which the trials set.
        above: number of trials whose error lies above the axis.
    """

    trials: pd.DataFrame
    bins: NDArray[np.float64]
    baselines: pd.DataFrame
    limits: tuple[float, float]
    above: int


def error_distribution(record: ExperimentRecord, *, selected: Collection[int] | None = None) -> ErrorDistribution:
    """Return the facts of the distribution of the trials' best validation errors.

    A trial that was stopped early counts with the lowest error of its epochs, which is what it had reached by then.

    Args:
        record: of a search in any state.
        selected: numbers of the trials that a filter keeps; None for all.
    """
    states = [state for state, *_ in _STATES]
    found = [
        (trial.number, trial.state.value, value)
        for trial in record.trials
        if trial.state in states and (value := lowest_error(trial)) is not None
    ]
    found.sort(key=lambda row: (row[2], row[0]))
    trials = pd.DataFrame(found, columns=["number", "state", "value"]).astype(
        {"number": "int64", "state": "str", "value": "float64"}
    )
    trials["share"] = trials["value"].rank(method="max") / max(1, len(trials))
    trials["kept"] = pd.Series(is_kept(trials["number"].tolist(), selected), dtype="bool")
    baselines = baseline_levels(record.baselines)
    limits = value_range(trials["value"].tolist(), levels=baselines["value"].tolist())
    inside = trials["value"][trials["value"] <= limits[1]].to_numpy()
    bins = int(np.clip(np.histogram_bin_edges(inside, "fd").size - 1, _FEWEST_BINS, _MOST_BINS)) if inside.size else 1
    return ErrorDistribution(
        trials=trials,
        bins=np.linspace(*limits, bins + 1),
        baselines=baselines,
        limits=limits,
        above=len(trials) - inside.size,
    )


def lowest_error(trial: TrialRecord) -> float | None:
    """Return a trial's lowest validation MAE; None if it has none that is finite.

    Args:
        trial: that has ended.
    """
    errors = [value for _, value in trial.history] if trial.state is TrialState.PRUNED else []
    errors += [] if trial.value is None else [trial.value]
    return min((error for error in errors if math.isfinite(error)), default=None)


def distribution_figure(facts: ErrorDistribution) -> go.Figure:
    """Draw the histogram by state, and below it the share of trials up to each error; both with the baselines.

    Click data of the curve begin with the trial's number.

    Args:
        facts: as ``error_distribution`` returns them.
    """
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        figure=new_figure(height=_HEIGHT, barmode="stack", bargap=0.06, showlegend=True),
    )
    kept = facts.trials[facts.trials["kept"].astype(bool)]
    heights = np.zeros(len(facts.bins) - 1)
    for state, label, pattern in _STATES:
        values = kept["value"][kept["state"] == state.value].to_numpy()
        if values.size:
            counts, _ = np.histogram(values, facts.bins)
            heights += counts
            figure.add_trace(
                _histogram(facts.bins, counts, f"{label} ({values.size:,})", STATE_COLOURS[state], pattern)
            )
    tallest = max(1, int(heights.max()))
    if len(kept) < len(facts.trials):
        figure.add_trace(_shares(facts.trials, "all trials", GREY), row=2, col=1)
        kept = kept.assign(share=kept["value"].rank(method="max") / max(1, len(kept)))
    figure.add_trace(_shares(kept, "share of trials", VERMILION), row=2, col=1)
    for index, (title, value) in enumerate(zip(facts.baselines["title"], facts.baselines["value"], strict=True)):
        _add_baseline(figure, plot_text(title), value, facts.limits, tallest, _DASHES[index % len(_DASHES)])
    figure.update_xaxes(range=list(facts.limits))
    figure.update_xaxes(title=ERROR_TITLE, row=2, col=1)
    figure.update_yaxes(title="Trials", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="Share up to here", range=[0, 1.03], tickformat=".0%", row=2, col=1)
    return figure


def _histogram(edges: NDArray[np.float64], counts: NDArray[Any], name: str, colour: str, pattern: str) -> Any:
    return go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        name=name,
        marker={"color": colour, "pattern": bar_pattern(pattern), "line": {"width": 0}},
        customdata=[f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)],
        hovertemplate="%{y} trials<br>error %{customdata}<extra></extra>",
    )


def _shares(trials: pd.DataFrame, name: str, colour: str) -> Any:
    return go.Scatter(
        x=trials["value"].to_numpy(),
        y=trials["share"].to_numpy(),
        mode="lines+markers",
        name=name,
        line={"shape": "hv", "color": colour, "width": 2},
        marker={"size": 3},
        customdata=trials[["number"]].to_numpy(),
        hovertemplate="<b>trial %{customdata[0]}</b><br>error %{x:.5g}<br>%{y:.1%} of trials up to here<extra></extra>",
    )


def _add_baseline(
    figure: go.Figure, title: str, value: float, limits: tuple[float, float], tallest: int, dash: str
) -> None:
    """Draw a baseline through both plots; one beyond an end of the axis stands in the legend, with an arrow."""
    text = level_text(title, value, limits=limits, arrows="←→")
    is_inside = limits[0] <= value <= limits[1]
    for row, top in ((1, tallest), (2, 1.0)):
        figure.add_trace(
            go.Scatter(
                x=[value, value] if is_inside else [None],
                y=[0, top] if is_inside else [None],
                mode="lines",
                name=text,
                legendgroup=text,
                showlegend=row == 1,
                line={"color": GREY, "width": 1.5, "dash": dash},
                hoverinfo="name",
            ),
            row=row,
            col=1,
        )
