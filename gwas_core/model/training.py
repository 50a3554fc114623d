"""One trial: build a network, train it, keep its best epoch.

``run_trial`` is the same function in a local process, in a pipeline step and in a Katib
job. TensorFlow is imported inside, when a network is built: it takes seconds.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError, TrialFailed, TrialPruned
from gwas_core.files import atomic_path, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.backend import import_keras
from gwas_core.model.hyperparameters import Hyperparameters
from gwas_core.model.metrics import Judgement, judge
from gwas_core.model.networks import AlleleStatistics, Network, parse

Report = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number (from 1) and metrics; may raise ``TrialPruned``."""

XLA_SETTINGS = ("auto", "on", "off")
PREDICTION_BATCH = 256
OBJECTIVE = "val_mean_absolute_error"


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What a finished trial is judged by.

    Attributes:
        val_mean_absolute_error: of the best epoch, in the phenotype's unit.
        best_epoch: counted from 1.
        epochs: how many were run.
        validation: the kept weights, judged on the validation lines.
        seconds: wall time of the trial, compilation included.
        weights: number of trainable weights.
        xla: whether training steps were compiled with XLA.
    """

    val_mean_absolute_error: float
    best_epoch: int
    epochs: int
    validation: Judgement
    seconds: float
    weights: int
    xla: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"validation": self.validation.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialResult:
        return cls(**{**values, "validation": Judgement.from_dict(values["validation"])})


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


def run_trial(
    dataset: Dataset,
    split: Split,
    hyperparameters: Mapping[str, Any],
    directory: Path,
    *,
    report: Report,
    seed: int = 0,
    xla: str = "auto",
) -> TrialResult:
    """Train one network on the training lines and keep the epoch that predicts the validation lines best.

    Writes into ``directory``: ``hyperparameters.json`` (all of them, defaults included),
    ``metrics.jsonl`` (a line an epoch), ``log.txt``, and ``model.keras`` once training is over.
    The test lines are never looked at. With the same seed, threads and XLA choice the result repeats.

    Args:
        dataset: complete genotypes (see ``genotypes.preprocessing``).
        hyperparameters: those of the network that ``hyperparameters["network"]`` names; what is absent is default.
        report: called after each epoch.
        xla: ``on``, ``off``, or ``auto`` (see ``model.calibration``).

    Raises:
        SettingsError: hyperparameters that do not fit.
        TrialFailed: the loss left the finite numbers, or memory ran out.
        TrialPruned: ``report`` asked for it; no model is written.
    """
    started = time.monotonic()
    if dataset.has_missing:
        raise InputError("the genotypes have missing values: impute them before training")
    network, chosen = parse(hyperparameters)
    use_xla = _resolve_xla(dataset, split, hyperparameters, xla)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(
        directory / "hyperparameters.json",
        {"network": network.name, **asdict(chosen), "seed": seed, "xla": use_xla},
    )
    with (
        (directory / "metrics.jsonl").open("w", encoding="utf-8") as metrics_file,
        (directory / "log.txt").open("w", encoding="utf-8") as log_file,
    ):
        log = _Log(log_file)
        log(f"network {network.name}, seed {seed}, XLA {'on' if use_xla else 'off'}")
        log(f"{len(split.train)} lines to train on, {len(split.validation)} to validate on")
        log(f"{dataset.genotypes.shape[1]} SNPs")
        try:
            result = _train(
                dataset,
                split,
                network,
                chosen,
                directory,
                report=_recorded(report, metrics_file, log),
                seed=seed,
                xla=use_xla,
                started=started,
            )
        except TrialPruned:
            log("stopped early: other trials were better at this epoch")
            raise
        except TrialFailed as error:
            log(f"failed: {error}")
            raise
        log(
            f"best epoch {result.best_epoch} of {result.epochs}: {OBJECTIVE} {result.val_mean_absolute_error:.5f}; "
            f"{result.seconds:.1f} s in all"
        )
    return result


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


def _train(
    dataset: Dataset,
    split: Split,
    network: Network,
    hyperparameters: Hyperparameters,
    directory: Path,
    *,
    report: Report,
    seed: int,
    xla: bool,
    started: float,
) -> TrialResult:
    trainer = Trainer(dataset, split.train, network, hyperparameters, seed=seed, xla=xla)
    genotypes = np.ascontiguousarray(dataset.genotypes[split.validation])
    observed = dataset.phenotype[split.validation]
    best_error, best_epoch, best_weights = math.inf, 0, None
    epoch = 0
    for epoch in range(1, hyperparameters.epochs + 1):
        epoch_started = time.monotonic()
        metrics = _guarded(trainer.epoch)
        predicted = _guarded(trainer.predict, genotypes)
        metrics["val_loss"] = trainer.loss(observed, predicted)
        metrics[OBJECTIVE] = float(np.abs(predicted - observed).mean())
        metrics["seconds"] = time.monotonic() - epoch_started
        _check_finite(epoch, metrics, hyperparameters)
        if metrics[OBJECTIVE] < best_error:
            best_error, best_epoch, best_weights = metrics[OBJECTIVE], epoch, trainer.model.get_weights()
        report(epoch, metrics)
        if epoch - best_epoch >= hyperparameters.patience:
            break
    trainer.model.set_weights(best_weights)
    validation = judge(
        observed,
        trainer.predict(genotypes),
        family=None if dataset.family is None else dataset.family[split.validation],
    )
    save_model(trainer.model, directory / "model.keras")
    return TrialResult(
        val_mean_absolute_error=validation.mean_absolute_error,
        best_epoch=best_epoch,
        epochs=epoch,
        validation=validation,
        seconds=time.monotonic() - started,
        weights=trainer.weights,
        xla=xla,
    )


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


def _resolve_xla(dataset: Dataset, split: Split, hyperparameters: Mapping[str, Any], xla: str) -> bool:
    if xla not in XLA_SETTINGS:
        raise SettingsError(f"xla must be one of {', '.join(XLA_SETTINGS)}, not {xla!r}", field="xla")
    if xla != "auto":
        return xla == "on"
    from gwas_core.model.calibration import calibrate

    return calibrate(dataset, split, hyperparameters).xla


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call, and turn running out of memory into the trial's own failure."""
    from tensorflow import errors

    try:
        return function(*arguments)
    except (MemoryError, errors.ResourceExhaustedError) as error:
        raise TrialFailed(
            "memory ran out: use a smaller batch size, fewer dense units or fewer parallel trials"
        ) from error


def _check_finite(epoch: int, metrics: Mapping[str, float], hyperparameters: Hyperparameters) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise TrialFailed(
                f"{name} became {value} in epoch {epoch}: training diverged; a learning rate below "
                f"{hyperparameters.learning_rate:g} or weaker penalties may hold it"
            )


class _Log:
    """The trial's log: one time-stamped line a message, on disk at once."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __call__(self, message: str) -> None:
        self._file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {message}\n")
        self._file.flush()


def _recorded(report: Report, metrics_file: Any, log: _Log) -> Report:
    """``report`` that first writes the epoch down."""

    def recorded(epoch: int, metrics: dict[str, float]) -> None:
        metrics_file.write(json.dumps({"epoch": epoch, **metrics}, allow_nan=False) + "\n")
        metrics_file.flush()
        log(
            f"epoch {epoch}: loss {metrics['loss']:.5f}, {OBJECTIVE} {metrics[OBJECTIVE]:.5f}, "
            f"{metrics['seconds']:.2f} s"
        )
        report(epoch, metrics)

    return recorded
