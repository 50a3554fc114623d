from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.backend import import_keras
from gwas_core.model.initial_weights import TrainingLines, fit_initial_weights
from gwas_core.model.networks import AlleleStatistics, DataShape, KerasLayerFactory, parse_network
from gwas_core.model.trainer import load_model, save_model


def lines_of(dataset: Dataset) -> TrainingLines:
    target = (dataset.phenotype - dataset.phenotype.mean()) / dataset.phenotype.std()
    return TrainingLines(genotypes=dataset.genotypes, target=target.astype(np.float32), family=dataset.family)


def build(values: dict[str, Any], dataset: Dataset) -> Any:
    import_keras().utils.set_random_seed(3)
    network, chosen = parse_network(values)
    lines = lines_of(dataset)
    model = network.build(chosen, DataShape(snps=len(dataset.snps), families=lines.families), KerasLayerFactory(chosen))
    if network.initialise is not None:
        with tempfile.TemporaryDirectory() as folder:
            network.initialise(model, chosen, lines, Path(folder))
    return model


def flattened(model: Any) -> tuple[int | None, ...]:
    """Shape of the convolutions' output once it is flat."""
    shape: tuple[int | None, ...] = next(
        layer.output.shape for layer in model.layers if layer.__class__.__name__ == "Flatten"
    )
    return shape


def test_allele_statistics_are_those_of_numpy() -> None:
    genotypes = np.random.default_rng(0).integers(0, 3, (57, 31)).astype(np.int8)
    statistics = AlleleStatistics.of(genotypes)
    np.testing.assert_allclose(statistics.mean, genotypes.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(statistics.variance, genotypes.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        {"network": "hybrid"},
        {"network": "hybrid", "conv_kernel_size": 1000, "conv_filters": 1},
        {"network": "tutorial"},
        {"network": "tutorial", "num_dense_layers": 0},
        {"network": "tutorial", "layout": "flat", "conv_initializer": "HeNormal", "conv_activation": "gelu"},
    ],
)
def test_a_saved_network_predicts_the_same_without_this_package(
    values: dict[str, Any], dataset: Dataset, tmp_path: Path
) -> None:
    model = build(values, dataset)
    before = model.predict(dataset.genotypes[:7], verbose=0)
    assert before.shape == (7, 1)
    save_model(model, tmp_path / "model.keras")
    modules = {entry.__class__.__module__.split(".")[0] for entry in model.layers}
    assert modules == {"keras"}
    after = load_model(tmp_path / "model.keras").predict(dataset.genotypes[:7], verbose=0)
    # Built and loaded networks are compiled apart, which may order the sums of 32-bit floats differently.
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-6)


def test_the_published_network_has_the_published_layers(dataset: Dataset) -> None:
    model = build({"network": "tutorial"}, dataset)
    convolutions = [layer for layer in model.layers if layer.__class__.__name__ == "Conv1D"]
    assert [layer.kernel_size for layer in convolutions] == [(3,), (20,), (4,), (4,)]
    assert {layer.filters for layer in convolutions} == {10}
    kinds = [layer.__class__.__name__ for layer in model.layers]
    assert kinds.count("Dropout") == 3
    assert kinds.count("Dense") == 3 + 1
    # After Flatten, after each dense layer, after Concatenate.
    assert kinds.count("BatchNormalization") == 1 + 3 + 1
    assert flattened(model) == (None, 10 * len(dataset.snps))


def test_the_flat_layout_is_three_times_as_long(dataset: Dataset) -> None:
    model = build({"network": "tutorial", "layout": "flat"}, dataset)
    assert flattened(model) == (None, 30 * len(dataset.snps))


def test_without_effects_the_hybrid_network_starts_as_the_mean(dataset: Dataset) -> None:
    model = build({"linear_start": "zero"}, dataset)
    np.testing.assert_allclose(model.predict(dataset.genotypes[:5], verbose=0), 0.0, atol=1e-6)


@pytest.mark.parametrize("values", [{}, {"conv_kernel_size": 7, "conv_filters": 5}, {"num_dense_units": 0}])
def test_the_hybrid_network_starts_as_the_mixed_model(values: dict[str, Any], dataset: Dataset) -> None:
    _, chosen = parse_network(values)
    start = fit_initial_weights(
        lines_of(dataset),
        block=chosen.conv_kernel_size,  # type: ignore[attr-defined]
        prototypes=chosen.conv_filters,  # type: ignore[attr-defined]
        sharpness=chosen.haplotype_sharpness,  # type: ignore[attr-defined]
    )
    predicted = build(values, dataset).predict(dataset.genotypes, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, start.predict(dataset.genotypes), atol=2e-3)


def test_lines_without_families_have_no_path_by_family(dataset: Dataset) -> None:
    alone = dataclasses.replace(dataset, family=None)
    names = {layer.name for layer in build({}, alone).layers}
    assert "haplotype_effects" in names
    assert not {"family_shares", "family_effects"} & names
