"""Arrays of numpy in files of the workspace: opened, or refused as damaged, whatever numpy makes of the damage."""

from __future__ import annotations

import sys
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import open_regular_file
from gwas_core.messages import quoted

_FIRST_HALF, _LAST_HALF = 0xD800, 0xDFFF  # surrogates
# As numpy 2.4 and zipfile raised them for files of ours with a few bytes changed (tests/fuzz).
ARRAY_ERRORS = (
    *(OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError),
    *(SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError),
)
"""Errors that reading a damaged array raises."""


def check_characters(array: NDArray[Any]) -> None:
    """Check that the texts of an array consist of characters, which numpy takes from a file as they are.

    Args:
        array: of any type; only text is looked at.

    Raises:
        ValueError: a number in it is no character's, or only half of one's.
    """
    if array.dtype.kind != "U" or not array.size or not array.dtype.itemsize:
        return
    codes = np.atleast_1d(np.ascontiguousarray(array)).view(np.uint32)
    if array.dtype.byteorder == (">" if sys.byteorder == "little" else "<"):
        codes = codes.byteswap()
    if ((codes > sys.maxunicode) | ((codes >= _FIRST_HALF) & (codes <= _LAST_HALF))).any():
        raise ValueError("characters")


def open_array(path: Path) -> NDArray[Any]:
    """Return the array in an ``.npy`` file, mapped into memory and read-only.

    Args:
        path: of the file.

    Raises:
        InputError: it is gone, damaged or no ordinary file.
    """
    try:
        open_regular_file(path).close()  # numpy would wait for a pipe
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        check_characters(array)
    except ARRAY_ERRORS as error:
        raise InputError(f"{quoted(path.name)} is gone or damaged") from error
    return array


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays in an ``.npz`` file by their names.

    Args:
        path: of the file.

    Raises:
        InputError: it is gone, damaged or no ordinary file.
    """
    try:
        with open_regular_file(path) as file, np.load(file, allow_pickle=False) as arrays:
            read = dict(arrays)
        for array in read.values():
            check_characters(array)
        return read
    except ARRAY_ERRORS as error:
        raise InputError(f"{quoted(path.name)} is gone or damaged") from error
