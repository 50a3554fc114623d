"""r² against numpy and PLINK; pairs, bins and the half-decay distance against what is known of a simulated genome."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.linkage_disequilibrium import DistanceBin, LinkageDecay, linkage_decay, squared_correlations
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from tests.waiting import LIMIT

DATASET = simulate(
    SimulationSettings(
        families=8,
        lines_per_family=40,
        snps=300,
        chromosomes=3,
        large_qtl=2,
        polygenic_qtl=50,
        missing_fraction=0.1,
        missing_follows_families=False,
        seed=5,
    )
).dataset


def dataset_of(genotypes: np.ndarray, positions: list[int], chromosome: str | list[str] = "1") -> Dataset:
    lines, snps = genotypes.shape
    return Dataset(
        genotypes=genotypes.astype(np.int8),
        phenotype=np.arange(lines, dtype=np.float64),
        line_names=tuple(f"line{row}" for row in range(lines)),
        snps=pd.DataFrame(
            {"name": [f"s{snp}" for snp in range(snps)], "chromosome": chromosome, "position": positions}
        ),
        trait="height",
    )


def test_r2_is_numpys_over_the_lines_called_at_both() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 300, (2, 60))
    found = squared_correlations(DATASET.genotypes, first, second)
    for one, other, r2 in zip(first, second, found, strict=True):
        columns = DATASET.genotypes[:, [one, other]].astype(float)
        called = columns[(columns >= 0).all(axis=1)]
        assert r2 == pytest.approx(np.corrcoef(called.T)[0, 1] ** 2)
    # One that does not vary where the other is called has no correlation.
    constant = np.array([[0, 1], [0, 2], [1, -1]], dtype=np.int8)
    assert np.isnan(squared_correlations(constant, np.array([0]), np.array([1]))[0])


def test_r2_equals_plink(tmp_path: Path) -> None:
    plink = shutil.which("plink1.9")
    if plink is None:
        pytest.skip("PLINK 1.9 is not installed (Debian package plink1.9): our r² is not compared with it")
    names = [f"line{row}" for row in range(DATASET.lines)]
    to_bed(
        tmp_path / "data.bed",
        np.where(DATASET.genotypes < 0, np.nan, DATASET.genotypes),
        properties={
            "fid": names,
            "iid": names,
            "sid": [f"s{snp}" for snp in range(300)],
            "chromosome": ["1"] * 300,
            "bp_position": list(range(1, 301)),
            "allele_1": ["A"] * 300,
            "allele_2": ["G"] * 300,
        },
    )
    command = [plink, "--bfile", "data", "--r2", "square", "--allow-no-sex", "--threads", "1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=LIMIT)
    first, second = np.triu_indices(300, k=1)
    theirs = np.loadtxt(tmp_path / "plink.ld")[first, second]
    np.testing.assert_allclose(squared_correlations(DATASET.genotypes, first, second), theirs, rtol=1e-4, atol=1e-5)


def test_all_pairs_of_a_chromosome_are_used_where_they_are_few() -> None:
    decay = linkage_decay(DATASET)
    by_chromosome = DATASET.snps["chromosome"].value_counts()
    # In the bins are all pairs in which both SNPs vary where both are called: here all of them.
    assert decay.pairs == sum(size * (size - 1) // 2 for size in by_chromosome) == sum(b.pairs for b in decay.bins)
    assert not decay.is_sample
    assert (decay.snps, decay.chromosomes) == (300, 3)
    first, second = np.triu_indices(300, k=1)
    chromosome, position = DATASET.snps["chromosome"].to_numpy(), DATASET.snps["position"].to_numpy()
    same = chromosome[first] == chromosome[second]
    first, second = first[same], second[same]
    distance = np.abs(position[first] - position[second])
    r2 = squared_correlations(DATASET.genotypes, first, second)
    for part in decay.bins:
        inside = (distance >= part.shortest) & (distance <= part.longest)
        assert inside.sum() == part.pairs
        assert distance[inside].mean() == pytest.approx(part.mean_distance)
        assert r2[inside].mean() == pytest.approx(part.mean_r2)


def test_a_sample_is_stated_repeatable_and_has_no_pair_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(genotypes: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        seen.append((first, second))
        return squared_correlations(genotypes, first, second)

    monkeypatch.setattr("gwas_core.genotypes.linkage_disequilibrium.squared_correlations", watched)
    decay = linkage_decay(DATASET, pairs=2000)
    assert decay.is_sample
    assert decay.pairs == 2000
    assert decay == linkage_decay(DATASET, pairs=2000)
    assert decay != linkage_decay(DATASET, pairs=2000, seed=1)
    first, second = seen[0]
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == 2000
    assert (first != second).all()
    chromosome = DATASET.snps["chromosome"].to_numpy()
    assert (chromosome[first] == chromosome[second]).all()
    # Neighbours are drawn far more often than their share of all pairs, which is 2 %.
    order = np.abs(first - second)
    assert (order == 1).mean() > 0.08
    whole = linkage_decay(DATASET)
    assert decay.half_distance == pytest.approx(whole.half_distance, rel=0.5)


def test_the_half_decay_distance_is_where_r2_has_halved() -> None:
    # SNPs are copies of their left neighbour but for a share of new draws: r is (1 - share)^steps.
    random = np.random.default_rng(1)
    lines, snps, share = 4000, 60, 0.05
    columns = [random.integers(0, 3, lines)]
    for _ in range(snps - 1):
        columns.append(np.where(random.random(lines) < share, random.integers(0, 3, lines), columns[-1]))
    decay = linkage_decay(dataset_of(np.stack(columns, axis=1), [1000 * (snp + 1) for snp in range(snps)]))
    first = decay.bins[0]
    assert first.mean_r2 == pytest.approx((1 - share) ** (2 * first.mean_distance / 1000), abs=0.02)
    assert decay.first_r2 == pytest.approx(first.mean_r2, abs=0.01)
    steps = first.mean_distance / 1000 + np.log(0.5) / (2 * np.log(1 - share))
    assert decay.half_distance == pytest.approx(1000 * steps, rel=0.1)


def test_without_a_decay_there_is_no_half_decay_distance() -> None:
    random = np.random.default_rng(2)
    copies = np.repeat(random.integers(0, 3, (50, 1)), 20, axis=1)
    decay = linkage_decay(dataset_of(copies, list(range(1, 21))))
    assert decay.half_distance is None
    assert {round(part.mean_r2, 9) for part in decay.bins} == {1.0}
    assert decay.first_r2 == pytest.approx(1.0)
    # Two SNPs at one place are 1 base pair apart, so that there is a logarithm of it.
    (only,) = linkage_decay(dataset_of(copies[:, :2], [7, 7])).bins
    assert (only.shortest, only.longest, only.pairs) == (1, 1, 1)


def test_what_has_no_distances_is_refused_in_words() -> None:
    genotypes = DATASET.genotypes[:, :4]
    with pytest.raises(InputError, match="positions of the SNPs are not known"):
        linkage_decay(dataset_of(genotypes, [0, 0, 0, 0]))
    with pytest.raises(InputError, match="positions of the SNPs are not known"):
        linkage_decay(dataset_of(genotypes, [1, 2, 3, 4], ""))
    with pytest.raises(InputError, match="no two SNPs that vary lie on one chromosome"):
        linkage_decay(dataset_of(genotypes, [1, 2, 3, 4], ["1", "2", "3", "4"]))
    with pytest.raises(InputError, match="no two SNPs that vary"):
        linkage_decay(dataset_of(np.ones((10, 4)), [1, 2, 3, 4]))
    apart = np.array([[0, -1], [1, -1], [-1, 0], [-1, 1]] * 3)
    with pytest.raises(InputError, match="called in the same lines"):
        linkage_decay(dataset_of(apart, [1, 2]))
    with pytest.raises(InputError, match="at least 10 lines, not 9"):
        linkage_decay(DATASET.take(lines=np.arange(9)))


def test_a_damaged_record_is_refused() -> None:
    part = DistanceBin(shortest=1, longest=2, mean_distance=1.5, mean_r2=0.5, pairs=3)
    decay = LinkageDecay(
        bins=(part,), pairs=3, is_sample=False, snps=4, chromosomes=1, first_r2=0.5, half_distance=None
    )
    for change in (
        {"bins": ()},
        {"half_distance": float("inf")},
        {"first_r2": float("nan")},
        {"bins": (replace(part, mean_r2=float("nan")),)},
        {"bins": (replace(part, shortest=3),)},
        {"bins": (replace(part, pairs=0),)},
    ):
        with pytest.raises(InputError):
            replace(decay, **change)
