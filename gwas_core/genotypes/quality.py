"""Quality report: missing genotypes, allele frequencies, duplicate SNPs, outliers of the trait, families.

Also here: what counts as an outlier; whether missing genotypes reveal the families; histograms and quantiles; genotype
counts; frequencies of the counted allele; heterozygosity; monomorphic SNPs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.snp_names import sorted_chromosomes

# Counts of a block fit a byte, and adding bytes is what makes counting fast.
_LINES_A_BLOCK = 255
_SNPS_A_BLOCK = 256
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_BINS = 20
_PHENOTYPE_BINS = 30
_NAMED_OUTLIERS = 10
# Tukey's "far out" values: 3 interquartile ranges beyond the quartiles (1 in 400,000 of a normal distribution).
_FAR_OUT = 3.0
_NEARLY_ALL, _NEARLY_NONE = 0.95, 0.05


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of values by bin: ``counts[i]`` lie from ``edges[i]`` to below ``edges[i + 1]``, in the last bin to it."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Quantiles and histogram of fractions; ``quantiles`` is keyed by percentage: ``"0"`` smallest, ``"50"`` median."""

    quantiles: dict[str, float]
    histogram: Histogram


@dataclass(frozen=True, kw_only=True)
class PhenotypeQuality:
    """Distribution of the trait, in its own unit.

    Attributes:
        standard_deviation: with divisor n - 1.
        outliers: number of lines more than 3 interquartile ranges outside the quartiles.
        outlier_lines: names of the first few of them.
    """

    name: str
    lines: int
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    histogram: Histogram
    outliers: int
    outlier_lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FamilyQuality:
    """Families, and whether missing genotypes reveal them.

    A cell is one SNP in one family. If both fractions of cells are large, missingness tells the families apart, and a
    model that sees it learns families instead of genetics.

    Attributes:
        count: number of families.
        sizes: lines of each family.
        cells_missing: fraction of the cells in which at least 95 % of the genotypes are missing.
        cells_called: fraction of the cells in which at most 5 % are missing.
    """

    count: int
    sizes: dict[str, int]
    cells_missing: float
    cells_called: float


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """Quality of a dataset in numbers.

    Attributes:
        lines: number of lines.
        snps: number of SNPs.
        chromosomes: number of SNPs on each chromosome, in the order a person lists them; ``""`` is unknown.
        missing_fraction: fraction of all genotypes that is missing.
        missing_per_line: distribution over lines of the fraction missing.
        missing_per_snp: distribution over SNPs of the fraction missing.
        allele_frequency: frequency of the counted allele, over SNPs with any called genotype.
        monomorphic: number of SNPs whose called genotypes are all the same, or that were never called.
        duplicates: number of SNPs that equal an earlier one in every line, missing genotypes included.
        heterozygosity: fraction of called genotypes that are 1; None if none is called.
        phenotype: distribution of the trait.
        families: None if the dataset has no families.
    """

    lines: int
    snps: int
    chromosomes: dict[str, int]
    missing_fraction: float
    missing_per_line: Distribution
    missing_per_snp: Distribution
    allele_frequency: Histogram
    monomorphic: int
    duplicates: int
    heterozygosity: float | None
    phenotype: PhenotypeQuality
    families: FamilyQuality | None


def quality_report(dataset: Dataset) -> QualityReport:
    """Return the quality report of a dataset.

    Genotypes are read in blocks of lines, so that memory-mapped ones stay on disk.

    Args:
        dataset: as it was read, missing genotypes included.
    """
    counts = genotype_counts(dataset.genotypes)
    missing_per_snp = counts[3] / dataset.lines
    called = counts[:3].sum(axis=0)
    frequency = allele_frequency(counts)
    calls = int(called.sum())
    return QualityReport(
        lines=dataset.lines,
        snps=len(dataset.snps),
        chromosomes=_chromosomes(dataset),
        missing_fraction=float(counts[3].sum() / counts.sum()),
        missing_per_line=_distribution(missing_per_line(dataset.genotypes)),
        missing_per_snp=_distribution(missing_per_snp),
        allele_frequency=_histogram(frequency[called > 0], bins=_BINS, limits=(0.0, 1.0)),
        monomorphic=int(is_monomorphic(counts).sum()),
        duplicates=count_duplicates(dataset.genotypes),
        heterozygosity=int(counts[1].sum()) / calls if calls else None,
        phenotype=_phenotype_quality(dataset),
        families=_family_quality(dataset),
    )


def genotype_counts(genotypes: NDArray[np.int8], *, lines: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return how many lines have genotype 0, 1, 2 and missing at each SNP.

    Args:
        genotypes: int8 (lines, SNPs).
        lines: indices of the lines to count; all lines if not given.

    Returns:
        int64 (4, SNPs): rows are 0, 1, 2 and missing.
    """
    chosen = np.arange(len(genotypes)) if lines is None else lines
    counts = np.zeros((4, genotypes.shape[1]), dtype=np.int64)
    for start in range(0, len(chosen), _LINES_A_BLOCK):
        block = genotypes[chosen[start : start + _LINES_A_BLOCK]]
        for row, value in enumerate((0, 1, 2)):
            counts[row] += np.add.reduce((block == value).view(np.uint8), axis=0, dtype=np.uint8)
    counts[3] = len(chosen) - counts[:3].sum(axis=0)
    return counts


def missing_per_line(genotypes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the fraction of the SNPs that are missing in each line.

    Args:
        genotypes: int8 (lines, SNPs).

    Returns:
        float64 (lines,).
    """
    missing = np.empty(len(genotypes), dtype=np.float64)
    for start in range(0, len(genotypes), _LINES_A_BLOCK):
        block = genotypes[start : start + _LINES_A_BLOCK]
        missing[start : start + len(block)] = np.count_nonzero(block == MISSING, axis=1)
    missing /= genotypes.shape[1]
    return missing


def allele_frequency(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the frequency of the counted allele at each SNP.

    Args:
        counts: int64 (4, SNPs) of ``genotype_counts``.

    Returns:
        float64 (SNPs,), NaN where no genotype is called.
    """
    called = counts[:3].sum(axis=0)
    frequency = np.full(counts.shape[1], np.nan)
    np.divide(counts[1] + 2 * counts[2], 2 * called, out=frequency, where=called > 0)
    return frequency


def is_monomorphic(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether all called genotypes of each SNP are the same, or none is called.

    Args:
        counts: int64 (4, SNPs) of ``genotype_counts``.

    Returns:
        bool (SNPs,).
    """
    monomorphic: NDArray[np.bool_] = np.count_nonzero(counts[:3], axis=0) <= 1
    return monomorphic


def count_duplicates(genotypes: NDArray[np.int8]) -> int:
    """Return the number of SNPs that equal an earlier SNP in every line (compared by a 128-bit hash).

    Args:
        genotypes: int8 (lines, SNPs).
    """
    seen: set[bytes] = set()
    for start in range(0, genotypes.shape[1], _SNPS_A_BLOCK):
        block = np.ascontiguousarray(genotypes[:, start : start + _SNPS_A_BLOCK].T)
        seen.update(hashlib.blake2b(column.data, digest_size=16).digest() for column in block)
    return int(genotypes.shape[1]) - len(seen)


def _chromosomes(dataset: Dataset) -> dict[str, int]:
    counts = dataset.snps["chromosome"].value_counts()
    return {chromosome: int(counts[chromosome]) for chromosome in sorted_chromosomes(counts.index)}


def _histogram(values: NDArray[np.float64], *, bins: int, limits: tuple[float, float] | None = None) -> Histogram:
    counts, edges = np.histogram(values, bins=bins, range=limits)
    return Histogram(edges=tuple(round(edge, 12) for edge in edges.tolist()), counts=tuple(counts.tolist()))


def _distribution(fractions: NDArray[np.float64]) -> Distribution:
    quantiles = np.quantile(fractions, _QUANTILES).tolist()
    return Distribution(
        quantiles={f"{100 * at:g}": value for at, value in zip(_QUANTILES, quantiles, strict=True)},
        histogram=_histogram(fractions, bins=_BINS, limits=(0.0, 1.0)),
    )


def _phenotype_quality(dataset: Dataset) -> PhenotypeQuality:
    values = dataset.phenotype
    outliers = find_outliers(values)
    return PhenotypeQuality(
        name=dataset.trait,
        lines=len(values),
        mean=float(values.mean()),
        standard_deviation=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        minimum=float(values.min()),
        maximum=float(values.max()),
        histogram=_histogram(values, bins=_PHENOTYPE_BINS),
        outliers=len(outliers),
        outlier_lines=tuple(dataset.line_names[index] for index in outliers[:_NAMED_OUTLIERS]),
    )


def find_outliers(values: NDArray[np.float64]) -> Sequence[int]:
    """Return the indices of values more than 3 interquartile ranges outside the quartiles (Tukey 1977, "far out").

    No index is returned if the interquartile range is 0: then half of the values are equal, and the rule does not
    apply.

    Args:
        values: float64 (lines,), all finite.
    """
    lower, upper = np.quantile(values, (0.25, 0.75))
    reach = _FAR_OUT * (upper - lower)
    if reach == 0:
        return []
    indices: list[int] = np.flatnonzero((values < lower - reach) | (values > upper + reach)).tolist()
    return indices


def _family_quality(dataset: Dataset) -> FamilyQuality | None:
    if dataset.family is None:
        return None
    names, groups, sizes = np.unique(dataset.family, return_inverse=True, return_counts=True)
    mostly_missing = mostly_called = 0
    for group, size in enumerate(sizes.tolist()):
        missing = genotype_counts(dataset.genotypes, lines=np.flatnonzero(groups == group))[3] / size
        mostly_missing += int((missing >= _NEARLY_ALL).sum())
        mostly_called += int((missing <= _NEARLY_NONE).sum())
    cells = len(names) * len(dataset.snps)
    return FamilyQuality(
        count=len(names),
        sizes=dict(zip(names.tolist(), sizes.tolist(), strict=True)),
        cells_missing=mostly_missing / cells,
        cells_called=mostly_called / cells,
    )
