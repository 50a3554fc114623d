"""Optimization history: every trial's error in order, the best so far, and the baselines to beat.

Also here: the sparkline in the list of experiments; the strips for failed trials and for errors above the axis; symbols
of states.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.model.metrics import BaselineMetrics
from gwas_core.report.figure_style import (
    GREY,
    STATE_COLOURS,
    VERMILION,
    add_levels,
    is_kept,
    marker_trace,
    new_figure,
    opacities,
    value_range,
    whole_ticks,
)
from gwas_core.report.text import plot_lines, plot_text
from gwas_core.report.titles import model_title
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary, TrialRecord

ERROR_TITLE = "Mean absolute error, validation lines"
SPARKLINE_POINTS = 60

_HEIGHT = 430
_STRIP = 0.13  # share of the height for trials without a place on the axis
# (state, what the legend says, symbol): shape and word tell the state, colour only helps.
_MARKS = (
    (TrialState.SUCCEEDED, "succeeded", "circle"),
    (TrialState.PRUNED, "stopped early, at its last epoch", "triangle-down"),
    (TrialState.RUNNING, "running, now", "diamond-open"),
    (TrialState.INTERRUPTED, "interrupted, at its last epoch", "square-open"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class OptimizationHistory:
    """Facts of the figure.

    Attributes:
        trials: one row for each trial that has something to show, in order of number: number, state, value (objective
            of a finished trial, of the latest epoch for a running one, NaN for a failed one), best_so_far (lowest value
            of the succeeded trials up to this one; NaN before the first), kept (by the filter), reason.
        baselines: validation MAE of the baselines, as of ``baseline_levels``.
        limits: of the value axis, which the trials set (``value_range``).
    """

    trials: pd.DataFrame
    baselines: pd.DataFrame
    limits: tuple[float, float]


def optimization_history(record: ExperimentRecord, *, selected: Collection[int] | None = None) -> OptimizationHistory:
    """Return the facts of the optimization history.

    Args:
        record: of a search in any state.
        selected: numbers of the trials that a filter keeps; None for all.
    """
    shown = [trial for trial in record.trials if trial.state is TrialState.FAILED or _current(trial) is not None]
    values = [np.nan if trial.state is TrialState.FAILED else _current(trial) for trial in shown]
    succeeded = [
        value if trial.state is TrialState.SUCCEEDED else None for trial, value in zip(shown, values, strict=True)
    ]
    trials = pd.DataFrame(
        {
            "number": pd.Series([trial.number for trial in shown], dtype="int64"),
            "state": pd.Series([trial.state.value for trial in shown], dtype="str"),
            "value": pd.Series(values, dtype="float64"),
            "best_so_far": pd.Series(best_so_far(succeeded), dtype="float64"),
            "kept": pd.Series(is_kept([trial.number for trial in shown], selected), dtype="bool"),
            "reason": pd.Series([trial.reason for trial in shown], dtype="str"),
        }
    )
    baselines = baseline_levels(record.baselines)
    limits = value_range(trials["value"].dropna().tolist(), levels=baselines["value"].tolist())
    return OptimizationHistory(trials=trials, baselines=baselines, limits=limits)


def best_so_far(values: Iterable[float | None]) -> list[float]:
    """Return the lowest value up to each place.

    Args:
        values: None for a trial without a value, which leaves the lowest value as it is.

    Returns:
        One value for each place; NaN before the first value.
    """
    known = (math.nan if value is None else value for value in values)
    return list(accumulate(known, _better))


def _better(best: float, value: float) -> float:
    return value if math.isnan(best) or value < best else best


def sparkline(summary: ExperimentSummary) -> list[float]:
    """Return the best value so far of an experiment, for a small chart in a table.

    Args:
        summary: of the experiment.

    Returns:
        At most ``SPARKLINE_POINTS`` values, evenly spaced over the succeeded trials.
    """
    best = best_so_far(value for _, value in summary.values)
    if len(best) <= SPARKLINE_POINTS:
        return best
    return [best[round(at)] for at in np.linspace(0, len(best) - 1, SPARKLINE_POINTS)]


def baseline_levels(baselines: Mapping[str, BaselineMetrics] | None) -> pd.DataFrame:
    """Return the validation MAE of every baseline.

    Args:
        baselines: as in ``ExperimentRecord``.

    Returns:
        A row for each baseline, the best first: name, title, value (in the phenotype's unit).
    """
    rows = []
    for name, result in (baselines or {}).items():
        rows.append((name, model_title(name), result.validation.mean_absolute_error))
    table = pd.DataFrame(rows, columns=["name", "title", "value"]).astype({"value": "float64"})
    return table.sort_values("value", ignore_index=True)


def history_figure(history: OptimizationHistory) -> go.Figure:
    """Draw trials by number; click data (``customdata``) begin with the trial's number.

    Args:
        history: facts, as ``optimization_history`` returns them.
    """
    figure = new_figure(height=_HEIGHT, xaxis={"title": "Trial"})
    trials, (lower, upper) = history.trials, history.limits
    strips = _strips(trials, upper)
    top = 1 - _STRIP * len(strips) / 2 if strips else 1.0
    best = _add_best(figure, trials)
    for state, label, symbol in _MARKS:
        rows = trials[trials["state"] == state.value]
        if len(rows):
            name = f"{label} ({len(rows):,})"
            figure.add_trace(_markers(rows, rows["value"], name, symbol, STATE_COLOURS[state]))
    if best is not None:
        rows = trials[trials["number"] == best]
        figure.add_trace(_markers(rows, rows["value"], "best", "star", VERMILION, size=13, showlegend=False))
    for place, (label, rows, symbol, colour) in enumerate(strips):
        height = np.full(len(rows), place)
        figure.add_trace(_markers(rows, height, label, symbol, colour, yaxis="y2", showlegend=False))
    figure.update_yaxes(title=ERROR_TITLE, range=[lower, upper], domain=[0, top])
    last = int(trials["number"].max()) if len(trials) else 0
    air = max(0.5, 0.015 * last)
    figure.update_xaxes(range=[-air, max(last, 1) + air], dtick=whole_ticks(last))
    figure.update_layout(showlegend=True)
    if strips:
        _add_strip_axis(figure, [label for label, *_ in strips], top)
    levels = list(zip(history.baselines["title"].map(plot_text), history.baselines["value"], strict=True))
    add_levels(figure, levels, limits=history.limits, pixels=(_HEIGHT - 90) * top)
    return figure


def _current(trial: TrialRecord) -> float | None:
    """Return a trial's objective now; None while it has none."""
    if trial.state.is_finished():
        return trial.value
    return trial.history[-1][1] if trial.history else None


def _strips(trials: pd.DataFrame, upper: float) -> list[tuple[str, pd.DataFrame, str, str]]:
    """Return the rows above the plot: trials that failed, and those whose error lies above the axis."""
    failed = trials[trials["state"] == TrialState.FAILED.value]
    above = trials[trials["value"] > upper]
    strips = [
        (f"failed ({len(failed):,})", failed, "x", STATE_COLOURS[TrialState.FAILED]),
        (f"higher ({len(above):,})", above, "triangle-up", GREY),
    ]
    return [strip for strip in strips if len(strip[1])]


def _add_best(figure: go.Figure, trials: pd.DataFrame) -> int | None:
    """Add the line of the best value so far; return the number of the best trial, or None if there is none."""
    known = trials.dropna(subset="best_so_far")
    if known.empty:
        return None
    values = known["best_so_far"].to_numpy()
    best = int(known["number"].iloc[int(values.argmin())])
    figure.add_trace(
        go.Scatter(
            x=known["number"].to_numpy(),
            y=values,
            mode="lines",
            name=f"best so far: {values.min():.4g}, trial {best}",
            line={"shape": "hv", "color": VERMILION, "width": 2},
            hoverinfo="skip",
        )
    )
    return best


def _markers(
    rows: pd.DataFrame, height: Any, name: str, symbol: str, colour: str, *, size: int = 8, **trace: Any
) -> Any:
    values = [("" if np.isnan(value) else f"{value:.5g}") for value in rows["value"]]
    reasons = [plot_lines(reason) for reason in rows["reason"]]
    lines = [
        "<br>".join(part for part in (f"<b>trial {number}</b>, {state}", value, reason) if part)
        for number, state, value, reason in zip(rows["number"], rows["state"], values, reasons, strict=True)
    ]
    return marker_trace(len(rows))(
        x=rows["number"].to_numpy(),
        y=np.asarray(height, dtype=np.float64),
        mode="markers",
        name=name,
        marker={
            "symbol": symbol,
            "color": colour,
            "size": size,
            "opacity": opacities(rows["kept"]),
            "line": {"width": 2 if symbol.endswith("-open") else 0},
        },
        customdata=rows[["number"]].to_numpy(),
        hovertext=lines,
        hoverinfo="text",
        **trace,
    )


def _add_strip_axis(figure: go.Figure, labels: list[str], top: float) -> None:
    figure.update_layout(
        yaxis2={
            "domain": [top + 0.02, 1],
            "range": [-0.6, len(labels) - 0.4],
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "fixedrange": True,
            "showgrid": False,
            "anchor": "x",
        }
    )
