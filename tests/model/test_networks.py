from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.backend import import_keras
from gwas_core.model.networks import AlleleStatistics, parse
from gwas_core.model.trainer import load_model, save_model


def build(values: dict[str, Any], genotypes: np.ndarray) -> Any:
    import_keras().utils.set_random_seed(3)
    network, chosen = parse(values)
    return network.build(chosen, AlleleStatistics.of(genotypes))


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
    model = build(values, dataset.genotypes)
    before = model.predict(dataset.genotypes[:7], verbose=0)
    assert before.shape == (7, 1)
    save_model(model, tmp_path / "model.keras")
    modules = {entry.__class__.__module__.split(".")[0] for entry in model.layers}
    assert modules == {"keras"}
    after = load_model(tmp_path / "model.keras").predict(dataset.genotypes[:7], verbose=0)
    np.testing.assert_array_equal(before, after)


def test_the_published_network_has_the_published_layers(dataset: Dataset) -> None:
    model = build({"network": "tutorial"}, dataset.genotypes)
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
    model = build({"network": "tutorial", "layout": "flat"}, dataset.genotypes)
    assert flattened(model) == (None, 30 * len(dataset.snps))


def test_the_hybrid_network_starts_as_the_mean(dataset: Dataset) -> None:
    model = build({}, dataset.genotypes)
    np.testing.assert_array_equal(model.predict(dataset.genotypes[:5], verbose=0), np.zeros((5, 1)))


def test_the_linear_path_is_a_ridge_regression(dataset: Dataset) -> None:
    """With the convolution held at zero, training must find the ridge solution of its own penalty."""
    keras = import_keras()
    genotypes = dataset.genotypes
    target = (dataset.phenotype - dataset.phenotype.mean()) / dataset.phenotype.std()
    penalty = 0.5
    model = build({"linear_l2": penalty, "dropout_rate": 0.0}, genotypes)
    for layer in model.layers:
        layer.trainable = layer.name == "linear_path"
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mean_squared_error")
    model.fit(genotypes, target, batch_size=len(target), epochs=150, verbose=0)
    statistics = AlleleStatistics.of(genotypes)
    scaled = (genotypes - statistics.mean) / np.sqrt(statistics.variance.mean())
    lines = len(target)
    weights = np.linalg.solve(
        scaled.T @ scaled / lines + penalty * np.eye(scaled.shape[1]), scaled.T @ (target - target.mean()) / lines
    )
    predicted = model.predict(genotypes, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted, scaled @ weights + target.mean(), atol=0.02)
