"""The distribution of errors: which error of a trial counts, and baselines beside it."""

from __future__ import annotations

import numpy as np
import pytest

from gwas_core.report.distribution import distribution_figure, error_distribution, lowest_error
from gwas_core.tuning.experiment import TrialState
from tests.report.example_records import record, trial

TRIALS = (
    trial(0, value=0.55),
    trial(1, TrialState.FAILED),
    trial(2, TrialState.PRUNED, value=0.62, history=((1, 0.58), (2, 0.62))),
    trial(3, value=0.50),
    trial(4, TrialState.RUNNING),
    trial(5, value=0.58),
    trial(6, value=90.0),
    trial(7, value=float("inf"), history=()),
)


def test_every_trial_that_ended_counts_with_its_lowest_error() -> None:
    facts = error_distribution(record(TRIALS), selected={3, 2})
    assert facts.trials["number"].tolist() == [3, 0, 2, 5, 6]
    assert facts.trials["value"].tolist() == [0.50, 0.55, 0.58, 0.58, 90.0]
    # Equals share the place of the last of them, as in every empirical distribution.
    assert facts.trials["share"].tolist() == pytest.approx([0.2, 0.4, 0.8, 0.8, 1.0])
    assert facts.trials["kept"].tolist() == [True, False, True, False, False]
    assert (facts.above, facts.limits[1] < 1) == (1, True)
    assert (facts.bins[0], facts.bins[-1]) == pytest.approx(facts.limits)
    assert lowest_error(TRIALS[7]) is None


def test_all_trials_on_the_axis_are_in_the_histogram() -> None:
    random = np.random.default_rng(0)
    trials = [trial(number, value=float(value)) for number, value in enumerate(random.normal(0.6, 0.05, 1000))]
    facts = error_distribution(record(trials, with_baselines=False))
    figure = distribution_figure(facts)
    bars, shares = figure.data
    assert 8 <= len(bars.x) <= 40
    assert sum(bars.y) == 1000 - facts.above
    assert (bars.name, shares.line.shape) == ("succeeded (1,000)", "hv")
    assert shares.customdata[0].tolist() == [int(np.argmin([each.value for each in trials]))]


def test_baselines_are_levels_or_stand_in_the_legend_with_an_arrow() -> None:
    figure = distribution_figure(error_distribution(record(TRIALS), selected={3, 2}))
    named = {trace.name: trace for trace in figure.data if trace.yaxis == "y2"}
    assert list(named) == [
        "all trials",
        "share of trials",
        "GBLUP + family (REML) 0.514",
        "GBLUP (REML) 0.518",
        "→ Family mean, no SNP 0.64",
        "→ Training mean 0.777",
    ]
    assert list(named["GBLUP (REML) 0.518"].x) == [0.518, 0.518]
    assert list(named["→ Training mean 0.777"].x) == [None]
    # Of the trials that the filter keeps, half have an error up to the best one's.
    assert named["share of trials"].y.tolist() == [0.5, 1.0]


def test_there_is_a_figure_of_little() -> None:
    for trials in ((), (trial(0, value=0.5),), (trial(0, TrialState.FAILED),)):
        assert distribution_figure(error_distribution(record(trials))).to_json()
