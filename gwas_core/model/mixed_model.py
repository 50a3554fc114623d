"""Mixed model of genomic prediction (GBLUP) by REML: relationship, variance components, predictions.

Also here: the share of variance explained; the range of the variance ratio; relationship from genotypes (VanRaden);
several starting values.

    y = X b + F f + g + e,   g ~ N(0, K σ²_g),   f ~ N(0, I σ²_f),   e ~ N(0, I σ²_e)

K is the genomic relationship of the lines, X the design of fixed effects (here the intercept) and F, if given, the
membership of lines in groups (families). After one eigendecomposition of K every later step is a sum over eigenvalues:
Kang et al. 2008 (EMMA), doi:10.1534/genetics.107.080101; Lippert et al. 2011 (FaST-LMM), doi:10.1038/nmeth.1681.
``variance_components`` estimates the variances. Functions take and return arrays without names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gwas_core.errors import InputError
from gwas_core.model.variance_components import RestrictedLikelihood, SpectralModel, maximise_restricted_likelihood

Floats = NDArray[np.float64]

# The ratios of residual and of group variance to the genetic one stay between 1e-5 and 1e5, the range that GEMMA
# searches.
_GREATEST_RATIO = 1e5
# Starting values: shares of the phenotype's variance of relationship, groups and residual.
_STARTS = ((1 / 3, 1 / 3, 1 / 3), (0.05, 0.05, 0.9), (0.85, 0.05, 0.1))
_TOLERANCE, _ITERATIONS = 1e-10, 100
_LEAST_RESIDUAL = 1e-5
# 4,500 lines × 2,048 SNPs in float32 are 37 MB.
_SNPS_AT_ONCE = 2048


def genomic_relationship(
    genotypes: NDArray[np.int8], *, train: NDArray[np.int64], predicted: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Compute the genomic relationship among training lines, and of lines to predict with training lines.

    K = Z Z' / 2 Σ p (1 - p), where Z is the allele count minus twice the allele frequency p: VanRaden 2008, first
    method, doi:10.3168/jds.2007-0980. p is the frequency in the training lines, so nothing is learned from the others.

    Args:
        genotypes: int8 (lines, SNPs) without missing values.
        train: (n,) rows of the training lines.
        predicted: (m,) rows of the lines to predict.

    Returns:
        Relationship among training lines (n, n), and of lines to predict with training lines (m, n).

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
    """Eigendecomposition of a relationship.

    Attributes:
        values: (n,), none negative.
        vectors: (n, n), one per column.
    """

    values: Floats
    vectors: Floats


def decompose(relationship: Floats) -> Spectrum:
    """Return the eigendecomposition of a symmetric relationship matrix.

    This is the slow step: about 15 s for 4,500 lines on one thread.

    Args:
        relationship: (n, n); it is overwritten, which saves its memory a second time.

    Returns:
        Eigenvalues, negative ones from rounding set to 0, and eigenvectors as columns.
    """
    # "evr" needs a third less memory than "evd" and takes a quarter longer.
    values, vectors = scipy.linalg.eigh(relationship, driver="evr", overwrite_a=True, check_finite=False)
    return Spectrum(values=np.maximum(values, 0.0), vectors=vectors)


@dataclass(frozen=True, kw_only=True)
class VarianceComponents:
    """REML estimates of variances, in the squared unit of the phenotype.

    Attributes:
        genetic: σ²_g, variance of genetic values per unit of relationship.
        residual: σ²_e.
        group: σ²_f, variance of group effects; 0 if the model has none.
        mean_relationship: mean of the relationship's diagonal: times σ²_g, the genetic variance among lines.
    """

    genetic: float
    residual: float
    group: float
    mean_relationship: float

    @property
    def ratio(self) -> float:
        """Ratio σ²_e / σ²_g, the shrinkage of GBLUP."""
        return self.residual / self.genetic

    @property
    def proportion_explained(self) -> float:
        """Share of the phenotype's variance that the relationship explains (without groups, GEMMA's PVE)."""
        genetic = self.genetic * self.mean_relationship
        return genetic / (genetic + self.group + self.residual)


@dataclass(frozen=True, eq=False, kw_only=True)
class MixedModel:
    """Fitted mixed model.

    Attributes:
        variance: estimated variance components.
        fixed_effects: (c,) b.
        group_effects: (q,) best linear unbiased predictions of f; empty without groups.
        weights: (n,) what a relationship with the training lines is multiplied by to predict g.
        restricted_log_likelihood: maximum, as GEMMA reports it (Harville 1974, doi:10.1093/biomet/61.2.383).
        average_information: (3, 3) of the variances σ²_g, σ²_f, σ²_e at the maximum; its inverse is their covariance as
            estimates. The row and the column of σ²_f are 0 without groups.
    """

    variance: VarianceComponents
    fixed_effects: Floats
    group_effects: Floats
    weights: Floats
    restricted_log_likelihood: float
    average_information: Floats

    def predict(self, *, covariates: Floats, groups: Floats | None, relationship: Floats) -> Floats:
        """Predict the phenotype of m lines.

        Args:
            covariates: (m, c), columns as in the fit.
            groups: (m, q), 1 for a line in a group, 0 elsewhere; None if the model has no groups.
            relationship: (m, n) with the training lines.

        Returns:
            (m,) in the unit of the phenotype.
        """
        predicted = covariates @ self.fixed_effects + relationship @ self.weights
        return predicted if groups is None else predicted + groups @ self.group_effects


def fit_mixed_model(
    spectrum: Spectrum, phenotype: Floats, *, covariates: Floats, groups: Floats | None = None
) -> MixedModel:
    """Fit the model of this module by REML.

    Args:
        spectrum: eigendecomposition of the relationship K of n lines.
        phenotype: (n,) y.
        covariates: (n, c) X, of full column rank; a column of ones for the intercept.
        groups: (n, q) F, 1 for a line in a group, 0 elsewhere.

    Raises:
        InputError: the phenotype does not vary, or there are no more lines than covariates.
    """
    lines, degrees = len(phenotype), len(phenotype) - covariates.shape[1]
    if degrees <= 0 or np.ptp(phenotype) == 0:
        raise InputError("a mixed model needs a phenotype that varies, on more lines than it has covariates")
    # REML does not depend on what covariates explain; without it numbers are small and rounding errors, too.
    explained = np.linalg.lstsq(covariates, phenotype, rcond=None)[0]
    remaining = phenotype - covariates @ explained
    rotation = spectrum.vectors.T
    model = SpectralModel(
        eigenvalues=spectrum.values,
        phenotype=rotation @ remaining,
        covariates=rotation @ covariates,
        groups=rotation @ (np.zeros((lines, 0)) if groups is None else groups),
        total_variance=max(float(remaining.var()), 1e-14 * float(phenotype.var())),
    )
    # Many products of a few columns: with more threads they wait for each other, on a busy machine for minutes.
    with threadpool_limits(limits=1, user_api="blas"):
        fit = _most_likely(model)
    genetic, group, residual = fit.variances
    return MixedModel(
        variance=VarianceComponents(
            genetic=float(genetic),
            residual=float(residual),
            group=float(group),
            mean_relationship=float(spectrum.values.mean()),
        ),
        fixed_effects=explained + fit.fixed_effects,
        group_effects=group * (model.groups.T @ fit.residual),
        weights=genetic * (spectrum.vectors @ fit.residual),
        restricted_log_likelihood=fit.value
        - 0.5 * degrees * float(np.log(2 * np.pi))
        + 0.5 * float(np.linalg.slogdet(covariates.T @ covariates)[1]),
        average_information=fit.average_information,
    )


def _most_likely(model: SpectralModel) -> RestrictedLikelihood:
    """Return the best of the maxima found from several starting values, since there can be more than one."""
    fits = []
    for start in _STARTS:
        genetic, group, residual = maximise_restricted_likelihood(
            model, start=start, tolerance=_TOLERANCE, iterations=_ITERATIONS, least_residual=_LEAST_RESIDUAL
        )
        genetic = max(genetic, residual / _GREATEST_RATIO)
        residual = max(residual, genetic / _GREATEST_RATIO)
        group = max(group, genetic / _GREATEST_RATIO) if model.groups.size else 0.0
        fits.append(RestrictedLikelihood.at(model, np.array([genetic, group, residual])))
    return max(fits, key=lambda fit: fit.value)
