"""Learning curves: validation and training error of trials, epoch by epoch, from the start before any training.

Also here: colours of chosen trials, grey for the others, a band where there are very many; epochs of extreme error that
are left outside; training errors and the error of the start from a trial's file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.errors import InputError
from gwas_core.files import open_regular_file
from gwas_core.messages import counted
from gwas_core.model.metrics import BaselineMetrics
from gwas_core.model.trial_folder import METRICS_FILE, START_ERROR
from gwas_core.report.figure_style import COLOURS, GREY, add_levels, new_figure, value_range, whole_ticks
from gwas_core.report.history import baseline_levels
from gwas_core.report.text import plot_text
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import TrialRecord

MOST_HIGHLIGHTED = len(COLOURS)
"""So many curves can be told apart by colour."""

_TRAINING_ERROR = "mean_absolute_error"
_LARGEST_FILE = 16 * 1024**2
_FIRST_LINE = 4096  # bytes; the start is in the first line of the file
_BAND = "rgba(127,127,127,0.16)"
_BANDS = ((0.1, 0.9, "80 %"), (0.25, 0.75, "half"))
_HEIGHT = 400
_ENDS = {
    TrialState.SUCCEEDED: ("succeeded", "circle"),
    TrialState.PRUNED: ("stopped early", "triangle-down"),
    TrialState.FAILED: ("failed", "x"),
    TrialState.RUNNING: ("running", "diamond-open"),
    TrialState.INTERRUPTED: ("interrupted", "square-open"),
    TrialState.WAITING: ("waiting", "diamond-open"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class LearningCurves:
    """Facts of the figure.

    Attributes:
        curves: one row for each epoch of a trial: trial, epoch (0 is the start, where its error is known), validation
            (MAE) and training (MAE of the training lines during the epoch, with dropout; NaN if it is not known or was
            not asked for).
        trials: one row for each trial that has a curve: trial, state, best_epoch, highlighted.
        others: one row for each epoch of the trials that have no curve of their own: epoch, trials (how many of them
            reached it), then quantiles of their validation MAE, named by their share (0.1, 0.25, 0.75, 0.9).
        other_trials: number of trials that have no curve of their own.
        baselines: as of ``baseline_levels``.
        limits: of the value axis, which the trials set.
    """

    curves: pd.DataFrame
    trials: pd.DataFrame
    others: pd.DataFrame
    other_trials: int
    baselines: pd.DataFrame
    limits: tuple[float, float]


def learning_curves(
    trials: Iterable[TrialRecord],
    *,
    highlighted: Collection[int] = (),
    others: Iterable[TrialRecord] = (),
    baselines: Mapping[str, BaselineMetrics] | None = None,
) -> LearningCurves:
    """Return the facts of the learning curves of some trials.

    Args:
        trials: to draw; those without an epoch are left out.
        highlighted: numbers of trials to draw in colour, with their training error from their folders; the first
            ``MOST_HIGHLIGHTED`` of them count.
        others: trials that are drawn as a band together, since so many curves could not be told apart.
        baselines: of the experiment, as in ``ExperimentRecord``.
    """
    drawn = [trial for trial in trials if trial.history]
    numbers = {trial.number for trial in drawn}
    chosen = [number for number in highlighted if number in numbers][:MOST_HIGHLIGHTED]
    epochs: list[tuple[int, int, float, float]] = []
    starts: dict[int, float] = {}
    for trial in drawn:
        training = read_training_errors(trial.directory) if trial.number in chosen else {}
        if (error := start_error(trial)) is not None:
            starts[trial.number] = error
            epochs.append((trial.number, 0, error, math.nan))
        epochs += [(trial.number, epoch, value, training.get(epoch, math.nan)) for epoch, value in trial.history]
    curves = pd.DataFrame(epochs, columns=["trial", "epoch", "validation", "training"])
    curves = curves.astype({"validation": "float64", "training": "float64"})
    table = pd.DataFrame(
        [
            (trial.number, trial.state.value, _best_epoch(trial, starts.get(trial.number)), trial.number in chosen)
            for trial in drawn
        ],
        columns=["trial", "state", "best_epoch", "highlighted"],
    )
    levels = baseline_levels(baselines)
    rest = [trial for trial in others if trial.history]
    bands = _quantiles(rest)
    return LearningCurves(
        curves=curves,
        trials=table,
        others=bands,
        other_trials=len(rest),
        baselines=levels,
        limits=_limits(curves, chosen, bands, levels),
    )


def _best_epoch(trial: TrialRecord, start: float | None) -> int | None:
    """Return the epoch of the lowest error; until the trial has succeeded, its record does not know of the start."""
    is_settled = trial.result is not None and trial.result.best_epoch is not None
    if not is_settled and start is not None and start <= min(value for _, value in trial.history):
        return 0
    return trial.best_epoch


def _quantiles(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return how many trials reached each epoch, and quantiles of their errors there."""
    by_epoch: dict[int, list[float]] = {}
    for trial in trials:
        for epoch, value in trial.history:
            by_epoch.setdefault(epoch, []).append(value)
    shares = sorted(share for low, high, _ in _BANDS for share in (low, high))
    rows = [
        (epoch, len(values), *np.quantile(np.array(values, dtype=np.float64), shares).tolist())
        for epoch, values in sorted(by_epoch.items())
    ]
    return pd.DataFrame(rows, columns=["epoch", "trials", *map(str, shares)])


def _limits(
    curves: pd.DataFrame, chosen: Collection[int], bands: pd.DataFrame, levels: pd.DataFrame
) -> tuple[float, float]:
    """Return the range of all curves, bands and each chosen curve, without a few epochs of extreme error."""
    quantiles: list[float] = bands.drop(columns=["epoch", "trials"]).to_numpy().ravel().tolist()
    ranges = [value_range(_errors(curves) + quantiles, levels=levels["value"].tolist())]
    ranges += [value_range(_errors(curves[curves["trial"] == number])) for number in chosen]
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def _errors(curves: pd.DataFrame) -> list[float]:
    errors: list[float] = curves[["validation", "training"]].to_numpy().ravel().tolist()
    return [error for error in errors if math.isfinite(error)]


def start_error(trial: TrialRecord) -> float | None:
    """Return a trial's validation MAE at epoch 0: of closed-form start weights, before any training.

    Args:
        trial: in any state.

    Returns:
        None where the network starts at random weights, or where a trial of an earlier version did not write it down.
        Such a trial still tells it if training did not improve the start, whose weights were then kept.
    """
    if trial.result is not None and trial.result.best_epoch == 0:
        return trial.value
    try:
        with open_regular_file(trial.directory / METRICS_FILE) as file:
            line = file.read(_FIRST_LINE).split(b"\n", 1)[0]
    except (OSError, InputError):
        return None
    epoch, error = _entry(line, START_ERROR)
    return error if epoch == 0 else None


def read_training_errors(directory: Path) -> dict[int, float]:
    """Return the training MAE by epoch from a trial's folder.

    Args:
        directory: folder of the trial.

    Returns:
        Empty if there is no file; damaged lines are left out, since the file of a running trial may end in half a line.
    """
    errors: dict[int, float] = {}
    try:
        with open_regular_file(directory / METRICS_FILE) as file:
            lines = file.read(_LARGEST_FILE).splitlines()
    except (OSError, InputError):
        return errors
    for line in lines:
        epoch, value = _entry(line, _TRAINING_ERROR)
        if epoch is not None and value is not None:
            errors[epoch] = value
    return errors


def _entry(line: bytes, name: str) -> tuple[int | None, float | None]:
    """Return the epoch and a value of a line; None for what is not there or no finite number."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None, None
    epoch, value = (entry.get("epoch"), entry.get(name)) if isinstance(entry, dict) else (None, None)
    return (
        epoch if type(epoch) is int else None,
        value if isinstance(value, float) and math.isfinite(value) else None,
    )


def curves_figure(facts: LearningCurves) -> go.Figure:
    """Draw highlighted trials in colour (validation solid, training dotted), the others in grey, the rest as bands.

    Args:
        facts: as ``learning_curves`` returns them.
    """
    figure = new_figure(height=_HEIGHT, xaxis={"title": "Epoch", "rangemode": "tozero"}, showlegend=True)
    by_trial = {int(str(number)): curve for number, curve in facts.curves.groupby("trial")}
    for trace in _bands(facts):
        figure.add_trace(trace)
    others = facts.trials[~facts.trials["highlighted"].astype(bool)]
    if len(others):
        kind = "trial" if len(others) == len(facts.trials) else "other trial"
        figure.add_trace(_grey_lines(others["trial"].tolist(), by_trial, name=counted(len(others), kind)))
    highlighted = facts.trials[facts.trials["highlighted"].astype(bool)]
    for colour, trial in zip(COLOURS, highlighted.itertuples(), strict=False):
        curve = by_trial[int(str(trial.trial))]
        figure.add_trace(_validation(trial, curve, colour))
        if curve["training"].notna().any():
            figure.add_trace(_training(trial, curve, colour))
    last = int(facts.curves["epoch"].max()) if len(facts.curves) else 0
    figure.update_xaxes(dtick=whole_ticks(last))
    if (facts.curves["epoch"] == 0).any():
        air = max(0.1, 0.015 * last)  # so that the marks at both ends are whole
        figure.update_xaxes(title="Epoch (0: the start, before training)", range=[-air, max(last, 1) + air])
    figure.update_yaxes(title="Mean absolute error", range=list(facts.limits))
    levels = list(zip(facts.baselines["title"].map(plot_text), facts.baselines["value"], strict=True))
    add_levels(figure, levels, limits=facts.limits, pixels=_HEIGHT - 90)
    return figure


def _bands(facts: LearningCurves) -> list[Any]:
    """Return areas between quantiles of the trials without a curve, the wider one below."""
    if facts.others.empty:
        return []
    epochs = facts.others["epoch"].tolist()
    traces = []
    for low, high, share in _BANDS:
        lower, upper = facts.others[str(low)].tolist(), facts.others[str(high)].tolist()
        traces.append(
            go.Scatter(
                x=[*epochs, *reversed(epochs)],
                y=[*upper, *reversed(lower)],
                mode="lines",
                fill="toself",
                fillcolor=_BAND,
                line={"width": 0, "color": GREY},
                name=f"{share} of {facts.other_trials:,} more" if share != "half" else "half of them",
                hoverinfo="skip",
            )
        )
    return traces


def _grey_lines(numbers: list[int], by_trial: dict[int, pd.DataFrame], *, name: str) -> Any:
    """Return all these trials as one trace, with a gap after each."""
    epochs: list[int | None] = []
    values: list[float | None] = []
    names: list[list[int | None]] = []
    for number in numbers:
        curve = by_trial[number]
        epochs += [*curve["epoch"].tolist(), None]
        values += [*curve["validation"].tolist(), None]
        names.extend([[number]] * len(curve))
        names.append([None])
    return go.Scatter(
        x=epochs,
        y=values,
        customdata=names,
        mode="lines+markers" if len(epochs) == 2 * len(numbers) else "lines",
        name=name,
        line={"color": GREY, "width": 1},
        opacity=0.4,
        hovertemplate="<b>trial %{customdata[0]}</b><br>epoch %{x}, validation %{y:.5g}<extra></extra>",
    )


def _validation(trial: Any, curve: pd.DataFrame, colour: str) -> Any:
    word, end = _ENDS[TrialState(trial.state)]
    last = len(curve) - 1
    best = curve["epoch"] == trial.best_epoch
    symbols = ["star" if is_best else end if index == last else "circle" for index, is_best in enumerate(best)]
    sizes = [11 if is_best else 9 if index == last else 4 for index, is_best in enumerate(best)]
    return go.Scatter(
        x=curve["epoch"].to_numpy(),
        y=curve["validation"].to_numpy(),
        customdata=[[trial.trial]] * len(curve),
        mode="lines+markers",
        name=f"trial {trial.trial}, {word}{f', best epoch {trial.best_epoch} ★' if best.any() else ''}",
        legendgroup=str(trial.trial),
        line={"color": colour, "width": 2},
        marker={"symbol": symbols, "size": sizes, "color": colour, "opacity": 1, "line": {"width": 0}},
        hovertemplate=f"<b>trial {trial.trial}</b><br>epoch %{{x}}, validation %{{y:.5g}}<extra></extra>",
    )


def _training(trial: Any, curve: pd.DataFrame, colour: str) -> Any:
    return go.Scatter(
        x=curve["epoch"].to_numpy(),
        y=curve["training"].to_numpy(),
        customdata=[[trial.trial]] * len(curve),
        mode="lines",
        name=f"trial {trial.trial}, training",
        legendgroup=str(trial.trial),
        line={"color": colour, "width": 1.5, "dash": "dot"},
        hovertemplate=f"<b>trial {trial.trial}</b><br>epoch %{{x}}, training %{{y:.5g}}<extra></extra>",
    )
