"""The quality report against plain loops and against what is known of the real data."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.quality import (
    allele_frequency,
    count_duplicates,
    find_outliers,
    genotype_counts,
    quality_report,
)
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.serialization import to_json_values

GENOTYPES = st.tuples(st.integers(1, 12), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.integers(-1, 2))
)


def dataset_of(genotypes: np.ndarray, *, families: int = 3, phenotype: np.ndarray | None = None) -> Dataset:
    lines, snps = genotypes.shape
    return Dataset(
        genotypes=genotypes.astype(np.int8),
        phenotype=np.arange(lines, dtype=np.float64) if phenotype is None else phenotype,
        line_names=tuple(f"line {index}" for index in range(lines)),
        snps=snp_table([f"Gm{10 - index % 3}_{index}" for index in range(snps)]),
        trait="height",
        family=np.array([f"f{index % families}" for index in range(lines)]) if families else None,
    )


@given(GENOTYPES)
def test_numbers_are_those_of_plain_loops(genotypes: np.ndarray) -> None:
    lines, snps = genotypes.shape
    report = quality_report(dataset_of(genotypes))
    columns = [[int(value) for value in genotypes[:, snp]] for snp in range(snps)]
    called = [[value for value in column if value >= 0] for column in columns]
    everything = [value for column in called for value in column]
    assert (report.lines, report.snps) == (lines, snps)
    assert report.missing_fraction == pytest.approx(1 - len(everything) / (lines * snps))
    assert report.monomorphic == sum(len(set(column)) <= 1 for column in called)
    assert report.duplicates == snps - len({tuple(column) for column in columns})
    if everything:
        assert report.heterozygosity == pytest.approx(everything.count(1) / len(everything))
    else:
        assert report.heterozygosity is None
    frequencies = [sum(column) / (2 * len(column)) for column in called if column]
    assert sum(report.allele_frequency.counts) == len(frequencies)
    assert report.allele_frequency.counts == tuple(np.histogram(frequencies, bins=20, range=(0, 1))[0].tolist())
    per_line = [sum(value < 0 for value in row) / snps for row in genotypes]
    assert report.missing_per_line.quantiles["0"] == pytest.approx(min(per_line))
    assert report.missing_per_line.quantiles["50"] == pytest.approx(np.median(per_line))
    assert report.missing_per_line.quantiles["100"] == pytest.approx(max(per_line))
    assert sum(report.missing_per_line.histogram.counts) == lines
    assert report.missing_per_snp.quantiles["100"] == pytest.approx(max(1 - len(c) / lines for c in called))
    assert sum(report.missing_per_snp.histogram.counts) == snps
    json.dumps(to_json_values(report), allow_nan=False)


@given(GENOTYPES)
def test_families_are_those_of_plain_loops(genotypes: np.ndarray) -> None:
    dataset = dataset_of(genotypes)
    assert dataset.family is not None
    families = quality_report(dataset).families
    assert families is not None
    fractions = [
        float((genotypes[dataset.family == name, snp] < 0).mean())
        for name in set(dataset.family.tolist())
        for snp in range(genotypes.shape[1])
    ]
    assert families.count == len(families.sizes) == len(set(dataset.family.tolist()))
    assert sum(families.sizes.values()) == dataset.lines
    assert families.cells_missing == pytest.approx(mean(fraction >= 0.95 for fraction in fractions))
    assert families.cells_called == pytest.approx(mean(fraction <= 0.05 for fraction in fractions))


def test_counting_in_blocks() -> None:
    """More lines than fit one block, all alike: a byte would overflow."""
    genotypes = np.full((1000, 3), 2, dtype=np.int8)
    genotypes[::4, 1] = -1
    counts = genotype_counts(genotypes)
    assert counts.tolist() == [[0, 0, 0], [0, 0, 0], [1000, 750, 1000], [0, 250, 0]]
    assert allele_frequency(counts).tolist() == [1, 1, 1]
    assert genotype_counts(genotypes, lines=np.arange(0, 1000, 4))[3].tolist() == [0, 250, 0]


def test_duplicates_across_blocks() -> None:
    genotypes = np.random.default_rng(0).integers(-1, 3, (40, 600)).astype(np.int8)
    assert count_duplicates(genotypes) == 0
    genotypes[:, 599] = genotypes[:, 0]
    genotypes[:, 300] = genotypes[:, 0]
    assert count_duplicates(genotypes) == 2


def test_chromosomes_are_in_the_order_of_a_person() -> None:
    report = quality_report(dataset_of(np.zeros((3, 8))))
    assert list(report.chromosomes.items()) == [("Gm8", 2), ("Gm9", 3), ("Gm10", 3)]


def test_phenotype_and_its_outliers() -> None:
    values = np.array([*range(50), 500.0, -400.0])
    report = quality_report(dataset_of(np.zeros((52, 2)), phenotype=values)).phenotype
    assert (report.name, report.lines, report.minimum, report.maximum) == ("height", 52, -400, 500)
    assert report.mean == pytest.approx(mean(values))
    assert report.standard_deviation == pytest.approx(stdev(values))
    assert sum(report.histogram.counts) == 52
    assert (report.outliers, report.outlier_lines) == (2, ("line 50", "line 51"))


def test_no_outliers_where_half_of_the_values_are_alike() -> None:
    assert list(find_outliers(np.array([0.0] * 30 + [1.0] * 5))) == []


def test_no_families() -> None:
    assert quality_report(dataset_of(np.zeros((3, 2)), families=0)).families is None


def test_the_report_of_a_saved_dataset(tmp_path: Path) -> None:
    """Memory-mapped genotypes give the same report."""
    dataset = dataset_of(np.random.default_rng(0).integers(-1, 3, (300, 20)))
    assert quality_report(Dataset.load(dataset.save(tmp_path / "saved"))) == quality_report(dataset)


def test_the_real_data_before_imputation(real_data: Path) -> None:
    """science.md: 25 % missing, and missingness is a label of the family."""
    table = read_table(real_data / "QA_height.txt.gz")
    report = quality_report(make_dataset(table, guess_roles(table))[0])
    assert (report.lines, report.snps) == (5011, 4236)
    assert list(report.chromosomes) == [f"Gm{number:02d}" for number in range(1, 21)]
    assert report.missing_fraction == pytest.approx(0.2526, abs=0.0001)
    assert report.families is not None
    assert report.families.count == 39
    assert report.families.cells_missing == pytest.approx(0.245, abs=0.005)
    assert report.families.cells_called == pytest.approx(0.72, abs=0.01)
    assert report.phenotype.standard_deviation == pytest.approx(1, abs=1e-6)
    assert report.monomorphic == 0
