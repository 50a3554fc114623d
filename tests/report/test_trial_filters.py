from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import SettingsError
from gwas_core.model.training import OBJECTIVE
from gwas_core.report.trial_filters import (
    MAXIMUM_TEXT_LENGTH,
    TrialFilter,
    decode_filters,
    encode_filters,
    filter_trials,
    with_filter,
)
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from tests.report.made_records import made_trial

AWKWARD_CHOICES = ("plain", "with space", "a~~b", "1..2", "ü/%?&=#", "mean_squared_error")

SPACE = SearchSpace(
    (
        Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=1e-5, maximum=1.0, scale="log"),
        Parameter(name="layers", kind=ParameterKind.INT, minimum=1, maximum=50),
        Parameter(name="batch", kind=ParameterKind.DISCRETE, choices=(16, 32, 64)),
        Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=AWKWARD_CHOICES),
    ),
    {"epochs": 30},
)

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
ranges = st.tuples(st.none() | numbers, st.none() | numbers).filter(
    lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1])
)


@st.composite
def filters_on(draw: st.DrawFn, name: str) -> TrialFilter:
    if name in ("batch", "loss"):
        choices = (16, 32, 64) if name == "batch" else AWKWARD_CHOICES
        return TrialFilter(
            parameter=name, choices=tuple(draw(st.lists(st.sampled_from(choices), min_size=1, unique=True)))
        )
    low = draw(numbers)
    return TrialFilter(parameter=name, ranges=((low, low + draw(st.floats(0, 1e6))),))


filter_sets = st.lists(st.sampled_from(["rate", "layers", "batch", "loss", OBJECTIVE]), unique=True).flatmap(
    lambda names: st.tuples(*(filters_on(name) for name in names))
)


@given(filter_sets)
def test_filters_come_back_from_a_url_in_which_nothing_needs_escaping(filters: tuple[TrialFilter, ...]) -> None:
    text = encode_filters(filters)
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]*", text)
    assert decode_filters(text, SPACE, objective=OBJECTIVE) == (filters, ())


def test_the_text_reads_well() -> None:
    filters = (
        TrialFilter(parameter="rate", ranges=((1e-4, 1e-3), (0.5, None))),
        TrialFilter(parameter="batch", choices=(16, 32)),
        TrialFilter(parameter=OBJECTIVE, ranges=((None, 0.31),)),
    )
    assert encode_filters(filters) == "rate~1e-4..1e-3~0.5..~~batch~16~32~~val_mean_absolute_error~..0.31"
    assert filters[0].describe() == "rate 1e-4 … 1e-3, ≥ 0.5"
    assert filters[1].describe() == "batch 16, 32"
    assert filters[2].describe("validation error") == "validation error ≤ 0.31"
    assert encode_filters(()) == ""


@given(st.text() | st.text("~.rate1e-loss%_"))
def test_whatever_a_link_holds_is_filtered_by_or_complained_about(text: str) -> None:
    filters, problems = decode_filters(text, SPACE, objective=OBJECTIVE)
    assert filters or problems or not text
    assert decode_filters(encode_filters(filters), SPACE, objective=OBJECTIVE) == (filters, ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no_such~1..2", "is not a parameter"),
        ("epochs~1..2", "is not a parameter"),  # fixed
        ("rate~..", "needs at least one end"),
        ("rate", "nothing to filter rate by"),
        ("rate~1", "is not a range"),
        ("rate~one..2", "is not a number"),
        ("rate~nan..2", "finite"),
        ("rate~2..1", "must not begin above its end"),
        ("rate~..5~3..", "let every trial through"),
        ("rate~" + "~".join(["1..2"] * 101), "at most 100 ranges"),
        ("batch~17", "must be one of"),
        ("loss~<script>", "must be one of"),
        ("\x1b[31m~1..2", r"\\x1b"),
        ("rate~" + "1" * MAXIMUM_TEXT_LENGTH + "..", "longer than"),
    ],
)
def test_what_a_link_cannot_mean_is_named_and_the_rest_kept(text: str, reason: str) -> None:
    filters, problems = decode_filters(f"layers~2..3~~{text}", SPACE, objective=OBJECTIVE)
    assert len(problems) == 1
    assert re.search(reason, problems[0])
    assert problems[0].isprintable()
    if len(text) < MAXIMUM_TEXT_LENGTH:
        assert filters == (TrialFilter(parameter="layers", ranges=((2, 3),)),)


def test_a_parameter_filtered_twice_keeps_its_first_filter() -> None:
    filters, problems = decode_filters("rate~..1~~rate~2..", SPACE, objective=OBJECTIVE)
    assert [entry.ranges for entry in filters] == [((None, 1),)]
    assert "twice" in problems[0]


@given(st.lists(ranges, min_size=1, max_size=5), numbers)
def test_merging_ranges_changes_nothing_that_passes(
    pairs: list[tuple[float | None, float | None]], value: float
) -> None:
    inside = any((low is None or low <= value) and (high is None or value <= high) for low, high in pairs)
    try:
        merged = TrialFilter(parameter="rate", ranges=tuple(pairs))
    except SettingsError:
        assert inside  # together they let everything through
        return
    near_an_end = any(end is not None and math.isclose(end, value, rel_tol=1e-8) for pair in pairs for end in pair)
    assert merged.accepts(value) == inside or near_an_end
    ends = [end for pair in merged.ranges for end in pair if end is not None]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("value", "passes"),
    [(0.1, True), (0.3, True), (0.1 + 0.2, True), (0.3001, False), (None, False), (math.nan, False), ("0.2", False)],
)
def test_both_ends_are_included(value: Any, passes: bool) -> None:
    assert TrialFilter(parameter="rate", ranges=((0.1, 0.3),)).accepts(value) is passes


def test_trials_are_filtered_by_parameters_and_by_the_objective() -> None:
    trials = [
        made_trial(0, parameters={"rate": 0.1, "loss": "plain"}, value=0.5),
        made_trial(1, parameters={"rate": 0.2, "loss": "plain"}, value=0.3),
        made_trial(2, parameters={"rate": 0.1, "loss": "1..2"}, value=0.2),
        made_trial(3, parameters={"rate": 0.1, "loss": "plain"}, value=None, state=TrialState.FAILED),
        made_trial(4, parameters={}, value=None, state=TrialState.WAITING),
    ]

    def passing(*filters: TrialFilter) -> list[int]:
        return [trial.number for trial in filter_trials(trials, filters, objective=OBJECTIVE)]

    rate = TrialFilter(parameter="rate", ranges=((None, 0.1),))
    loss = TrialFilter(parameter="loss", choices=("plain",))
    good = TrialFilter(parameter=OBJECTIVE, ranges=((None, 0.3),))
    assert passing() == [0, 1, 2, 3, 4]
    assert passing(rate) == [0, 2, 3]
    assert passing(rate, loss) == [0, 3]
    assert passing(good) == [1, 2]
    assert passing(rate, loss, good) == []


def test_a_filter_is_replaced_in_its_place() -> None:
    first = TrialFilter(parameter="rate", ranges=((None, 0.1),))
    second = TrialFilter(parameter="loss", choices=("plain",))
    other = TrialFilter(parameter="rate", ranges=((0.2, None),))
    assert with_filter((first, second), "rate", other) == (other, second)
    assert with_filter((second,), "rate", other) == (second, other)
    assert with_filter((first, second), "rate", None) == (second,)
    assert with_filter((second,), "rate", None) == (second,)


@pytest.mark.parametrize("values", [{}, {"ranges": ((1, 2),), "choices": (1,)}])
def test_a_filter_needs_ranges_or_choices(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="either ranges or choices"):
        TrialFilter(parameter="rate", **values)
