"""A network in training, and what stays of it: predictions, a file."""

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


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the phenotype over the training lines; networks learn z-scores."""

    mean: float
    standard_deviation: float

    @classmethod
    def of(cls, phenotype: NDArray[np.float64]) -> Standardisation:
        deviation = float(phenotype.std())
        if not deviation > 0:
            raise InputError("the training lines all have the same phenotype: choose another split or trait")
        return cls(float(phenotype.mean()), deviation)

    def standardise(self, phenotype: NDArray[np.float64]) -> NDArray[np.float32]:
        return ((phenotype - self.mean) / self.standard_deviation).astype(np.float32)

    def unstandardise(self, standardised: NDArray[Any]) -> NDArray[np.float64]:
        return standardised.astype(np.float64) * self.standard_deviation + self.mean


class Trainer:
    """A network and the data it learns from; ``epoch`` runs one pass.

    Attributes:
        model: the network, made of Keras's own layers; its weights are those of the start until ``finish``.
        steps: batches in an epoch.

    Args:
        initial_weights_folder: folder that keeps initial weights, so that an experiment computes them once. If None, a
            network that would start as a mixed model starts with no effects: enough to time its training.

    Raises:
        TrialFailed: from ``epoch``, when memory runs out.
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

        # Warm workers train many networks: without this names and seeds would depend on the trials before.
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
        # Only whole batches: a rest of one line would make batch normalisation divide by
        # nothing and XLA compile twice. Another order every epoch leaves out other lines.
        self._batch = min(hyperparameters.batch_size, len(train))
        self.steps = len(train) // self._batch

        shape = DataShape(snps=lines.genotypes.shape[1], families=lines.families)
        self.model = network.build(hyperparameters, shape, KerasLayerFactory(hyperparameters))
        self.model.compile(loss=hyperparameters.loss, jit_compile=xla)
        if network.initialise is not None:
            network.initialise(self.model, hyperparameters, lines, initial_weights_folder)
        numbers = numeric_hyperparameters(hyperparameters)
        self._training = find_compiled(
            # The shapes of what it is called with: with others it would be compiled anew, and none be forgotten.
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
        return int(sum(math.prod(weight.shape) for weight in self.model.trainable_weights))

    def epoch(self, *, steps: int | None = None) -> dict[str, float]:
        """Train on ``steps`` batches (default: all lines once); the training lines' loss and MAE (phenotype's unit)."""
        order = self._random.permutation(len(self._target))[: self.steps * self._batch].astype(np.int32)
        loss, error = self._training.epoch(
            self._genotypes, self._target, order.reshape(self.steps, self._batch), steps=steps or self.steps
        )
        return {"loss": loss, "mean_absolute_error": error * self.standardisation.standard_deviation}

    def loss(self, observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        """The training loss between two phenotype vectors (z-scored by the training lines), without penalties."""
        keras = import_keras()
        function = keras.losses.get(self._loss)
        pair = [self.standardisation.standardise(values)[:, None] for values in (observed, predicted)]
        return float(np.mean(keras.ops.convert_to_numpy(function(*pair))))

    def predict(self, genotypes: NDArray[np.int8]) -> NDArray[np.float64]:
        """Predicted phenotype (lines,), in its own unit, by the weights of this moment."""
        return _predict(self._training.predict, genotypes, self.standardisation)

    def get_weights(self) -> list[NDArray[Any]]:
        """All weights of this moment, of which ``finish`` takes such a list."""
        return self._training.get_weights()

    def finish(self, weights: list[NDArray[Any]]) -> None:
        """Give ``model``, and ``predict``, these weights."""
        self._training.set_weights(weights)
        self.model.set_weights(weights)


def _predict(
    function: Callable[[NDArray[np.int8]], NDArray[Any]], genotypes: NDArray[np.int8], standardisation: Standardisation
) -> NDArray[np.float64]:
    lines = len(genotypes)
    # Filled up to whole batches: one shape, one compiled program.
    padded = np.concatenate([genotypes, np.repeat(genotypes[-1:], -lines % PREDICTION_BATCH, axis=0)])
    outputs = [function(padded[at : at + PREDICTION_BATCH]) for at in range(0, len(padded), PREDICTION_BATCH)]
    return standardisation.unstandardise(np.concatenate(outputs).reshape(-1)[:lines])


def predict(model: Any, genotypes: NDArray[np.int8], standardisation: Standardisation) -> NDArray[np.float64]:
    """Predicted phenotype (lines,), in its own unit, of complete genotypes (lines, SNPs)."""
    lines = len(genotypes)
    batch = min(PREDICTION_BATCH, lines)
    # Filled up to whole batches: one shape, one compiled program.
    padded = np.concatenate([genotypes, np.repeat(genotypes[-1:], -lines % batch, axis=0)])
    return standardisation.unstandardise(model.predict(padded, batch_size=batch, verbose=0).reshape(-1)[:lines])


def save_model(model: Any, path: Path) -> None:
    """Save a network as ``.keras``, atomically; without the optimiser's state, which would triple its size."""
    keras = import_keras()
    with atomic_path(path) as temporary:
        keras.Model(model.inputs, model.outputs, name=model.name).save(temporary)


def load_model(path: Path) -> Any:
    """Load a ``.keras`` network in safe mode: no code from the file is run.

    Raises:
        InputError: when the file is not a Keras network, or wants to run code.
    """
    keras = import_keras()
    try:
        return keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:
        raise InputError(f"{path.name} is not a network that can be loaded safely ({type(error).__name__})") from error
