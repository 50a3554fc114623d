"""How long training will take here, and whether XLA pays: measured, not assumed.

XLA is a matter of course on accelerators. On CPU it can be several times slower than
TensorFlow's own kernels (convolutions) or faster (many small layers), and compiling
takes seconds; so both are tried on a few batches of the network at hand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.backend import has_accelerator
from gwas_core.model.networks import parse
from gwas_core.model.trainer import Trainer

_TIMED_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds until the first step is done (building and compiling), and of an epoch after that."""

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
    _, chosen = parse(hyperparameters)
    with_xla = _time(dataset, split, hyperparameters, xla=True)
    if has_accelerator():
        return Calibration(xla=True, without_xla=None, with_xla=with_xla, device="gpu")
    without_xla = _time(dataset, split, hyperparameters, xla=False)
    # A trial pays for compiling too: what counts is the whole of it.
    faster = with_xla.trial_seconds(chosen.epochs) < without_xla.trial_seconds(chosen.epochs)
    return Calibration(xla=faster, without_xla=without_xla, with_xla=with_xla, device="cpu")


def _time(dataset: Dataset, split: Split, hyperparameters: Mapping[str, Any], *, xla: bool) -> Timing:
    network, chosen = parse(hyperparameters)
    started = time.monotonic()
    trainer = Trainer(dataset, split.train, network, chosen, seed=0, xla=xla)
    trainer.epoch(steps=1)
    compiled = time.monotonic()
    steps = min(_TIMED_STEPS, trainer.steps)
    trainer.epoch(steps=steps)
    seconds_per_step = (time.monotonic() - compiled) / steps
    return Timing(start_seconds=compiled - started, epoch_seconds=seconds_per_step * trainer.steps)
