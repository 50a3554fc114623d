"""Timeline of the trials: when each one ran, in which state, and how many ran at a time.

Also here: which trials have no place on it; how trials that run at a time are put into rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.messages import duration
from gwas_core.report.figure_style import STATE_COLOURS, bar_pattern, is_kept, new_figure, opacities
from gwas_core.report.text import plot_lines
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

_ROW, _LEAST_HEIGHT, _MOST_HEIGHT = 34, 190, 560  # pixels
_MOST_TICKS = 16
_THICKNESS = 0.76  # of a row
# A pattern says the state too, for who cannot tell the colours.
_PATTERNS = {
    TrialState.SUCCEEDED: ("succeeded", ""),
    TrialState.PRUNED: ("stopped early", "/"),
    TrialState.FAILED: ("failed", "x"),
    TrialState.RUNNING: ("running, now", "."),
    TrialState.INTERRUPTED: ("interrupted", "-"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Timeline:
    """Facts of the figure.

    Attributes:
        trials: one row for each trial whose times are known, by its start: number, state, start, end (UTC, without a
            zone; of the latest attempt; a running trial ends now), seconds, row (from 1: the lowest in which no other
            trial ran meanwhile), value (error; NaN if there is none), kept (by the filter), reason.
        at_a_time: largest number of trials that ran at a time; 0 if there are none.
        busy: mean number of trials at a time while at least one was running; 0 if there are none.
        without_times: number of trials that began and are left out, since it is not known when they began or ended.
    """

    trials: pd.DataFrame
    at_a_time: int
    busy: float
    without_times: int


def timeline(record: ExperimentRecord, *, now: datetime, selected: Collection[int] | None = None) -> Timeline:
    """Return the facts of the timeline.

    Args:
        record: of a search in any state.
        now: where running trials end, with its time zone.
        selected: numbers of the trials that a filter keeps; None for all.
    """
    begun = [trial for trial in record.trials if trial.state is not TrialState.WAITING]
    spans = [(*span, trial) for trial in begun if (span := _span(trial, now)) is not None]
    spans.sort(key=lambda entry: (entry[0], entry[2].number))
    rows = _rows([(start, end) for start, end, _ in spans])
    trials = pd.DataFrame(
        {
            "number": pd.Series([trial.number for *_, trial in spans], dtype="int64"),
            "state": pd.Series([trial.state.value for *_, trial in spans], dtype="str"),
            "start": pd.Series([start.replace(tzinfo=None) for start, _, _ in spans], dtype="datetime64[ms]"),
            "end": pd.Series([end.replace(tzinfo=None) for _, end, _ in spans], dtype="datetime64[ms]"),
            "seconds": pd.Series([(end - start).total_seconds() for start, end, _ in spans], dtype="float64"),
            "row": pd.Series(rows, dtype="int64"),
            "value": pd.Series([trial.value for *_, trial in spans], dtype="float64"),
            "kept": pd.Series(is_kept([trial.number for *_, trial in spans], selected), dtype="bool"),
            "reason": pd.Series([trial.reason for *_, trial in spans], dtype="str"),
        }
    )
    worked = _covered([(start, end) for start, end, _ in spans])
    return Timeline(
        trials=trials,
        at_a_time=max(rows, default=0),
        busy=float(trials["seconds"].sum()) / worked if worked else float(bool(spans)),
        without_times=len(begun) - len(spans),
    )


def timeline_figure(facts: Timeline) -> go.Figure:
    """Draw a bar for each trial from its start to its end, in rows of trials that ran at a time.

    Colour and pattern are the state, and click data begin with the trial's number.

    Args:
        facts: as ``timeline`` returns them.
    """
    height = min(max(_LEAST_HEIGHT, 130 + _ROW * facts.at_a_time), _MOST_HEIGHT)
    figure = new_figure(height=height, barmode="overlay", showlegend=True)
    for state, (label, pattern) in _PATTERNS.items():
        rows = facts.trials[facts.trials["state"] == state.value]
        if len(rows):
            figure.add_trace(_bars(rows, f"{label} ({len(rows):,})", STATE_COLOURS[state], pattern))
    every = -(-facts.at_a_time // _MOST_TICKS) or 1
    figure.update_xaxes(title="Time (UTC)", type="date")
    figure.update_yaxes(
        title="Trials at a time",
        range=[0.4, max(facts.at_a_time, 1) + 0.6],
        tick0=1,
        dtick=every,
        showgrid=False,
        fixedrange=True,
    )
    return figure


def _span(trial: TrialRecord, now: datetime) -> tuple[datetime, datetime] | None:
    """Return start and end of a trial's latest attempt; None if they are not known, or if the clock was set back."""
    end = now if trial.state is TrialState.RUNNING else trial.finished
    if trial.started is None:
        return None
    if end is None and trial.duration is not None:
        end = trial.started + timedelta(seconds=trial.duration)
    return None if end is None or end < trial.started else (trial.started, end)


def _rows(spans: list[tuple[datetime, datetime]]) -> list[int]:
    """Return for each span, by start, the lowest row from 1 in which the span before has ended."""
    ends: list[datetime] = []
    rows = []
    for start, end in spans:
        free = next((row for row, until in enumerate(ends) if until <= start), len(ends))
        ends[free : free + 1] = [end]
        rows.append(free + 1)
    return rows


def _covered(spans: list[tuple[datetime, datetime]]) -> float:
    """Return the seconds in which at least one of the spans, which are in order of their starts, was under way."""
    seconds, until = 0.0, None
    for start, end in spans:
        begin = start if until is None else max(start, until)
        if end > begin:
            seconds += (end - begin).total_seconds()
            until = end
    return seconds


def _bars(rows: pd.DataFrame, name: str, colour: str, pattern: str) -> Any:
    texts = [
        "<br>".join(part for part in (f"<b>trial {number}</b>, {state}", length, error, plot_lines(reason)) if part)
        for number, state, length, error, reason in zip(
            rows["number"],
            rows["state"],
            [duration(seconds) for seconds in rows["seconds"]],
            ["" if np.isnan(value) else f"error {value:.5g}" for value in rows["value"]],
            rows["reason"],
            strict=True,
        )
    ]
    return go.Bar(
        base=rows["start"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").tolist(),
        x=(1000 * rows["seconds"]).to_numpy(),  # milliseconds, as plotly counts time
        y=rows["row"].to_numpy(),
        width=_THICKNESS,  # by itself plotly makes bars thicker where a state is missing from a row
        orientation="h",
        name=name,
        marker={
            "color": colour,
            "opacity": opacities(rows["kept"]),
            "pattern": bar_pattern(pattern),
            "line": {"width": 0},
        },
        customdata=rows[["number"]].to_numpy(),
        hovertext=texts,
        hoverinfo="text",
    )
