"""Genetic map of twenty chromosomes, crossovers, selfing and inbred lines, for the simulator.

Also here: little recombination in the middle of a chromosome; where SNPs lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Strands = NDArray[np.uint8]

# Share of a chromosome's map that is spread evenly over its base pairs; the rest grows towards both ends, so that the
# middle half of the base pairs holds about a tenth of the map, as in the soybean's large pericentromeres.
_EVEN_SHARE = 0.05
_GRID = 2001


@dataclass(frozen=True, kw_only=True)
class Chromosome:
    """Chromosome with its physical length (base pairs) and map length (cM)."""

    name: str
    base_pairs: int
    centimorgans: float

    def map_positions(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Return positions on the genetic map (cM), which never fall along the chromosome.

        Args:
            positions: in base pairs.
        """
        along = np.asarray(positions, dtype=np.float64) / self.base_pairs
        from_middle = 2 * along - 1
        towards_ends = (1 + np.sign(from_middle) * from_middle**4) / 2
        return self.centimorgans * (_EVEN_SHARE * along + (1 - _EVEN_SHARE) * towards_ends)

    def draw_positions(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw positions (base pairs), not sorted and perhaps repeated.

        Half are spread evenly over the base pairs and half over the map: SNP chips favour the arms, where genes and
        recombination are, but leave no gap in the middle.

        Args:
            random: source of random numbers.
            count: number of positions.

        Returns:
            int64 (count,), from 1.
        """
        grid = np.linspace(1, self.base_pairs, _GRID)
        even = random.uniform(1, self.base_pairs, count)
        on_map = np.interp(random.uniform(0, self.centimorgans, count), self.map_positions(grid), grid)
        return np.where(random.random(count) < 0.5, even, on_map).astype(np.int64)


# Rounded lengths of the soybean's chromosomes: 950 Mb and 2,300 cM in all.
CHROMOSOMES = tuple(
    Chromosome(name=f"Gm{number:02d}", base_pairs=round(megabases * 1e6), centimorgans=centimorgans)
    for number, (megabases, centimorgans) in enumerate(
        [
            (56.8, 105.0),
            (48.6, 130.0),
            (45.8, 105.0),
            (52.4, 115.0),
            (42.2, 100.0),
            (51.4, 130.0),
            (44.6, 125.0),
            (47.8, 130.0),
            (50.2, 110.0),
            (51.6, 125.0),
            (34.8, 115.0),
            (40.1, 110.0),
            (45.9, 120.0),
            (49.0, 110.0),
            (51.8, 110.0),
            (37.9, 100.0),
            (41.6, 125.0),
            (58.0, 110.0),
            (50.8, 105.0),
            (47.9, 120.0),
        ],
        start=1,
    )
)


def draw_gametes(
    random: np.random.Generator,
    first: Strands,
    second: Strands,
    *,
    map_positions: NDArray[np.float64],
    centimorgans: float,
) -> Strands:
    """Draw one gamete of each plant by Haldane's model: crossovers fall independently, one per Morgan on average.

    Args:
        random: source of randomness.
        first: uint8 (plants, loci), 0 or 1: alleles on the first strand of each plant.
        second: likewise on the second strand.
        map_positions: (loci,) in cM, ascending.
        centimorgans: map length of the chromosome.

    Returns:
        uint8 (plants, loci), alleles of the gametes.
    """
    plants, loci = first.shape
    crossovers = random.poisson(centimorgans / 100, plants)
    plant = np.repeat(np.arange(plants), crossovers)
    locus = np.searchsorted(map_positions, random.uniform(0, centimorgans, len(plant)))
    inside = locus < loci
    # 1 where the gamete changes to the other strand; two crossovers between the same two loci cancel out.
    strand = np.zeros((plants, loci), dtype=np.uint8)
    np.bitwise_xor.at(strand, (plant[inside], locus[inside]), np.uint8(1))
    strand[:, 0] ^= random.integers(0, 2, plants, dtype=np.uint8)
    np.bitwise_xor.accumulate(strand, axis=1, out=strand)
    return np.asarray(first ^ (strand & (first ^ second)), dtype=np.uint8)


def draw_inbred_lines(
    random: np.random.Generator,
    plants: int,
    *,
    generations: int,
    map_positions: NDArray[np.float64],
    centimorgans: float,
) -> tuple[Strands, Strands]:
    """Draw inbred lines by single-seed descent, each from an F1 of its own.

    Args:
        random: source of randomness.
        plants: number of lines.
        generations: number of selfings of the F1; 4 gives F5 lines.
        map_positions: (loci,) in cM, ascending.
        centimorgans: map length of the chromosome.

    Returns:
        Two strands, uint8 (plants, loci): 0 where a strand comes from the F1's one parent, 1 where from the other.
    """
    first = np.zeros((plants, len(map_positions)), dtype=np.uint8)
    second = np.ones_like(first)
    for _ in range(generations):
        first, second = (
            draw_gametes(random, first, second, map_positions=map_positions, centimorgans=centimorgans)
            for _ in range(2)
        )
    return first, second
