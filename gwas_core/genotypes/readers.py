"""Reader of a table of lines and SNPs: delimiter, column names, which columns are SNPs, wrong cells located.

Also here: an empty file, one without SNPs or with one column; rows of unequal length; repeated, empty or too long
column names; text that is not UTF-8; SNPs chosen by a prefix or as all columns after one; line ends of old Macs.

The first row holds the column names. Cells are separated by tabs, commas, semicolons or white space,
the same in the whole file; the file is plain or gzip, UTF-8, with Unix or Windows line ends; text may
stand in double quotes. Rows are counted in messages as a spreadsheet does: the header is row 1.

SNP columns are recognised by names that hold chromosome and position (``Gm05_1234``, ``chr1:123``, ``S5_1234``). If no
column has such a name, every column whose first rows hold nothing but 0, 1, 2 and missing values counts as a SNP,
except names such as ``folds`` or ``family``; ``SnpChoice`` overrules both.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.cell_decoding import (
    INVALID,
    Cells,
    Columns,
    Delimiter,
    UnclosedQuoteError,
    decode_cell,
    decode_genotypes,
    describe_cell_fault,
    locate_cells,
    parse_number,
    without_quotes,
)
from gwas_core.genotypes.column_roles import is_line_name, is_no_snp_name
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.snp_names import snp_place, snp_table
from gwas_core.genotypes.text_columns import NotUtf8Error, TextBlock, TextColumns, cell_text, text_block
from gwas_core.genotypes.text_stream import read_row_blocks
from gwas_core.messages import counted, has_control_characters, listed, quoted

LONGEST_NAME = 200
"""Largest number of characters of a column's name."""

MOST_COLUMNS = 2_000_000
"""Largest number of columns: more than any array has SNPs, and few enough to keep all names in memory."""

MOST_LINES = 5_000_000
"""Largest number of lines: ten times the largest biobank, and few enough to keep all names in memory."""

MEMORY_MULTIPLE = 5
"""Most bytes of memory that reading takes for each byte of text, after decompression."""

# Rows by which SNPs are told from traits if names do not tell.
_ROWS_TO_JUDGE = 50


@dataclass(frozen=True, kw_only=True)
class SnpChoice:
    """Choice of the SNP columns by exactly one of three ways, for files whose names do not tell.

    Attributes:
        names: names of all SNPs.
        prefix: text with which every SNP's name starts, and no other column's (``"ss"``).
        after: name of the column after which all columns are SNPs.

    Raises:
        SettingsError: none of them, or more than one, is given.
    """

    names: tuple[str, ...] = ()
    prefix: str = ""
    after: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.names, self.prefix, self.after))) != 1:
            raise SettingsError(
                "choose the SNP columns in one way: by their names, by a prefix, or as all columns after a named one",
                field="snp_columns",
            )

    @classmethod
    def given(cls, *, prefix: str | None, after: str | None) -> SnpChoice | None:
        """Return the choice by a prefix or by the column before the SNPs; None if neither is given.

        Args:
            prefix: see ``prefix`` of the class.
            after: see ``after`` of the class.

        Raises:
            SettingsError: both are given, or an empty one.
        """
        if prefix is not None and after is not None:
            raise SettingsError(
                "choose the SNP columns by a prefix or by the column before them, not by both", field="snp_columns"
            )
        return None if prefix is None and after is None else cls(prefix=prefix or "", after=after or "")

    def columns(self, header: Sequence[str]) -> list[int]:
        """Return the indices of the chosen columns, in the file's order.

        Args:
            header: names of all columns.

        Raises:
            SettingsError: a name is not among the columns, or no column is chosen.
        """
        absent = [name for name in (*self.names, self.after) if name and name not in set(header)]
        if absent:
            raise SettingsError(
                f"no column is named {listed(absent, limit=3)}; the columns are {listed(header)}", field="snp_columns"
            )
        if self.names:
            wanted = set(self.names)
            return [index for index, name in enumerate(header) if name in wanted]
        if self.prefix:
            chosen = [index for index, name in enumerate(header) if name.startswith(self.prefix)]
            problem = f"no column's name starts with {quoted(self.prefix)}; the columns are {listed(header)}"
        else:
            chosen = list(range(header.index(self.after) + 1, len(header)))
            problem = f"no column follows {quoted(self.after)}, the last one"
        if not chosen:
            raise SettingsError(problem, field="snp_columns")
        return chosen


@dataclass(frozen=True)
class _Layout:
    """Properties that all rows of a file share."""

    file_name: str
    delimiter: Delimiter
    header: list[str]

    def cells(self, block: bytes, *, first_row: int) -> Cells:
        """Return the cells of a block of rows after checking that each row has as many as the header."""
        cells = _locate(block, self.delimiter, self.file_name, first_row=first_row)
        ragged = np.flatnonzero(cells.counts != len(self.header))
        if ragged.size:
            raise InputError(self._ragged(cells, int(ragged[0]), first_row))
        return cells

    def _ragged(self, cells: Cells, index: int, first_row: int) -> str:
        row, found, expected = first_row + index, int(cells.counts[index]), len(self.header)
        start = int(cells.counts[:index].sum())
        if found == 0 or (found == 1 and not cells.text(start).strip()):
            return f"row {row:,} of {quoted(self.file_name)} is empty: remove it"
        sentence = (
            f"row {row:,} of {quoted(self.file_name)} has {counted(found, 'cell')}, "
            f"but the header has {counted(expected, 'column name')}"
        )
        if row == 2 and found == expected + 1:
            return f"{sentence}: if R wrote the file, write it again with row.names = FALSE"
        return f"{sentence}: every row needs one cell a column, separated by {self.delimiter.value}"

    def texts(self, cells: Cells, columns: Columns, *, first_row: int) -> TextBlock:
        """Return the text of some columns of a block."""
        try:
            return text_block(cells, columns, width=len(self.header))
        except NotUtf8Error as error:
            raise InputError(
                _not_utf8(error.cell, self.file_name, row=first_row + error.row, column=error.column)
            ) from error


def read_table(
    path: Path, *, file_name: str = "", snp_columns: SnpChoice | None = None, size_limit: int | None = None
) -> GenotypeTable:
    """Return the content of a file after checking and encoding it.

    It takes one byte of memory for each genotype, the text of the other columns with four bytes for each of their
    cells, and what a block of rows and the column names take: at most ``MEMORY_MULTIPLE`` bytes for each byte of text,
    and 1 GiB beside.

    Args:
        path: plain or gzip text.
        snp_columns: which columns are SNPs, if their names do not tell.
        file_name: what messages call the file (default: its name on disk).
        size_limit: in bytes after decompression (default: that of ``GWAS_TABLE_SIZE``).

    Raises:
        InputError: the file or a cell cannot be used; the sentence names row, line, column and value.
        SettingsError: ``snp_columns`` does not fit the file's columns.
    """
    file_name = file_name or path.name
    blocks = read_row_blocks(path, file_name=file_name, size_limit=size_limit)
    first = next(blocks, b"")
    if not first:
        raise InputError(f"{quoted(file_name)} is empty: it needs a row of column names and one row for each line")
    header_row, _, first = first.partition(b"\n")
    _check_header_row(header_row, file_name)
    first = first or next(blocks, b"")
    delimiter = _guess_delimiter(header_row, first.partition(b"\n")[0], file_name)
    layout = _Layout(file_name, delimiter, _column_names(header_row, delimiter, file_name))
    if not first:
        raise InputError(
            f"{quoted(file_name)} has a header of {counted(len(layout.header), 'column name')} but no lines below it"
        )
    snps, notes = _choose_snps(layout, first, snp_columns)
    genotypes, columns = _read_rows(layout, chain([first], blocks), snps)
    return GenotypeTable(
        file_name=file_name,
        delimiter=delimiter,
        genotypes=genotypes,
        snps=snp_table([layout.header[index] for index in snps]),
        columns=columns,
        notes=notes,
    )


def _choose_snps(layout: _Layout, first: bytes, choice: SnpChoice | None) -> tuple[list[int], tuple[str, ...]]:
    """Return the indices of the SNP columns, and notes on the choice for the user."""
    if choice is not None:
        return choice.columns(layout.header), ()
    named = [index for index, name in enumerate(layout.header) if snp_place(name)]
    rows = b"\n".join(first.split(b"\n", _ROWS_TO_JUDGE)[:_ROWS_TO_JUDGE]).removesuffix(b"\n") + b"\n"
    cells = layout.cells(rows, first_row=2)
    others = [
        index
        for index, name in enumerate(layout.header)
        if not is_no_snp_name(name) and not snp_place(name) and _holds_genotypes(layout, cells, index)
    ]
    columns = f"{counted(len(others), 'column')} ({listed([layout.header[index] for index in others], limit=3)})"
    if named and not others:
        return named, ()
    if named:
        note = (
            f"Only SNPs named by chromosome and position were taken; {columns} may hold genotypes too: choose the SNP "
            "columns if so."
        )
        return named, (note,)
    if not others:
        raise InputError(
            f"{quoted(layout.file_name)} has no SNP columns: none is named like Gm05_1234, Chr1_123, chr1:123 "
            f"or 5:1234, and none holds only 0, 1, 2 and missing values (columns: {listed(layout.header)}); "
            "rename the SNPs or choose their columns"
        )
    note = (
        f"No column is named by chromosome and position, so {columns} with only 0, 1, 2 and missing were taken as SNPs."
    )
    return others, (note,)


def _holds_genotypes(layout: _Layout, cells: Cells, column: int) -> bool:
    width = len(layout.header)
    return all(decode_cell(cells.text(row * width + column)) != INVALID for row in range(len(cells.counts)))


def _read_rows(layout: _Layout, blocks: Iterator[bytes], snps: list[int]) -> tuple[NDArray[np.int8], TextColumns]:
    """Return genotypes, int8 (lines, SNPs), and the text of all other columns."""
    is_other = np.ones(len(layout.header), dtype=np.bool_)
    is_other[snps] = False
    others = np.flatnonzero(is_other).tolist()
    chosen, rest = _selection(snps), _selection(others) if others else None
    parts: deque[NDArray[np.int8]] = deque()
    texts: list[TextBlock] = []
    first_row = 2
    for block in blocks:
        cells = layout.cells(block, first_row=first_row)
        part, fault = decode_genotypes(cells, columns=chosen, width=len(layout.header))
        if fault is not None:
            raise InputError(_fault(layout, cells, row=fault[0], column=snps[fault[1]], first_row=first_row))
        parts.append(part)
        if rest is not None:
            texts.append(layout.texts(cells, rest, first_row=first_row))
        first_row += len(part)
        if first_row > MOST_LINES + 2:
            raise InputError(
                f"{quoted(layout.file_name)} holds more than {MOST_LINES:,} lines, the limit: make sure that it is the "
                "right file"
            )
    genotypes = np.empty((sum(map(len, parts)), len(snps)), dtype=np.int8)
    done = 0
    while parts:  # each part is let go once copied, so that the matrix is never held twice
        part = parts.popleft()
        genotypes[done : done + len(part)] = part
        done += len(part)
    return genotypes, TextColumns([layout.header[index] for index in others], texts)


def _selection(indices: list[int]) -> Columns:
    """Return columns as indices, or as a slice if they are consecutive: numpy takes it without copying."""
    if indices[-1] - indices[0] + 1 == len(indices):
        return slice(indices[0], indices[-1] + 1)
    return np.array(indices, dtype=np.int64)


def _fault(layout: _Layout, cells: Cells, *, row: int, column: int, first_row: int) -> str:
    width = len(layout.header)
    line = _line_name(layout, cells, row)
    cell = cells.text(row * width + column)
    named = f" (line {quoted(line)})" if line else ""
    place = f"row {first_row + row:,}{named} of {quoted(layout.file_name)}, SNP {quoted(layout.header[column])}"
    return f"{place}: {quoted(without_quotes(cell).decode('utf-8', errors='replace'))} {describe_cell_fault(cell)}"


def _line_name(layout: _Layout, cells: Cells, row: int) -> str:
    """Return the probable name of a row's line, or empty text if no column tells."""
    width = len(layout.header)
    texts = [without_quotes(cells.text(row * width + column)).decode("utf-8", "replace") for column in range(width)]
    named = [text for name, text in zip(layout.header, texts, strict=True) if is_line_name(name)]
    plain = [
        text
        for name, text in zip(layout.header, texts, strict=True)
        if not snp_place(name) and text and parse_number(text) is None and not is_no_snp_name(name)
    ]
    return next(iter(named + plain), "")


def _locate(block: bytes, delimiter: Delimiter, file_name: str, *, first_row: int) -> Cells:
    try:
        return locate_cells(block, delimiter)
    except UnclosedQuoteError as error:
        raise InputError(
            f"row {first_row + error.row:,} of {quoted(file_name)} holds a double quote that is not closed: "
            "close or remove it"
        ) from error


def _column_name(cell: bytes, file_name: str, *, column: int) -> str:
    try:
        return cell_text(cell)
    except UnicodeDecodeError as error:
        raise InputError(_not_utf8(cell, file_name, row=1, column=column)) from error


def _not_utf8(cell: bytes, file_name: str, *, row: int, column: int) -> str:
    return (
        f"row {row:,}, column {column + 1} of {quoted(file_name)} is not UTF-8 text "
        f"({quoted(without_quotes(cell).decode('latin-1'))} in Latin-1): save the file as UTF-8"
    )


def _check_header_row(row: bytes, file_name: str) -> None:
    if b"\r" in row:
        raise InputError(f"{quoted(file_name)} has the line ends of old Macs: save it with Unix or Windows line ends")
    if sum(row.count(character) for character in b"\t,; ") > MOST_COLUMNS:
        raise InputError(
            f"the first row of {quoted(file_name)} holds more than {MOST_COLUMNS:,} column names, the limit: "
            "leave out SNPs, or make sure that it is the right file"
        )


def _guess_delimiter(header: bytes, first_row: bytes, file_name: str) -> Delimiter:
    """Return the delimiter that gives header and first row the same and the largest number of cells."""

    def cells(row: bytes, delimiter: Delimiter) -> int:
        try:
            return len(locate_cells(row + b"\n", delimiter).starts)
        except UnclosedQuoteError:
            return 0  # refused when the row is read

    found = {delimiter: cells(header, delimiter) for delimiter in Delimiter}
    agreeing = {d: count for d, count in found.items() if count > 1 and count == cells(first_row, d)}
    candidates = agreeing or found
    best = max(candidates, key=lambda d: candidates[d])
    if candidates[best] < 2:
        raise InputError(
            f"{quoted(file_name)} has only one column, {quoted(header.decode('utf-8', errors='replace'))}: its columns "
            "are separated some other way; save it with tabs between them"
        )
    return best


def _column_names(row: bytes, delimiter: Delimiter, file_name: str) -> list[str]:
    cells = _locate(row + b"\n", delimiter, file_name, first_row=1)
    names = [_column_name(cells.text(index), file_name, column=index) for index in range(len(cells.starts))]
    if names[0] == "":
        names[0] = "unnamed"  # R's write.csv and pandas leave the name of the row names empty
    repeated = {name: count for name, count in Counter(names).items() if count > 1}
    if repeated and all(parse_number(name) is not None for name in repeated if name):
        raise InputError(
            f"the first row of {quoted(file_name)} holds values ({listed(repeated, limit=3)}), not column names: "
            "add a row of names above it"
        )
    for index, name in enumerate(names):
        _check_column_name(name, index, file_name)
    if repeated:
        name = next(iter(repeated))
        places = [str(index + 1) for index, other in enumerate(names) if other == name]
        raise InputError(
            f"{quoted(file_name)} has {counted(len(repeated), 'column name')} more than once, such as {quoted(name)} "
            f"(columns {', '.join(places[:5])}): rename or remove the repeated columns"
            f"{': ' + listed(repeated) if len(repeated) > 1 else ''}"
        )
    return names


def _check_column_name(name: str, index: int, file_name: str) -> None:
    if not name:
        raise InputError(
            f"column {index + 1} of {quoted(file_name)} has no name: "
            "name it, or remove the delimiter at the end of the rows"
        )
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"the name of column {index + 1} of {quoted(file_name)} has {len(name):,} characters, "
            f"more than {LONGEST_NAME}: shorten it or check that the first row holds column names "
            f"({quoted(name, limit=30)})"
        )
    if has_control_characters(name):
        raise InputError(
            f"the name of column {index + 1} of {quoted(file_name)}, {quoted(name)}, holds control characters: "
            "remove them"
        )
