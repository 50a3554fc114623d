"""From a dataset and settings to an experiment in the store, which an engine can start."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gwas_core.errors import SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessedDataset, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.model.calibration import Calibration
from gwas_core.model.networks import parse_network
from gwas_core.tuning.experiment import Experiment
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
    space: SearchSpace,
    preprocessing: PreprocessingSettings | None = None,
    split: SplitSettings | None = None,
    notes: tuple[str, ...] = (),
    calibration: Calibration | None = None,
    **settings: Any,
) -> Experiment:
    """Prepare the dataset, check that everything fits together, and add the experiment to the store.

    An engine starts it. The dataset is in the library afterwards, where the next search finds it.

    Args:
        dataset: as read; missing genotypes are imputed here.
        source: the file's name, for people.
        notes: what reading the file had to say; kept with the experiment.
        calibration: of this network on these data and this machine, if it was measured; saves measuring it again.
        settings: the other fields of ``Experiment``.

    Raises:
        SettingsError: a setting that does not fit the others or the data.
        InputError: nothing is left of the data after the filters.
        ExperimentError: the name is taken.
    """
    experiment, prepared = describe_experiment(
        dataset, name=name, source=source, space=space, preprocessing=preprocessing, split=split, **settings
    )
    library = DatasetLibrary(store.workspace)
    if not library.holds(dataset.content_hash):
        library.add(dataset, source=source, notes=notes)
    prepared.dataset.save(store.workspace.dataset_directory(experiment.dataset))
    store.create(experiment)
    Preparation(
        imputation=prepared.imputation,
        report=prepared.report,
        sentences=(*notes, *prepared.report.sentences()),
    ).save(store.workspace.experiment_directory(name))
    if calibration is not None:
        ExperimentWriter(store, name).set_calibration(calibration)
    return experiment


def describe_experiment(
    dataset: Dataset,
    *,
    name: str,
    source: str,
    space: SearchSpace,
    preprocessing: PreprocessingSettings | None = None,
    split: SplitSettings | None = None,
    **settings: Any,
) -> tuple[Experiment, PreprocessedDataset]:
    """The experiment that ``create_experiment`` would make, and its data, without writing anything.

    Raises:
        As ``create_experiment``.
    """
    check_experiment_name(name)
    preprocessing = preprocessing or PreprocessingSettings()
    split = split or SplitSettings()
    prepared = preprocess(dataset, preprocessing)
    make_split(prepared.dataset, split)  # refused here, beside the field, rather than in the engine
    check_fits_network(space)
    experiment = Experiment(
        name=name,
        dataset=prepared.dataset.content_hash,
        source=source,
        space=space,
        preprocessing=preprocessing,
        split=split,
        **settings,
    )
    return experiment, prepared


def check_fits_network(space: SearchSpace) -> None:
    """See that the network takes every value the space can suggest.

    Raises:
        SettingsError: with ``field`` naming the end of the range, or the list, that it refuses
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


def _check_fits(hyperparameters: dict[str, Any], *, field: str) -> None:
    try:
        parse_network(hyperparameters)
    except SettingsError as error:
        raise SettingsError(str(error), field=field) from error


def _ends(parameter: Parameter) -> tuple[tuple[str, Any], ...]:
    """What has to fit for all of a parameter's values to fit, and where it stands."""
    if parameter.kind.is_range():
        return ("minimum", parameter.minimum), ("maximum", parameter.last)
    return tuple(("choices", choice) for choice in parameter.choices)
