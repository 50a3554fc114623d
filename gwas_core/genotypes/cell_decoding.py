"""Cells of a block of text: where they lie (delimiters, quotes), and the allele counts they hold.

Also here: which texts count as missing or as 0, 1, 2; what is said of a wrong cell.

The readers spend their time here. Cells are found and decoded with vector operations, without a Python object for each
cell, and a wrong value is still located to its cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gwas_core.genotypes.dataset import MISSING

INVALID = -128
"""Value that ``decode_genotypes`` writes for a cell that is no allele count."""

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", ".", "null"})
"""Ways of writing a missing value (in lower case), in genotypes and traits alike."""

# A longer cell is no allele count, whatever it holds.
_LONGEST_CELL = 64

# Keep the first 0, 1, ... 8 bytes of a word read with its first byte as the lowest.
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)

Columns: TypeAlias = slice | NDArray[np.int64]


class Delimiter(StrEnum):
    """Separator of the cells of a row."""

    TAB = "tab"
    COMMA = "comma"
    SEMICOLON = "semicolon"
    WHITE_SPACE = "white space"

    @property
    def byte(self) -> int | None:
        """Code of its character; None for white space, which is a run of blanks and tabs."""
        return {"tab": 9, "comma": 44, "semicolon": 59}.get(self.value)


class UnclosedQuoteError(ValueError):
    """Odd number of double quotes in a row; ``row`` is its index in the block."""

    def __init__(self, row: int) -> None:
        super().__init__(f"unclosed quote in row {row}")
        self.row = row


@dataclass(frozen=True, eq=False)
class Cells:
    """Positions of the cells of a block of rows.

    Attributes:
        block: the text; each row ends with a line feed.
        starts: int64 (cells,), row after row; cell i is ``block[starts[i]:ends[i]]``.
        ends: int64 (cells,).
        counts: int64 (rows,), number of cells in each row.
    """

    block: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]

    def text(self, index: int) -> bytes:
        """Return the bytes of one cell, unchanged.

        Args:
            index: number of the cell in the block, row by row.
        """
        return self.block[self.starts[index] : self.ends[index]]


def locate_cells(block: bytes, delimiter: Delimiter) -> Cells:
    """Return the positions of the cells of a block; delimiters inside double quotes belong to their cell.

    Args:
        block: complete rows, each of which ends with a line feed.
        delimiter: separator of the cells.

    Raises:
        UnclosedQuoteError: a row holds an odd number of double quotes.
    """
    characters = np.frombuffer(block, dtype=np.uint8)
    is_newline = characters == 10
    newlines = np.flatnonzero(is_newline)
    if delimiter.byte is None:
        is_break = (characters == 32) | (characters == 9) | is_newline
    else:
        is_break = (characters == delimiter.byte) | is_newline
    if b'"' in block:
        inside = np.logical_xor.accumulate(characters == 34)
        unclosed = np.flatnonzero(inside[newlines])
        if unclosed.size:
            raise UnclosedQuoteError(int(unclosed[0]))
        is_break &= ~inside
    if delimiter.byte is None:
        changes = np.flatnonzero(np.diff(is_break, prepend=True))
        starts, ends = changes[0::2], changes[1::2]
    else:
        ends = np.flatnonzero(is_break)
        starts = np.empty_like(ends)
        starts[0] = 0
        np.add(ends[:-1], 1, out=starts[1:])
    counts = np.diff(np.searchsorted(ends, newlines, side="right"), prepend=0)
    return Cells(block, starts, ends, counts)


def without_quotes(cell: bytes) -> bytes:
    """Return a cell without the blanks around it and without its double quotes.

    Args:
        cell: as the file has it; a doubled quote inside of quotes is one quote.
    """
    cell = cell.strip()
    if len(cell) >= 2 and cell[:1] == cell[-1:] == b'"':
        return cell[1:-1].replace(b'""', b'"').strip()
    return cell


def parse_number(text: str) -> float | None:
    """Return text as a number, or None if it is none.

    Args:
        text: of a cell; unlike in Python, ``1_0`` is no number.
    """
    try:
        return float(text) if "_" not in text and text.isascii() else None
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def decode_cell(cell: bytes) -> int:
    """Return the genotype in a cell.

    Args:
        cell: as the file has it, quotes and blanks included.

    Returns:
        Allele count 0, 1 or 2, ``MISSING``, or ``INVALID`` for anything else.
    """
    if len(cell) > _LONGEST_CELL:
        return INVALID
    text = without_quotes(cell).decode("ascii", errors="replace").lower()
    if text in MISSING_WORDS:
        return MISSING
    value = parse_number(text)
    if value in (0, 1, 2):
        return int(value)
    return MISSING if value in (-1, -9) else INVALID


def describe_cell_fault(cell: bytes) -> str:
    """Return what is wrong with a cell, as the end of a sentence that begins with its text.

    Args:
        cell: one for which ``decode_cell`` returns ``INVALID``.
    """
    value = parse_number(without_quotes(cell).decode("ascii", errors="replace")) if len(cell) <= _LONGEST_CELL else None
    if value is None or math.isnan(value):
        return "is no allele count: write genotypes as 0, 1 or 2, and missing ones as NA, nan, ., -1, -9 or nothing"
    if not 0 <= value <= 2:
        return "is outside 0 to 2: a genotype is the number of copies of one allele, in a diploid 0, 1 or 2"
    return "is no whole number: dosages are not supported, so round them to the allele counts 0, 1 and 2"


def _single_characters() -> NDArray[np.int8]:
    table = np.full(256, INVALID, dtype=np.int8)
    for character in range(256):
        table[character] = decode_cell(bytes([character]))
    return table


_SINGLE = _single_characters()


def decode_genotypes(cells: Cells, *, columns: Columns, width: int) -> tuple[NDArray[np.int8], tuple[int, int] | None]:
    """Return the allele counts in some columns of a block.

    Args:
        cells: positions of the cells.
        columns: the chosen columns, as a slice or as indices.
        width: number of cells in each row.

    Returns:
        int8 (rows, chosen columns), and the row and the chosen column's index of the first cell that is no allele
        count (row by row), or None. Values after that cell are not decoded.
    """
    shape = (len(cells.counts), width)
    starts = cells.starts.reshape(shape)[:, columns]
    lengths = cells.ends.reshape(shape)[:, columns] - starts
    characters = np.frombuffer(cells.block, dtype=np.uint8)
    # Numpy may lay out the result of an index by columns; the flat indices below go by rows.
    genotypes = np.ascontiguousarray(_SINGLE[characters[starts]])
    others = np.flatnonzero(lengths != 1)
    if others.size:
        _decode_longer(cells.block, genotypes, starts, lengths, others)
    if genotypes.size and genotypes.min() == INVALID:
        row, column = divmod(int(np.argmin(genotypes)), genotypes.shape[1])
        return genotypes, (row, column)
    return genotypes, None


def _decode_longer(
    block: bytes,
    genotypes: NDArray[np.int8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    remaining: NDArray[np.int64],
) -> None:
    """Write the values of the cells at flat indices ``remaining``, which have more or fewer than one character.

    There are few different spellings ("nan", "2.0"): the first one left is looked up, and its value is given to all
    cells spelled alike. The first spelling that is no allele count is thereby the first in the block, and decoding
    ends there. Cells are compared by their first eight bytes as one number, and by single bytes beyond.
    """
    padded = block + bytes(8)
    characters = np.frombuffer(padded, dtype=np.uint8)
    words = np.ndarray((len(block) + 1,), dtype="<u8", buffer=padded, strides=(1,))
    values: NDArray[np.int8] = genotypes.reshape(-1)
    flat_starts, flat_lengths = starts.reshape(-1)[remaining], lengths.reshape(-1)[remaining]
    keys = words[flat_starts] & _MASKS[np.minimum(flat_lengths, 8)]
    while remaining.size:
        start, length = int(flat_starts[0]), int(flat_lengths[0])
        cell = block[start : start + length]
        value = decode_cell(cell)
        if value == INVALID:
            values[remaining[0]] = INVALID
            return
        is_alike = (keys == keys[0]) & (flat_lengths == length)
        for offset in range(8, length):
            alike = np.flatnonzero(is_alike)
            is_alike[alike] = characters[flat_starts[alike] + offset] == cell[offset]
        values[remaining[is_alike]] = value
        left = ~is_alike
        remaining, keys = remaining[left], keys[left]
        flat_starts, flat_lengths = flat_starts[left], flat_lengths[left]
