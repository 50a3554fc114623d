"""Significance of many tests (Bonferroni, false discovery rate), and inflation of the tests as a whole (lambda).

Also here: chi-square statistics from p-values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from gwas_core.errors import SettingsError

Floats = NDArray[np.float64]

MEDIAN_CHI_SQUARE = 0.454936423119572
"""Median of the chi-square distribution with one degree of freedom."""


def bonferroni(alpha: float, tests: int) -> float:
    """Return the p-value below which one of many tests is significant (Bonferroni correction, Dunn 1961).

    Args:
        alpha: probability of any false positive among all tests.
        tests: number of tests.

    Raises:
        SettingsError: ``alpha`` does not lie between 0 and 1, or there is no test.
    """
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha must lie between 0 and 1, but is {alpha}", field="alpha")
    if tests < 1:
        raise SettingsError(f"at least one test is needed, not {tests}", field="tests")
    return alpha / tests


def chi_square(neg_log10_p: Floats) -> Floats:
    """Return the chi-square statistics (one degree of freedom) that have these p-values.

    Args:
        neg_log10_p: -log10 of p-values, of any size, any shape.

    Returns:
        float64 in the same shape, NaN for NaN.
    """
    # A two-sided p is twice a normal tail, whose logarithm never underflows.
    quantile = ndtri_exp(-np.asarray(neg_log10_p, dtype=np.float64) * np.log(10) - np.log(2))
    statistic: Floats = np.square(quantile)
    return statistic


def genomic_inflation(neg_log10_p: Floats) -> float | None:
    """Return lambda: median chi-square over its value without any association (Devlin and Roeder 1999).

    Without inflation it is about 1.

    Args:
        neg_log10_p: -log10 of p-values, (SNPs,), NaN where a SNP was not tested.

    Returns:
        Lambda, or None if no SNP was tested.
    """
    tested = neg_log10_p[~np.isnan(neg_log10_p)]
    if not tested.size:
        return None
    return float(np.median(chi_square(tested)) / MEDIAN_CHI_SQUARE)


def false_discovery_rate(p_values: Floats) -> Floats:
    """Return the smallest false discovery rate at which each test is significant (Benjamini and Hochberg 1995).

    Args:
        p_values: (tests,), NaN where a SNP was not tested.

    Returns:
        float64 (tests,), NaN where the p-value is NaN.
    """
    # Imported here, since it loads all of scipy.stats, and every process of a trial imports this module.
    from scipy.stats import false_discovery_control

    adjusted = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], method="bh")
    return adjusted
