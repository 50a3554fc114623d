"""How much longer a search will take: a range, since trials differ."""

from __future__ import annotations

import math

import numpy as np

from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

_FEWEST = 2


def remaining_seconds(record: ExperimentRecord) -> tuple[float, float] | None:
    """(optimistic, pessimistic) seconds until the last trial is finished; None while too few trials are.

    From the lower and upper quartile of the trials' durations, taken as if the rest were spread
    evenly over the parallel trials. Pruned trials count: more of them are to be expected.
    """
    if not record.state.is_active():
        return None
    seconds = [trial.seconds for trial in record.trials if trial.state.is_finished() and trial.seconds is not None]
    if len(seconds) < _FEWEST:
        return None
    left = record.experiment.max_trials - record.finished_trials
    if left <= 0:
        return 0.0, 0.0
    rounds = math.ceil(left / record.experiment.parallel_trials)
    # Trials under way are part done, about half on average.
    under_way = 0.5 if record.counts[TrialState.RUNNING] else 0.0
    low, high = np.quantile(seconds, (0.25, 0.75))
    return float(max(0.0, rounds - under_way) * low), float(rounds * high)
