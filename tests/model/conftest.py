"""Small real data for the network's tests."""

from __future__ import annotations

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import Split, SplitSettings, make_split


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """160 lines of 4 families, 120 SNPs, a highly heritable trait."""
    settings = SimulationSettings(families=4, lines_per_family=40, snps=120, polygenic_qtl=60, seed=5)
    made = simulate(settings).dataset
    assert np.isin(made.genotypes, (0, 1, 2)).all()
    return made


@pytest.fixture(scope="session")
def split(dataset: Dataset) -> Split:
    return make_split(dataset, SplitSettings(seed=1))
