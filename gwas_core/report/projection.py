"""Projection of time and cost of a search before it starts, from a measurement here or from earlier searches.

Also here: which earlier search is like this one; how many trials run side by side at full speed; what early stopping
may save; time in proportion to the genotypes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gwas_core.errors import GwasError
from gwas_core.model.calibration import Calibration
from gwas_core.model.networks import parse_network
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.measurement import Measurement
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.space import SearchSpace

_FEWEST_TRIALS = 2
# Training stops early where it no longer helps; a third of the epochs is what a short trial takes.
_SHORT_TRIAL = 1 / 3
# By the median of the others about every second trial is stopped early, at most.
_STOPPED_EARLY = 0.5
# What networks.initialise_hybrid fits its model for.
_DECIDE_INITIAL_WEIGHTS = ("conv_kernel_size", "conv_filters", "haplotype_sharpness", "linear_start")
# Time grows with the number of genotypes, and nothing is known of what is much larger or smaller.
_LARGEST_RATIO = 1.5


@dataclass(frozen=True, kw_only=True)
class PastSearch:
    """Duration of an earlier experiment.

    Attributes:
        name: of the experiment.
        genotypes: lines times SNPs of its dataset.
        network: name of the network it trained.
        trial_seconds: lower and upper quartile over its finished trials; None if fewer than two are finished.
        calibration: what was measured before its first trial; None if nothing was.
    """

    name: str
    genotypes: int
    network: str
    trial_seconds: tuple[float, float] | None
    calibration: Calibration | None


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Range of the time that a search would take.

    Attributes:
        low: shortest time in seconds.
        high: longest time in seconds.
        basis: what the range rests on, for people.
    """

    low: float
    high: float
    basis: str

    def cost(self, price_per_hour: float) -> tuple[float, float]:
        """Return the lowest and the highest cost, in the unit of the price.

        Args:
            price_per_hour: of one machine, in any currency.

        Returns:
            Lowest and highest cost, in the same currency.
        """
        return self.low / 3600 * price_per_hour, self.high / 3600 * price_per_hour


def past_search(record: ExperimentRecord, *, genotypes: int) -> PastSearch:
    """Return what an experiment tells about the duration of searches.

    Args:
        record: of the experiment.
        genotypes: lines times SNPs of its dataset.
    """
    seconds = [trial.seconds for trial in record.trials if trial.state.is_finished() and trial.seconds is not None]
    low, high = np.quantile(seconds, (0.25, 0.75)).tolist() if len(seconds) >= _FEWEST_TRIALS else (0.0, 0.0)
    return PastSearch(
        name=record.name,
        genotypes=genotypes,
        network=_network(record.experiment.space),
        trial_seconds=(low, high) if len(seconds) >= _FEWEST_TRIALS else None,
        calibration=record.calibration,
    )


def project_measured(
    measured: Measurement,
    *,
    genotypes: int,
    space: SearchSpace,
    max_trials: int,
    parallel_trials: int,
    early_stopping: EarlyStoppingSettings | None = None,
) -> Projection | None:
    """Project the duration of a search from a measurement on this machine.

    Both ends include what is done once: starting, the baselines, the initial weights, the final evaluation. For the
    low end all trials stop after a third of their epochs, once their patience is at its end, or by early stopping. For
    the high end all trials take all their epochs, processes start twice, and the last trials leave processors idle for
    a round. Batch sizes are taken to spread over those that were measured. More parallel trials than the processors
    have room for slow each other down.

    Args:
        measured: durations on this machine.
        genotypes: training lines times SNPs of the new search.
        space: of the new search.
        max_trials: number of trials.
        parallel_trials: number of trials at the same time.
        early_stopping: None without.

    Returns:
        None if the measurement was made with far more or fewer genotypes.
    """
    ratio = genotypes / max(measured.genotypes, 1)
    if not 1 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
        return None
    most, patience = _highest(space, "epochs"), _highest(space, "patience")
    fewest = float(min(most, max(patience + 1, math.ceil(_SHORT_TRIAL * most))))
    if early_stopping is not None:
        fewest -= _STOPPED_EARLY * max(0.0, fewest - early_stopping.start_step)
    start = statistics.fmean(timing.start_seconds for timing in measured.timings.values())
    epoch = statistics.fmean(timing.epoch_seconds for timing in measured.timings.values()) * ratio
    parallel_trials = min(parallel_trials, max_trials)
    at_once = _trials_at_once(measured, parallel_trials)
    rounds = math.ceil(max_trials / parallel_trials)
    once = measured.baseline_seconds + _starts(space, max_trials) * measured.first_start_seconds + start
    return Projection(
        low=measured.startup_seconds + (once + max_trials * (start + fewest * epoch)) / max(at_once),
        high=2 * measured.startup_seconds
        + once
        + (rounds + 1) * parallel_trials * (start + most * epoch) / min(at_once),
        basis="what was measured on this machine" + (", while it was busy with other work" if measured.busy else ""),
    )


def _starts(space: SearchSpace, max_trials: int) -> int:
    """Return the largest number of different initial weights that the networks of a search have."""
    sizes = [entry.size or max_trials for entry in space.parameters if entry.name in _DECIDE_INITIAL_WEIGHTS]
    return min(max_trials, math.prod(sizes))


def _trials_at_once(measured: Measurement, parallel_trials: int) -> tuple[float, float]:
    """Return how many trials run as fast as the measured one, in the worst and in the best case."""
    if measured.device != "cpu":
        # Nothing tells how much of an accelerator one trial leaves to the others.
        return 1.0, float(parallel_trials)
    request = measured.request
    at_once = min(float(parallel_trials), request.cores / request.threads)
    return at_once, at_once


def project(
    past: Sequence[PastSearch], *, genotypes: int, space: SearchSpace, max_trials: int, parallel_trials: int
) -> Projection | None:
    """Project the duration of a search from earlier searches.

    It takes the quartiles of the trials' durations in the most similar experiment, or else what was measured before its
    first trial, in proportion to the number of genotypes, as if trials were spread evenly over the parallel ones.

    Args:
        past: earlier searches on this machine or cluster.
        genotypes: lines times SNPs of the new search.
        space: of the new search.
        max_trials: number of trials.
        parallel_trials: number of trials at the same time.

    Returns:
        None if no earlier search had the same network and about as many genotypes.
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
            epochs, timing = _highest(space, "epochs"), search.calibration.chosen
            low, high = timing.trial_seconds(math.ceil(_SHORT_TRIAL * epochs)), timing.trial_seconds(epochs)
            basis = f"what {search.name} measured before its first trial"
        else:
            continue
        return Projection(low=rounds * low * ratio, high=rounds * high * ratio, basis=basis)
    return None


def _network(space: SearchSpace) -> str:
    return parse_network({name: value for name, value in space.fixed.items() if name == "network"})[0].name


def _highest(space: SearchSpace, name: str) -> int:
    """Return the highest value that trials may have of a hyperparameter that is a number."""
    for parameter in space.parameters:
        if parameter.name == name:
            values = [parameter.maximum] if parameter.kind.is_range() else parameter.choices
            return max(int(float(value)) for value in values if value is not None)
    fixed = {key: value for key, value in space.fixed.items() if key in ("network", name)}
    return int(getattr(parse_network(fixed)[1], name))
