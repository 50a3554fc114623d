"""A network in training, and what stays of it: predictions, a file."""

from __future__ import annotations

import math
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
from gwas_core.model.networks import AlleleStatistics, Network

PREDICTION_BATCH = 256


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

    def forward(self, phenotype: NDArray[np.float64]) -> NDArray[np.float32]:
        return ((phenotype - self.mean) / self.standard_deviation).astype(np.float32)

    def back(self, standardised: NDArray[Any]) -> NDArray[np.float64]:
        return standardised.astype(np.float64) * self.standard_deviation + self.mean


class Trainer:
    """A compiled network and the data it learns from; ``epoch`` runs one pass.

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
    ) -> None:
        keras = import_keras()
        # Warm workers train many networks: without this each would leave its graph behind,
        # and names and seeds would depend on the trials before.
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed % 2**32)
        self._random = np.random.default_rng(seed)
        self._genotypes = np.ascontiguousarray(dataset.genotypes[train])
        self.standardisation = Standardisation.of(dataset.phenotype[train])
        self._target = self.standardisation.forward(dataset.phenotype[train])
        # Only whole batches: a rest of one line would make batch normalisation divide by
        # nothing and XLA compile twice. Another order every epoch leaves out other lines.
        self._batch = min(hyperparameters.batch_size, len(train))
        self.steps = len(train) // self._batch
        self.model = network.build(hyperparameters, AlleleStatistics.of(self._genotypes))
        self.model.compile(
            optimizer=keras.optimizers.Adam(hyperparameters.learning_rate),
            loss=hyperparameters.loss,
            metrics=["mean_absolute_error"],
            jit_compile=xla,
        )

    @property
    def weights(self) -> int:
        return int(sum(math.prod(weight.shape) for weight in self.model.trainable_weights))

    def epoch(self, *, steps: int | None = None) -> dict[str, float]:
        """Train on ``steps`` batches (default: all lines once); the training lines' loss and MAE (phenotype's unit)."""
        order = self._random.permutation(len(self._target))[: (steps or self.steps) * self._batch]
        history = self.model.fit(
            self._genotypes[order], self._target[order], batch_size=self._batch, shuffle=False, verbose=0
        ).history
        return {
            "loss": float(history["loss"][-1]),
            "mean_absolute_error": float(history["mean_absolute_error"][-1]) * self.standardisation.standard_deviation,
        }

    def loss(self, observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        """The training loss between two phenotype vectors (z-scored by the training lines), without penalties."""
        keras = import_keras()
        function = keras.losses.get(self.model.loss)
        pair = [self.standardisation.forward(values)[:, None] for values in (observed, predicted)]
        return float(np.mean(keras.ops.convert_to_numpy(function(*pair))))

    def predict(self, genotypes: NDArray[np.int8]) -> NDArray[np.float64]:
        return predict(self.model, genotypes, self.standardisation)


def predict(model: Any, genotypes: NDArray[np.int8], standardisation: Standardisation) -> NDArray[np.float64]:
    """Predicted phenotype (lines,), in its own unit, of complete genotypes (lines, SNPs)."""
    lines = len(genotypes)
    batch = min(PREDICTION_BATCH, lines)
    # Filled up to whole batches: one shape, one compiled program.
    padded = np.concatenate([genotypes, np.repeat(genotypes[-1:], -lines % batch, axis=0)])
    return standardisation.back(model.predict(padded, batch_size=batch, verbose=0).reshape(-1)[:lines])


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
