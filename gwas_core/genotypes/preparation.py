"""Preparation: the record of how a dataset was prepared, kept so that new lines are treated alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gwas_core.errors import InputError
from gwas_core.files import atomic_path, read_json, write_json
from gwas_core.genotypes.arrays import read_arrays
from gwas_core.genotypes.imputation import ImputationTable
from gwas_core.genotypes.preprocessing import PreprocessingReport
from gwas_core.serialization import from_json_values, to_json_values

_IMPUTATION_FILE = "imputation.npz"
_LARGEST_RECORD = 1024**3
_PREPARATION_FILE = "preparation.json"
PREPARATION_FILES = (_PREPARATION_FILE, _IMPUTATION_FILE)
"""Names of the files in an experiment's folder that ``Preparation.save`` writes."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Record of how a file became an experiment's dataset; a bundle needs it to treat new lines alike.

    Attributes:
        imputation: values that replace missing genotypes.
        report: what preprocessing changed.
        sentences: the same for people, after the notes of reading the file.
    """

    imputation: ImputationTable
    report: PreprocessingReport
    sentences: tuple[str, ...]

    def save(self, directory: Path) -> None:
        """Write the record into an experiment's folder.

        Args:
            directory: folder of the experiment; it is made if it is not there.
        """
        with atomic_path(directory / _IMPUTATION_FILE) as path:
            np.savez_compressed(path, allow_pickle=False, **self.imputation.to_arrays())
        write_json(
            directory / _PREPARATION_FILE, {"report": to_json_values(self.report), "sentences": list(self.sentences)}
        )

    @classmethod
    def load(cls, directory: Path) -> Preparation:
        """Return the record that an experiment's folder holds.

        Raises:
            InputError: the folder has none, or a damaged one.
        """
        try:
            imputation = ImputationTable.from_arrays(read_arrays(directory / _IMPUTATION_FILE))
            values = read_json(directory / _PREPARATION_FILE, limit=_LARGEST_RECORD)
            report = from_json_values(
                PreprocessingReport, values["report"], name="report", error=InputError, ignore_unknown=True
            )
            return cls(imputation=imputation, report=report, sentences=tuple(values["sentences"]))
        except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{directory.name} has lost the record of how its dataset was prepared") from error
