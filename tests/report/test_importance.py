"""Importance: found where it is, not claimed where it is not, and silent where too little is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.report.importance import (
    FEWEST_TRIALS,
    Importance,
    importance_figure,
    parameter_importance,
    shown_shares,
)
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from tests.report.example_records import record, searched, trial


def learning_rate_matters(parameters: dict, noise: float) -> float:
    return 0.6 + abs(math.log10(parameters["learning_rate"]) + 3) + 0.02 * abs(noise)


def test_what_matters_is_told_from_chance() -> None:
    importance = parameter_importance(searched(120, errors=learning_rate_matters))
    assert importance.reason == ""
    assert (importance.trials, importance.best) == (120, 12)
    assert importance.table["parameter"].iloc[0] == "learning_rate"
    assert importance.table["beyond_chance"].tolist() == [True] + [False] * 7
    assert importance.table["share"].sum() == pytest.approx(1)
    assert importance.table["share"].is_monotonic_decreasing
    assert importance.table["share"].iloc[0] > 0.7 > importance.chance


def test_in_noise_nothing_matters_nine_times_of_ten() -> None:
    claims = [parameter_importance(searched(60, seed=seed)).table["beyond_chance"].any() for seed in range(12)]
    # One in ten by design; five or more of twelve has a probability of 0.4 %.
    assert sum(claims) < 5


def test_trials_that_exploded_count_like_other_bad_ones() -> None:
    sane = searched(100, errors=learning_rate_matters)
    exploded = replace(
        sane,
        trials=tuple(
            replace(each, value=1e12) if each.parameters["dropout_rate"] > 0.65 and each.value > 1 else each
            for each in sane.trials
        ),
    )
    assert any(each.value == 1e12 for each in exploded.trials)
    assert parameter_importance(exploded).table.equals(parameter_importance(sane).table)


def test_pruned_trials_take_part_and_failed_ones_do_not() -> None:
    sane = searched(60, errors=learning_rate_matters)
    states = [TrialState.PRUNED if number % 3 else TrialState.SUCCEEDED for number in range(60)]
    mixed = [replace(each, state=state) for each, state in zip(sane.trials, states, strict=True)]
    failed = [trial(60 + number, TrialState.FAILED, parameters=sane.trials[number].parameters) for number in range(9)]
    importance = parameter_importance(replace(sane, trials=(*mixed, *failed)))
    assert importance.trials == 60
    assert importance.table.equals(parameter_importance(sane).table)


def test_the_same_trials_give_the_same_figures() -> None:
    some = searched(40)
    assert parameter_importance(some).table.equals(parameter_importance(some).table)


@pytest.mark.parametrize("number", [0, 1, FEWEST_TRIALS - 1])
def test_too_few_trials_are_a_sentence(number: int) -> None:
    importance = parameter_importance(searched(number))
    assert importance.table.empty
    missing = FEWEST_TRIALS - number
    assert f"{missing} more {'is' if missing == 1 else 'are'} needed." in importance.reason
    assert importance_figure(importance).to_json()


def test_what_cannot_be_said_is_a_sentence() -> None:
    same = [replace(each, value=0.5) for each in searched(30).trials]
    assert "same error" in parameter_importance(replace(searched(30), trials=tuple(same))).reason
    alone = searched(30).trials[0].parameters
    constant = [trial(number, parameters=alone, value=0.5 + number) for number in range(30)]
    assert "more than one value" in parameter_importance(record(constant)).reason
    foreign = [trial(number, parameters={"x": number * 10}, value=0.5 + number) for number in range(30)]
    space = SearchSpace((Parameter(name="x", kind=ParameterKind.INT, minimum=0, maximum=5),))
    assert "do not fit the search space" in parameter_importance(record(foreign, space=space)).reason


def test_it_is_shown_from_the_first_trials_on_that_can_tell() -> None:
    importance = parameter_importance(searched(FEWEST_TRIALS, errors=learning_rate_matters))
    assert (importance.reason, importance.trials, importance.best) == ("", FEWEST_TRIALS, 5)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30))
def test_shown_shares_never_pass_a_hundred_percent(parts: list[float]) -> None:
    shares = sorted((part / sum(parts) for part in parts), reverse=True)
    shown = shown_shares(shares)
    assert sum(float(f"{share:.1%}"[:-1]) for share in shown) <= 100 + 1e-9
    assert all(abs(given - share) <= 0.001 + 1e-9 for given, share in zip(shares, shown, strict=True))


def test_no_bar_and_no_axis_passes_a_hundred_percent() -> None:
    table = pd.DataFrame({"parameter": ["a", "b"], "share": [0.98, 0.02], "beyond_chance": [False, False]})
    figure = importance_figure(Importance(table=table, chance=1.7, trials=20, best=5))
    assert figure.layout.xaxis.range == (0, 1)
    assert not figure.layout.shapes
    assert "more than 100 %" in figure.layout.annotations[0].text


def test_the_figure_says_chance_and_what_it_leaves_out() -> None:
    importance = parameter_importance(searched(120, errors=learning_rate_matters))
    figure = importance_figure(importance, top=3)
    beyond, others = figure.data
    assert list(beyond.y) == ["learning_rate"]
    assert beyond.text[0] == f"{importance.table['share'].iloc[0]:.1%}"
    assert (beyond.marker.pattern.shape, len(others.y), others.marker.pattern.shape) == ("", 2, "/")
    assert list(figure.layout.yaxis.categoryarray)[-1] == "learning_rate"
    assert figure.layout.shapes[0].x0 == importance.chance
    notes = [note.text for note in figure.layout.annotations]
    assert notes[0] == "chance alone"
    assert notes[1].startswith("5 more")
    assert "best 12 trials" in figure.layout.xaxis.title.text
