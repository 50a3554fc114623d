"""Imputation: values that replace missing genotypes (mode, mean, mode within the family), for new lines too.

Also here: the smaller of two equally frequent genotypes; a mean rounded up at the half; lines of an unknown family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.quality import genotype_counts


@dataclass(frozen=True, eq=False)
class ImputationTable:
    """Value that replaces a missing genotype, for each SNP.

    Attributes:
        values: int8 (SNPs,), 0, 1 or 2: for lines of no or of unknown family.
        by_family: int8 (SNPs,) for each family, or None if families make no difference.

    Raises:
        InputError: shapes do not fit, or values are not 0, 1 or 2.
    """

    values: NDArray[np.int8]
    by_family: dict[str, NDArray[np.int8]] | None = None

    def __post_init__(self) -> None:
        for values in (self.values, *(self.by_family or {}).values()):
            if values.dtype != np.int8 or values.shape != (len(self.values),):
                raise InputError(
                    f"imputation values must be int8 of shape ({len(self.values)},), "
                    f"not {values.dtype} of shape {values.shape}"
                )
            if values.size and not (values.min() >= 0 and values.max() <= 2):
                raise InputError("imputation values must be allele counts: 0, 1 or 2")

    def apply(
        self, genotypes: NDArray[np.int8], family: Sequence[str] | NDArray[np.str_] | None = None
    ) -> NDArray[np.int8]:
        """Return a copy of genotypes in which missing ones are replaced.

        Args:
            genotypes: int8 (lines, SNPs).
            family: name of each line's family, (lines,); if not given, all lines are of unknown family.

        Raises:
            InputError: the number of SNPs is not that of the table, or ``family`` has not one name for each line.
        """
        if genotypes.ndim != 2 or genotypes.shape[1] != len(self.values):
            raise InputError(f"genotypes of {len(self.values)} SNPs are expected, not of shape {genotypes.shape}")
        if family is not None and len(family) != len(genotypes):
            raise InputError(f"one family for each line ({len(genotypes)}) is expected, not {len(family)}")
        filled = np.array(genotypes, dtype=np.int8)
        by_family = self.by_family or {}
        families = np.array([None] * len(filled) if family is None else [str(name) for name in family], dtype=object)
        for index, row in enumerate(filled):
            values = by_family.get(families[index], self.values)
            np.copyto(row, values, where=row == MISSING)
        return filled

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays for a bundle.

        Returns:
            ``values`` (SNPs,), and if families make a difference ``families`` (families,), text, and
            ``family_values`` (families, SNPs).
        """
        arrays: dict[str, NDArray[Any]] = {"values": self.values}
        if self.by_family is not None:
            arrays["families"] = np.array(list(self.by_family), dtype=np.str_)
            arrays["family_values"] = np.array(list(self.by_family.values()), dtype=np.int8).reshape(
                -1, len(self.values)
            )
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ImputationTable:
        """Return the table of arrays that ``to_arrays`` made.

        Args:
            arrays: by name, as read from a file.

        Raises:
            InputError: an array is missing or does not fit.
        """
        if "values" not in arrays or ("families" in arrays) != ("family_values" in arrays):
            raise InputError(f"imputation values are incomplete: only {sorted(arrays)} are there")
        if "families" not in arrays:
            return cls(arrays["values"])
        families, values = arrays["families"], arrays["family_values"]
        if families.ndim != 1 or families.dtype.kind != "U" or values.ndim != 2 or len(families) != len(values):
            raise InputError("imputation values by family do not fit their families")
        return cls(arrays["values"], dict(zip(families.tolist(), values, strict=True)))


def mode_table(dataset: Dataset) -> ImputationTable:
    """Return each SNP's most frequent genotype; of equally frequent ones the smallest.

    Args:
        dataset: whose lines decide.
    """
    return ImputationTable(_mode(genotype_counts(dataset.genotypes)))


def mean_table(dataset: Dataset) -> ImputationTable:
    """Return each SNP's mean allele count, rounded to 0, 1 or 2 (halves up).

    Args:
        dataset: as for ``mode_table``.
    """
    counts = genotype_counts(dataset.genotypes)
    called, alleles = counts[:3].sum(axis=0), counts[1] + 2 * counts[2]
    return ImputationTable(((2 * alleles + called) // np.maximum(2 * called, 1)).astype(np.int8))


def within_family_mode_table(dataset: Dataset, family: NDArray[np.str_]) -> ImputationTable:
    """Return a table of each SNP's most frequent genotype in each family.

    If a family has no called genotype, the most frequent one of all lines is taken.

    Args:
        dataset: with missing genotypes.
        family: family of each line, (lines,).
    """
    overall = mode_table(dataset)
    by_family = {}
    for name in np.unique(family).tolist():
        counts = genotype_counts(dataset.genotypes, lines=np.flatnonzero(family == name))
        by_family[name] = np.where(counts[:3].any(axis=0), _mode(counts), overall.values).astype(np.int8)
    return ImputationTable(overall.values, by_family)


def _mode(counts: NDArray[np.int64]) -> NDArray[np.int8]:
    mode: NDArray[np.int8] = counts[:3].argmax(axis=0).astype(np.int8)
    return mode
