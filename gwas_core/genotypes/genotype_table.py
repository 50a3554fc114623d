"""Genotype table: content of a file as it was read, before its columns have roles.

Also here: checks that its parts fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.cell_decoding import Delimiter
from gwas_core.genotypes.text_columns import TextColumns
from gwas_core.messages import quoted


@dataclass(frozen=True, eq=False, kw_only=True)
class GenotypeTable:
    """Content of one file.

    Attributes:
        file_name: what messages call the file.
        delimiter: what separates its cells.
        genotypes: int8 (lines, SNPs): 0, 1, 2, or ``dataset.MISSING``.
        snps: one row for each SNP, as in ``Dataset.snps``.
        columns: text of every other column by its name, one item for each line; it may be made only when asked for.
        notes: sentences on what was guessed while reading.

    Raises:
        InputError: the parts do not fit together.
    """

    file_name: str
    delimiter: Delimiter
    genotypes: NDArray[np.int8]
    snps: pd.DataFrame
    columns: Mapping[str, list[str]]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines, snps = self.genotypes.shape
        if len(self.snps) != snps:
            raise InputError(f"the SNP table must have one row for each SNP ({snps}), not {len(self.snps)}")
        if isinstance(self.columns, TextColumns):
            if self.columns and self.columns.lines != lines:
                raise InputError(
                    f"the other columns must have one value for each line ({lines}), not {self.columns.lines}"
                )
            return
        for name, values in self.columns.items():
            if len(values) != lines:
                raise InputError(
                    f"column {quoted(name)} must have one value for each line ({lines}), not {len(values)}"
                )

    def head(self, column: str, lines: int) -> list[str]:
        """Return the first values of a column that is no SNP.

        Raises:
            KeyError: there is no such column.
        """
        columns = self.columns
        return columns.head(column, lines) if isinstance(columns, TextColumns) else columns[column][:lines]

    @property
    def lines(self) -> int:
        """Number of lines (rows below the header)."""
        return int(self.genotypes.shape[0])
