from __future__ import annotations

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.imputation import ImputationTable
from gwas_core.genotypes.splits import Split
from gwas_core.model.bundle import Bundle, Manifest
from gwas_core.model.networks import AlleleStatistics, parse_network
from gwas_core.model.prediction import predict_lines
from gwas_core.model.trainer import Standardisation, Trainer


@pytest.fixture(scope="module")
def bundle(dataset: Dataset, split: Split) -> Bundle:
    network, chosen = parse_network({"learning_rate": 3e-3})
    trainer = Trainer(dataset, split.train, network, chosen, seed=1, xla=False)
    trainer.epoch()
    return Bundle(
        model=trainer.model,
        snps=dataset.snps.assign(allele_frequency=AlleleStatistics.of(dataset.genotypes[split.train]).mean / 2),
        imputation=ImputationTable(values=np.full(len(dataset.snps), 2, dtype=np.int8), by_family=None),
        standardisation=Standardisation.of(dataset.phenotype[split.train]),
        trait="height",
        metrics={},
        manifest=Manifest(format=1, files={}),
    )


def names(dataset: Dataset) -> list[str]:
    snp_names: list[str] = dataset.snps["name"].tolist()
    return snp_names


def test_order_and_extra_snps_do_not_matter(bundle: Bundle, dataset: Dataset) -> None:
    lines = list(dataset.line_names)
    straight = predict_lines(bundle, genotypes=dataset.genotypes, snp_names=names(dataset), line_names=lines)
    order = np.random.default_rng(2).permutation(len(dataset.snps))
    extra = np.concatenate([dataset.genotypes[:, order], np.ones((len(lines), 2), dtype=np.int8)], axis=1)
    shuffled = predict_lines(
        bundle,
        genotypes=extra,
        snp_names=[names(dataset)[index] for index in order] + ["new-1", "new-2"],
        line_names=lines,
    )
    np.testing.assert_array_equal(straight.table["predicted"], shuffled.table["predicted"])
    assert straight.table["line"].tolist() == lines
    assert (shuffled.matched, shuffled.missing, shuffled.unknown) == (len(dataset.snps), 0, 2)
    assert any("unknown to the model: 'new-1', 'new-2'" in note for note in shuffled.notes)


def test_absent_and_missing_genotypes_are_imputed_and_counted(bundle: Bundle, dataset: Dataset) -> None:
    lines = list(dataset.line_names[:4])
    snps = len(dataset.snps)
    filled = dataset.genotypes[:4].copy()
    filled[:, -10:] = 2  # the bundle's imputed value
    filled[1, 0] = 2
    holes = filled.copy()
    holes[1, 0] = -1
    expected = predict_lines(bundle, genotypes=filled, snp_names=names(dataset), line_names=lines)
    found = predict_lines(bundle, genotypes=holes[:, :-10], snp_names=names(dataset)[:-10], line_names=lines)
    np.testing.assert_allclose(found.table["predicted"], expected.table["predicted"], rtol=1e-6)
    assert found.table["imputed_fraction"].tolist() == pytest.approx([10 / snps, 11 / snps, 10 / snps, 10 / snps])
    assert (found.matched, found.missing) == (snps - 10, 10)
    assert any("10 SNPs are missing from the file" in note for note in found.notes)


def test_too_few_snps_are_refused(bundle: Bundle, dataset: Dataset) -> None:
    half = len(dataset.snps) // 2
    predict_lines(
        bundle, genotypes=dataset.genotypes[:3, :half], snp_names=names(dataset)[:half], line_names=["a", "b", "c"]
    )
    with pytest.raises(InputError, match=f"only {half - 1} of the model's {len(dataset.snps)} SNPs"):
        predict_lines(
            bundle,
            genotypes=dataset.genotypes[:3, : half - 1],
            snp_names=names(dataset)[: half - 1],
            line_names=["a", "b", "c"],
        )


def test_swapped_alleles_are_pointed_out(bundle: Bundle, dataset: Dataset) -> None:
    lines = list(dataset.line_names)
    right = predict_lines(bundle, genotypes=dataset.genotypes, snp_names=names(dataset), line_names=lines)
    swapped = predict_lines(bundle, genotypes=2 - dataset.genotypes, snp_names=names(dataset), line_names=lines)
    assert not any("0 and 2 swapped" in note for note in right.notes)
    assert any("0 and 2 swapped" in note for note in swapped.notes)
