from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.quality import QualityReport, quality_report
from gwas_core.report.quality_charts import (
    chromosomes_figure,
    chromosomes_table,
    families_table,
    histogram_figure,
    histogram_table,
    quality_warnings,
)

LINES, SNPS = 60, 40


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    random = np.random.default_rng(0)
    return Dataset(
        genotypes=random.integers(0, 3, (LINES, SNPS)).astype(np.int8),
        phenotype=random.normal(size=LINES),
        line_names=tuple(f"line-{number}" for number in range(LINES)),
        snps=pd.DataFrame(
            {"name": [f"s{n}" for n in range(SNPS)], "chromosome": ["2", "<b>10</b>"] * 20, "position": 0}
        ),
        trait="height",
        family=np.array(["A", "B", "B"] * 20),
    )


@pytest.fixture(scope="module")
def report(dataset: Dataset) -> QualityReport:
    return quality_report(dataset)


def test_sound_data_need_no_warning(report: QualityReport) -> None:
    assert quality_warnings(report) == ()


def test_missingness_that_follows_families_is_named(dataset: Dataset) -> None:
    genotypes = dataset.genotypes.copy()
    assert dataset.family is not None
    genotypes[np.ix_(dataset.family == "A", np.arange(SNPS) < 10)] = -1
    (warning,) = quality_warnings(quality_report(replace(dataset, genotypes=genotypes)))
    assert "Missingness follows families: 12.5%" in warning


def test_scattered_missingness_is_only_counted(dataset: Dataset) -> None:
    genotypes = dataset.genotypes.copy()
    genotypes[np.random.default_rng(1).random(genotypes.shape) < 0.4] = -1
    (warning,) = quality_warnings(quality_report(replace(dataset, genotypes=genotypes)))
    assert "of all genotypes are missing" in warning


def test_duplicates_monomorphic_snps_and_outliers_are_named(dataset: Dataset) -> None:
    genotypes, phenotype = dataset.genotypes.copy(), dataset.phenotype.copy()
    genotypes[:, 1:4] = genotypes[:, :1]
    genotypes[:, 5] = 2
    phenotype[7] = 1000.0
    warnings = quality_warnings(quality_report(replace(dataset, genotypes=genotypes, phenotype=phenotype)))
    assert [warning.partition(" ")[0] for warning in warnings] == ["3", "1", "1"]
    assert "'line-7'" in warnings[2]


def test_a_histogram_is_drawn_as_it_was_counted(report: QualityReport) -> None:
    histogram = report.phenotype.histogram
    table = histogram_table(histogram, values="Height", counts="Lines")
    assert table["Lines"].sum() == LINES
    (bars,) = histogram_figure(histogram, values="Height", counts="Lines").data
    assert list(bars.y) == list(histogram.counts)
    np.testing.assert_allclose(bars.x, (table["Height, from"] + table["Height, to"]) / 2)
    np.testing.assert_allclose(bars.width, table["Height, to"] - table["Height, from"])


def test_names_from_files_are_no_markup(report: QualityReport) -> None:
    assert chromosomes_table(report)["Chromosome"].tolist() == ["2", "<b>10</b>"]
    (bars,) = chromosomes_figure(report).data
    assert list(bars.x) == ["2", "&lt;b&gt;10&lt;/b&gt;"]
    assert list(bars.y) == [20, 20]
    figure = histogram_figure(report.phenotype.histogram, values="<i>x</i>", counts="Lines")
    assert figure.layout.xaxis.title.text == "&lt;i&gt;x&lt;/i&gt;"


def test_families_are_listed_the_largest_first(report: QualityReport) -> None:
    assert families_table(report).to_dict("list") == {"Family": ["B", "A"], "Lines": [40, 20]}
    assert families_table(replace(report, families=None)).empty
