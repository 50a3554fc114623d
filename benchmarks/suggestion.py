"""Seconds per suggestion of the Bayesian search: 35 trials, the tutorial's 29 parameters, a store on disk.

python -m benchmarks.suggestion
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna

from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import make_sampler, suggest

TRIALS = 35
_FIRST_TRIAL_SECONDS = 3.0
"""A search imports scikit-optimize while its first trials run, which take longer than this."""


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = SearchSpace.preset("tutorial")
    random = np.random.default_rng(0)
    times, points = [], set()
    with tempfile.TemporaryDirectory() as folder:
        study = optuna.create_study(storage=f"sqlite:///{Path(folder) / 'study.sqlite3'}", direction="minimize")
        sampler = make_sampler("bayesianoptimization", space, seed=0)
        for _ in range(TRIALS):
            started = time.perf_counter()
            trial = suggest(study, sampler=sampler, space=space)
            times.append(time.perf_counter() - started)
            points.add(tuple(sorted((name, str(value)) for name, value in trial.params.items())))
            study.tell(trial, float(random.random()))
            if len(times) == 1:
                time.sleep(_FIRST_TRIAL_SECONDS)
    modelled = times[10:]  # the first ten are drawn at random
    print(
        json.dumps(
            {
                "parameters": len(space.parameters),
                "median_seconds": statistics.median(modelled),
                "most_seconds": max(modelled),
                "repeated": TRIALS - len(points),
            }
        )
    )


if __name__ == "__main__":
    main()
