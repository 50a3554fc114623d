"""The history of a search: its facts, and that the figure says them without relying on colour."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.report.figure_style import FADED
from gwas_core.report.history import (
    SPARKLINE_POINTS,
    baseline_levels,
    best_so_far,
    history_figure,
    optimization_history,
    sparkline,
)
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentSummary
from tests.report.example_records import baselines, record, trial

TRIALS = (
    trial(0, TrialState.FAILED, reason="loss became <b>nan</b>"),
    trial(1, value=0.9),
    trial(2, TrialState.PRUNED, value=0.5, reason="others were better"),
    trial(3, value=0.7),
    trial(4, value=1e6),
    trial(5, TrialState.RUNNING, history=((1, 0.8), (2, 0.65))),
    trial(6, TrialState.WAITING),
    trial(7, TrialState.INTERRUPTED, history=((1, 0.72),)),
    trial(8, TrialState.RUNNING, history=()),
)


def test_every_trial_with_something_to_show_is_there() -> None:
    history = optimization_history(record(TRIALS), selected={3, 5})
    trials = history.trials
    assert trials["number"].tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert trials["state"].tolist() == [
        "failed",
        "succeeded",
        "pruned",
        "succeeded",
        "succeeded",
        "running",
        "interrupted",
    ]
    # A trial under way stands at its latest epoch; a pruned one never is the best.
    np.testing.assert_array_equal(trials["value"], [np.nan, 0.9, 0.5, 0.7, 1e6, 0.65, 0.72])
    np.testing.assert_array_equal(trials["best_so_far"], [np.nan, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7])
    assert trials["kept"].tolist() == [False, False, False, True, False, True, False]
    assert history.baselines["title"].tolist()[:2] == ["GBLUP + family (REML)", "GBLUP (REML)"]
    assert history.baselines["value"].tolist() == [0.514, 0.518, 0.640, 0.777]
    assert history.limits[0] < 0.5
    assert 0.9 < history.limits[1] < 1


def test_the_figure_tells_states_by_words_and_shapes() -> None:
    figure = history_figure(optimization_history(record(TRIALS)))
    named = {trace.name: trace for trace in figure.data}
    assert set(named) == {
        "best so far: 0.7, trial 3",
        "succeeded (3)",
        "stopped early, at its last epoch (1)",
        "running, now (1)",
        "interrupted, at its last epoch (1)",
        "best",
        "failed (1)",
        "higher (1)",
    }
    symbols = [trace.marker.symbol for trace in figure.data if trace.mode == "markers"]
    assert len(set(symbols)) == len(symbols)
    assert named["best so far: 0.7, trial 3"].line.shape == "hv"
    assert named["best"].x.tolist() == [3]
    # Failed ones and those above the axis stand in a strip of their own, with words at its axis.
    assert named["failed (1)"].yaxis == named["higher (1)"].yaxis == "y2"
    assert list(figure.layout.yaxis2.ticktext) == ["failed (1)", "higher (1)"]
    assert named["higher (1)"].customdata.tolist() == [[4]]
    assert "&lt;b&gt;nan&lt;/b&gt;" in named["failed (1)"].hovertext[0]
    assert {note.text.rsplit(" ", 1)[1] for note in figure.layout.annotations} == {"0.777", "0.64", "0.518", "0.514"}


def test_filtered_trials_are_faded() -> None:
    figure = history_figure(optimization_history(record(TRIALS), selected={1}))
    succeeded = next(trace for trace in figure.data if trace.name.startswith("succeeded"))
    assert list(succeeded.marker.opacity) == [pytest.approx(0.85), FADED, FADED]


@pytest.mark.parametrize(
    "trials",
    [
        (),
        (trial(0, TrialState.WAITING),),
        (trial(0, TrialState.FAILED),),
        (trial(0, TrialState.RUNNING, history=((1, 0.4),)),),
        (trial(0, value=None),),
        (trial(0, value=0.5),),
    ],
)
@pytest.mark.parametrize("with_baselines", [True, False])
def test_there_is_a_figure_of_little(trials: tuple, with_baselines: bool) -> None:
    history = optimization_history(record(trials, with_baselines=with_baselines))
    figure = history_figure(history)
    # Every baseline is named; those beyond the trials' axis have an arrow in place of a line.
    named = [note.text for note in figure.layout.annotations]
    assert len(named) == (4 if with_baselines else 0)
    assert len(figure.layout.shapes) == sum(text[0] not in "↑↓" for text in named)
    assert figure.layout.yaxis.range == history.limits
    assert figure.to_json()


@given(st.lists(st.none() | st.floats(-1e6, 1e6)))
def test_best_so_far_is_the_running_minimum(values: list[float | None]) -> None:
    known = pd.Series(values, dtype="float64").cummin().ffill()
    np.testing.assert_array_equal(best_so_far(values), known)


def test_sparklines_are_short_and_end_at_the_best() -> None:
    def summary(values: list[float]) -> ExperimentSummary:
        return ExperimentSummary(
            name="a",
            source="a.txt",
            created="2026-01-05T09:00:00+00:00",
            engine="local",
            state=ExperimentState.RUNNING,
            reason="",
            max_trials=1000,
            counts=Counter(),
            values=tuple(enumerate(values)),
            baselines=None,
        )

    assert sparkline(summary([])) == []
    assert sparkline(summary([3.0, 4.0, 2.0])) == [3, 3, 2]
    values = np.random.default_rng(0).random(1000).tolist()
    line = sparkline(summary(values))
    assert len(line) == SPARKLINE_POINTS
    assert (line[0], line[-1]) == (values[0], min(values))
    assert line == sorted(line, reverse=True)


def test_levels_of_baselines_come_best_first() -> None:
    assert baseline_levels(baselines())["name"].tolist() == ["gblup_family", "gblup", "family_mean", "mean"]
    assert baseline_levels(None).empty
