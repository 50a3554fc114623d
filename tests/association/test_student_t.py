"""p-values of any size against exact arithmetic and scipy."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gwas_core.association.student_t import two_sided_neg_log10_p


def exact_neg_log10_p(t: float, degrees_of_freedom: int) -> float:
    """For even degrees of freedom the probability is a finite sum: Abramowitz and Stegun 1964, 26.7.4."""
    with localcontext() as context:
        context.prec = 900
        square = Decimal(t) ** 2
        sine = (square / (square + degrees_of_freedom)).sqrt()
        cosine = Decimal(degrees_of_freedom) / (square + degrees_of_freedom)
        term = total = Decimal(1)
        for k in range(1, degrees_of_freedom // 2):
            term *= cosine * (2 * k - 1) / (2 * k)
            total += term
        return float(-(1 - sine * total).log10())


@pytest.mark.parametrize("degrees_of_freedom", [2, 10, 498, 3498])
@pytest.mark.parametrize("t", [0.3, 2.0, 8.0, 30.0, 40.0, 41.0, 42.0, 45.0, 60.0])
def test_values_are_those_of_exact_arithmetic(t: float, degrees_of_freedom: int) -> None:
    value = two_sided_neg_log10_p(np.array([t, -t]), degrees_of_freedom)
    assert value == pytest.approx([exact_neg_log10_p(t, degrees_of_freedom)] * 2, rel=1e-11)


def test_known_beyond_the_smallest_float() -> None:
    # p = 1e-301 is scipy's last word, 0 follows; ours goes on without a step.
    t = np.linspace(35, 70, 400)
    values = two_sided_neg_log10_p(t, 3498)
    assert np.isfinite(values).all()
    assert values[-1] > 600
    steps = np.diff(values)
    assert (np.abs(np.diff(steps)) < 0.01).all()


@given(t=st.floats(0, 30), degrees_of_freedom=st.integers(1, 100_000))
def test_agrees_with_scipy_where_it_can_follow(t: float, degrees_of_freedom: int) -> None:
    expected = -math.log10(min(1.0, 2 * stats.t.sf(t, degrees_of_freedom)))
    assert two_sided_neg_log10_p(np.array([t]), degrees_of_freedom)[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 5, 3498, 1_000_000])
def test_the_ends(degrees_of_freedom: int) -> None:
    nothing, infinite, unknown, huge, huger = two_sided_neg_log10_p(
        np.array([0.0, -np.inf, np.nan, 1e150, 1e300]), degrees_of_freedom
    )
    assert nothing == 0
    assert not np.signbit(nothing)
    assert infinite == np.inf
    assert np.isnan(unknown)
    assert np.isfinite([huge, huger]).all()
    # The tail is a power of t: 150 more decades of t are 150 × degrees of freedom decades of p.
    assert huger - huge == pytest.approx(150 * degrees_of_freedom, rel=1e-9)
