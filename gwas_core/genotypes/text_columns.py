"""Text columns of a table: kept as the bytes of the file, and made Python text only when a column is asked for.

Also here: cells that are not UTF-8 text.

A Python text of two letters takes 59 bytes, and its cell in the file three. Kept as bytes with the place where each
cell ends, cells take at most four bytes more than in the file, however many columns there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.genotypes.arrays import open_array
from gwas_core.genotypes.cell_decoding import Cells, Columns, without_quotes
from gwas_core.spreadsheets import without_formula_mark

_TEXT, _ENDS = "columns-text.npy", "columns-ends.npy"


@dataclass(frozen=True, eq=False)
class TextBlock:
    """Text of some rows.

    Attributes:
        text: uint8, the bytes of all cells, row after row.
        ends: unsigned (rows, columns), where each cell ends in ``text``; it begins where the one before it ends.
    """

    text: NDArray[np.uint8]
    ends: NDArray[np.unsignedinteger]

    def cells(self, column: int, rows: int | None = None) -> Iterator[bytes]:
        """Yield the cells of a column, of the first rows if ``rows`` is given, as the file holds them."""
        width = self.ends.shape[1]
        ends = self.ends[:rows, column].tolist()
        flat = self.ends.reshape(-1)
        starts = flat[np.arange(len(ends)) * width + column - 1].tolist()
        if column == 0 and starts:
            starts[0] = 0
        for start, end in zip(starts, ends, strict=True):
            yield self.text[start:end].tobytes()


def cell_text(cell: bytes) -> str:
    """Return a cell of a table as text: without blanks and quotes around it, and without the mark of a formula.

    Args:
        cell: as the file holds it, UTF-8.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    text = without_quotes(cell).decode("utf-8")
    # Only of names: control characters, which are marked too, are refused in them.
    return without_formula_mark(text) if text[:1] == "'" and text.lstrip("' ")[:1].isprintable() else text


class NotUtf8Error(ValueError):
    """Cell that is no UTF-8 text: ``row`` is its index in the block, ``column`` its index in the file."""

    def __init__(self, row: int, column: int, cell: bytes) -> None:
        super().__init__(f"row {row}, column {column} is no UTF-8 text")
        self.row, self.column, self.cell = row, column, cell


def text_block(cells: Cells, columns: Columns, *, width: int) -> TextBlock:
    """Return the text of some columns of a block.

    Args:
        cells: positions of the cells.
        columns: the chosen columns, as a slice or as indices in increasing order.
        width: number of cells in each row.

    Raises:
        NotUtf8Error: a cell is no UTF-8 text; the first one, column by column.
    """
    shape = (len(cells.counts), width)
    starts = cells.starts.reshape(shape)[:, columns]
    lengths = cells.ends.reshape(shape)[:, columns] - starts
    ends = np.cumsum(lengths, dtype=np.int64).reshape(lengths.shape)
    # Blocks are far smaller than 2 GiB.
    shifts = (starts - (ends - lengths)).astype(np.int32)
    places = np.repeat(shifts.reshape(-1), lengths.reshape(-1))
    places += np.arange(len(places), dtype=np.int32)
    text = np.frombuffer(cells.block, dtype=np.uint8)[places]
    if text.size and text.max() >= 128:
        _check_utf8(cells, columns, width)
    return TextBlock(text, ends.astype(np.uint32))


def _check_utf8(cells: Cells, columns: Columns, width: int) -> None:
    try:
        cells.block.decode("utf-8")
    except UnicodeDecodeError:
        rows = len(cells.counts)
        for column in np.arange(width)[columns].tolist():
            for row in range(rows):
                cell = cells.text(row * width + column)
                if not cell.isascii():
                    _check_cell(cell, row, column)


def _check_cell(cell: bytes, row: int, column: int) -> None:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(row, column, cell) from error


class TextColumns(Mapping[str, list[str]]):
    """Text of every column by its name, one item for each line.

    A column is made of its bytes each time it is asked for, without the blanks and the quotes around its cells.

    Args:
        names: of the columns, all different.
        blocks: the rows, in order.
    """

    def __init__(self, names: Sequence[str], blocks: Sequence[TextBlock]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._blocks = tuple(blocks)

    @property
    def lines(self) -> int:
        """Number of items of each column."""
        return sum(len(block.ends) for block in self._blocks)

    def head(self, name: str, lines: int) -> list[str]:
        """Return the first items of a column.

        Raises:
            KeyError: there is no such column.
        """
        return self._read(name, lines)

    def __getitem__(self, name: str) -> list[str]:
        return self._read(name, None)

    def _read(self, name: str, lines: int | None) -> list[str]:
        place = self._places[name]
        texts: list[str] = []
        for block in self._blocks:
            rows = None if lines is None else lines - len(texts)
            if rows is not None and rows <= 0:
                break
            texts += [cell_text(cell) for cell in block.cells(place, rows)]
        return texts

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def save(self, directory: Path) -> None:
        """Write the text of all columns, but not their names, to a folder."""
        size = sum(len(block.text) for block in self._blocks)
        text = _new_file(directory / _TEXT, np.dtype(np.uint8), (size,))
        ends = _new_file(
            directory / _ENDS, np.dtype(np.uint32 if size < 2**32 else np.uint64), (self.lines, len(self._places))
        )
        written = rows = 0
        for block in self._blocks:
            text[written : written + len(block.text)] = block.text
            ends[rows : rows + len(block.ends)] = block.ends.astype(ends.dtype) + ends.dtype.type(written)
            written += len(block.text)
            rows += len(block.ends)

    @classmethod
    def load(cls, directory: Path, names: Sequence[str]) -> TextColumns:
        """Return columns that were saved; their text stays on disk until a column is asked for.

        Args:
            directory: to which they were saved.
            names: of the columns, in the order in which they were saved.

        Raises:
            InputError: they cannot be read.
        """
        text, ends = (open_array(directory / name) for name in (_TEXT, _ENDS))
        if ends.ndim != 2 or ends.shape[1] != len(names):
            raise InputError("the columns are not those that were saved")
        return cls(names, [TextBlock(text, ends)])


def _new_file(path: Path, dtype: np.dtype[np.unsignedinteger], shape: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
    """Return an array that is a new file; an empty one cannot be mapped into memory, so it is written as it is."""
    if 0 in shape:
        array = np.empty(shape, dtype)
        np.save(path, array)
        return array
    mapped: NDArray[np.unsignedinteger] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    return mapped
