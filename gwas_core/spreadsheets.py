"""CSV and TSV tables that spreadsheets open: names that a spreadsheet would take for formulas get a mark, and lose it.

A spreadsheet that opens a table runs every cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula, also where
a tab or a line end stands before it. A text like that is written with an apostrophe before it, which spreadsheets take
for "this is text". Numbers stay numbers, ``-0.5`` too.

The mark can be taken away again without knowing who wrote it: a text that already consists of apostrophes and a formula
gets one more, so that every text comes back as it was. The readers of genotype tables and ``read_csv`` do so.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MARK = "'"
# Also the full-width forms, which some spreadsheets take for the same.
_BEGINNINGS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"\s*[{_BEGINNINGS}]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _acts(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text.strip()) is None


def with_formula_mark(text: str) -> str:
    """Return a text as a cell of a table may hold it: with an apostrophe before what would be a formula."""
    return _MARK + text if _acts(text.lstrip(_MARK)) else text


def without_formula_mark(text: str) -> str:
    """Return the text that ``with_formula_mark`` was given."""
    return text[1:] if text.startswith(_MARK) and _acts(text.lstrip(_MARK)) else text


def csv_text(table: pd.DataFrame, *, separator: str = ",", float_format: str | None = None) -> str:
    """Return a table as CSV, with a header, without an index, and without formulas.

    Args:
        table: its texts and the names of its columns may come from outside; numbers are written as they are.
        separator: a tab makes it TSV.
        float_format: of numbers that are not whole, as ``to_csv`` of pandas takes it.
    """
    text = marked_table(table).to_csv(index=False, sep=separator, float_format=float_format, lineterminator="\n")
    return str(text)


def marked_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table whose texts and names of columns ``with_formula_mark`` went over.

    Args:
        table: to be shown where a person can save it as CSV, as every table of a page can be.
    """
    return _with_texts(table, with_formula_mark)


def read_csv(source: Path | bytes, *, separator: str = ",", **options: Any) -> pd.DataFrame:
    """Return a table that ``csv_text`` wrote, with every text as it was.

    Args:
        source: file, or its content.
        separator: as it was written.
        options: of ``read_csv`` of pandas.
    """
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source, sep=separator, **options
    )
    return _with_texts(table, without_formula_mark)


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a copy of a table whose texts and names of columns were changed."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    copy = table.rename(columns=changed)
    for place, kind in enumerate(table.dtypes):
        # Numbers and truth values hold no text; all else may.
        if kind.kind not in "iufb":
            copy.isetitem(place, table.iloc[:, place].map(changed).array)
    return copy
