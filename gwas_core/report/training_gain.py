"""Gain by training: whether it lowered the best network's error beyond the start it had before the first epoch.

Also here: networks that start at random; trials of versions that did not record the error of the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gwas_core.model.networks import DEFAULT_NETWORK, NETWORKS
from gwas_core.report.text import figure_text
from gwas_core.tuning.records import TrialRecord

_CHOSEN_ON_THEM = (
    "The validation lines chose this epoch and this trial, so the gain is probably smaller on other lines."
)


class Start(StrEnum):
    """Weights that a network had before its first epoch."""

    CLOSED_FORM = "the closed-form start"
    NO_EFFECTS = "the start without effects, which predicts the mean"
    RANDOM = "random weights"


@dataclass(frozen=True, kw_only=True)
class TrainingGain:
    """Error of a trial's network on the validation lines before training and at its best epoch.

    Attributes:
        start: what the network was before the first epoch.
        best_epoch: counted from 1; 0 if none was better than the start, None if it is not known.
        initial_error: mean absolute error of the start, in the phenotype's unit; None if it was not recorded.
        best_error: mean absolute error at the best epoch.
    """

    start: Start
    best_epoch: int | None
    initial_error: float | None
    best_error: float

    @property
    def relative(self) -> float | None:
        """Share by which training lowered the error of the start: 0.02 is 2 % lower; None if it is not known."""
        if self.best_epoch == 0:
            return 0.0
        return None if not self.initial_error else 1 - self.best_error / self.initial_error


def training_gain(trial: TrialRecord) -> TrainingGain | None:
    """Return how much training lowered the error of a trial's network.

    Args:
        trial: of a search; its figures are those of the validation lines.

    Returns:
        None if the trial has not succeeded.
    """
    if trial.result is None:
        return None
    name = str(trial.parameters.get("network", DEFAULT_NETWORK))
    start = Start.CLOSED_FORM
    if name not in NETWORKS or NETWORKS[name].initialise is None:
        start = Start.RANDOM
    elif trial.parameters.get("linear_start") == "zero":
        start = Start.NO_EFFECTS
    return TrainingGain(
        start=start,
        best_epoch=trial.result.best_epoch,
        initial_error=trial.result.initial_error,
        best_error=trial.result.val_mean_absolute_error,
    )


def training_sentence(gain: TrainingGain | None) -> str:
    """Return whether training helped, in sentences that say that it is a figure of the validation lines.

    Args:
        gain: None if nothing is known.
    """
    if gain is None or gain.best_epoch is None:
        return "Whether training helped is not known: the best epoch of the network was not recorded."
    if gain.start is Start.RANDOM:
        return (
            f"The network started at random weights, so there is no closed-form start to compare it with; epoch "
            f"{gain.best_epoch} was best on the validation lines."
        )
    if gain.best_epoch == 0:
        return f"While choosing, on the validation lines: training did not improve on {gain.start.value}."
    if gain.relative is None or gain.initial_error is None:
        return (
            f"While choosing, on the validation lines: training improved on {gain.start.value}, and epoch "
            f"{gain.best_epoch} was best; by how much was not recorded by the version that trained it."
        )
    return (
        f"While choosing, on the validation lines: training lowered the mean absolute error of {gain.start.value} from "
        f"{figure_text(gain.initial_error)} to {figure_text(gain.best_error)} ({_share(gain.relative)} lower) by epoch "
        f"{gain.best_epoch}. {_CHOSEN_ON_THEM}"
    )


def _share(relative: float) -> str:
    return f"{relative:.1%}" if relative >= 0.0005 else "less than 0.1 %"
