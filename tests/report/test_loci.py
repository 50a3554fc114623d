"""The loci that go home are the regressions on the training lines, and what cannot be tested is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import Split, SplitSettings, make_split
from gwas_core.report.loci import training_loci


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate(SimulationSettings(families=2, lines_per_family=30, snps=20, polygenic_qtl=5)).dataset


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> Split:
    return make_split(dataset, SplitSettings(seed=1))


def test_they_are_those_of_the_training_lines(dataset: Dataset, split: Split) -> None:
    plain = replace(dataset, family=None)
    loci = training_loci(plain, split)
    assert loci.table is not None
    assert loci.table["name"].tolist() == dataset.snps["name"].tolist()
    assert {"chromosome", "position", "beta", "standard_error", "p_value"} <= set(loci.table)
    strongest = loci.strongest(3)
    assert strongest["p_value"].is_monotonic_increasing
    snp = int(strongest.index[0])
    expected = scipy.stats.linregress(dataset.genotypes[split.train, snp], dataset.phenotype[split.train])
    found = loci.table.loc[snp]
    assert found["beta"] == pytest.approx(expected.slope)
    assert found["standard_error"] == pytest.approx(expected.stderr)
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert f"on the {len(split.train)} training lines, without covariates" in loci.sentence
    assert "with family effects" in training_loci(dataset, split).sentence


def test_without_a_snp_that_varies_there_are_none(dataset: Dataset, split: Split) -> None:
    constant = replace(dataset, family=None, genotypes=np.zeros_like(np.asarray(dataset.genotypes)))
    loci = training_loci(constant, split)
    assert loci.table is None
    assert "No SNP could be tested" in loci.sentence
    assert loci.strongest(3).empty
