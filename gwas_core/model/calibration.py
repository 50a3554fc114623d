"""How long training will take here, and whether XLA pays: measured, not assumed.

XLA is a matter of course on accelerators. On CPU it can be several times slower than
TensorFlow's own kernels (convolutions) or faster (many small layers), and compiling
takes seconds; so both are tried on a few batches of the network at hand.
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
from gwas_core.model.networks import parse_network
from gwas_core.model.trainer import Trainer

_TIMED_STEPS = 5
_TIMED_SECONDS = 2.0
_SHORT_EPOCH_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds until the first step and prediction are done (building and compiling), and of an epoch after that."""

    start_seconds: float
    epoch_seconds: float

    def trial_seconds(self, epochs: int) -> float:
        return self.start_seconds + epochs * self.epoch_seconds


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured, and the choice that follows.

    Attributes:
        xla: whether trials of this kind should use XLA.
        without_xla: timing of plain TensorFlow; None on accelerators, where it was not tried.
        with_xla: timing of XLA-compiled steps.
        device: ``cpu`` or ``gpu``.
    """

    xla: bool
    without_xla: Timing | None
    with_xla: Timing
    device: str

    @property
    def chosen(self) -> Timing:
        if self.xla or self.without_xla is None:
            return self.with_xla
        return self.without_xla

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        plain = values["without_xla"]
        return cls(
            xla=values["xla"],
            without_xla=None if plain is None else Timing(**plain),
            with_xla=Timing(**values["with_xla"]),
            device=values["device"],
        )


def calibrate(dataset: Dataset, split: Split, hyperparameters: Mapping[str, Any]) -> Calibration:
    """Time a few training steps of the network with and without XLA on this machine.

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


def time_training(dataset: Dataset, split: Split, hyperparameters: Mapping[str, Any], *, xla: bool) -> Timing:
    """Time a few training steps, and the predictions for the validation lines that follow each epoch.

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


def time_initial_weights(dataset: Dataset, split: Split, hyperparameters: Mapping[str, Any]) -> float:
    """Seconds to work out what networks of this kind start from, which the trials of an experiment share.

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
    """Of whole epochs where they are short: each call has a cost of its own, which a few steps overstate, and on a
    machine that has other things to do only a while tells how much of it is left."""
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


def cost_settings(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The network and those of its hyperparameters that decide how long a training step takes.

    Rates and penalties change what is learned, the number of epochs how often; neither changes a step.

    Raises:
        SettingsError: hyperparameters that do not fit the network.
    """
    network, chosen = parse_network(hyperparameters)
    values = asdict(chosen)
    for field in fields(chosen):
        if field.metadata["kind"] is float or field.name in ("epochs", "patience"):
            del values[field.name]
    return {"network": network.name, **values}
