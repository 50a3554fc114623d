"""How a dataset was prepared: kept with what was trained on it, so that new lines are treated alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import InputError
from gwas_core.files import atomic_path, write_json
from gwas_core.genotypes.imputation import ImputationTable

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
