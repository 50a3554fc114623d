"""From a dataset and settings to an experiment that an engine can start: one path for every front end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import InputError
from gwas_core.files import atomic_path, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import ImputationTable, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.model.networks import parse
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import check_experiment_name

_IMPUTATION_FILE = "imputation.npz"
_PREPARATION_FILE = "preparation.json"


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How the experiment's dataset came from the file: what a bundle needs to treat new lines alike.

    Attributes:
        imputation: what stands in for a missing genotype.
        report: what preprocessing changed, JSON-ready.
        sentences: the same for people, after the notes of reading the file.
    """

    imputation: ImputationTable
    report: dict[str, Any]
    sentences: tuple[str, ...]

    def save(self, directory: Path) -> None:
        with atomic_path(directory / _IMPUTATION_FILE) as path:
            np.savez_compressed(path, allow_pickle=False, **self.imputation.to_arrays())
        write_json(directory / _PREPARATION_FILE, {"report": self.report, "sentences": list(self.sentences)})

    @classmethod
    def load(cls, directory: Path) -> Preparation:
        """Raises:
        InputError: the experiment's folder lacks it.
        """
        try:
            with np.load(directory / _IMPUTATION_FILE, allow_pickle=False) as arrays:
                imputation = ImputationTable.from_arrays(dict(arrays))
            values = json.loads((directory / _PREPARATION_FILE).read_text(encoding="utf-8"))
            return cls(imputation=imputation, report=values["report"], sentences=tuple(values["sentences"]))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{directory.name} has lost the record of how its dataset was prepared") from error


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
    **settings: Any,
) -> Experiment:
    """Prepare the dataset, check that everything fits together, and add the experiment to the store.

    An engine starts it.

    Args:
        dataset: as read; missing genotypes are imputed here.
        source: the file's name, for people.
        notes: what reading the file had to say; kept with the experiment.
        settings: the other fields of ``Experiment``.

    Raises:
        SettingsError: a setting that does not fit the others or the data.
        InputError: nothing is left of the data after the filters.
        ExperimentError: the name is taken.
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
    prepared.dataset.save(store.workspace.dataset_directory(experiment.dataset))
    store.create(experiment)
    Preparation(
        imputation=prepared.imputation,
        report=prepared.report.to_dict(),
        sentences=(*notes, *prepared.report.sentences()),
    ).save(store.workspace.experiment_directory(name))
    return experiment


def check_fits_network(space: SearchSpace) -> None:
    """See that the network takes every value the space can suggest.

    Raises:
        SettingsError: naming the parameter it does not have, or the end of a range it refuses.
    """
    parse(space.fixed)
    for parameter in space.parameters:
        values = (parameter.minimum, parameter.last) if parameter.kind.is_range() else parameter.choices
        for value in values:
            parse({**space.fixed, parameter.name: value})
