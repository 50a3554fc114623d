"""SNP heritability: the share of a trait's variance that the kinship of the lines explains, with its standard error.

Also here: the fewest lines it is estimated from; the sample of lines where there are very many; an estimate at the end
of its range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.messages import counted
from gwas_core.model.mixed_model import decompose, fit_mixed_model

Floats = NDArray[np.float64]

FEWEST_LINES = 20
"""Fewest lines from which a heritability is estimated: below, its standard error is about as large as its range."""

# Time grows with the cube of the lines: about a minute on one core. The standard error is small with so many.
_MOST_LINES = 6_000
# REML leaves a variance at the end of its range where the likelihood still rises there.
_END = 1e-3


@dataclass(frozen=True, kw_only=True)
class SnpHeritability:
    """SNP heritability of a trait.

    Attributes:
        estimate: between 0 and 1; what GEMMA calls PVE.
        standard_error: by the delta method from the average information.
        lines: number of lines it was estimated from.
        genetic_variance: mean variance of the lines' genetic values, in the squared unit of the trait.
        residual_variance: in the squared unit of the trait.

    Raises:
        InputError: a number cannot be, as in a damaged file.
    """

    estimate: float
    standard_error: float
    lines: int
    genetic_variance: float
    residual_variance: float

    def __post_init__(self) -> None:
        numbers = (self.standard_error, self.genetic_variance, self.residual_variance)
        if not 0 <= self.estimate <= 1 or not all(number >= 0 and math.isfinite(number) for number in numbers):
            raise InputError("a heritability lies between 0 and 1, and variances and standard errors are not negative")

    @property
    def is_at_end(self) -> bool:
        """Whether the estimate is 0 or 1, where the standard error does not say how far the truth may be."""
        return not _END < self.estimate < 1 - _END


def snp_heritability(kinship: Floats, phenotype: Floats, *, seed: int = 0) -> SnpHeritability:
    """Return the SNP heritability of a trait by REML, in a mixed model with a mean and no other fixed effect.

    h² = σ²_g k / (σ²_g k + σ²_e), where k is the mean of the diagonal of the kinship after centring: so it is a share
    of the variance among these lines, whatever the scale of the kinship (Zhou & Stephens 2012, doi:10.1038/ng.2310).

    Args:
        kinship: (lines, lines), as ``genotypes.relatedness.kinship`` returns it; it is not changed.
        phenotype: (lines,) the trait, all finite.
        seed: of the sample of 6,000 lines that is used where there are more.

    Raises:
        InputError: fewer than 20 lines, or the trait does not vary.
    """
    lines = len(phenotype)
    if lines < FEWEST_LINES:
        raise InputError(
            f"a heritability needs at least {FEWEST_LINES} lines with a phenotype, and there "
            f"{'is' if lines == 1 else 'are'} {counted(lines, 'line')}"
        )
    if lines > _MOST_LINES:
        rows = np.sort(np.random.default_rng(seed).choice(lines, size=_MOST_LINES, replace=False))
        kinship, phenotype = kinship[np.ix_(rows, rows)], phenotype[rows]
    centred = kinship - kinship.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    # The trait's unit is free: extreme ones would make squares overflow or vanish.
    unit = float(np.ptp(phenotype)) or 1.0
    model = fit_mixed_model(decompose(centred), phenotype / unit, covariates=np.ones((len(phenotype), 1)))
    variance = model.variance
    genetic, residual = variance.genetic * variance.mean_relationship, variance.residual
    # By σ²_g and σ²_e, without the variance of groups, which this model does not have.
    information = model.average_information[np.ix_((0, 2), (0, 2))]
    slope = np.array([variance.mean_relationship * residual, -genetic]) / (genetic + residual) ** 2
    return SnpHeritability(
        estimate=variance.proportion_explained,
        standard_error=math.sqrt(max(0.0, float(slope @ np.linalg.pinv(information) @ slope))),
        lines=len(phenotype),
        genetic_variance=genetic * unit**2,
        residual_variance=residual * unit**2,
    )
