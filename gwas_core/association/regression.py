"""Linear regression of a trait on each SNP in turn: effect, standard error, p-value; family effects as covariates.

Also here: SNPs that cannot be tested; the columns of the table of associations; the name of an unknown effect allele.

Relatedness of the lines is not modelled, so that in a structured population most SNPs look associated; family effects
as covariates remove the differences between families.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.association.student_t import two_sided_neg_log10_p
from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import counted

Floats = NDArray[np.float64]

COUNTED_ALLELE = "counted"
"""Text in the column ``effect_allele`` if the file does not name the counted allele."""

# 3,500 lines × 512 SNPs in float64 are 14 MB.
_SNPS_AT_ONCE = 512
# Share of a SNP's variance left by the covariates below which it is only rounding.
_NOTHING_LEFT = 1e-9
# Below this share of the phenotype's variance the residuals are summed one by one: a difference would be rounding.
_NEARLY_PERFECT = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """Regressions on each SNP; arrays are float64 (SNPs,), NaN where a SNP cannot be tested.

    Attributes:
        beta: change of the phenotype, in its own unit, per copy of the counted allele.
        standard_error: standard error of ``beta``.
        t: ``beta / standard_error``; infinite where the SNP explains the phenotype completely.
        neg_log10_p: -log10 of the two-sided p-value, computed without underflow.
        allele_frequency: frequency of the counted allele, given for every SNP.
        tested: bool (SNPs,): False where all lines have the same genotype, or the covariates explain it completely.
        lines: number of lines, the same for every SNP.
        degrees_of_freedom: degrees of freedom of ``t``.
    """

    beta: Floats
    standard_error: Floats
    t: Floats
    neg_log10_p: Floats
    allele_frequency: Floats
    tested: NDArray[np.bool_]
    lines: int
    degrees_of_freedom: int

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value, (SNPs,); 0 where it is too small for a float, which ``neg_log10_p`` still tells apart."""
        values: Floats = np.power(10.0, -self.neg_log10_p)
        return values


def scan(genotypes: NDArray[np.int8], phenotype: Floats, *, covariates: Floats | None = None) -> Scan:
    """Return the regressions of the phenotype on each SNP, with an intercept and the covariates.

    Covariates are projected out of the phenotype and of every SNP first, which gives the coefficients of the
    regression on all of them together (Frisch and Waugh 1933, Lovell 1963).

    Args:
        genotypes: int8 (lines, SNPs), none missing.
        phenotype: (lines,), all finite.
        covariates: (lines, covariates), all finite; they need not be independent of each other.

    Raises:
        InputError: shapes do not fit, a genotype is missing, a value is not finite, there are too few lines, or the
            covariates explain the phenotype completely.
    """
    _check(genotypes, phenotype, covariates)
    basis = _basis(covariates, len(phenotype))
    degrees_of_freedom = len(phenotype) - 2 - basis.shape[1]
    if degrees_of_freedom < 1:
        raise InputError(
            f"{counted(len(phenotype), 'line')} are too few to test a SNP beside "
            f"{counted(basis.shape[1], 'covariate')}: take more lines or fewer covariates"
        )
    centred = phenotype - phenotype.mean()
    residual = _residual(centred[:, None], basis)[:, 0]
    if not residual @ residual > _NOTHING_LEFT * max(float(centred @ centred), np.finfo(np.float64).tiny):
        raise InputError("the phenotype does not vary among these lines, so no SNP can be tested: choose other lines")
    snps = genotypes.shape[1]
    beta, error, frequency = (np.full(snps, np.nan) for _ in range(3))
    for start in range(0, snps, _SNPS_AT_ONCE):
        block = slice(start, start + _SNPS_AT_ONCE)
        beta[block], error[block], frequency[block] = _scan_block(
            genotypes[:, block], residual, basis, degrees_of_freedom
        )
    with np.errstate(divide="ignore"):
        t = beta / error
    return Scan(
        beta=beta,
        standard_error=error,
        t=t,
        neg_log10_p=two_sided_neg_log10_p(t, degrees_of_freedom),
        allele_frequency=frequency,
        tested=~np.isnan(beta),
        lines=len(phenotype),
        degrees_of_freedom=degrees_of_freedom,
    )


def _scan_block(
    genotypes: NDArray[np.int8], residual: Floats, basis: Floats, degrees_of_freedom: int
) -> tuple[Floats, Floats, Floats]:
    """Return beta, its standard error and the allele frequency, each (SNPs,), of some SNPs."""
    if (genotypes < 0).any():
        raise InputError("the genotypes have missing values: impute them before testing SNPs")
    counts = genotypes.astype(np.float64)
    mean = counts.mean(axis=0)
    counts -= mean
    before = np.einsum("ij,ij->j", counts, counts)
    counts = _residual(counts, basis)
    squares = np.einsum("ij,ij->j", counts, counts)
    usable = squares > _NOTHING_LEFT * np.maximum(before, 1.0)
    squares = np.where(usable, squares, np.nan)
    products = residual @ counts
    beta = products / squares
    total = float(residual @ residual)
    unexplained = total - products * beta
    for snp in np.flatnonzero(unexplained < _NEARLY_PERFECT * total):
        left = residual - beta[snp] * counts[:, snp]
        unexplained[snp] = left @ left
    return beta, np.sqrt(unexplained / degrees_of_freedom / squares), mean / 2


def _basis(covariates: Floats | None, lines: int) -> Floats:
    """Return orthonormal columns (lines, rank) that span the covariates beside the intercept."""
    if covariates is None or covariates.shape[1] == 0:
        return np.empty((lines, 0))
    centred = covariates - covariates.mean(axis=0)
    # One scale, so that a covariate in large units does not make a small one look like rounding.
    scale = np.linalg.norm(centred, axis=0)
    varying = scale > _NOTHING_LEFT * np.linalg.norm(covariates, axis=0)
    if not varying.any():
        return np.empty((lines, 0))
    vectors, values, _ = np.linalg.svd(centred[:, varying] / scale[varying], full_matrices=False)
    basis: Floats = vectors[:, values > _NOTHING_LEFT * values[0]]
    return basis


def _residual(columns: Floats, basis: Floats) -> Floats:
    return columns - basis @ (basis.T @ columns) if basis.shape[1] else columns


def _check(genotypes: NDArray[np.int8], phenotype: Floats, covariates: Floats | None) -> None:
    if genotypes.ndim != 2 or genotypes.dtype != np.int8:
        raise InputError(f"genotypes must be an int8 matrix (lines, SNPs), not {genotypes.dtype} {genotypes.shape}")
    lines = len(genotypes)
    if phenotype.shape != (lines,) or not np.isfinite(phenotype).all():
        raise InputError(f"the phenotype must be one finite number for each of {counted(lines, 'line')}")
    if covariates is not None and (
        covariates.ndim != 2 or len(covariates) != lines or not np.isfinite(covariates).all()
    ):
        raise InputError(f"covariates must be a finite matrix with one row for each of {counted(lines, 'line')}")


def associate(dataset: Dataset, lines: NDArray[Any], *, family_effects: bool = False) -> pd.DataFrame:
    """Return the tests of every SNP of a dataset on some of its lines.

    Args:
        dataset: without missing genotypes among ``lines``.
        lines: rows to use (indices or a boolean array): the training lines if a model is tested on others.
        family_effects: compare lines with others of their family only, by one covariate for each family.

    Returns:
        One row for each SNP, in the dataset's order, in the columns of the GWAS summary statistics format (GWAS-SSF):
        name, chromosome, base_pair_location, effect_allele (``COUNTED_ALLELE`` if it is not known; other_allele
        follows if it is), beta, standard_error, effect_allele_frequency, p_value, neg_log10_p_value, n. Statistics of
        a SNP that cannot be tested are NaN.

    Raises:
        InputError: see ``scan``; also if family effects are asked for and there are no families.
    """
    rows = np.arange(dataset.lines)[lines]
    covariates = None
    if family_effects:
        if dataset.family is None:
            raise InputError("these lines have no families: test without family effects")
        covariates = _indicators(dataset.family[rows])
    result = scan(np.asarray(dataset.genotypes[rows]), dataset.phenotype[rows], covariates=covariates)
    alleles = {"effect_allele": dataset.snps.get("effect_allele", COUNTED_ALLELE)}
    if "other_allele" in dataset.snps:
        alleles["other_allele"] = dataset.snps["other_allele"]
    return pd.DataFrame(
        {
            "name": dataset.snps["name"],
            "chromosome": dataset.snps["chromosome"],
            "base_pair_location": dataset.snps["position"],
            **alleles,
            "beta": result.beta,
            "standard_error": result.standard_error,
            "effect_allele_frequency": result.allele_frequency,
            "p_value": result.p_value,
            "neg_log10_p_value": result.neg_log10_p,
            "n": result.lines,
        }
    )


def _indicators(family: NDArray[np.str_]) -> Floats:
    """Return float64 (lines, families): 1 where the line belongs to the family, else 0."""
    return np.asarray(family[:, None] == np.unique(family)[None, :], dtype=np.float64)
