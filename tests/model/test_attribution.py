"""A network's attributions: its coefficients where it is linear, and finite differences of its predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.attribution import attribute
from gwas_core.model.backend import import_keras
from gwas_core.model.networks import NETWORKS, parse_network
from gwas_core.model.trainer import Standardisation, Trainer, load_model, predict, save_model

SNPS, LINES = 12, 50
SCALE = Standardisation(mean=90.0, standard_deviation=7.0)


@pytest.fixture
def genotypes() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 3, (LINES, SNPS)).astype(np.int8)


def linear_network(coefficients: np.ndarray):
    """Half of the effect through the number, half through the classes."""
    keras = import_keras()
    counts = keras.Input((len(coefficients),), dtype="int8")
    number = keras.layers.Dense(1)(keras.ops.cast(counts, "float32"))
    classes = keras.layers.Dense(1)(keras.layers.Flatten()(keras.ops.one_hot(counts, 3)))
    model = keras.Model(counts, keras.layers.Add()([number, classes]))
    half = coefficients[:, None] / 2
    by_class = (half * np.arange(3)).reshape(-1, 1)
    model.set_weights([half, np.array([0.3]), by_class, np.array([-0.1])])
    return model


def test_of_a_linear_network_is_its_coefficients(genotypes: np.ndarray) -> None:
    coefficients = np.random.default_rng(5).normal(size=SNPS)
    attribution = attribute(linear_network(coefficients), genotypes, SCALE)
    np.testing.assert_allclose(attribution.effect, 7.0 * coefficients, rtol=1e-5)
    np.testing.assert_allclose(attribution.magnitude, 7.0 * np.abs(coefficients), rtol=1e-5)


def test_of_a_scaled_reading_is_an_effect_a_copy(genotypes: np.ndarray) -> None:
    keras = import_keras()
    counts = keras.Input((SNPS,), dtype="int8")
    model = keras.Model(counts, keras.layers.Dense(1)(keras.layers.Rescaling(0.5, offset=-1.0)(counts)))
    model.set_weights([np.full((SNPS, 1), 3.0), np.zeros(1)])
    np.testing.assert_allclose(attribute(model, genotypes, SCALE).effect, np.full(SNPS, 7.0 * 1.5), rtol=1e-5)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_of_a_trained_network_follows_its_predictions(
    name: str, dataset: Dataset, split: Split, tmp_path: Path
) -> None:
    network, hyperparameters = parse_network({"network": name})
    trainer = Trainer(dataset, split.train, network, hyperparameters, seed=1, xla=False)
    rng = np.random.default_rng(6)
    model = trainer.model
    if name == "tutorial":
        # Small weights: near enough to linear that a difference of predictions is the gradient.
        model.set_weights([0.1 * rng.normal(size=w.shape) ** 2 + 0.01 for w in model.get_weights()])
    else:
        effects = model.get_layer("snp_effects")
        effects.set_weights([rng.normal(size=effects.get_weights()[0].shape)])
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")

    genotypes = np.ascontiguousarray(dataset.genotypes[split.validation])
    attribution = attribute(loaded, genotypes, SCALE)
    assert np.isfinite(attribution.effect).all()
    assert (attribution.magnitude >= np.abs(attribution.effect) - 1e-12).all()
    # From one homozygote to the other, which the gradient says is twice the effect of a copy.
    differences = []
    snps = range(0, genotypes.shape[1], 10)
    for snp in snps:
        low, high = genotypes.copy(), genotypes.copy()
        low[:, snp], high[:, snp] = 0, 2
        differences.append(np.mean(predict(loaded, high, SCALE) - predict(loaded, low, SCALE)) / 2)
    assert np.corrcoef(differences, attribution.effect[snps])[0, 1] > 0.95


def test_refuses_a_network_that_reads_counts_otherwise(genotypes: np.ndarray) -> None:
    keras = import_keras()
    counts = keras.Input((SNPS,), dtype="float32")
    with pytest.raises(InputError, match="a layer Dense"):
        attribute(keras.Model(counts, keras.layers.Dense(1)(counts)), genotypes, SCALE)
