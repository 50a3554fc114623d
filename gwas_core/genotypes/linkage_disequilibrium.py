"""Linkage disequilibrium: how fast the correlation of SNPs falls with their distance on the chromosome (LD decay).

Also here: which pairs of SNPs are drawn; r² of genotype counts; bins of distance; the half-decay distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.quality import genotype_counts, is_monomorphic

FEWEST_LINES = 10
"""Fewest lines from which r² is computed: its mean over unlinked SNPs is 1 / (lines - 1), by chance alone."""

Floats = NDArray[np.float64]
Pairs = NDArray[np.int64]

PAIRS = 20_000
"""Number of pairs of SNPs that are drawn; all are used where there are not more."""

# int8 products of so many lines are summed without overflow, and 20,000 pairs take 5 MB.
_LINES_A_BLOCK = 255
_BINS, _FEWEST_IN_BIN = 24, 30
# Short distances are rare: what is drawn again is dropped, and after so many rounds there is little left to draw.
_ROUNDS = 12


@dataclass(frozen=True, kw_only=True)
class DistanceBin:
    """Pairs of SNPs whose distance lies in one range.

    Attributes:
        shortest: distance in base pairs, of the pair that is nearest to each other.
        longest: distance in base pairs.
        mean_distance: in base pairs.
        mean_r2: mean of r² over the pairs.
        pairs: number of pairs.
    """

    shortest: int
    longest: int
    mean_distance: float
    mean_r2: float
    pairs: int


@dataclass(frozen=True, kw_only=True)
class LinkageDecay:
    """Decay of linkage disequilibrium with distance.

    Attributes:
        bins: from the shortest distances to the longest.
        pairs: number of pairs of SNPs in all bins.
        is_sample: whether there are more pairs, of which these were drawn.
        snps: number of SNPs that vary and whose place is known.
        chromosomes: number of chromosomes with at least two of them.
        first_r2: mean r² at the shortest distances, after smoothing to a curve that never rises (isotonic regression).
        half_distance: distance in base pairs at which this curve has fallen to half of ``first_r2``; None if it does
            not within these distances.

    Raises:
        InputError: a number cannot be, as in a damaged file.
    """

    bins: tuple[DistanceBin, ...]
    pairs: int
    is_sample: bool
    snps: int
    chromosomes: int
    first_r2: float
    half_distance: float | None

    def __post_init__(self) -> None:
        numbers = [number for part in self.bins for number in (part.mean_distance, part.mean_r2)]
        if not self.bins or not all(map(math.isfinite, [*numbers, self.first_r2, self.half_distance or 0.0])):
            raise InputError("the decay of linkage disequilibrium has bins with finite numbers")
        if not all(0 < part.shortest <= part.longest and part.pairs > 0 for part in self.bins):
            raise InputError("a bin of distances has pairs, and distances above 0")


def linkage_decay(dataset: Dataset, *, pairs: int = PAIRS, seed: int = 0) -> LinkageDecay:
    """Return the mean r² of pairs of SNPs on the same chromosome, by their distance.

    r² is the squared correlation of allele counts over the lines in which both are called (Rogers & Huff 2009,
    doi:10.1534/genetics.108.093153), as ``plink --r2`` computes it. Of many pairs a sample is drawn in which every
    order of magnitude of the distance is present: one SNP at random, the other so many SNPs further on that the
    logarithm of the number is uniform.

    Args:
        dataset: as it was read; its genotypes are read in blocks of lines.
        pairs: number of pairs to use.
        seed: of the sample.

    Raises:
        InputError: fewer than ten lines, positions are not known, or no two SNPs that vary lie on one chromosome.
    """
    if dataset.lines < FEWEST_LINES:
        raise InputError(f"r² of SNPs needs at least {FEWEST_LINES} lines, not {dataset.lines}: add lines")
    counts = genotype_counts(dataset.genotypes)
    chromosome = dataset.snps["chromosome"].to_numpy(dtype=np.str_)
    position = dataset.snps["position"].to_numpy(dtype=np.int64)
    placed = (chromosome != "") & (position > 0)
    if not placed.any():
        raise InputError(
            "the positions of the SNPs are not known, so there are no distances between them: name SNPs as "
            "chromosome and position, such as Gm05_1234"
        )
    usable = np.flatnonzero(placed & ~is_monomorphic(counts))
    # In genome order; where the names of chromosomes fall is of no matter here.
    usable = usable[np.lexsort((position[usable], chromosome[usable]))]
    _, group, sizes = np.unique(chromosome[usable], return_inverse=True, return_counts=True)
    if not (sizes > 1).any():
        raise InputError("no two SNPs that vary lie on one chromosome, so there is no distance between SNPs")
    first, second = _pairs(group, sizes, pairs, np.random.default_rng(seed))
    first, second = usable[first], usable[second]
    distance = np.maximum(np.abs(position[second] - position[first]), 1)
    r2 = squared_correlations(dataset.genotypes, first, second)
    known = np.isfinite(r2)
    if not known.any():
        raise InputError("no two SNPs of one chromosome are called in the same lines, so there is no r² of them")
    bins = _bins(distance[known], r2[known])
    first_r2, half_distance = _fall(bins)
    return LinkageDecay(
        bins=bins,
        pairs=int(known.sum()),
        is_sample=int((sizes * (sizes - 1) // 2).sum()) > pairs,
        snps=len(usable),
        chromosomes=int((sizes > 1).sum()),
        first_r2=first_r2,
        half_distance=half_distance,
    )


def squared_correlations(genotypes: NDArray[np.int8], first: Pairs, second: Pairs) -> Floats:
    """Return r² of the allele counts of pairs of SNPs, over the lines in which both are called.

    Args:
        genotypes: int8 (lines, SNPs), read in blocks of lines.
        first: (pairs,) column of one SNP of each pair.
        second: (pairs,) column of the other.

    Returns:
        float64 (pairs,), NaN where one of the two does not vary among these lines.
    """
    n, x, y, xx, yy, xy = np.zeros((6, len(first)), dtype=np.int64)
    for start in range(0, len(genotypes), _LINES_A_BLOCK):
        block = np.asarray(genotypes[start : start + _LINES_A_BLOCK])
        one, other = block[:, first], block[:, second]
        called = (one != MISSING) & (other != MISSING)
        one, other = one * called, other * called
        n += called.sum(axis=0)
        for total, values in ((x, one), (y, other), (xx, one * one), (yy, other * other), (xy, one * other)):
            total += values.sum(axis=0, dtype=np.int32)
    # Whole numbers up to here: a SNP that does not vary has a variance of exactly 0.
    covariance, variance, other_variance = n * xy - x * y, n * xx - x * x, n * yy - y * y
    product = variance.astype(np.float64) * other_variance
    r2 = np.full(len(first), np.nan)
    np.divide(covariance.astype(np.float64) ** 2, product, out=r2, where=product > 0)
    return r2


def _pairs(
    group: NDArray[np.int64], sizes: NDArray[np.int64], number: int, random: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Return places of pairs in a list of SNPs that is sorted by chromosome and position.

    Args:
        group: (SNPs,) number of the chromosome.
        sizes: (chromosomes,) number of SNPs.
        number: of pairs; fewer where there are no more.
        random: what draws them.
    """
    ends = np.cumsum(sizes)
    if int((sizes * (sizes - 1) // 2).sum()) <= number:
        whole = [np.triu_indices(size, k=1) for size in sizes.tolist()]
        shifted = [(rows + start, columns + start) for (rows, columns), start in zip(whole, ends - sizes, strict=True)]
        return np.concatenate([rows for rows, _ in shifted]), np.concatenate([columns for _, columns in shifted])
    snps = len(group)
    longest = np.log(sizes[group])
    found = np.empty(0, dtype=np.int64)
    for _ in range(_ROUNDS):
        first = random.integers(snps, size=2 * number)
        second = first + np.exp(random.random(len(first)) * longest[first]).astype(np.int64)
        inside = second < ends[group[first]]
        # One number for each pair, so that one drawn twice is found; the order in which they were drawn stays.
        drawn = np.concatenate([found, first[inside] * snps + second[inside]])
        _, where = np.unique(drawn, return_index=True)
        found = drawn[np.sort(where)][:number]
        if len(found) == number:
            break
    return found // snps, found % snps


def _bins(distance: NDArray[np.int64], r2: Floats) -> tuple[DistanceBin, ...]:
    """Return bins of equal width on the logarithm of the distance; one with few pairs is joined with the next."""
    order = np.argsort(distance, kind="stable")
    distance, r2 = distance[order], r2[order]
    edges = np.geomspace(distance[0], distance[-1], _BINS + 1)[1:-1]
    least = min(_FEWEST_IN_BIN, max(1, len(distance) // _BINS))
    ends = [0]
    for end in [*np.searchsorted(distance, edges, side="right").tolist(), len(distance)]:
        if end - ends[-1] >= least:
            ends.append(end)
    if ends[-1] < len(distance):  # the last few belong to the bin before
        ends[-1] = len(distance)
    return tuple(
        DistanceBin(
            shortest=int(distance[start]),
            longest=int(distance[end - 1]),
            mean_distance=float(distance[start:end].mean()),
            mean_r2=float(r2[start:end].mean()),
            pairs=end - start,
        )
        for start, end in pairwise(ends)
    )


def _fall(bins: tuple[DistanceBin, ...]) -> tuple[float, float | None]:
    """Return the first r² of the smoothed curve, and where it has fallen to half, on the logarithm of the distance."""
    weights = [part.pairs for part in bins]
    fitted = scipy.optimize.isotonic_regression([part.mean_r2 for part in bins], weights=weights, increasing=False).x
    first = float(fitted[0])
    below = np.flatnonzero(fitted <= first / 2)
    if not len(below) or not first > 0:
        return first, None
    after = int(below[0])
    low, high = (math.log(bins[place].mean_distance) for place in (after - 1, after))
    share = (fitted[after - 1] - first / 2) / (fitted[after - 1] - fitted[after])
    return first, math.exp(low + float(share) * (high - low))
