"""Founders of a simulated population: mosaics of a few ancestral haplotypes, and the SNPs at which they differ.

Also here: linkage disequilibrium; genealogies by the coalescent; parents that are too alike.

Neighbouring SNPs are in linkage disequilibrium for the two reasons they are in nature: parents share stretches of the
same ancestor, and ancestors share branches of a genealogy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import SettingsError
from gwas_core.genotypes.genetic_map import Chromosome

# One genealogy holds for a stretch of this length; the next stretch has an independent one.
_GENEALOGY_CENTIMORGANS = 1.0
_MOST_ATTEMPTS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class SnpPanel:
    """SNPs of one chromosome at which the parents differ.

    Attributes:
        positions: int64 (SNPs,), base pairs, strictly ascending.
        differs: bool (founders, SNPs): whether a founder's allele differs from the hub parent's. At every SNP at
            least one founder differs.
    """

    positions: NDArray[np.int64]
    differs: NDArray[np.bool_]


def draw_snp_panel(
    random: np.random.Generator,
    chromosome: Chromosome,
    *,
    snps: int,
    founders: int,
    ancestors: int,
    block_centimorgans: float,
) -> SnpPanel:
    """Draw parents and SNPs at which the hub parent differs from at least one founder.

    Args:
        random: source of randomness.
        chromosome: the chromosome on which the SNPs lie.
        snps: number of SNPs.
        founders: number of parents crossed with the hub parent.
        ancestors: number of haplotypes of which all parents are mosaics.
        block_centimorgans: mean length of a stretch that a parent has from one ancestor.

    Raises:
        SettingsError: the parents are too alike to find so many SNPs.
    """
    mosaics = [_Mosaic.draw(random, chromosome, ancestors, block_centimorgans) for _ in range(founders + 1)]
    genealogies = _Genealogies.draw(random, chromosome, ancestors)
    positions = np.empty(0, dtype=np.int64)
    differs = np.empty((founders, 0), dtype=np.bool_)
    for _ in range(_MOST_ATTEMPTS):
        candidates = np.setdiff1d(chromosome.draw_positions(random, 2 * snps), positions)
        alleles = _alleles(random, mosaics, genealogies, chromosome.map_positions(candidates))
        candidate_differs = alleles[1:] != alleles[0]
        polymorphic = candidate_differs.any(axis=0)
        positions = np.concatenate([positions, candidates[polymorphic]])
        differs = np.concatenate([differs, candidate_differs[:, polymorphic]], axis=1)
        if len(positions) >= snps:
            # setdiff1d sorts, so the first positions would all lie at the chromosome's start.
            chosen = random.permutation(len(positions))[:snps]
            chosen = chosen[np.argsort(positions[chosen])]
            return SnpPanel(positions=positions[chosen], differs=differs[:, chosen])
    raise SettingsError(
        f"the parents are too alike on {chromosome.name} to find {snps} SNPs between them: "
        "use more families, more ancestral haplotypes or shorter blocks",
        field="ancestral_haplotypes",
    )


@dataclass(frozen=True, eq=False)
class _Mosaic:
    """Ancestors of a parent's chromosome, stretch by stretch."""

    breaks: NDArray[np.float64]
    ancestors: NDArray[np.int64]

    @classmethod
    def draw(
        cls, random: np.random.Generator, chromosome: Chromosome, ancestors: int, block_centimorgans: float
    ) -> _Mosaic:
        count = random.poisson(chromosome.centimorgans / block_centimorgans)
        breaks = np.sort(random.uniform(0, chromosome.centimorgans, count))
        return cls(breaks, random.integers(0, ancestors, count + 1))

    def at(self, map_positions: NDArray[np.float64]) -> NDArray[np.int64]:
        return self.ancestors[np.searchsorted(self.breaks, map_positions)]


@dataclass(frozen=True, eq=False)
class _Genealogies:
    """Genealogies of the ancestors, one for each stretch of the map.

    Attributes:
        descendants: bool (stretches, branches, ancestors): whether an ancestor carries a mutation on a branch.
        reach: (stretches, branches): cumulative share of the branches' lengths, by which mutations fall on them.
    """

    descendants: NDArray[np.bool_]
    reach: NDArray[np.float64]

    @classmethod
    def draw(cls, random: np.random.Generator, chromosome: Chromosome, ancestors: int) -> _Genealogies:
        stretches = int(np.ceil(chromosome.centimorgans / _GENEALOGY_CENTIMORGANS)) + 1
        drawn = [_coalescent(random, ancestors) for _ in range(stretches)]
        lengths = np.array([lengths for _, lengths in drawn])
        return cls(
            np.array([descendants for descendants, _ in drawn]),
            np.cumsum(lengths, axis=1) / lengths.sum(axis=1, keepdims=True),
        )


def _coalescent(random: np.random.Generator, ancestors: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Draw a genealogy by the coalescent (Kingman 1982, doi:10.1016/0304-4149(82)90011-4).

    Returns:
        Descendants of each of its 2 × ancestors - 2 branches, bool (branches, ancestors), and the branches' lengths.
    """
    lineages = list(np.eye(ancestors, dtype=np.bool_))
    lengths = [0.0] * ancestors
    finished, finished_lengths = [], []
    while len(lineages) > 1:
        pairs = len(lineages) * (len(lineages) - 1) / 2
        wait = random.exponential(1 / pairs)
        lengths = [length + wait for length in lengths]
        one, other = sorted(random.choice(len(lineages), 2, replace=False).tolist(), reverse=True)
        for number in (one, other):
            finished.append(lineages[number])
            finished_lengths.append(lengths[number])
        merged = lineages[one] | lineages[other]
        for number in (one, other):
            del lineages[number], lengths[number]
        lineages.append(merged)
        lengths.append(0.0)
    return np.array(finished), np.array(finished_lengths)


def _alleles(
    random: np.random.Generator,
    mosaics: list[_Mosaic],
    genealogies: _Genealogies,
    map_positions: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Draw one mutation at each position and return the alleles, bool (parents, SNPs)."""
    stretch = (map_positions / _GENEALOGY_CENTIMORGANS).astype(np.int64)
    branch = (genealogies.reach[stretch] < random.random(len(map_positions))[:, None]).sum(axis=1)
    # A sum of shares may end a rounding error below 1.
    branch = np.minimum(branch, genealogies.reach.shape[1] - 1)
    carriers = genealogies.descendants[stretch, branch]
    snp = np.arange(len(map_positions))
    return np.array([carriers[snp, mosaic.at(map_positions)] for mosaic in mosaics])
