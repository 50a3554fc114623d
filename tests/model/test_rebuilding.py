"""A network that is built again from a bundle's hyperparameters predicts what Keras makes of the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.bundle import BundleDescription, BundleProgram, open_bundle, write_bundle
from gwas_core.model.networks import DataShape, KerasLayerFactory, parse_network
from gwas_core.model.trainer import Standardisation, load_model, predict, save_model

NETWORKS: list[tuple[dict[str, Any], int]] = [
    ({"network": "hybrid"}, 4),
    ({"network": "hybrid"}, 0),
    ({"network": "hybrid", "num_dense_units": 0}, 4),
    ({"network": "hybrid", "conv_kernel_size": 7, "dropout_rate": 0.0}, 2),
    ({"network": "tutorial"}, 0),
    ({"network": "tutorial", "layout": "flat", "num_dense_layers": 12}, 0),
    ({"network": "tutorial", "num_dense_layers": 0}, 0),
]


@pytest.mark.parametrize(("values", "families"), NETWORKS)
def test_it_predicts_what_keras_makes_of_the_file(
    values: dict[str, Any], families: int, dataset: Dataset, tmp_path: Path
) -> None:
    network, chosen = parse_network(values)
    model = network.build(chosen, DataShape(snps=len(dataset.snps), families=families), KerasLayerFactory(chosen))
    random = np.random.default_rng(3)
    model.set_weights(
        [
            random.uniform(*((1, 2) if weight.name == "moving_variance" else (-0.01, 0.01)), weight.shape)
            for weight in model.weights
        ]
    )
    save_model(model, tmp_path / "model.keras")
    bundle = write_bundle(
        tmp_path / "best.zip",
        {
            "model.keras": tmp_path / "model.keras",
            "hyperparameters.json": json.dumps({"network": network.name, **asdict(chosen), "seed": 1}).encode(),
            "preprocessing.json": b'{"phenotype": {"name": "height", "mean": 0, "standard_deviation": 1}}',
            "snps.csv": dataset.snps.assign(imputed_value=0, allele_frequency=0.5).to_csv(index=False).encode(),
            "metrics.json": b"{}",
        },
        description=BundleDescription(),
        program=BundleProgram(),
    )
    opened = open_bundle(bundle)
    expected = predict(load_model(tmp_path / "model.keras"), dataset.genotypes, Standardisation(0, 1))
    assert expected.std() > 0
    np.testing.assert_array_equal(predict(opened.model, dataset.genotypes, Standardisation(0, 1)), expected)


def test_fewer_lines_are_predicted_at_once_where_memory_would_not_do(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, chosen = parse_network({"network": "tutorial"})
    model = network.build(chosen, DataShape(snps=len(dataset.snps), families=0), KerasLayerFactory(chosen))
    whole = predict(model, dataset.genotypes, Standardisation(0, 1))
    batches: list[int] = []
    original = type(model).predict

    def noted(self: Any, genotypes: Any, *, batch_size: int, **options: Any) -> Any:
        batches.append(batch_size)
        return original(self, genotypes, batch_size=batch_size, **options)

    monkeypatch.setattr(type(model), "predict", noted)
    for size, lines in ((1, 1), (130_000, 2), (10**9, 64)):
        monkeypatch.setattr("gwas_core.model.trainer.PREDICTION_BYTES", size)
        np.testing.assert_allclose(
            predict(model, dataset.genotypes, Standardisation(0, 1)), whole, rtol=1e-5, atol=1e-6
        )
        assert batches.pop() == lines
