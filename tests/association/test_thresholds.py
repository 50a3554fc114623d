"""Thresholds against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gwas_core.association.thresholds import (
    MEDIAN_CHI_SQUARE,
    bonferroni,
    chi_square,
    false_discovery_rate,
    genomic_inflation,
)
from gwas_core.errors import SettingsError


def test_bonferroni_divides_among_the_tests() -> None:
    assert bonferroni(0.05, 4236) == pytest.approx(1.1803588e-5)
    with pytest.raises(SettingsError, match="alpha must lie between 0 and 1"):
        bonferroni(1.5, 10)
    with pytest.raises(SettingsError, match="at least one test"):
        bonferroni(0.05, 0)


def test_the_median_is_that_of_the_distribution() -> None:
    assert stats.chi2.median(1) == pytest.approx(MEDIAN_CHI_SQUARE, rel=1e-14)


@given(st.lists(st.floats(1e-300, 1), min_size=1, max_size=30))
def test_chi_squares_are_those_of_the_p_values(p_values: list[float]) -> None:
    p = np.array(p_values)
    assert chi_square(-np.log10(p)) == pytest.approx(stats.chi2.isf(p, 1), rel=1e-6, abs=1e-9)


def test_inflation_is_one_without_association_and_scales_with_the_statistics() -> None:
    # The quantiles of the null themselves; one p-value in the middle is what the median is.
    p = (np.arange(1, 1002) - 0.5) / 1001
    assert genomic_inflation(-np.log10(p)) == pytest.approx(1, rel=1e-9)
    inflated = stats.chi2.sf(stats.chi2.isf(p, 1) * 8.6, 1)
    assert genomic_inflation(-np.log10(inflated)) == pytest.approx(8.6, rel=1e-6)
    # SNPs that were not tested say nothing; p-values beyond any float do.
    assert genomic_inflation(np.array([np.nan, 400.0, np.nan])) == pytest.approx(1831.3 / MEDIAN_CHI_SQUARE, rel=1e-2)
    assert genomic_inflation(np.array([np.nan])) is None


def test_false_discovery_rate_is_the_least_over_all_larger_ranks() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5, 0.0])
    # By hand: sorted 0, 0.01, 0.03, 0.04, 0.5 times 5 / rank, then the running minimum from the end.
    assert false_discovery_rate(p) == pytest.approx([0.025, np.nan, 0.05, 0.05, 0.5, 0.0], nan_ok=True)
    assert np.isnan(false_discovery_rate(np.array([np.nan]))).all()
