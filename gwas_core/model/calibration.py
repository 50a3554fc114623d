"""Calibration: training timed on this machine with and without XLA, and the choice that follows.

Also here: which hyperparameters change the time of a step; how long is timed; the time that initial weights take.

On accelerators XLA is always used. On a CPU it can be several times slower than TensorFlow's own kernels
(convolutions) or faster (many small layers), and compiling takes seconds; so both are timed on a few batches of the
network in question.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.backend import has_accelerator
from gwas_core.model.hyperparameters import HyperparameterValue, accepted_values
from gwas_core.model.networks import parse_network
from gwas_core.model.trainer import Trainer

_TIMED_STEPS = 5
_TIMED_SECONDS = 2.0
_SHORT_EPOCH_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Time that training takes.

    Attributes:
        start_seconds: until the first step and prediction are done: building and compiling.
        epoch_seconds: of each epoch after that, prediction of the validation lines included.
    """

    start_seconds: float
    epoch_seconds: float

    def trial_seconds(self, epochs: int) -> float:
        """Return the seconds of a trial with this number of epochs.

        Args:
            epochs: number of epochs that are run, early stopping not counted.
        """
        return self.start_seconds + epochs * self.epoch_seconds


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Timings of a network and the choice of XLA.

    Attributes:
        xla: whether trials of this network should use XLA.
        without_xla: timing of plain TensorFlow; None on accelerators, where it is not measured.
        with_xla: timing of XLA-compiled steps.
        device: ``cpu`` or ``gpu``.
    """

    xla: bool
    without_xla: Timing | None
    with_xla: Timing
    device: str

    @property
    def chosen(self) -> Timing:
        """Timing of the faster way."""
        if self.xla or self.without_xla is None:
            return self.with_xla
        return self.without_xla


def calibrate(dataset: Dataset, split: Split, hyperparameters: Mapping[str, HyperparameterValue]) -> Calibration:
    """Time a few training steps of a network with and without XLA on this machine.

    Args:
        dataset: complete genotypes.
        split: rows of ``dataset``.
        hyperparameters: with ``network``, its name; what is absent takes its default.

    Raises:
        SettingsError: hyperparameters that do not fit the network.
    """
    _, chosen = parse_network(hyperparameters)
    with_xla = time_training(dataset, split, hyperparameters, xla=True)
    if has_accelerator():
        return Calibration(xla=True, without_xla=None, with_xla=with_xla, device="gpu")
    without_xla = time_training(dataset, split, hyperparameters, xla=False)
    # A trial pays for compiling too: what counts is the whole of it.
    faster = with_xla.trial_seconds(chosen.epochs) < without_xla.trial_seconds(chosen.epochs)
    return Calibration(xla=faster, without_xla=without_xla, with_xla=with_xla, device="cpu")


def time_training(
    dataset: Dataset, split: Split, hyperparameters: Mapping[str, HyperparameterValue], *, xla: bool
) -> Timing:
    """Time a few training steps, and the prediction of the validation lines that follows each epoch.

    Args:
        dataset: complete genotypes.
        split: rows of ``dataset``.
        hyperparameters: with ``network``, its name; what is absent takes its default.
        xla: whether to compile with XLA.

    Raises:
        SettingsError: hyperparameters that do not fit the network.
    """
    network, chosen = parse_network(hyperparameters)
    started = time.monotonic()
    trainer = Trainer(dataset, split.train, network, chosen, seed=0, xla=xla)
    validation = np.ascontiguousarray(dataset.genotypes[split.validation])
    trainer.epoch(steps=1)
    trainer.predict(validation)
    start_seconds = time.monotonic() - started
    epoch_seconds = _epoch_seconds(trainer) + _seconds(lambda: trainer.predict(validation))
    return Timing(start_seconds=start_seconds, epoch_seconds=epoch_seconds)


def time_initial_weights(dataset: Dataset, split: Split, hyperparameters: Mapping[str, HyperparameterValue]) -> float:
    """Return the seconds to compute initial weights, which the trials of an experiment share.

    Args:
        dataset: complete genotypes.
        split: rows of ``dataset``.
        hyperparameters: with ``network``, its name; what is absent takes its default.

    Returns:
        Seconds; 0 if the network has no initial weights to compute.

    Raises:
        SettingsError: hyperparameters that do not fit the network.
    """
    network, chosen = parse_network(hyperparameters)
    if network.initialise is None:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:

        def build() -> None:
            Trainer(dataset, split.train, network, chosen, seed=0, xla=False, initial_weights_folder=Path(folder))

        first = _seconds(build)
        return max(0.0, first - _seconds(build))


def _epoch_seconds(trainer: Trainer) -> float:
    """Return the seconds of one epoch: of whole epochs if they are short, else in proportion to a few steps.

    Each call has a cost of its own, which a few steps overstate; and on a machine that does other work, too, only a
    longer measurement shows how much of it is left.
    """
    steps = min(_TIMED_STEPS, trainer.steps)
    estimate = _seconds(lambda: trainer.epoch(steps=steps)) / steps * trainer.steps
    if estimate > _SHORT_EPOCH_SECONDS:
        return estimate
    epochs = [_seconds(trainer.epoch)]
    while sum(epochs) < _TIMED_SECONDS:
        epochs.append(_seconds(trainer.epoch))
    return statistics.fmean(epochs)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def cost_settings(hyperparameters: Mapping[str, HyperparameterValue]) -> dict[str, HyperparameterValue]:
    """Return the network's name and the hyperparameters on which the time of a training step depends.

    Rates and penalties change what is learned, and the number of epochs how often: neither changes the time of a step.

    Args:
        hyperparameters: with ``network``, its name; what is absent takes its default.

    Returns:
        Values by name, defaults filled in: networks with the same ones take the same time for a step.

    Raises:
        SettingsError: hyperparameters that do not fit the network.
    """
    network, chosen = parse_network(hyperparameters)
    values = asdict(chosen)
    for field in fields(chosen):
        if accepted_values(field).kind is float or field.name in ("epochs", "patience"):
            del values[field.name]
    return {"network": network.name, **values}
