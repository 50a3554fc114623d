"""Genotype table: content of a file as it was read, before its columns have roles.

Also here: checks that its parts fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.cell_decoding import Delimiter
from gwas_core.genotypes.text_columns import TextColumns


@dataclass(frozen=True, eq=False, kw_only=True)
class GenotypeTable:
    """Content of one file.

    Attributes:
        file_name: what messages call the file.
        delimiter: what separates its cells.
        genotypes: int8 (lines, SNPs): 0, 1, 2, or ``dataset.MISSING``.
        snps: one row for each SNP, as in ``Dataset.snps``.
        columns: text of every other column by its name, one item for each line; it is made when it is asked for.
        notes: sentences on what was guessed while reading.

    Raises:
        InputError: the parts do not fit together.
    """

    file_name: str
    delimiter: Delimiter
    genotypes: NDArray[np.int8]
    snps: pd.DataFrame
    columns: TextColumns
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines, snps = self.genotypes.shape
        if len(self.snps) != snps:
            raise InputError(f"the SNP table must have one row for each SNP ({snps}), not {len(self.snps)}")
        if self.columns and self.columns.lines != lines:
            raise InputError(f"the other columns must have one value for each line ({lines}), not {self.columns.lines}")

    def head(self, column: str, lines: int) -> list[str]:
        """Return the first values of a column that is no SNP.

        Raises:
            KeyError: there is no such column.
        """
        return self.columns.head(column, lines)

    @property
    def lines(self) -> int:
        """Number of lines (rows below the header)."""
        return int(self.genotypes.shape[0])
