"""Estimate of how much longer a running search takes: a range from the quartiles of finished trials."""

from __future__ import annotations

import math

import numpy as np

from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

_FEWEST = 2


def remaining_seconds(record: ExperimentRecord) -> tuple[float, float] | None:
    """Estimate the time until the last trial is finished.

    The durations of finished trials are taken from their lower to their upper quartile, as if the trials that are left
    were spread evenly over the parallel ones. Pruned trials count, since more of them are to be expected.

    Returns:
        Shortest and longest time in seconds; None if the search is not active or fewer than two trials are finished.
    """
    if not record.state.is_active():
        return None
    seconds = [trial.seconds for trial in record.trials if trial.state.is_finished() and trial.seconds is not None]
    if len(seconds) < _FEWEST:
        return None
    left = record.experiment.max_trials - record.finished_trials
    if left <= 0:
        return 0.0, 0.0
    rounds = math.ceil(left / record.parallel_trials)
    # Trials under way are part done, about half on average.
    under_way = 0.5 if record.counts[TrialState.RUNNING] else 0.0
    low, high = np.quantile(seconds, (0.25, 0.75))
    return float(max(0.0, rounds - under_way) * low), float(rounds * high)
