"""Creation of an experiment: dataset prepared and saved, all settings checked together, added to the store.

Also here: whether the network takes every value that the space can suggest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Unpack

from gwas_core.errors import SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessedDataset, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.model.calibration import Calibration
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.networks import parse_network
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.search_settings import SearchOptions
from gwas_core.tuning.space import Parameter, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import check_experiment_name


def create_experiment(
    store: Store,
    dataset: Dataset,
    *,
    name: str,
    source: str,
    notes: tuple[str, ...] = (),
    calibration: Calibration | None = None,
    **options: Unpack[SearchOptions],
) -> Experiment:
    """Prepare the dataset, check that everything fits together, and return the experiment added to the store.

    An engine starts it. The dataset is in the library afterwards, where the next search finds it.

    Args:
        store: to which the experiment is added.
        dataset: as read; missing genotypes are imputed here.
        name: of the experiment.
        source: name of the file, for people.
        notes: sentences from reading the file, kept with the experiment.
        calibration: of this network on these data and this machine, if it was measured; saves measuring it again.
        options: the search space, and the other fields of ``Experiment`` that are not to have their default.

    Raises:
        SettingsError: a setting does not fit the others or the data.
        InputError: nothing is left of the data after the filters.
        ExperimentError: the name is taken.
    """
    experiment, prepared = describe_experiment(dataset, name=name, source=source, **options)
    library = DatasetLibrary(store.workspace)
    if not library.holds(dataset.content_hash):
        library.add(dataset, source=source, notes=notes)
    prepared.dataset.save(store.workspace.dataset_directory(experiment.dataset))
    preparation = Preparation(
        imputation=prepared.imputation,
        report=prepared.report,
        sentences=(*notes, *prepared.report.sentences()),
    )
    store.create(experiment, prepare=preparation.save, dataset_as_read=dataset.content_hash)
    if calibration is not None:
        ExperimentWriter(store, name).set_calibration(calibration)
    return experiment


def describe_experiment(
    dataset: Dataset, *, name: str, source: str, **options: Unpack[SearchOptions]
) -> tuple[Experiment, PreprocessedDataset]:
    """Return the experiment that ``create_experiment`` would make, and its prepared data, without writing anything.

    Args:
        dataset: as read; missing genotypes are imputed in the copy that is returned.
        name: of the experiment.
        source: name of the file, for people.
        options: as for ``create_experiment``.

    Returns:
        Experiment and prepared dataset, with the report on how it was prepared.

    Raises:
        SettingsError: a setting does not fit the others or the data.
        InputError: nothing is left of the data after the filters.
    """
    check_experiment_name(name)
    if "space" not in options:
        raise SettingsError("an experiment needs a search space", field="space")
    prepared = preprocess(dataset, options.setdefault("preprocessing", PreprocessingSettings()))
    # Refused here, beside the field, rather than in the engine.
    make_split(prepared.dataset, options.setdefault("split", SplitSettings()))
    check_fits_network(options["space"])
    experiment = Experiment(name=name, dataset=prepared.dataset.content_hash, source=source, **options)
    return experiment, prepared


def check_fits_network(space: SearchSpace) -> None:
    """Check that the network takes every value the space can suggest.

    Args:
        space: whose ends, choices and fixed values are tried.

    Raises:
        SettingsError: it does not; ``field`` names the end of the range, or the list, that it refuses
            (``"dropout_rate.maximum"``), the name it does not know (``"dropout.name"``), or the fixed value
            that it refuses (``"fixed.epochs"``).
    """
    network = {name: value for name, value in space.fixed.items() if name == "network"}
    _check_fits(network, field="fixed.network")
    known = {"network", *(field.name for field in fields(parse_network(network)[1]))}
    for name, value in space.fixed.items():
        _check_fits({**network, name: value}, field=f"fixed.{name}" if name in known else f"{name}.name")
    for parameter in space.parameters:
        for attribute, value in _ends(parameter):
            field = attribute if parameter.name in known else "name"
            _check_fits({**space.fixed, parameter.name: value}, field=f"{parameter.name}.{field}")


def _check_fits(hyperparameters: Mapping[str, HyperparameterValue], *, field: str) -> None:
    try:
        parse_network(hyperparameters)
    except SettingsError as error:
        raise SettingsError(str(error), field=field) from error


def _ends(parameter: Parameter) -> tuple[tuple[str, HyperparameterValue], ...]:
    """Return the values that have to fit for all values of a parameter to fit, each with its attribute."""
    if parameter.kind.is_range():
        return ("minimum", parameter.bounds[0]), ("maximum", parameter.last)
    return tuple(("choices", choice) for choice in parameter.choices)
