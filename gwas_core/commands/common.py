"""Functions that commands share: reading a file as the options say, printing of notes, tables, numbers and JSON.

Also here: the family characters that ``6-7`` means; the dash for a missing number.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.column_roles import ColumnRoles, choose_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.library import DatasetLibrary, LibraryEntry
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.messages import quoted
from gwas_core.processes.command_messages import MessageKind, printable, say
from gwas_core.studies.listing import study_key
from gwas_core.workspace import Workspace

# Options that say which column of a file is what.
_ROLES = (
    "phenotype",
    "line_name",
    "folds",
    "family",
    "family_characters",
    "no_families",
    "snp_prefix",
    "snps_after",
    "drop_missing_phenotype",
)

__all__ = [
    "format_number",
    "load_dataset",
    "print_json",
    "print_table",
    "printable",
    "read_input_table",
    "roles_from_options",
    "say",
    "say_notes",
]


def read_input_table(options: argparse.Namespace) -> GenotypeTable:
    """Return the content of ``options.file``.

    Raises:
        InputError: the file cannot be used.
        SettingsError: the options of the SNP columns do not fit the file.
    """
    choice = SnpChoice.given(prefix=options.snp_prefix, after=options.snps_after)
    return read_table(options.file, snp_columns=choice)


def roles_from_options(options: argparse.Namespace, table: GenotypeTable) -> ColumnRoles:
    """Return the column of each role: that of the options, or a guess.

    Args:
        options: of a command that reads a file.
        table: content of that file.

    Raises:
        SettingsError: the options contradict each other.
    """
    characters = options.family_characters
    return choose_roles(
        table,
        phenotype=options.phenotype,
        line_name=options.line_name,
        folds=options.folds,
        family=False if options.no_families else options.family,
        family_characters=None if characters is None else _characters(characters),
    )


def _characters(text: str) -> tuple[int, int]:
    """Return the numbers of a range such as ``"6-7"``."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal() and 1 <= int(first) <= int(last or first)):
        raise SettingsError(
            f"family characters are two positions in the line's name, such as 6-7, not {quoted(text)}",
            field="family_characters",
        )
    return int(first), int(last or first)


def load_dataset(options: argparse.Namespace) -> tuple[Dataset, tuple[str, ...]]:
    """Return the dataset of ``options.file``, and the notes of reading it.

    Where there is no such file, the name may be that of a dataset of the workspace, as its page shows it, or its key
    in addresses.

    Args:
        options: of a command that reads a file; ``options.file`` becomes the dataset's own name.

    Raises:
        InputError: the file cannot be used, or several datasets have this name.
        SettingsError: an option does not fit the file.
    """
    entry = None if options.file.exists() else _kept(options)
    if entry is not None:
        options.file = Path(entry.source)
        return DatasetLibrary(Workspace.from_environment()).load(entry.hash), entry.notes
    table = read_input_table(options)
    dataset, notes = make_dataset(
        table, roles_from_options(options, table), drop_missing_phenotype=options.drop_missing_phenotype
    )
    return dataset, tuple(notes)


def _kept(options: argparse.Namespace) -> LibraryEntry | None:
    """Return the dataset of the workspace that ``options.file`` names; None if it names none."""
    name = str(options.file)
    entries = DatasetLibrary(Workspace.from_environment()).entries()
    named = [entry for entry in entries if name in (entry.source, entry.hash, study_key(entry.hash))]
    if not named:
        return None
    if len(named) > 1:
        raise InputError(
            f"{len(named)} datasets of the workspace are called {quoted(name)}: give the key of one "
            f"({', '.join(study_key(entry.hash) for entry in named[:5])}), or the path of the file"
        )
    given = [role for role in _ROLES if getattr(options, role)]
    if given:
        raise SettingsError(
            f"{quoted(name)} is a dataset of the workspace, whose columns were chosen when it was read: leave out "
            f"--{given[0].replace('_', '-')}, or give the path of the file",
            field=given[0],
        )
    return named[0]


def say_notes(notes: Iterable[str]) -> None:
    """Print notes on what was guessed or changed, on stderr."""
    for note in notes:
        say(note, MessageKind.NOTE)


def print_json(value: Any) -> None:
    """Print the JSON result of a command on stdout.

    Args:
        value: JSON values.

    Raises:
        ValueError: the value holds NaN or infinity, which JSON does not have.
    """
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[int] = ()) -> None:
    """Print columns under a header on stdout.

    Args:
        header: titles of the columns.
        rows: cells of each row.
        right: indices of the columns of numbers, which are aligned to the right.
    """
    aligned_right = set(right)
    cells = [[printable(str(cell)).replace("\n", " ") for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        line = "  ".join(
            cell.rjust(width) if column in aligned_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print(line.rstrip())


def format_number(value: float | None, *, digits: int = 4) -> str:
    """Return a number as text for a table, or a dash for None.

    Args:
        value: None for a figure that is not defined.
        digits: number of decimals.
    """
    # Adding zero turns -0.0 into 0.0.
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"
