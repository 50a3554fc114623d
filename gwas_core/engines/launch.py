"""Launch of an experiment, the same for every front end: create, start, and delete again if it does not start."""

from __future__ import annotations

from contextlib import suppress
from typing import Unpack

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.calibration import Calibration
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.search_settings import SearchOptions


def launch_experiment(
    engines: Engines,
    dataset: Dataset,
    *,
    name: str,
    source: str,
    notes: tuple[str, ...] = (),
    calibration: Calibration | None = None,
    **options: Unpack[SearchOptions],
) -> Experiment:
    """Create an experiment, start it on the engine that its option ``engine`` names, and return it.

    An experiment that could not be started is deleted, so that the next attempt may have its name. It stays if it may
    be running all the same: on a cluster that no longer answers.

    Args:
        engines: of the workspace in which the experiment is kept.
        dataset: as read; missing genotypes are imputed.
        name: of the experiment.
        source: name of the file, for people.
        notes: sentences from reading the file, kept with the experiment.
        calibration: of this network on these data and this machine, if it was measured.
        options: the search space, and the other fields of ``Experiment`` that are not to have their default.

    Raises:
        SettingsError: a setting does not fit the others or the data.
        InputError: nothing is left of the data after the filters.
        ExperimentError: the name is taken, or the experiment does not start.
    """
    experiment = create_experiment(
        engines.store, dataset, name=name, source=source, notes=notes, calibration=calibration, **options
    )
    try:
        engines.start(experiment)
    except GwasError:
        with suppress(GwasError):
            engines.delete(name)
        raise
    return experiment
