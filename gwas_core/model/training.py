"""Training of one trial: epochs, patience, the best epoch kept, and the trial's log and metrics.

Also here: divergence and memory that runs out; ``xla`` on, off or auto; what a trial's result holds; the refusal of
missing genotypes; imports that forked workers share.

``run_trial`` is the same function in a local process, in a pipeline step and in a Katib job. TensorFlow is imported
only when a network is built, since that takes seconds.
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

from gwas_core.errors import FailureKind, InputError, SettingsError, TrialFailed, TrialPruned
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.messages import quoted
from gwas_core.model.backend import import_tensorflow
from gwas_core.model.calibration import calibrate
from gwas_core.model.hyperparameters import Hyperparameters, HyperparameterValue
from gwas_core.model.metrics import PredictionMetrics, compute_metrics
from gwas_core.model.networks import Network, parse_network
from gwas_core.model.trainer import Trainer, save_model
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, LOG_FILE, METRICS_FILE, MODEL_FILE, START_ERROR

Report = Callable[[int, dict[str, float]], None]
"""Function called after each epoch with its number (from 1) and metrics; it may raise ``TrialPruned``."""

XLA_SETTINGS = ("auto", "on", "off")
OBJECTIVE = "val_mean_absolute_error"


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """Result of a finished trial.

    ``run_trial`` gives all fields. For a trial on a cluster perhaps only the objective is known; the others are None.

    Attributes:
        val_mean_absolute_error: of the best epoch on the validation lines, in the phenotype's unit.
        best_epoch: counted from 1; 0 if no epoch was better than the initial weights.
        epochs: number of epochs that were run.
        validation: metrics of the kept weights on the validation lines.
        seconds: wall time of the trial, compilation included.
        weights: number of trainable weights.
        xla: whether training steps were compiled with XLA.
        initial_error: mean absolute error of the initial weights on the validation lines, in the phenotype's unit; None
            for a network that starts at random weights, and of versions that did not record it.
    """

    val_mean_absolute_error: float
    best_epoch: int | None = None
    epochs: int | None = None
    validation: PredictionMetrics | None = None
    seconds: float | None = None
    weights: int | None = None
    xla: bool | None = None
    initial_error: float | None = None


def import_dependencies() -> None:
    """Import what a trial needs, TensorFlow included, without starting threads, so that forked processes share it."""
    import_tensorflow()


def run_trial(
    dataset: Dataset,
    split: Split,
    hyperparameters: Mapping[str, HyperparameterValue],
    directory: Path,
    *,
    report: Report,
    seed: int = 0,
    xla: str = "auto",
) -> TrialResult:
    """Train one network on the training lines and keep the epoch that predicts the validation lines best.

    Writes into ``directory``: ``hyperparameters.json`` (all of them, defaults included), ``metrics.jsonl`` (one line
    per epoch; of a network that starts at a closed-form solution, one for that start before them), ``log.txt``, and
    ``model.keras`` when training is finished. The test lines are not used. With the same
    seed, number of threads and choice of XLA the result repeats.

    Args:
        dataset: complete genotypes (see ``genotypes.preprocessing``).
        split: rows of ``dataset``.
        hyperparameters: those of the network that ``hyperparameters["network"]`` names; what is absent takes its
            default.
        directory: the trial's folder; initial weights that trials share are kept in the folder above.
        report: called after each epoch.
        seed: of the weights that are drawn at random, the order of lines, and dropout.
        xla: ``on``, ``off``, or ``auto``, which measures both (see ``model.calibration``).

    Raises:
        InputError: the genotypes have missing values.
        SettingsError: hyperparameters that do not fit the network.
        TrialFailed: the loss is no longer finite, or memory ran out.
        TrialPruned: raised by ``report``; no model is written.
    """
    started = time.monotonic()
    if dataset.has_missing:
        raise InputError("the genotypes have missing values: impute them before training")
    network, chosen = parse_network(hyperparameters)
    use_xla = _resolve_xla(dataset, split, hyperparameters, xla)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(
        directory / HYPERPARAMETERS_FILE,
        {"network": network.name, **asdict(chosen), "seed": seed, "xla": use_xla},
    )
    with (
        (directory / METRICS_FILE).open("w", encoding="utf-8") as metrics_file,
        (directory / LOG_FILE).open("w", encoding="utf-8") as log_file,
    ):
        log = TrialLog(log_file)
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
                start=_recorded_start(metrics_file, log),
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


def _train(
    dataset: Dataset,
    split: Split,
    network: Network,
    hyperparameters: Hyperparameters,
    directory: Path,
    *,
    start: Callable[[float], None],
    report: Report,
    seed: int,
    xla: bool,
    started: float,
) -> TrialResult:
    trainer = Trainer(
        dataset, split.train, network, hyperparameters, seed=seed, xla=xla, initial_weights_folder=directory.parent
    )
    genotypes = np.ascontiguousarray(dataset.genotypes[split.validation])
    observed = dataset.phenotype[split.validation]
    best_error, best_epoch, best_weights = math.inf, 0, trainer.get_weights()
    initial_error: float | None = None
    if network.initialise is not None:
        # The initial weights are a mixed model already, and may stay the best.
        best_error = initial_error = float(np.abs(guarded(trainer.predict, genotypes) - observed).mean())
        start(best_error)
    epoch = 0
    for epoch in range(1, hyperparameters.epochs + 1):
        epoch_started = time.monotonic()
        metrics = guarded(trainer.epoch)
        predicted = guarded(trainer.predict, genotypes)
        metrics["val_loss"] = trainer.loss(observed, predicted)
        metrics[OBJECTIVE] = float(np.abs(predicted - observed).mean())
        metrics["seconds"] = time.monotonic() - epoch_started
        check_finite(epoch, metrics, hyperparameters)
        if metrics[OBJECTIVE] < best_error:
            best_error, best_epoch, best_weights = metrics[OBJECTIVE], epoch, trainer.get_weights()
        report(epoch, metrics)
        if epoch - best_epoch >= hyperparameters.patience:
            break
    trainer.finish(best_weights)
    validation = compute_metrics(
        observed,
        trainer.predict(genotypes),
        family=None if dataset.family is None else dataset.family[split.validation],
    )
    save_model(trainer.model, directory / MODEL_FILE)
    return TrialResult(
        val_mean_absolute_error=validation.mean_absolute_error,
        best_epoch=best_epoch,
        epochs=epoch,
        validation=validation,
        seconds=time.monotonic() - started,
        weights=trainer.weights,
        xla=xla,
        initial_error=initial_error,
    )


def _resolve_xla(dataset: Dataset, split: Split, hyperparameters: Mapping[str, HyperparameterValue], xla: str) -> bool:
    if xla not in XLA_SETTINGS:
        raise SettingsError(f"xla must be one of {', '.join(XLA_SETTINGS)}, not {quoted(xla)}", field="xla")
    if xla != "auto":
        return xla == "on"
    return calibrate(dataset, split, hyperparameters).xla


def guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns for these arguments.

    Args:
        function: of a trainer.
        arguments: that it is called with.

    Raises:
        TrialFailed: memory ran out.
    """
    from tensorflow import errors

    try:
        return function(*arguments)
    except (MemoryError, errors.ResourceExhaustedError) as error:
        raise TrialFailed(
            "memory ran out: use a smaller batch size, fewer dense units or fewer parallel trials",
            kind=FailureKind.OUT_OF_MEMORY,
        ) from error


def check_finite(epoch: int, metrics: Mapping[str, float], hyperparameters: Hyperparameters) -> None:
    """Refuse figures of an epoch that are not finite.

    Args:
        epoch: from 1.
        metrics: figures by name.
        hyperparameters: of the network, for the advice.

    Raises:
        TrialFailed: one is not finite: training diverged.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise TrialFailed(
                f"{name} became {value} in epoch {epoch}: training diverged; a learning rate below "
                f"{hyperparameters.learning_rate:g} or weaker penalties may hold it",
                kind=FailureKind.NOT_FINITE,
            )


class TrialLog:
    """Log of a training: one line with a time stamp per message, written to disk at once.

    Args:
        file: open text file.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def __call__(self, message: str) -> None:
        """Write a message."""
        self._file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {message}\n")
        self._file.flush()


def _recorded_start(metrics_file: Any, log: TrialLog) -> Callable[[float], None]:
    """Return a function that records the validation error of the start, before any training."""

    def recorded(error: float) -> None:
        if math.isfinite(error):
            # Under a name of its own: who reads the objective of each epoch, Katib among them, must not take the start
            # for one.
            metrics_file.write(json.dumps({"epoch": 0, START_ERROR: error}) + "\n")
            metrics_file.flush()
        log(f"start, before any training: {OBJECTIVE} {error:.5f}")

    return recorded


def _recorded(report: Report, metrics_file: Any, log: TrialLog) -> Report:
    """Return a ``report`` that first records the epoch in the trial's folder."""

    def recorded(epoch: int, metrics: dict[str, float]) -> None:
        metrics_file.write(json.dumps({"epoch": epoch, **metrics}, allow_nan=False) + "\n")
        metrics_file.flush()
        log(
            f"epoch {epoch}: loss {metrics['loss']:.5f}, {OBJECTIVE} {metrics[OBJECTIVE]:.5f}, "
            f"{metrics['seconds']:.2f} s"
        )
        report(epoch, metrics)

    return recorded
