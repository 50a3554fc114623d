"""The baselines: what they may know, what they must not, and how well they do."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from gwas_core.errors import InputError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.simulation import DEMO, SimulationSettings, simulate
from gwas_core.genotypes.splits import Split, SplitSettings, make_split
from gwas_core.model import baselines
from gwas_core.model.baselines import BASELINES, evaluate_baselines, family_means, predict_baselines
from gwas_core.model.metrics import compute_metrics
from gwas_core.serialization import to_json_values


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    settings = SimulationSettings(
        families=8, lines_per_family=30, snps=200, chromosomes=4, large_qtl=2, polygenic_qtl=40, seed=5
    )
    return simulate(settings).dataset


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> Split:
    return make_split(dataset, SplitSettings(validation_fraction=0.2, test_fraction=0.3))


def test_every_baseline_is_judged_on_both_parts(dataset: Dataset, split: Split) -> None:
    results = evaluate_baselines(dataset, split)
    assert tuple(results) == tuple(BASELINES)
    predicted = predict_baselines(dataset, split.train, split.test)
    for name, result in results.items():
        assert (result.validation.lines, result.test.lines) == (len(split.validation), len(split.test))
        np.testing.assert_allclose(result.test_predictions, predicted[name], atol=1e-6)
        assert result.test == compute_metrics(
            dataset.phenotype[split.test], result.test_predictions, family=dataset.family[split.test]
        )
        assert (result.variance is not None) == name.startswith("gblup")
    assert results["mean"].test.pearson is None
    assert results["family_mean"].test.within_family_pearson is None


def test_the_result_is_json_ready(dataset: Dataset, split: Split) -> None:
    written = {name: to_json_values(result.stored) for name, result in evaluate_baselines(dataset, split).items()}
    again = json.loads(json.dumps(written, allow_nan=False))
    assert again == written
    assert again["mean"]["variance"] is None
    assert 0 < again["gblup"]["variance"]["proportion_explained"] < 1
    assert again["gblup"]["test"]["lines"] == len(split.test)


def test_means_are_those_of_the_training_lines(dataset: Dataset, split: Split) -> None:
    predicted = predict_baselines(dataset, split.train, split.test)
    np.testing.assert_allclose(predicted["mean"], dataset.phenotype[split.train].mean())
    for row, value in zip(split.test, predicted["family_mean"], strict=True):
        same = dataset.family[split.train] == dataset.family[row]
        assert value == pytest.approx(dataset.phenotype[split.train][same].mean())


def test_phenotypes_of_predicted_lines_are_not_looked_at(dataset: Dataset, split: Split) -> None:
    phenotype = dataset.phenotype.copy()
    phenotype[split.test] = 1e6
    hidden = replace(dataset, phenotype=phenotype)
    for one, other in zip(
        predict_baselines(dataset, split.train, split.test).values(),
        predict_baselines(hidden, split.train, split.test).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_prediction_does_not_depend_on_which_lines_are_predicted_with_it(dataset: Dataset, split: Split) -> None:
    together = predict_baselines(dataset, split.train, split.test)
    alone = predict_baselines(dataset, split.train, split.test[3:4])
    for name in together:
        assert alone[name][0] == pytest.approx(together[name][3], abs=1e-4)


def test_predictions_are_in_the_phenotypes_unit(dataset: Dataset, split: Split) -> None:
    scaled = replace(dataset, phenotype=dataset.phenotype * 1000 - 5000)
    plain = predict_baselines(dataset, split.train, split.test)
    for name, values in predict_baselines(scaled, split.train, split.test).items():
        np.testing.assert_allclose(values, plain[name] * 1000 - 5000, rtol=1e-4)


def test_a_family_that_is_not_in_training_gets_the_training_mean() -> None:
    phenotype = np.array([1.0, 3.0, 10.0])
    predicted = family_means(phenotype, np.array(["a", "a", "b"]), np.array(["b", "a", "new"]))
    np.testing.assert_allclose(predicted, [10.0, 2.0, 14 / 3])


def test_families_left_out_can_be_predicted(dataset: Dataset) -> None:
    split = make_split(dataset, SplitSettings(method="families_left_out", seed=1))
    results = evaluate_baselines(dataset, split)
    assert results["family_mean"].test.pearson is None
    np.testing.assert_allclose(results["family_mean"].test_predictions, results["mean"].test_predictions)
    assert results["gblup_family"].test.within_family_pearson is not None
    assert results["gblup_family"].test.within_family_pearson > 0.2


def test_without_families_there_are_two_baselines(dataset: Dataset, split: Split) -> None:
    results = evaluate_baselines(replace(dataset, family=None), split)
    assert tuple(results) == ("mean", "gblup")
    assert results["gblup"].test.within_family_pearson is None


def test_threads_are_limited_while_it_runs(dataset: Dataset, split: Split, monkeypatch) -> None:
    seen = []
    original = baselines.decompose

    def watched(relationship):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return original(relationship)

    monkeypatch.setattr(baselines, "decompose", watched)
    evaluate_baselines(dataset, split, threads=1)
    assert seen
    assert set(seen) == {1}


def test_missing_genotypes_and_a_foreign_split_are_refused(dataset: Dataset, split: Split) -> None:
    genotypes = dataset.genotypes.copy()
    genotypes[0, 0] = -1
    with pytest.raises(InputError, match="impute"):
        evaluate_baselines(replace(dataset, genotypes=genotypes), split)
    with pytest.raises(InputError, match="belongs to another"):
        evaluate_baselines(dataset.take(lines=np.arange(100)), split)


def test_on_the_demo_data_genotypes_beat_families_and_families_beat_the_mean() -> None:
    dataset = simulate(DEMO).dataset
    errors = []
    for seed in range(3):
        results = evaluate_baselines(dataset, make_split(dataset, SplitSettings(seed=seed)))
        errors.append([results[name].test.mean_absolute_error for name in ("mean", "family_mean", "gblup")])
        assert results["gblup"].test.within_family_pearson > 0.4
    mean, family_mean, gblup = np.mean(errors, axis=0)
    assert gblup < 0.8 * family_mean
    assert family_mean < 0.9 * mean


def test_fold_1_of_the_real_data(real_data: Path) -> None:
    """Against figures found by hand with a fixed variance ratio: MAE 0.507 and Pearson 0.768 for GBLUP."""
    table = read_table(real_data / "IMP_height.txt.gz")
    dataset, _ = make_dataset(table, guess_roles(table))
    assert dataset.trait == "norm_phe"
    train, test = np.flatnonzero(dataset.folds != 1), np.flatnonzero(dataset.folds == 1)
    predicted = predict_baselines(dataset, train, test, threads=os.cpu_count() or 1)
    judged = {
        name: compute_metrics(dataset.phenotype[test], values, family=dataset.family[test])
        for name, values in predicted.items()
    }
    assert judged["mean"].mean_absolute_error == pytest.approx(0.796, abs=0.001)
    assert judged["family_mean"].mean_absolute_error == pytest.approx(0.611, abs=0.001)
    assert judged["gblup"].mean_absolute_error == pytest.approx(0.504, abs=0.001)
    assert judged["gblup"].pearson == pytest.approx(0.772, abs=0.001)
    assert judged["gblup_family"].mean_absolute_error == pytest.approx(0.492, abs=0.001)
    assert judged["gblup_family"].pearson == pytest.approx(0.788, abs=0.001)
    assert judged["gblup_family"].within_family_pearson == pytest.approx(0.570, abs=0.002)
