"""Trainer of a network: batches, z-scores of the phenotype, predictions, and the ``.keras`` file.

Also here: order and whole batches of each epoch; loading without running code from the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import atomic_path
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.backend import import_keras
from gwas_core.model.hyperparameters import Hyperparameters
from gwas_core.model.initial_weights import TrainingLines
from gwas_core.model.networks import (
    DataShape,
    KerasLayerFactory,
    Network,
    numeric_hyperparameters,
    structural_hyperparameters,
)

PREDICTION_BATCH = 64
PREDICTION_BYTES = 1024**3
"""Memory for the outputs of all layers of a network in bytes, which a batch of the published size is far below."""


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the phenotype over the training lines; networks learn z-scores."""

    mean: float
    standard_deviation: float

    @classmethod
    def of(cls, phenotype: NDArray[np.float64]) -> Standardisation:
        """Return the standardisation of a phenotype.

        Args:
            phenotype: (lines,) of the training lines alone.

        Raises:
            InputError: all phenotypes are the same.
        """
        deviation = float(phenotype.std())
        if not deviation > 0:
            raise InputError("the training lines all have the same phenotype: choose another split or trait")
        return cls(float(phenotype.mean()), deviation)

    def standardise(self, phenotype: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return z-scores of phenotypes.

        Args:
            phenotype: (lines,), in its own unit.

        Returns:
            float32 (lines,).
        """
        return ((phenotype - self.mean) / self.standard_deviation).astype(np.float32)

    def unstandardise(self, standardised: NDArray[Any]) -> NDArray[np.float64]:
        """Return the phenotypes of z-scores.

        Args:
            standardised: (lines,), what a network predicts.

        Returns:
            float64 (lines,), in the phenotype's unit.
        """
        return standardised.astype(np.float64) * self.standard_deviation + self.mean


class Trainer:
    """Network in training, with the data it learns from.

    Attributes:
        model: network of Keras's own layers; it has the initial weights until ``finish`` is called.
        standardisation: of the training lines' phenotype.
        steps: batches per epoch.

    Args:
        dataset: complete genotypes.
        train: rows of the training lines.
        network: architecture to build.
        hyperparameters: of that architecture.
        seed: of the weights that are drawn at random, the order of lines, and dropout.
        xla: whether to compile training steps with XLA.
        initial_weights_folder: folder that keeps initial weights, so that an experiment computes them once. If None, a
            network that would start as a mixed model starts with no effects: enough to time its training.
    """

    def __init__(
        self,
        dataset: Dataset,
        train: NDArray[np.int64],
        network: Network,
        hyperparameters: Hyperparameters,
        *,
        seed: int,
        xla: bool,
        initial_weights_folder: Path | None = None,
    ) -> None:
        keras = import_keras()
        import tensorflow as tf

        from gwas_core.model.compiled_training import CompiledTraining, find_compiled

        # A worker trains many networks: without this, names and seeds would depend on the trials before.
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed % 2**32)
        self._random = np.random.default_rng(seed)
        self._loss = hyperparameters.loss
        self.standardisation = Standardisation.of(dataset.phenotype[train])
        lines = TrainingLines(
            genotypes=np.ascontiguousarray(dataset.genotypes[train]),
            target=self.standardisation.standardise(dataset.phenotype[train]),
            family=None if dataset.family is None else dataset.family[train],
        )
        # Whole batches only: a last batch of one line would make batch normalisation divide by zero, and XLA would
        # compile twice. The order changes with each epoch, so other lines are left out each time.
        self._batch = min(hyperparameters.batch_size, len(train))
        self.steps = len(train) // self._batch

        shape = DataShape(snps=lines.genotypes.shape[1], families=lines.families)
        self.model = network.build(hyperparameters, shape, KerasLayerFactory(hyperparameters))
        self.model.compile(loss=hyperparameters.loss, jit_compile=xla)
        if network.initialise is not None:
            network.initialise(self.model, hyperparameters, lines, initial_weights_folder)
        numbers = numeric_hyperparameters(hyperparameters)
        self._training = find_compiled(
            # All shapes it is called with are part of the key: for others TensorFlow would compile again and keep both.
            (network.name, structural_hyperparameters(hyperparameters), shape, len(train), self._batch, xla),
            lambda: CompiledTraining(
                lambda factory: network.build(hyperparameters, shape, factory),
                numbers,
                loss=hyperparameters.loss,
                xla=xla,
            ),
        )
        self._training.begin(self.model.get_weights(), numbers, seed=seed)
        self._genotypes, self._target = tf.constant(lines.genotypes), tf.constant(lines.target[:, None])

    @property
    def weights(self) -> int:
        """Number of trainable weights."""
        return int(sum(math.prod(weight.shape) for weight in self.model.trainable_weights))

    def epoch(self, *, steps: int | None = None) -> dict[str, float]:
        """Train for one epoch.

        Args:
            steps: number of batches; all if None.

        Returns:
            ``loss`` on the training lines, penalties included, and ``mean_absolute_error`` in the phenotype's unit.
        """
        order = self._random.permutation(len(self._target))[: self.steps * self._batch].astype(np.int32)
        loss, error = self._training.epoch(
            self._genotypes, self._target, order.reshape(self.steps, self._batch), steps=steps or self.steps
        )
        return {"loss": loss, "mean_absolute_error": error * self.standardisation.standard_deviation}

    def loss(self, observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        """Return the training loss between two phenotype vectors, without penalties.

        Args:
            observed: (lines,) in the phenotype's unit.
            predicted: (lines,) in the phenotype's unit.
        """
        keras = import_keras()
        function = keras.losses.get(self._loss)
        pair = [self.standardisation.standardise(values)[:, None] for values in (observed, predicted)]
        return float(np.mean(keras.ops.convert_to_numpy(function(*pair))))

    def predict(self, genotypes: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the phenotypes that the current weights predict.

        Args:
            genotypes: int8 (lines, SNPs), without missing values.

        Returns:
            float64 (lines,), in the phenotype's unit.
        """
        return _predict(self._training.predict, genotypes, self.standardisation)

    def get_weights(self) -> list[NDArray[Any]]:
        """Return a copy of all current weights, which ``finish`` takes."""
        return self._training.get_weights()

    def finish(self, weights: list[NDArray[Any]]) -> None:
        """Set these weights in ``model`` and for ``predict``.

        Args:
            weights: what ``get_weights`` returned after the best epoch.
        """
        self._training.set_weights(weights)
        self.model.set_weights(weights)


def _predict(
    function: Callable[[NDArray[np.int8]], NDArray[Any]], genotypes: NDArray[np.int8], standardisation: Standardisation
) -> NDArray[np.float64]:
    lines = len(genotypes)
    # Padded to whole batches: one shape is compiled once.
    padded = np.concatenate([genotypes, np.repeat(genotypes[-1:], -lines % PREDICTION_BATCH, axis=0)])
    outputs = [function(padded[at : at + PREDICTION_BATCH]) for at in range(0, len(padded), PREDICTION_BATCH)]
    return standardisation.unstandardise(np.concatenate(outputs).reshape(-1)[:lines])


def predict(model: Any, genotypes: NDArray[np.int8], standardisation: Standardisation) -> NDArray[np.float64]:
    """Predict phenotypes with a network.

    Args:
        model: Keras network.
        genotypes: int8 (lines, SNPs) without missing values.
        standardisation: of the phenotype the network learned.

    Returns:
        (lines,) in the phenotype's unit.
    """
    lines = len(genotypes)
    batch = min(_lines_at_once(model), lines)
    # Padded to whole batches: one shape is compiled once.
    padded = np.concatenate([genotypes, np.repeat(genotypes[-1:], -lines % batch, axis=0)])
    return standardisation.unstandardise(model.predict(padded, batch_size=batch, verbose=0).reshape(-1)[:lines])


def _lines_at_once(model: Any) -> int:
    """Return how many lines to predict at once: fewer where the outputs of all layers would fill the memory."""
    bytes_per_line = 4 * sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    return max(1, min(PREDICTION_BATCH, PREDICTION_BYTES // max(1, int(bytes_per_line))))


def save_model(model: Any, path: Path) -> None:
    """Save a network as ``.keras``, atomically, without the optimiser's state, which would triple its size.

    Args:
        model: Keras network.
        path: of the ``.keras`` file.
    """
    keras = import_keras()
    with atomic_path(path) as temporary:
        keras.Model(model.inputs, model.outputs, name=model.name).save(temporary)


def load_model(path: Path) -> Any:
    """Load a ``.keras`` network in safe mode, in which no code from the file is run.

    Args:
        path: of the ``.keras`` file.

    Returns:
        Keras network, not compiled: it predicts, but cannot be trained further.

    Raises:
        InputError: the file is not a Keras network, or it contains code.
    """
    keras = import_keras()
    try:
        return keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:
        raise InputError(f"{path.name} is not a network that can be loaded safely ({type(error).__name__})") from error
