"""How long a search would take, judged by earlier ones on this machine: a range, since trials differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.model.calibration import Calibration
from gwas_core.model.networks import parse
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.space import SearchSpace

_FEWEST_TRIALS = 2
# Training stops early where it no longer helps; a third of the epochs is what a short trial takes.
_SHORT_TRIAL = 1 / 3
# Time grows with the number of genotypes, and nothing is known of what is much larger or smaller.
_LARGEST_RATIO = 1.5


@dataclass(frozen=True, kw_only=True)
class PastSearch:
    """What an earlier experiment says about time.

    Attributes:
        genotypes: lines times SNPs of its dataset.
        network: which one it trained.
        trial_seconds: lower and upper quartile of its finished trials, or None where too few are.
        calibration: what was measured before it began.
    """

    name: str
    genotypes: int
    network: str
    trial_seconds: tuple[float, float] | None
    calibration: Calibration | None


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Seconds from ``low`` to ``high``, and from what they were judged."""

    low: float
    high: float
    basis: str

    def cost(self, price_per_hour: float) -> tuple[float, float]:
        """From and to, in the unit of the price."""
        return self.low / 3600 * price_per_hour, self.high / 3600 * price_per_hour


def past_search(record: ExperimentRecord, *, genotypes: int) -> PastSearch:
    """What is worth keeping of a record."""
    seconds = [trial.seconds for trial in record.trials if trial.state.is_finished() and trial.seconds is not None]
    low, high = np.quantile(seconds, (0.25, 0.75)).tolist() if len(seconds) >= _FEWEST_TRIALS else (0.0, 0.0)
    return PastSearch(
        name=record.name,
        genotypes=genotypes,
        network=_network(record.experiment.space),
        trial_seconds=(low, high) if len(seconds) >= _FEWEST_TRIALS else None,
        calibration=None if record.calibration is None else Calibration.from_dict(record.calibration),
    )


def project(
    past: Sequence[PastSearch], *, genotypes: int, space: SearchSpace, max_trials: int, parallel_trials: int
) -> Projection | None:
    """The range for a search on ``genotypes`` (lines times SNPs), or None where nothing like it was run before.

    From the quartiles of the durations of the trials of the most similar experiment, or else from what was
    measured before its first trial; in proportion to the number of genotypes, as if the trials were spread
    evenly over those that run at a time.
    """
    try:
        network = _network(space)
    except GwasError:
        return None
    similar = [
        search
        for search in past
        if search.network == network and 1 / _LARGEST_RATIO <= genotypes / max(search.genotypes, 1) <= _LARGEST_RATIO
    ]
    rounds = math.ceil(max_trials / parallel_trials)
    for search in sorted(similar, key=lambda search: abs(math.log(genotypes / search.genotypes))):
        ratio = genotypes / search.genotypes
        if search.trial_seconds is not None:
            low, high = search.trial_seconds
            basis = f"the trials of {search.name}"
        elif search.calibration is not None:
            epochs, timing = _most_epochs(space), search.calibration.chosen
            low, high = timing.trial_seconds(math.ceil(_SHORT_TRIAL * epochs)), timing.trial_seconds(epochs)
            basis = f"what {search.name} measured before its first trial"
        else:
            continue
        return Projection(low=rounds * low * ratio, high=rounds * high * ratio, basis=basis)
    return None


def _network(space: SearchSpace) -> str:
    return parse({name: value for name, value in space.fixed.items() if name == "network"})[0].name


def _most_epochs(space: SearchSpace) -> int:
    for parameter in space.parameters:
        if parameter.name == "epochs":
            values = [parameter.maximum] if parameter.kind.is_range() else parameter.choices
            return max(int(float(value)) for value in values if value is not None)
    chosen = parse({name: value for name, value in space.fixed.items() if name in ("network", "epochs")})[1]
    return int(chosen.epochs)


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``, ``2 days 4 h``."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{counted(days, 'day')} {hours} h"
