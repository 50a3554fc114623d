"""Refit: the network that is taken home, trained with the best trial's hyperparameters on all lines of the dataset.

Also here: for how many epochs it is trained; its seed; that it has no figures of its own.

A search keeps lines back to choose a network and to judge it. Once the verdict stands they have done that work, and a
network that learns them too can be expected to predict new lines a little better. No lines are left to measure that, so
nothing is chosen here: the number of epochs is that of the trial's best epoch, without early stopping, and with 0 the
closed-form start is all there is.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import InputError
from gwas_core.files import read_json, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import counted
from gwas_core.model.hyperparameters import Hyperparameters
from gwas_core.model.networks import Network, parse_network
from gwas_core.model.trainer import Trainer, save_model
from gwas_core.model.training import TrialLog, check_finite, guarded
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, LOG_FILE, MODEL_FILE, REFIT_FOLDER
from gwas_core.seeds import refit_seed

_LARGEST_FILE = 1024**2
# Beside the hyperparameters, a trial keeps these in the same file.
_SEED, _XLA = "seed", "xla"


@dataclass(frozen=True, kw_only=True)
class RefitResult:
    """Training of the best trial's network on all lines.

    Attributes:
        lines: number of lines that it learned.
        judged_lines: number of lines that the network learned whose figures stand for it.
        epochs: for which it was trained; 0 for the closed-form start alone.
        seed: of this training.
        seconds: wall time, compilation included.
    """

    lines: int
    judged_lines: int
    epochs: int
    seed: int
    seconds: float


def refit(dataset: Dataset, trial_directory: Path, *, judged_lines: int, epochs: int, seed: int) -> RefitResult:
    """Train the network of a trial on all lines of a dataset, with nothing kept back.

    Initial weights, mean and standard deviation of the phenotype are those of all lines. Writes into the folder
    ``refit`` of the trial: ``hyperparameters.json``, ``log.txt`` and, at the end, ``model.keras``. With the same seed,
    number of threads and choice of XLA the result repeats.

    Args:
        dataset: that the trial was trained on, complete.
        trial_directory: folder of the trial, with its hyperparameters; initial weights are kept in the folder above.
        judged_lines: number of lines that the trial's own network learned.
        epochs: best epoch of the trial, counted from 1; 0 if none was better than the initial weights.
        seed: of the trial; that of this training follows from it.

    Returns:
        How it was trained, with its own seed.

    Raises:
        InputError: the trial's hyperparameters are lost, or all phenotypes are the same.
        SettingsError: they do not fit the network.
        TrialFailed: the loss is no longer finite, or memory ran out.
    """
    started = time.monotonic()
    network, chosen, xla = _read_hyperparameters(trial_directory / HYPERPARAMETERS_FILE)
    directory, own_seed = trial_directory / REFIT_FOLDER, refit_seed(seed)
    directory.mkdir(exist_ok=True)
    # What an earlier version of this network left must not be taken for this one if the process dies on the way.
    (directory / MODEL_FILE).unlink(missing_ok=True)
    write_json(
        directory / HYPERPARAMETERS_FILE, {"network": network.name, **asdict(chosen), _SEED: own_seed, _XLA: xla}
    )
    with (directory / LOG_FILE).open("w", encoding="utf-8") as file:
        log = TrialLog(file)
        log(f"refit of network {network.name}, seed {own_seed}, XLA {'on' if xla else 'off'}")
        log(f"{dataset.lines} lines to train on, none kept back, for {counted(epochs, 'epoch')}")
        trainer = Trainer(
            dataset,
            np.arange(dataset.lines),
            network,
            chosen,
            seed=own_seed,
            xla=xla,
            initial_weights_folder=trial_directory.parent,
        )
        for epoch in range(1, epochs + 1):
            metrics = guarded(trainer.epoch)
            check_finite(epoch, metrics, chosen)
            log(f"epoch {epoch}: loss {metrics['loss']:.5f}")
        trainer.finish(trainer.get_weights())
        save_model(trainer.model, directory / MODEL_FILE)
        result = RefitResult(
            lines=dataset.lines,
            judged_lines=judged_lines,
            epochs=epochs,
            seed=own_seed,
            seconds=time.monotonic() - started,
        )
        log(f"done; {result.seconds:.1f} s in all")
    return result


def _read_hyperparameters(path: Path) -> tuple[Network, Hyperparameters, bool]:
    """Return network, hyperparameters and choice of XLA of a trial from its file."""
    try:
        values: Any = read_json(path, limit=_LARGEST_FILE)
    except OSError as error:
        raise InputError(f"the hyperparameters of the trial are lost: {path} cannot be read") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no hyperparameters: run the search again")
    network, chosen = parse_network({name: value for name, value in values.items() if name not in (_SEED, _XLA)})
    return network, chosen, values.get(_XLA) is True
