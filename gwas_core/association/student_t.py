"""Student's t distribution: p-values too small for a float, as -log10 p."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, stdtr

Floats = NDArray[np.float64]

# Below this probability scipy's value nears the smallest float, and the logarithm is computed directly.
_SMALL = 1e-280
_TINY = 1e-300
_ITERATIONS = 500


def two_sided_neg_log10_p(t: Floats, degrees_of_freedom: int) -> Floats:
    """Return -log10 of the two-sided p-value of t statistics of any size.

    Args:
        t: float64, any shape.
        degrees_of_freedom: the same for all.

    Returns:
        float64 in the shape of ``t``: 400 for a p-value of 1e-400, which no float holds; infinite only where ``t`` is
        infinite, and NaN where ``t`` is NaN.
    """
    size = np.abs(np.asarray(t, dtype=np.float64))
    tail = stdtr(degrees_of_freedom, -size)
    with np.errstate(divide="ignore"):
        result: Floats = -np.log10(np.minimum(2 * tail, 1.0))
    far = (tail < _SMALL) & np.isfinite(size)
    result[far] = -_log_far_tail(size[far], degrees_of_freedom) / np.log(10)
    result[np.isinf(size)] = np.inf
    # -log10(1) is -0.0.
    return result + 0.0


def _log_far_tail(size: Floats, degrees_of_freedom: int) -> Floats:
    """Return log P(|T| > size) = log I_x(v / 2, 1 / 2), x = v / (v + size²), by a continued fraction.

    The formulas are 26.5.27 and 26.5.8 of Abramowitz and Stegun 1964. The fraction converges in a few steps, since
    x < (a + 1) / (a + b + 2) for every size whose tail is small.
    """
    a, b = degrees_of_freedom / 2, 0.5
    # In logarithms: the square of an enormous t is no float either.
    log_ratio = 2 * np.log(size) - np.log(degrees_of_freedom)
    log_x = -np.logaddexp(0.0, log_ratio)
    log_rest = -np.logaddexp(0.0, -log_ratio)
    fraction = _beta_fraction(a, b, np.exp(log_x))
    result: Floats = a * log_x + b * log_rest - np.log(a) - betaln(a, b) + np.log(fraction)
    return result


def _beta_fraction(a: float, b: float, x: Floats) -> Floats:
    """Return the continued fraction of the incomplete beta function by Lentz's method (Thompson and Barnett 1986)."""
    c = np.ones_like(x)
    d = 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d.copy()
    for m in range(1, _ITERATIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = np.ones_like(x)
        for numerator in (even, odd):
            d = 1 / _not_zero(1 + numerator * d)
            c = _not_zero(1 + numerator / c)
            change = change * c * d
        value = value * change
        if np.all(np.abs(change - 1) < 1e-14):
            break
    return value


def _not_zero(values: Floats) -> Floats:
    return np.where(np.abs(values) < _TINY, _TINY, values)
