"""Parents differ where SNPs are, and are alike in stretches."""

from __future__ import annotations

import numpy as np
import pytest

from gwas_core.errors import SettingsError
from gwas_core.genotypes.founders import draw_snp_panel
from gwas_core.genotypes.genetic_map import CHROMOSOMES

OPTIONS = {"ancestors": 10, "block_centimorgans": 8.0}


def squared_correlations(differs: np.ndarray) -> np.ndarray:
    return np.corrcoef(differs.T.astype(float)) ** 2


def test_every_snp_lies_in_its_place_and_segregates_somewhere() -> None:
    for seed in range(5):
        panel = draw_snp_panel(np.random.default_rng(seed), CHROMOSOMES[2], snps=150, founders=4, **OPTIONS)
        assert panel.differs.shape == (4, 150)
        assert (np.diff(panel.positions) > 0).all()
        assert panel.positions.min() >= 1
        assert panel.positions.max() <= CHROMOSOMES[2].base_pairs
        assert panel.differs.any(axis=0).all()
        # Not bunched at one end.
        assert panel.positions.min() < 0.1 * CHROMOSOMES[2].base_pairs
        assert panel.positions.max() > 0.9 * CHROMOSOMES[2].base_pairs


def test_linkage_disequilibrium_between_founders_decays_with_distance() -> None:
    near, middle, far = [], [], []
    for seed in range(6):
        panel = draw_snp_panel(np.random.default_rng(seed), CHROMOSOMES[0], snps=150, founders=60, **OPTIONS)
        varying = ~panel.differs.all(axis=0)
        on_map = CHROMOSOMES[0].map_positions(panel.positions[varying])
        distance = np.abs(on_map[:, None] - on_map)
        r2 = squared_correlations(panel.differs[:, varying])
        near.append(r2[(distance > 0) & (distance < 0.5)].mean())
        middle.append(r2[(distance > 2) & (distance < 6)].mean())
        far.append(r2[distance > 40].mean())
    assert np.mean(near) > 1.4 * np.mean(middle)
    assert np.mean(middle) > 1.2 * np.mean(far)
    # What 61 unrelated parents give by chance.
    assert np.mean(far) < 0.04


def test_one_family_is_enough() -> None:
    panel = draw_snp_panel(np.random.default_rng(0), CHROMOSOMES[0], snps=300, founders=1, **OPTIONS)
    assert panel.differs.all()


def test_parents_without_a_difference_are_refused() -> None:
    # Two ancestors in blocks longer than the chromosome: with this seed both parents have the same one.
    random = np.random.default_rng(1)
    with pytest.raises(SettingsError, match="too alike") as refused:
        draw_snp_panel(random, CHROMOSOMES[0], snps=20, founders=1, ancestors=2, block_centimorgans=1e4)
    assert refused.value.field == "ancestral_haplotypes"
