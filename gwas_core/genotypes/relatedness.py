"""Relatedness of lines: principal components, kinship (VanRaden), and the kinship matrix as a picture.

Also here: missing genotypes at the mean of their SNP; SNPs without variation left out; the sign of a component; an
order of the lines that puts relatives together; block means of a large matrix; the lines that stand for very many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.cluster.hierarchy
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import MISSING
from gwas_core.genotypes.quality import allele_frequency, genotype_counts, is_monomorphic

Floats = NDArray[np.float64]

COMPONENTS = 10
"""Number of principal components, as ``plink2 --pca`` computes by default."""

LARGEST_PICTURE = 500
"""Largest number of rows of a kinship matrix that is drawn; more are averaged in blocks."""

FEWEST_LINES = 3
"""Fewest lines that have a relatedness to speak of: two have one relationship and no structure."""

# 10,000 lines × 2,048 SNPs in float32 are 82 MB.
_SNPS_AT_ONCE = 2048
# A lines × lines matrix of 10,000 lines is 800 MB. The product of lines² and SNPs is what it costs: about two minutes
# on one core at this limit.
_MOST_LINES, _MOST_PRODUCTS = 10_000, 5e12
# Up to here all eigenvectors at once take less time than the iteration for the first ten.
_DENSE = 600
# Share of the variance below which a component is rounding.
_NOTHING_LEFT = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class PrincipalComponents:
    """Principal components of the lines.

    Attributes:
        scores: float64 (lines, components), orthogonal columns of length 1: the eigenvectors that ``plink2 --pca``
            writes. Of each, the score that is greatest in size is positive.
        eigenvalues: (components,) of the standardised relationship matrix, in descending order.
        shares: (components,) of the variance of all standardised SNPs.
        snps: number of SNPs that vary, from which the components are computed.
    """

    scores: Floats
    eigenvalues: Floats
    shares: Floats
    snps: int


@dataclass(frozen=True, kw_only=True)
class KinshipPicture:
    """Kinship matrix that is small enough to be drawn, with relatives beside each other.

    Attributes:
        values: row by row; each is the mean kinship of the lines of two blocks. A block of one line and itself is the
            line's own kinship, 1 plus its inbreeding coefficient.
        labels: what each block holds: the name of its line, or of its first and last.
        families: family of the line in the middle of each block; None if no families are known.
        lines: number of lines in all.

    Raises:
        InputError: the parts do not fit together, as in a damaged file.
    """

    values: tuple[tuple[float, ...], ...]
    labels: tuple[str, ...]
    families: tuple[str, ...] | None
    lines: int

    def __post_init__(self) -> None:
        size = len(self.labels)
        if not 0 < size <= LARGEST_PICTURE or len(self.values) != size or any(len(row) != size for row in self.values):
            raise InputError("a kinship matrix to be drawn is square, and has a label for each row")
        if not np.isfinite(np.array(self.values)).all():
            raise InputError("a kinship is a finite number")
        if self.families is not None and len(self.families) != size:
            raise InputError("a kinship matrix to be drawn has a family for each row, or none")


def chosen_lines(lines: int, snps: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the lines whose relatedness is computed: all of them, or a random sample of very many.

    The sample has at most 10,000 lines, and as few that lines² × SNPs stays below 5e12.

    Args:
        lines: number of lines.
        snps: number of SNPs.
        seed: of the sample.

    Returns:
        (chosen,) rows in ascending order.
    """
    most = min(_MOST_LINES, int((_MOST_PRODUCTS / max(1, snps)) ** 0.5))
    if lines <= most:
        return np.arange(lines)
    return np.sort(np.random.default_rng(seed).choice(lines, size=most, replace=False))


def principal_components(
    genotypes: NDArray[np.int8], *, components: int = COMPONENTS, lines: NDArray[np.int64] | None = None
) -> PrincipalComponents:
    """Return the first principal components of the lines.

    SNPs are standardised by their allele frequency p, (count - 2p) / √(2p(1 - p)), missing genotypes are put at the
    mean, and SNPs without variation are left out: Patterson, Price & Reich 2006, doi:10.1371/journal.pgen.0020190, as
    ``plink2 --pca meanimpute`` does.

    Args:
        genotypes: int8 (lines, SNPs), read in blocks of SNPs, so that memory-mapped ones stay on disk.
        components: largest number of components; there are fewer where lines or SNPs are few.
        lines: rows to use; all of them if not given.

    Raises:
        InputError: fewer than three lines, or no SNP varies.
    """
    matrix, snps, _ = _relationship(genotypes, lines, standardised=True)
    total = float(np.trace(matrix))
    values, vectors = _first_eigenvectors(matrix, min(components, len(matrix) - 1, snps))
    # Copies of one line, or of one SNP, leave fewer components than lines and SNPs let expect.
    real = values > _NOTHING_LEFT * total
    values, vectors = values[real], vectors[:, real]
    greatest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return PrincipalComponents(scores=vectors * np.sign(greatest), eigenvalues=values, shares=values / total, snps=snps)


def kinship(genotypes: NDArray[np.int8], *, lines: NDArray[np.int64] | None = None) -> Floats:
    """Return the kinship of the lines: VanRaden 2008, first method, doi:10.3168/jds.2007-0980.

    K = Z Z' / 2 Σ p (1 - p), where Z is the allele count minus twice the allele frequency p, and 0 where missing.
    Lines as related as the average of all have 0, and the diagonal is 1 plus the inbreeding coefficient.

    Args:
        genotypes: int8 (lines, SNPs), read in blocks of SNPs.
        lines: rows to use; all of them if not given.

    Returns:
        float64 (lines, lines), symmetric.

    Raises:
        InputError: fewer than three lines, or no SNP varies.
    """
    matrix, _, scale = _relationship(genotypes, lines, standardised=False)
    matrix /= scale
    return matrix


def relatives_order(matrix: Floats, family: Sequence[str] | None = None) -> NDArray[np.int64]:
    """Return an order of the lines that puts relatives beside each other.

    Args:
        matrix: (lines, lines) kinship.
        family: of each line, if known.

    Returns:
        (lines,) rows: family by family, in the order of the families' names; without families the leaves of a tree,
        by average linkage of the distance K_ii + K_jj - 2 K_ij (Sokal & Michener 1958).
    """
    if family is not None:
        return np.argsort(np.asarray(family, dtype=np.str_), kind="stable")
    own = np.diag(matrix)
    # Row by row: the indices of all pairs would take twice the memory of the distances.
    distances = np.concatenate([own[i] + own[i + 1 :] - 2 * matrix[i, i + 1 :] for i in range(len(matrix) - 1)])
    tree = scipy.cluster.hierarchy.linkage(np.maximum(distances, 0.0), method="average")
    return np.asarray(scipy.cluster.hierarchy.leaves_list(tree), dtype=np.int64)


def kinship_picture(
    matrix: Floats, names: Sequence[str], family: Sequence[str] | None = None, *, size: int = LARGEST_PICTURE
) -> KinshipPicture:
    """Return a kinship matrix in an order that puts relatives together, reduced to block means if it is large.

    Args:
        matrix: (lines, lines) kinship.
        names: of the lines.
        family: of each line, if known.
        size: largest number of rows; with more lines, each row stands for as many lines as needed, the last for what
            is left.
    """
    order = relatives_order(matrix, family)
    lines = len(order)
    # Blocks of one size: the diagonal, in which a line meets itself, would else be brighter in some rows.
    starts = np.arange(0, lines, -(-lines // size))
    edges = np.append(starts, lines)
    sizes = np.diff(edges)
    # One axis after the other: the whole matrix in the new order would be a second one.
    rows = np.stack([matrix[order[start:end]].sum(axis=0) for start, end in pairwise(edges.tolist())])
    means = np.add.reduceat(rows[:, order], starts, axis=1) / np.outer(sizes, sizes)
    first, last = order[starts], order[edges[1:] - 1]
    return KinshipPicture(
        # Four decimals: a picture needs no more, and the file is half as large.
        values=tuple(tuple(row) for row in means.round(4).tolist()),
        labels=tuple(
            names[one] if one == other else f"{names[one]} to {names[other]}"
            for one, other in zip(first.tolist(), last.tolist(), strict=True)
        ),
        families=None if family is None else tuple(str(family[row]) for row in order[(starts + edges[1:] - 1) // 2]),
        lines=lines,
    )


def _relationship(
    genotypes: NDArray[np.int8], lines: NDArray[np.int64] | None, *, standardised: bool
) -> tuple[Floats, int, float]:
    """Return Z Z' (lines, lines), divided by the number of SNPs if they are standardised; that number; 2 Σ p(1 - p)."""
    chosen = np.arange(len(genotypes)) if lines is None else lines
    if len(chosen) < FEWEST_LINES:
        raise InputError(f"relatedness needs at least {FEWEST_LINES} lines, not {len(chosen)}: add lines")
    counts = genotype_counts(genotypes, lines=chosen)
    varying = np.flatnonzero(~is_monomorphic(counts))
    if not len(varying):
        raise InputError("no SNP varies among these lines, so they have no measurable relatedness")
    twice = 2 * allele_frequency(counts)[varying]
    variance = twice * (1 - twice / 2)
    matrix = np.zeros((len(chosen), len(chosen)))
    everyone = len(chosen) == len(genotypes)
    for start in range(0, len(varying), _SNPS_AT_ONCE):
        block = slice(start, start + _SNPS_AT_ONCE)
        columns = varying[block]
        read = genotypes[:, columns[0] : columns[-1] + 1]
        read = read if everyone else read[chosen]
        values = read[:, columns - columns[0]]
        # float32: the sums are exact to about six digits, in half the time and memory.
        centred = values.astype(np.float32)
        centred -= twice[block].astype(np.float32)
        centred[values == MISSING] = 0.0
        if standardised:
            centred /= np.sqrt(variance[block]).astype(np.float32)
        matrix += centred @ centred.T
    if standardised:
        matrix /= len(varying)
    return matrix, len(varying), float(variance.sum())


def _first_eigenvectors(matrix: Floats, number: int) -> tuple[Floats, Floats]:
    """Return the greatest eigenvalues, in descending order, and their eigenvectors as columns."""
    lines = len(matrix)
    if lines <= _DENSE:
        values, vectors = scipy.linalg.eigh(matrix, subset_by_index=(lines - number, lines - 1), check_finite=False)
    else:
        # Lanczos, from a start of our own: scipy's is random.
        start = np.random.default_rng(0).normal(size=lines)
        values, vectors = scipy.sparse.linalg.eigsh(matrix, k=number, which="LA", v0=start)
    order = np.argsort(-values, kind="stable")
    return np.asarray(values[order]), np.asarray(vectors[:, order])
