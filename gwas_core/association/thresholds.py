"""What counts as significant when many SNPs are tested, and whether the tests as a whole are inflated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from gwas_core.errors import SettingsError

Floats = NDArray[np.float64]

MEDIAN_CHI_SQUARE = 0.454936423119572
"""Median of the chi-square distribution with one degree of freedom."""


def bonferroni(alpha: float, tests: int) -> float:
    """The p-value below which one of ``tests`` is significant at ``alpha`` for all of them together (Dunn 1961).

    Raises:
        SettingsError: ``alpha`` outside 0 to 1, or no test.
    """
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha must lie between 0 and 1, but is {alpha}", field="alpha")
    if tests < 1:
        raise SettingsError(f"at least one test is needed, not {tests}", field="tests")
    return alpha / tests


def chi_square(neg_log10_p: Floats) -> Floats:
    """The chi-square statistic (one degree of freedom) that has this p-value; any size, NaN for NaN."""
    # A two-sided p is twice a normal tail, whose logarithm never underflows.
    quantile = ndtri_exp(-np.asarray(neg_log10_p, dtype=np.float64) * np.log(10) - np.log(2))
    statistic: Floats = np.square(quantile)
    return statistic


def genomic_inflation(neg_log10_p: Floats) -> float | None:
    """Lambda: the median chi-square over what it is without any association (Devlin and Roeder 1999).

    1 where all is well; None without a tested SNP.
    """
    tested = neg_log10_p[~np.isnan(neg_log10_p)]
    if not tested.size:
        return None
    return float(np.median(chi_square(tested)) / MEDIAN_CHI_SQUARE)


def false_discovery_rate(p_values: Floats) -> Floats:
    """The smallest false discovery rate at which each test is significant (Benjamini and Hochberg 1995); NaN stays."""
    # Here, since all of scipy.stats comes with it, and every process of a trial imports this module.
    from scipy.stats import false_discovery_control

    adjusted = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested], method="bh")
    return adjusted
