"""The linear mixed model of genomic prediction, fitted by restricted maximum likelihood (REML).

    y = X b + F f + g + e,   g ~ N(0, K σ²_g),   f ~ N(0, I σ²_f),   e ~ N(0, I σ²_e)

K is the genomic relationship of the lines, X holds fixed effects (here the intercept) and F, where it is given, says
which group (family) a line belongs to. One eigendecomposition of K turns every later step into sums over its
eigenvalues: Kang et al. 2008 (EMMA), doi:10.1534/genetics.107.080101; Lippert et al. 2011 (FaST-LMM),
doi:10.1038/nmeth.1681. Arrays in, arrays out: names and units are the callers'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

from gwas_core.errors import InputError

Floats = NDArray[np.float64]

# The range of the variance ratio in which GEMMA searches too; the family's range is as wide.
_LOG_RATIO_BOUNDS = (np.log(1e-5), np.log(1e5))
_GRID_POINTS = 24
# 4,500 lines × 2,048 SNPs in float32 are 37 MB.
_SNPS_AT_ONCE = 2048


def genomic_relationship(
    genotypes: NDArray[np.int8], *, train: NDArray[np.int64], predicted: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Relationship among training lines and of predicted with training lines: VanRaden 2008, first method.

    K = Z Z' / 2 Σ p (1 - p), where Z holds allele counts less twice the allele frequency p
    (doi:10.3168/jds.2007-0980). p is that of the training lines, so nothing is learned from the predicted ones.

    Args:
        genotypes: int8 (lines, SNPs), none missing.
        train: (n,) rows of the training lines.
        predicted: (m,) rows of the lines to predict.

    Returns:
        (n, n) and (m, n).

    Raises:
        InputError: no SNP varies among the training lines.
    """
    among = np.zeros((len(train), len(train)))
    across = np.zeros((len(predicted), len(train)))
    scale = 0.0
    for start in range(0, genotypes.shape[1], _SNPS_AT_ONCE):
        block = slice(start, start + _SNPS_AT_ONCE)
        # float32: the sums are exact to about six digits, in half the time and memory.
        centred = genotypes[train, block].astype(np.float32)
        mean = centred.mean(axis=0, dtype=np.float64)
        centred -= mean.astype(np.float32)
        centred_predicted = genotypes[predicted, block].astype(np.float32)
        centred_predicted -= mean.astype(np.float32)
        among += centred @ centred.T
        across += centred_predicted @ centred.T
        scale += float(mean @ (1 - mean / 2))
    # A SNP that does not vary adds nothing but rounding.
    if scale < 1e-9:
        raise InputError("no SNP varies among the training lines, so they have no measurable relationship")
    among /= scale
    across /= scale
    return among, across


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """Eigendecomposition of a relationship: ``values`` (n,), none negative, and ``vectors`` (n, n), one a column."""

    values: Floats
    vectors: Floats


def decompose(relationship: Floats) -> Spectrum:
    """Decompose a symmetric relationship (n, n), whose memory is used up on the way.

    The costly step: about 15 s for 4,500 lines on one thread.
    """
    # "evr" needs a third less memory than "evd" and takes a quarter longer.
    values, vectors = scipy.linalg.eigh(relationship, driver="evr", overwrite_a=True, check_finite=False)
    return Spectrum(values=np.maximum(values, 0.0), vectors=vectors)


@dataclass(frozen=True, kw_only=True)
class VarianceComponents:
    """REML estimates.

    Attributes:
        genetic: σ²_g, variance of genetic values in units of the relationship.
        residual: σ²_e.
        group: σ²_f, variance of group effects; 0 where the model has none.
        mean_relationship: mean of the relationship's diagonal, which puts σ²_g on the scale of lines.
    """

    genetic: float
    residual: float
    group: float
    mean_relationship: float

    @property
    def ratio(self) -> float:
        """σ²_e / σ²_g, the shrinkage of GBLUP."""
        return self.residual / self.genetic

    @property
    def proportion_explained(self) -> float:
        """Share of the phenotype's variance that the relationship explains (without groups: GEMMA's PVE)."""
        genetic = self.genetic * self.mean_relationship
        return genetic / (genetic + self.group + self.residual)


@dataclass(frozen=True, eq=False, kw_only=True)
class MixedModel:
    """A fitted model.

    Attributes:
        variance: the estimated components.
        fixed_effects: (c,) b.
        group_effects: (q,) best linear unbiased predictions of f; empty without groups.
        weights: (n,) what a relationship with the training lines is multiplied by to predict g.
        restricted_log_likelihood: at its maximum, as GEMMA reports it (Harville 1974).
    """

    variance: VarianceComponents
    fixed_effects: Floats
    group_effects: Floats
    weights: Floats
    restricted_log_likelihood: float

    def predict(self, *, covariates: Floats, groups: Floats | None, relationship: Floats) -> Floats:
        """Predict m lines from covariates (m, c), groups (m, q) and relationship with the training lines (m, n)."""
        predicted = covariates @ self.fixed_effects + relationship @ self.weights
        return predicted if groups is None else predicted + groups @ self.group_effects


def fit_mixed_model(
    spectrum: Spectrum, phenotype: Floats, *, covariates: Floats, groups: Floats | None = None
) -> MixedModel:
    """Fit the model of this module by REML.

    Args:
        spectrum: of the relationship K of n lines.
        phenotype: (n,) y.
        covariates: (n, c) X, of full column rank; a column of ones for the intercept.
        groups: (n, q) F, 1 where a line is in a group, 0 elsewhere.

    Raises:
        InputError: the phenotype does not vary, or there are no more lines than covariates.
    """
    if len(phenotype) <= covariates.shape[1] or np.ptp(phenotype) == 0:
        raise InputError("a mixed model needs a phenotype that varies, on more lines than it has covariates")
    problem = _Rotated.of(spectrum, phenotype, covariates, groups)
    log_ratio = _minimise(lambda value: problem.at(value).best_group_fit().deviance)
    sums = problem.at(log_ratio)
    best = sums.best_group_fit()
    fixed, group = np.split(best.effects, [covariates.shape[1]])
    residual = (problem.phenotype - problem.design @ best.effects) / sums.diagonal
    ratio = float(np.exp(log_ratio))
    return MixedModel(
        variance=VarianceComponents(
            genetic=best.genetic_variance,
            residual=best.genetic_variance * ratio,
            group=best.genetic_variance * best.group_ratio if groups is not None else 0.0,
            mean_relationship=float(spectrum.values.mean()),
        ),
        fixed_effects=fixed,
        group_effects=group,
        weights=spectrum.vectors @ residual,
        restricted_log_likelihood=-0.5 * (best.deviance - float(np.linalg.slogdet(covariates.T @ covariates)[1])),
    )


def _minimise(function: Callable[[float], float]) -> float:
    """Where in the bounds of a logarithmic ratio ``function`` is least: a grid, then Brent's method beside its best.

    The likelihood can have several maxima, which is why the grid comes first.
    """
    grid = np.linspace(*_LOG_RATIO_BOUNDS, _GRID_POINTS)
    values = [function(float(point)) for point in grid]
    best = int(np.argmin(values))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, _GRID_POINTS - 1)])
    found = scipy.optimize.minimize_scalar(function, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(found.x) if found.fun <= values[best] else float(grid[best])


@dataclass(frozen=True, eq=False)
class _Rotated:
    """The model in the coordinates of K's eigenvectors, where the covariance of y is diagonal (groups aside)."""

    eigenvalues: Floats
    phenotype: Floats
    design: Floats
    """(n, c + q): covariates, then groups."""
    covariates: int

    @classmethod
    def of(cls, spectrum: Spectrum, phenotype: Floats, covariates: Floats, groups: Floats | None) -> _Rotated:
        design = covariates if groups is None else np.hstack([covariates, groups])
        rotation = spectrum.vectors.T
        return cls(spectrum.values, rotation @ phenotype, rotation @ design, covariates.shape[1])

    def at(self, log_ratio: float) -> _AtRatio:
        """All sums over lines that are needed once log(σ²_e / σ²_g) is given."""
        diagonal = self.eigenvalues + np.exp(log_ratio)
        weighted = self.design / diagonal[:, None]
        return _AtRatio(
            problem=self,
            diagonal=diagonal,
            log_determinant=float(np.log(diagonal).sum()),
            cross_products=weighted.T @ self.design,
            design_by_phenotype=weighted.T @ self.phenotype,
            phenotype_square=float(self.phenotype @ (self.phenotype / diagonal)),
        )


@dataclass(frozen=True, eq=False)
class _AtRatio:
    problem: _Rotated
    diagonal: Floats
    log_determinant: float
    cross_products: Floats
    design_by_phenotype: Floats
    phenotype_square: float

    def best_group_fit(self) -> _Fit:
        """The fit with the likeliest σ²_f / σ²_g."""
        if self.problem.design.shape[1] == self.problem.covariates:
            return self.fit(0.0)
        return self.fit(float(np.exp(_minimise(lambda log_ratio: self.fit(float(np.exp(log_ratio))).deviance))))

    def fit(self, group_ratio: float) -> _Fit:
        """Henderson's mixed-model equations for b and f / √(σ²_f / σ²_g), and what follows from them.

        In these units the equations stay regular when σ²_f nears 0, and log|V| + log|X'V⁻¹X| is the log determinant
        of their left side plus that of the diagonal.
        """
        c = self.problem.covariates
        scale = np.ones(len(self.cross_products))
        scale[c:] = np.sqrt(group_ratio)
        left = self.cross_products * np.outer(scale, scale)
        left[np.arange(c, len(left)), np.arange(c, len(left))] += 1.0
        right = self.design_by_phenotype * scale
        factor = scipy.linalg.cho_factor(left, lower=True, check_finite=False)
        effects = scipy.linalg.cho_solve(factor, right, check_finite=False)
        degrees = len(self.diagonal) - c
        # Effects that explain everything must not leave a variance of rounding errors, perhaps a negative one.
        unexplained = max(self.phenotype_square - float(right @ effects), 1e-14 * self.phenotype_square)
        variance = unexplained / degrees
        return _Fit(
            group_ratio=group_ratio,
            effects=effects * scale,
            genetic_variance=variance,
            deviance=float(
                degrees * (np.log(2 * np.pi * variance) + 1)
                + self.log_determinant
                + 2 * np.log(np.diag(factor[0])).sum()
            ),
        )


@dataclass(frozen=True, eq=False)
class _Fit:
    group_ratio: float
    effects: Floats
    genetic_variance: float
    deviance: float
    """-2 × restricted log-likelihood, but for log|X'X|, which does not depend on the variances."""
