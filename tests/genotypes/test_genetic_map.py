"""Meiosis against what Haldane's model and inbreeding theory say."""

from __future__ import annotations

import numpy as np
import pytest

from gwas_core.genotypes.genetic_map import CHROMOSOMES, Chromosome, draw_gametes, draw_inbred_lines

CHROMOSOME = Chromosome(name="Gm01", base_pairs=50_000_000, centimorgans=120.0)


def test_the_map_covers_each_chromosome_and_never_falls() -> None:
    for chromosome in CHROMOSOMES:
        positions = np.linspace(0, chromosome.base_pairs, 5001)
        on_map = chromosome.map_positions(positions)
        assert on_map[0] == pytest.approx(0)
        assert on_map[-1] == pytest.approx(chromosome.centimorgans)
        assert (np.diff(on_map) > 0).all()


def test_recombination_is_rare_in_the_middle_half() -> None:
    quarter, three_quarters = CHROMOSOME.map_positions(CHROMOSOME.base_pairs * np.array([0.25, 0.75]))
    assert 0.05 < (three_quarters - quarter) / CHROMOSOME.centimorgans < 0.12


def test_drawn_positions_lie_on_the_chromosome_and_favour_its_ends() -> None:
    positions = CHROMOSOME.draw_positions(np.random.default_rng(0), 20_000)
    assert positions.min() >= 1
    assert positions.max() <= CHROMOSOME.base_pairs
    in_the_middle = (np.abs(positions / CHROMOSOME.base_pairs - 0.5) < 0.25).mean()
    assert 0.25 < in_the_middle < 0.33


def test_recombination_follows_haldane() -> None:
    on_map = np.array([0.0, 1.0, 6.0, 26.0, 76.0, 119.0])
    plants = 20_000
    strands = np.zeros((plants, 6), dtype=np.uint8), np.ones((plants, 6), dtype=np.uint8)
    gamete = draw_gametes(np.random.default_rng(1), *strands, map_positions=on_map, centimorgans=120.0)
    assert gamete.mean(axis=0) == pytest.approx(np.full(6, 0.5), abs=0.015)
    for one in range(6):
        for other in range(one + 1, 6):
            distance = (on_map[other] - on_map[one]) / 100
            expected = (1 - np.exp(-2 * distance)) / 2
            # Four standard errors.
            tolerance = 4 * np.sqrt(expected * (1 - expected) / plants)
            assert (gamete[:, one] != gamete[:, other]).mean() == pytest.approx(expected, abs=tolerance)


def test_a_gamete_only_carries_what_its_plant_has() -> None:
    random = np.random.default_rng(2)
    first, second = (random.integers(0, 2, (500, 40), dtype=np.uint8) for _ in range(2))
    on_map = np.sort(random.uniform(0, 120, 40))
    gamete = draw_gametes(random, first, second, map_positions=on_map, centimorgans=120.0)
    assert ((gamete == first) | (gamete == second)).all()
    assert (gamete != first).any()
    assert (gamete != second).any()


@pytest.mark.parametrize("generations", [1, 3, 5])
def test_selfing_halves_heterozygosity_and_keeps_allele_frequency(generations: int) -> None:
    on_map = np.linspace(0, 120, 30)
    random = np.random.default_rng(3)
    first, second = draw_inbred_lines(random, 4000, generations=generations, map_positions=on_map, centimorgans=120.0)
    assert (first != second).mean() == pytest.approx(0.5**generations, abs=0.02)
    assert (first.mean() + second.mean()) / 2 == pytest.approx(0.5, abs=0.02)


def test_inbred_lines_recombine_as_haldane_and_waddington_say() -> None:
    # R = 2r / (1 + 2r) between the loci of fully inbred lines (Haldane and Waddington 1931).
    on_map = np.array([10.0, 20.0])
    first, _ = draw_inbred_lines(
        np.random.default_rng(4), 20_000, generations=12, map_positions=on_map, centimorgans=120.0
    )
    r = (1 - np.exp(-0.2)) / 2
    assert (first[:, 0] != first[:, 1]).mean() == pytest.approx(2 * r / (1 + 2 * r), abs=0.012)
