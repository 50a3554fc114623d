"""Slice plots: the error against each hyperparameter, one small plot for each parameter.

Also here: log axes and their ticks; long names of choices in two lines; points of a choice scattered side by side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwas_core.report.figure_style import SEQUENCE, is_kept, marker_trace, new_figure, opacities, value_range
from gwas_core.report.history import baseline_levels
from gwas_core.report.labels import number_label
from gwas_core.report.text import plot_text
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Parameter, Scale

_PANEL_HEIGHT = 210
_GAP = 72  # pixels between rows, for tick labels and the parameter's name
_TOP, _BOTTOM = 34, 55
_STRIP_WIDTH = 0.5  # of the distance of two choices, over which their points are scattered
_MOST_LABELS = 8  # choices named on an axis; of more, every so-many-th is
_LABEL_CHARACTERS = 48  # that fit side by side under a panel
_GOLDEN = (math.sqrt(5) - 1) / 2
_SYMBOLS = {TrialState.SUCCEEDED: "circle", TrialState.PRUNED: "triangle-down"}


@dataclass(frozen=True, eq=False, kw_only=True)
class SlicePanel:
    """Facts about one parameter.

    Attributes:
        parameter: its name.
        log: whether its axis is logarithmic.
        choices: texts at 0, 1, 2 ... of the axis; empty if the axis is numeric.
        limits: lowest and highest end of the axis, as values of the parameter or places of choices.
        points: a row for each trial: number, state, x (place on the axis; choices are scattered around theirs), shown
            (value of the parameter as text), value (error) and kept (by the filter).
    """

    parameter: str
    log: bool
    choices: tuple[str, ...]
    limits: tuple[float, float]
    points: pd.DataFrame


@dataclass(frozen=True, eq=False, kw_only=True)
class Slices:
    """Facts of the figure.

    Attributes:
        panels: one for each parameter, in the order asked for.
        limits: of the error axis that all panels share.
        above: number of trials whose error lies above the axis.
    """

    panels: tuple[SlicePanel, ...]
    limits: tuple[float, float]
    above: int


def parameter_slices(
    record: ExperimentRecord, *, parameters: Sequence[str] | None = None, selected: Collection[int] | None = None
) -> Slices:
    """Return the errors of finished trials by parameter.

    Args:
        record: of a search in any state.
        parameters: names of the parameters in the order to draw; unknown ones are left out. By default all that took
            more than one value. A page should ask for the six or nine most important ones: 29 plots of 1,000 trials
            are slow to draw.
        selected: numbers of the trials that a filter keeps; None for all.
    """
    trials = [
        trial
        for trial in record.trials
        if trial.state in _SYMBOLS and trial.value is not None and math.isfinite(trial.value)
    ]
    kept = is_kept([trial.number for trial in trials], selected)
    known = {parameter.name: parameter for parameter in record.experiment.space.parameters}
    panels = [_panel(known[name], trials, kept) for name in (parameters or known) if name in known]
    if parameters is None:
        panels = [panel for panel in panels if panel.points["shown"].nunique() > 1]
    values = [trial.value for trial in trials if trial.value is not None]
    limits = value_range(values, levels=baseline_levels(record.baselines)["value"].tolist())
    return Slices(panels=tuple(panels), limits=limits, above=sum(value > limits[1] for value in values))


def slices_figure(slices: Slices, *, columns: int = 3) -> go.Figure:
    """Draw one small plot for each parameter.

    Colour is the trial's number, and click data begin with it.

    Args:
        slices: facts to draw.
        columns: largest number of plots side by side.
    """
    columns = max(1, min(columns, len(slices.panels)))
    rows = max(1, math.ceil(len(slices.panels) / columns))
    inner = rows * _PANEL_HEIGHT + (rows - 1) * _GAP
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        horizontal_spacing=0.02,
        vertical_spacing=_GAP / inner,
        figure=new_figure(height=inner + _TOP + _BOTTOM, showlegend=False),
    )
    figure.update_layout(margin={"t": _TOP, "b": _BOTTOM})
    total = sum(len(panel.points) for panel in slices.panels)
    for index, panel in enumerate(slices.panels):
        row, column = index // columns + 1, index % columns + 1
        figure.add_trace(_points(panel, total), row=row, col=column)
        figure.update_xaxes(_axis(panel), row=row, col=column)
    figure.update_yaxes(range=list(slices.limits))
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENCE,
            "colorbar": {
                "title": {"text": "Trial"},
                "thickness": 12,
                "len": min(1.0, 260 / inner),
                "y": 1,
                "yanchor": "top",
            },
        }
    )
    for row in range(1, rows + 1):
        figure.update_yaxes(title={"text": "MAE, validation lines"}, row=row, col=1)
    figure.add_annotation(
        text=_legend(slices),
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=8,
        showarrow=False,
    )
    return figure


def _panel(parameter: Parameter, trials: Sequence[TrialRecord], kept: Sequence[bool]) -> SlicePanel:
    rows = []
    for trial, is_in in zip(trials, kept, strict=True):
        place = _place(parameter, trial)
        if place is not None:
            shown = f"{place:.6g}" if parameter.kind.is_range() else str(trial.parameters[parameter.name])
            rows.append((trial.number, trial.state.value, place, shown, trial.value, is_in))
    points = pd.DataFrame(rows, columns=["number", "state", "x", "shown", "value", "kept"])
    choices: tuple[str, ...] = ()
    if parameter.kind.is_range():
        limits = float(parameter.bounds[0]), float(parameter.bounds[1])
    else:
        choices = tuple(str(choice) for choice in parameter.choices)
        limits = -0.5, len(choices) - 0.5
    return SlicePanel(
        parameter=parameter.name, log=parameter.scale is Scale.LOG, choices=choices, limits=limits, points=points
    )


def _place(parameter: Parameter, trial: TrialRecord) -> float | None:
    """Return where a trial lies on the parameter's axis; None for a value that the parameter cannot have."""
    value = trial.parameters.get(parameter.name)
    if not parameter.kind.is_range():
        if value not in parameter.choices:
            return None
        # The golden ratio scatters neighbouring numbers evenly, and the same way every time.
        return parameter.choices.index(value) + _STRIP_WIDTH * ((trial.number * _GOLDEN) % 1 - 0.5)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and (value > 0 or parameter.scale is not Scale.LOG) else None


def _points(panel: SlicePanel, total: int) -> Any:
    points = panel.points
    name = plot_text(panel.parameter)
    return marker_trace(total)(
        x=points["x"].to_numpy(dtype=np.float64),
        y=points["value"].to_numpy(dtype=np.float64),
        mode="markers",
        marker={
            "color": points["number"].tolist(),
            "coloraxis": "coloraxis",
            "size": 6,
            "symbol": [_SYMBOLS[TrialState(state)] for state in points["state"]],
            "opacity": opacities(points["kept"]),
        },
        customdata=points[["number"]].to_numpy(),
        hovertext=[
            f"<b>trial {number}</b>, {state}<br>{name} {plot_text(shown)}<br>{value:.5g}"
            for number, state, shown, value in zip(
                points["number"], points["state"], points["shown"], points["value"], strict=True
            )
        ],
        hoverinfo="text",
    )


def _axis(panel: SlicePanel) -> JsonObject:
    axis: JsonObject = {"title": {"text": plot_text(panel.parameter)}}
    low, high = panel.limits
    if panel.choices:
        return axis | _choice_ticks(panel.choices) | {"range": [low, high], "showgrid": False, "tickangle": 0}
    if panel.log:
        ticks = log_ticks(low, high)
        low, high = math.log10(low), math.log10(high)
        axis |= {"type": "log", "tickvals": ticks, "ticktext": [number_label(tick) for tick in ticks]}
    air = 0.04 * (high - low)
    return axis | {"range": [low - air, high + air], "nticks": 6}


def _choice_ticks(choices: Sequence[str]) -> JsonObject:
    step = math.ceil(len(choices) / _MOST_LABELS)
    places = list(range(0, len(choices), step))
    width = max(5, _LABEL_CHARACTERS // len(places))
    return {"tickvals": places, "ticktext": [two_lines(choices[place], width=width) for place in places]}


def two_lines(text: str, *, width: int) -> str:
    """Return a choice as text under its strip, in two lines if it is long, broken between words.

    Args:
        text: the choice.
        width: number of characters of a line.
    """
    if len(text) <= width:
        return plot_text(text)
    starts = [match.start() for match in re.finditer(r"(?<=[_\W])[^_\W]|(?<=[a-z])[A-Z]", text)]
    fitting = [start for start in starts if start <= width]
    at = fitting[-1] if fitting else width
    return f"{plot_text(text[:at])}<br>{plot_text(text[at:], limit=width + 2)}"


def log_ticks(low: float, high: float) -> list[float]:
    """Return a few round values for a logarithmic axis: 1, 2 and 5 of each power of ten, or powers alone.

    Args:
        low: lower end of the axis, above 0.
        high: upper end.

    Returns:
        The two ends if the range is too narrow to hold two round values.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first <= 2:
        candidates = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    else:
        step = math.ceil((last - first) / 4)
        candidates = [10.0**power for power in range(first, last + 1) if power % step == 0]
    # A power of ten and the end of a range may differ by rounding.
    ticks = [tick for tick in candidates if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return ticks if len(ticks) > 1 else [low, high]


def _legend(slices: Slices) -> str:
    states = {state for panel in slices.panels for state in panel.points["state"]}
    parts = ["● succeeded"]
    if TrialState.PRUNED.value in states:
        parts.append("▼ stopped early, at its last epoch")
    if slices.above:
        parts.append(f"{slices.above:,} higher: double-click to see {'it' if slices.above == 1 else 'them'}")
    return "   ".join(parts)
