"""The timeline of trials: who ran when, beside whom, and who has no place on it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from gwas_core.report.figure_style import FADED, STATE_COLOURS
from gwas_core.report.timeline import timeline, timeline_figure
from gwas_core.tuning.experiment import TrialState
from tests.report.example_records import START, record, trial


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


TRIALS = (
    trial(0, started=START, finished=START + minutes(4)),
    trial(
        1, TrialState.FAILED, started=START + minutes(1), finished=START + minutes(2), reason="loss became <b>nan</b>"
    ),
    trial(2, TrialState.PRUNED, started=START + minutes(2), finished=START + minutes(6)),
    trial(3, TrialState.RUNNING, started=START + minutes(8), finished=None),
    # Its end is not written down, but how long it took is.
    trial(4, started=START + minutes(5), finished=None, duration=60.0),
    trial(5, started=None),
    trial(6, TrialState.INTERRUPTED, started=START, finished=None),
    trial(7, started=START + minutes(9), finished=START + minutes(1)),  # the clock was set back
    trial(8, TrialState.WAITING, started=None, finished=None),
)


def test_trials_that_ran_at_a_time_are_in_rows_of_their_own() -> None:
    facts = timeline(record(TRIALS), now=START + minutes(10), selected={0, 3})
    assert facts.trials["number"].tolist() == [0, 1, 2, 4, 3]
    assert facts.trials["row"].tolist() == [1, 2, 2, 1, 1]
    assert facts.trials["seconds"].tolist() == [240, 60, 240, 60, 120]
    assert facts.trials["kept"].tolist() == [True, False, False, False, True]
    assert facts.at_a_time == 2
    # Twelve minutes of trials in the eight in which any ran.
    assert facts.busy == pytest.approx(12 / 8)
    # The one that waits has not begun; of the three others it is not known when they began or ended.
    assert facts.without_times == 3


def test_a_night_without_a_trial_takes_no_room() -> None:
    evening = [trial(n, started=START + minutes(n), finished=START + minutes(n + 1)) for n in (0, 1)]
    morning = trial(2, started=START + minutes(600), finished=START + minutes(601))
    facts = timeline(record([*evening, morning]), now=START)
    (pause,) = facts.pauses
    assert pause == tuple((START + minutes(end)).replace(tzinfo=None) for end in (2, 600))
    assert facts.busy == 1
    axis = timeline_figure(facts).layout.xaxis
    assert list(axis.rangebreaks[0].bounds) == ["2026-01-05 09:02:00.000000", "2026-01-05 19:00:00.000000"]
    assert list(axis.range) == ["2026-01-05 08:59:58.200000", "2026-01-05 19:01:01.800000"]
    assert timeline(record(evening), now=START).pauses == ()


def test_bars_tell_states_by_colour_pattern_and_word() -> None:
    figure = timeline_figure(timeline(record(TRIALS), now=START + minutes(10), selected={0}))
    named = {trace.name: trace for trace in figure.data}
    assert list(named) == ["succeeded (2)", "stopped early (1)", "failed (1)", "running, now (1)"]
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 4
    succeeded, failed = named["succeeded (2)"], named["failed (1)"]
    assert succeeded.marker.color == STATE_COLOURS[TrialState.SUCCEEDED]
    assert list(succeeded.marker.opacity) == [pytest.approx(0.85), FADED]
    assert succeeded.base[0] == "2026-01-05 09:00:00.000000"
    assert succeeded.x.tolist() == [240_000, 60_000]
    assert succeeded.customdata.tolist() == [[0], [4]]
    assert "&lt;b&gt;nan" in failed.hovertext[0]
    assert "60 s" in failed.hovertext[0]


def test_a_thousand_trials_at_sixty_four_at_a_time_stay_a_chart() -> None:
    random = np.random.default_rng(0)
    free = [0.0] * 64
    trials = []
    for number in range(1000):
        start = min(free)
        free[free.index(start)] = end = start + float(random.uniform(1, 5))
        trials.append(trial(number, started=START + minutes(start), finished=START + minutes(end)))
    facts = timeline(record(trials), now=START)
    assert facts.at_a_time == 64
    assert facts.busy > 60
    figure = timeline_figure(facts)
    assert figure.layout.height <= 600
    assert figure.layout.yaxis.dtick == 4
    # In one row none begins before the one to its left has ended.
    for _, bars in facts.trials.groupby("row"):
        assert (bars["start"].iloc[1:].to_numpy() >= bars["end"].iloc[:-1].to_numpy()).all()


def test_there_is_a_figure_of_nothing() -> None:
    facts = timeline(record(), now=START)
    assert (facts.at_a_time, facts.busy, facts.without_times) == (0, 0, 0)
    assert timeline_figure(facts).to_json()
