"""Time of a trial by the tutorial's procedure on this machine, rewritten from its description.

Each trial is a process. It preprocesses: read the table, one-hot encode every SNP, assign each row to a part by the
salted hash of its text, place the classes along the sequence, save floats as ``.npy``. Then it trains the published
network on that float input, compiled by XLA. Source: "Run a deep learning GWAS on soy height on Kubeflow Pipelines with
Katib's Bayesian hyperparameter tuning", NIH Cloud Lab, 2022. Its error of assuming three classes for a SNP that has two
is corrected: the shapes would not fit.

    python -m benchmarks.tutorial_way FILE [--steps 5] [--batch 30] [--no-xla] [--skip-preprocessing]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import LINES

_NOT_SNPS = ("strain", "height", "folds")
_PHENOTYPE = "norm_phe"
_CLASSES = 3


def refusal(path: Path) -> str:
    """Return why a file cannot be used, or an empty text; the tutorial's procedure reads its own layout only."""
    try:
        columns = pd.read_csv(path, sep="\t", nrows=0).columns
    except (OSError, ValueError, EOFError) as error:
        return f"{path} cannot be read as a table: {error}"
    missing = [name for name in (*_NOT_SNPS, _PHENOTYPE) if name not in columns]
    return f"{path} has not the tutorial's layout: no column {', '.join(missing)}" if missing else ""


def preprocess(path: Path, folder: Path) -> None:
    """Read, encode, split and save the data, as each trial of the tutorial does."""
    table = pd.read_csv(path, sep="\t").drop(columns=list(_NOT_SNPS))
    phenotype = table.pop(_PHENOTYPE).to_numpy()
    encoded = pd.get_dummies(table.astype(pd.CategoricalDtype([0, 1, 2])), dtype=float)
    # Hashes of text differ between processes, so each trial has other validation rows.
    hashes = np.array([hash(str(tuple(row))) for row in encoded.itertuples(index=False)], dtype=np.int64)
    validates = hashes % 100 < 30
    values = encoded.to_numpy()
    for name, rows in (("train", ~validates), ("validation", validates)):
        np.save(folder / f"{name}_data.npy", values[rows].reshape(rows.sum(), -1, 1))
        np.save(folder / f"{name}_labels.npy", phenotype[rows])
    np.save(folder / "validation_matrix.npy", values[validates])


def float_flat_network(snps: int, batch: int) -> Any:
    """Return the published network with its float input (3 x SNPs, 1): ours without the layers before it."""
    import keras

    from gwas_core.model.hyperparameters import TutorialHyperparameters
    from gwas_core.model.networks import DataShape, KerasLayerFactory, build_tutorial

    chosen = TutorialHyperparameters(layout="flat", batch_size=batch)
    whole = build_tutorial(chosen, DataShape(snps=snps, families=0), KerasLayerFactory(chosen))
    flat = next(
        layer.output
        for layer in whole.layers
        if tuple(getattr(layer.output, "shape", ())) == (None, _CLASSES * snps, 1)
    )
    model = keras.Model(flat, whole.output)
    model.compile(
        optimizer=keras.optimizers.Adam(chosen.learning_rate), loss=chosen.loss, metrics=["mean_absolute_error"]
    )
    return model


def train(
    data: NDArray[np.float64], labels: NDArray[np.float64], *, batch: int, steps: int, xla: bool
) -> dict[str, float]:
    """Train, and return the seconds until the first step is done and of a step after that."""
    started = time.perf_counter()
    model = float_flat_network(data.shape[1] // _CLASSES, batch)
    model.jit_compile = xla
    model.fit(data[:batch], labels[:batch], batch_size=batch, verbose=0)
    compiled = time.perf_counter()
    rows = np.arange(steps * batch) % len(data)
    model.fit(data[rows], labels[rows], batch_size=batch, verbose=0)
    return {
        "compile_seconds": compiled - started,
        "step_seconds": (time.perf_counter() - compiled) / steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=30)
    parser.add_argument("--no-xla", action="store_true")
    parser.add_argument("--skip-preprocessing", action="store_true")
    options = parser.parse_args()
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.skip_preprocessing:
            random = np.random.default_rng(0)
            rows = options.steps * options.batch
            snps = len(pd.read_csv(options.file, sep="\t", nrows=0).columns) - len(_NOT_SNPS) - 1
            data = np.eye(_CLASSES)[random.integers(0, _CLASSES, (rows, snps))].reshape(rows, -1, 1)
            labels = random.normal(size=rows)
        else:
            started = time.perf_counter()
            preprocess(options.file, folder)
            measured["preprocessing_seconds"] = time.perf_counter() - started
            data, labels = np.load(folder / "train_data.npy"), np.load(folder / "train_labels.npy")
        started = time.perf_counter()
        import keras  # noqa: F401  (what a fresh process waits for)

        measured["import_seconds"] = time.perf_counter() - started
        measured |= train(data, labels, batch=options.batch, steps=options.steps, xla=not options.no_xla)
    measured["epoch_seconds"] = measured["step_seconds"] * LINES / options.batch
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
