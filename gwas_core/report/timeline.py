"""Timeline of the trials: when each one ran, in which state, and how many ran at a time.

Also here: which trials have no place on it; how trials that run at a time are put into rows; pauses that are cut out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.messages import duration
from gwas_core.report.figure_style import GREY, STATE_COLOURS, bar_pattern, is_kept, new_figure, opacities
from gwas_core.report.text import plot_lines
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

_ROW, _LEAST_HEIGHT, _MOST_HEIGHT = 34, 190, 560  # pixels
_MOST_TICKS = 16
_MOST_BEGINS = 6  # times named on an axis with pauses
_TIME = "%Y-%m-%d %H:%M:%S.%f"  # as plotly reads it
_LONG_PAUSE = 0.25  # of the time in which trials ran
_SHORTEST_PAUSE = 60  # seconds
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
        pauses: start and end (UTC, without a zone) of each long time in which no trial ran, as between a stop and a
            resume; they are cut out of the axis.
        without_times: number of trials that began and are left out, since it is not known when they began or ended.
    """

    trials: pd.DataFrame
    at_a_time: int
    busy: float
    pauses: tuple[tuple[datetime, datetime], ...]
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
    stretches = _stretches([(start, end) for start, end, _ in spans])
    worked = sum((end - start).total_seconds() for start, end in stretches)
    return Timeline(
        trials=trials,
        at_a_time=max(rows, default=0),
        busy=float(trials["seconds"].sum()) / worked if worked else float(bool(spans)),
        pauses=_pauses(stretches, worked),
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
    breaks = [{"bounds": [f"{start:{_TIME}}", f"{end:{_TIME}}"]} for start, end in facts.pauses]
    figure.update_xaxes(title="Time (UTC)", type="date", rangebreaks=breaks)
    if len(facts.trials):
        first, last = facts.trials["start"].min(), facts.trials["end"].max()
        cut = sum((end - start for start, end in facts.pauses), timedelta())
        # Plotly would leave a margin as for the axis before anything was cut out of it.
        air = max(0.01 * (last - first - cut), timedelta(seconds=0.5))
        figure.update_xaxes(range=[f"{first - air:{_TIME}}", f"{last + air:{_TIME}}"])
        if facts.pauses:  # plotly would space ticks as if the pauses took room, and most of them would lie in one
            begins = [first, *(end for _, end in facts.pauses)]
            shown = begins[:: -(-len(begins) // _MOST_BEGINS)]
            figure.update_xaxes(
                tickvals=[f"{begin:{_TIME}}" for begin in shown],
                ticktext=[f"{begin:%b %d<br>%H:%M}" for begin in shown],
            )
    for _, end in facts.pauses:
        figure.add_vline(x=f"{end:{_TIME}}", line={"color": GREY, "width": 1, "dash": "dot"}, layer="below")
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


def _stretches(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the times in which at least one of the spans, which are in order of their starts, was under way."""
    stretches: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(stretches[-1][1], end)
        else:
            stretches.append((start, end))
    return stretches


def _pauses(stretches: list[tuple[datetime, datetime]], worked: float) -> tuple[tuple[datetime, datetime], ...]:
    """Return the times between stretches that would take much of an axis on which the trials are to be seen."""
    return tuple(
        (end.replace(tzinfo=None), start.replace(tzinfo=None))
        for (_, end), (start, _) in pairwise(stretches)
        if (start - end).total_seconds() > max(_LONG_PAUSE * worked, _SHORTEST_PAUSE)
    )


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
        base=rows["start"].dt.strftime(_TIME).tolist(),
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
