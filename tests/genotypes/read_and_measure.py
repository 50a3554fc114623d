"""Process that reads a table, guesses its roles, and prints lines, other columns, and the bytes that it took."""

from __future__ import annotations

import sys
from pathlib import Path

from gwas_core.genotypes.column_roles import guess_roles
from gwas_core.genotypes.readers import read_table
from gwas_core.processes.memory import peak_bytes

if __name__ == "__main__":
    before = peak_bytes()
    table = read_table(Path(sys.argv[1]))
    guess_roles(table)
    print(table.lines, len(table.columns), peak_bytes() - before)
