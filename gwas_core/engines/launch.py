"""From a dataset and settings to an experiment that runs: one path for every front end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import SearchSpace


def launch_experiment(
    engines: Engines, dataset: Dataset, *, name: str, source: str, space: SearchSpace, **settings: Any
) -> Experiment:
    """``create_experiment``, and start it on the engine that it names (``engine``, as the other settings).

    What could not be started is taken back, so that the next attempt may have its name. It stays where it may be
    running all the same: on a cluster that no longer answers.

    Raises:
        As ``create_experiment``, and ExperimentError: it does not start.
    """
    experiment = create_experiment(engines.store, dataset, name=name, source=source, space=space, **settings)
    try:
        engines.start(experiment)
    except GwasError:
        with suppress(GwasError):
            engines.delete(name)
        raise
    return experiment
