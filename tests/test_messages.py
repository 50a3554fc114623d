"""Quoted input, lists of names and durations as they stand in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from gwas_core.messages import duration, duration_range, elapsed, listed, quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("height", "'height'"),
        ("\x1b[2J", r"'\x1b[2J'"),
        ("a" * 61, f"'{'a' * 59}…'"),
        (1.5, "1.5"),
        (None, "None"),
        ([1, "b"], "[1, 'b']"),
        ([[[[1]]]], "[[[...]]]"),
    ],
)
def test_input_is_quoted_shortened_and_escaped(value: Any, text: str) -> None:
    assert quoted(value) == text


def test_a_deep_or_long_value_stays_short() -> None:
    assert quoted(10**5000) == "a number of thousands of digits"
    long = {str(number): "x" * 10_000 for number in range(10_000)}
    for value in (long, [long] * 8, [[long] * 8] * 8, ["\U000c1445" * 60] * 8):
        assert len(quoted(value)) <= 240


def test_names_are_listed_with_the_number_of_those_left_out() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed("abcdefg", limit=2) == "'a', 'b' and 5 more"
    assert listed("ab", total=2_000) == "'a', 'b' and 1,998 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (40, "40 s"), (720, "12 min"), (12_000, "3 h 20 min"), (187_200, "2 days 4 h")],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1, 3, "a few seconds"),
        (20, 20.2, "20 s"),
        (130, 190, "2 to 3 min"),
        (50, 121, "50 s to 2 min"),
        (7_200, 12_000, "2 h 0 min to 3 h 20 min"),
    ],
)
def test_a_range_of_durations_names_a_shared_unit_once(low: float, high: float, text: str) -> None:
    assert duration_range(low, high) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0372, "0.0372 s"), (9.994, "9.99 s"), (180.0, "3 min"), (22_000.0, "6.1 h")]
)
def test_measured_durations_keep_two_or_three_digits(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text
