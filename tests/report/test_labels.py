from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gwas_core.report.labels import number_label, shortened, told_apart


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.001, "1e-3"),
        (1e-7, "1e-7"),
        (0.00025, "2.5e-4"),
        (0.01, "0.01"),
        (0.2991, "0.2991"),
        (0.25, "0.25"),
        (32.0, "32"),
        (0, "0"),
        (-0.002, "-2e-3"),
        (123456.0, "1.235e5"),
        (5e10, "5e10"),
    ],
)
def test_numbers_are_short(value: float, label: str) -> None:
    assert number_label(value) == label


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(4, 6))
@example(sys.float_info.max, 4)  # rounds up to what is infinite
@example(-sys.float_info.max, 6)
def test_a_label_is_near_its_number(value: float, digits: int) -> None:
    assert float(number_label(value, digits=digits)) == pytest.approx(value, rel=1e-3)


def test_long_and_unprintable_text_is_shortened() -> None:
    assert shortened("mean_squared_error", limit=8) == "mean_sq…"
    assert shortened("a\nb\u202ec", limit=8) == "a\ufffdb\ufffdc"
    assert shortened("exactly8", limit=8) == "exactly8"


@given(st.lists(st.sampled_from(["a", "b", ""])))
def test_repeated_labels_are_told_apart_by_something_invisible(labels: list[str]) -> None:
    told = told_apart(labels)
    assert len(set(told)) == len(told)
    assert [label.replace("\u200b", "") for label in told] == labels
