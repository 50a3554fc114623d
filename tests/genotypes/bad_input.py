"""Files that people, programs and attackers hand in: each is written by a builder and must be refused.

``BAD_INPUT`` is used by the readers' tests and by those of the command line: every file must end in one
sentence that holds all of ``expected``.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LINES = 40
SNPS = ("Gm01_100", "Gm01_200", "Gm02_50", "Gm10_7", "chr2:9", "5:1234")
HEADER = ("folds", "norm_phe", "strain", "height", *SNPS)

Rows = list[list[str]]


@dataclass(frozen=True)
class BadInput:
    """A file that must be refused.

    Attributes:
        name: what is wrong with it, for the test's id.
        write: writes it into a folder and returns its path.
        expected: pieces of the sentence that refuses it: what, where, what to do.
        size_limit: limit to read it with, where the default would need gigabytes.
    """

    name: str
    write: Callable[[Path], Path]
    expected: tuple[str, ...]
    size_limit: int | None = None


def good_rows(*, lines: int = LINES, header: Sequence[str] = HEADER, seed: int = 0) -> Rows:
    """Header and rows of a file that is right in every respect (10 lines in each of 4 families)."""
    source = random.Random(seed)
    rows = [list(header)]
    for index in range(lines):
        traits = [str(index % 5 + 1), f"{source.gauss(0, 1):.4f}", line_name(index), f"{source.gauss(90, 9):.2f}"]
        rows.append([*traits, *(source.choice("012") for _ in header[4:])])
    return rows


def line_name(index: int) -> str:
    """Name of the line in row ``index + 2``."""
    return f"DS11-{index % 4 + 11:02d}{index:03d}"


def as_text(rows: Rows, *, delimiter: str = "\t", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in rows)


def _bytes(content: bytes | Callable[[], bytes], *, name: str = "bad.txt") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content())
        return path

    return write


def _text(text: str) -> Callable[[Path], Path]:
    return _bytes(text.encode())


def _rows(rows: Rows) -> Callable[[Path], Path]:
    return _text(as_text(rows))


def _changed(row: int, column: int, value: str) -> Callable[[Path], Path]:
    """The good file with one cell changed; ``row`` counts the header as 1, ``column`` starts at 0."""
    rows = good_rows()
    rows[row - 1][column] = value
    return _rows(rows)


def _column(column: int, values: Sequence[str]) -> Callable[[Path], Path]:
    rows = good_rows()
    for row, value in zip(rows[1:], values, strict=True):
        row[column] = value
    return _rows(rows)


def _ragged(row: int, cells: int) -> Callable[[Path], Path]:
    rows = good_rows()
    rows[row - 1] = (rows[row - 1] * 2)[:cells]
    return _rows(rows)


def _folder(folder: Path) -> Path:
    path = folder / "a folder.txt"
    path.mkdir()
    return path


def _unreadable(folder: Path) -> Path:
    # A link to itself cannot be opened by anyone; permissions do not stop an administrator.
    path = folder / "loop.txt"
    path.symlink_to(path)
    return path


def _forbidden(folder: Path) -> Path:
    path = _rows(good_rows())(folder)
    path.chmod(0)
    return path


def _bomb() -> bytes:
    """Tens of megabytes of repeated rows in a hundred kilobytes."""
    rows = good_rows(lines=1)
    text = as_text(rows[1:]) * 500_000
    return gzip.compress(as_text(rows[:1]).encode() + text.encode(), compresslevel=9)


def _endless_row() -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(70):
            file.write(b"a" * 1024**2)
    return packed.getvalue()


def _zip(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "<xml/>")
    return packed.getvalue()


GOOD = as_text(good_rows())
_PACKED = gzip.compress(GOOD.encode())
_HEADER, _, _ROWS = GOOD.partition("\n")
_HEADER += "\n"

BAD_INPUT: tuple[BadInput, ...] = (
    BadInput("empty file", _bytes(b""), ("empty", "column names")),
    BadInput("blank lines only", _bytes(b"\n\r\n \n"), ("empty",)),
    BadInput("empty gzip", _bytes(gzip.compress(b""), name="bad.txt.gz"), ("empty",)),
    BadInput("header only", _rows(good_rows(lines=0)), ("10 column names", "no lines below")),
    BadInput("wrong delimiter", _text(as_text(good_rows(), delimiter="|")), ("only one column", "tabs")),
    BadInput("old Mac line ends", _text(as_text(good_rows(), end="\r")), ("old Macs",)),
    BadInput("no header", _rows(good_rows()[1:]), ("first row", "not column names")),
    BadInput("short row", _ragged(7, 8), ("row 7", "8 cells", "10 column names")),
    BadInput("long row", _ragged(7, 12), ("row 7", "12 cells", "10 column names")),
    BadInput(
        "row names of R",
        _text(as_text([r if i == 0 else ["x", *r] for i, r in enumerate(good_rows())])),
        ("row 2", "11 cells", "row.names = FALSE"),
    ),
    BadInput("blank row between", _rows([*good_rows()[:9], [""], *good_rows()[9:]]), ("row 10", "empty", "remove")),
    BadInput("no SNP columns", _rows([row[:4] for row in good_rows()]), ("no SNP columns", "Gm05_1234", "'height'")),
    BadInput("text among genotypes", _changed(9, 6, "AA"), ("row 9", line_name(7), "'Gm02_50'", "'AA'", "0, 1 or 2")),
    BadInput("text in first genotypes", _changed(2, 4, "A"), ("row 2", line_name(0), "'Gm01_100'", "'A'")),
    BadInput("VCF genotypes", _changed(3, 9, "0/1"), ("row 3", "'5:1234'", "'0/1'")),
    BadInput("value above two", _changed(41, 5, "3"), ("row 41", line_name(39), "'Gm01_200'", "'3'", "outside 0 to 2")),
    BadInput("value below zero", _changed(4, 5, "-2"), ("row 4", "'Gm01_200'", "'-2'", "outside 0 to 2")),
    BadInput("infinite genotype", _changed(4, 5, "inf"), ("row 4", "'Gm01_200'", "'inf'", "outside 0 to 2")),
    BadInput("dosage", _changed(4, 5, "0.5"), ("row 4", "'Gm01_200'", "'0.5'", "dosages are not supported")),
    BadInput("very long genotype", _changed(4, 5, "1" * 500), ("row 4", "'Gm01_200'", "no allele count")),
    BadInput("control characters in a genotype", _changed(4, 5, "\x1b[2J"), ("row 4", "'Gm01_200'", r"'\x1b[2J'")),
    BadInput("two line names alike", _changed(9, 2, line_name(0)), (line_name(0), "rows 2, 9", "own name")),
    BadInput("no line name", _changed(9, 2, " "), ("row 9", "'strain'", "fill it in")),
    BadInput(
        "control characters in a line name", _changed(9, 2, "DS\x07"), ("row 9", r"'DS\x07'", "control characters")
    ),
    BadInput("two SNPs alike", _changed(1, 8, "Gm01_100"), ("'Gm01_100'", "columns 5, 9", "rename or remove")),
    BadInput("two columns alike", _changed(1, 3, "norm_phe"), ("'norm_phe'", "columns 2, 4")),
    BadInput("column without a name", _changed(1, 9, ""), ("column 10", "no name")),
    BadInput("long column name", _changed(1, 4, "x" * 201), ("column 5", "201 characters", "shorten")),
    BadInput(
        "control characters in a column name",
        _changed(1, 4, "Gm01\x1b_1"),
        ("column 5", r"'Gm01\x1b_1'", "control characters"),
    ),
    BadInput(
        "bidirectional override in a column name", _changed(1, 4, "Gm01_1\u202e"), ("column 5", "control characters")
    ),
    BadInput(
        "no phenotype",
        _rows([[row[0], row[2], *row[4:]] for row in good_rows()]),
        ("no phenotype", "'folds', 'strain'"),
    ),
    BadInput(
        "one phenotype missing",
        _changed(9, 1, "NA"),
        ("1 line of 40 has", "'norm_phe'", "row 9", line_name(7), "--drop-missing-phenotype"),
    ),
    BadInput("all phenotypes missing", _column(1, [""] * LINES), ("no line has", "'norm_phe'")),
    BadInput("constant phenotype", _column(1, ["1.5"] * LINES), ("'norm_phe'", "constant", "1.5", "40 lines")),
    BadInput(
        "infinite phenotype", _changed(9, 1, "-inf"), ("'-inf'", "row 9", line_name(7), "'norm_phe'", "not finite")
    ),
    BadInput("overflowing phenotype", _changed(9, 1, "1e999"), ("'1e999'", "row 9", "not finite")),
    BadInput(
        "phenotype not a number", _changed(9, 1, "tall"), ("'tall'", "row 9", line_name(7), "'norm_phe'", "no number")
    ),
    BadInput("decimal comma", _changed(9, 1, "1,5"), ("'1,5'", "row 9", "point")),
    BadInput("too few lines", _rows(good_rows(lines=29)), ("only 29 lines", "at least 30")),
    BadInput("open quote", _changed(9, 2, '"DS'), ("row 9", "double quote")),
    BadInput(
        "Latin-1",
        _bytes(GOOD.replace(line_name(3), "M\xfcller").encode("latin-1")),
        ("row 5", "column 3", "UTF-8", "'Müller'"),
    ),
    BadInput("truncated gzip", _bytes(_PACKED[: len(_PACKED) // 2], name="bad.txt.gz"), ("cut off", "again")),
    BadInput("gzip of a few bytes", _bytes(_PACKED[:5], name="bad.txt.gz"), ("cut off",)),
    BadInput(
        "damaged gzip", _bytes(_PACKED[:60] + b"\xff\0\xff" + _PACKED[63:], name="bad.txt.gz"), ("gzip data", "again")
    ),
    BadInput("gzip with a false sum", _bytes(_PACKED[:-8] + b"12345678", name="bad.txt.gz"), ("damaged",)),
    BadInput("gzip in gzip", _bytes(gzip.compress(_PACKED), name="bad.txt.gz"), ("second time",)),
    BadInput("gzip bomb", _bytes(_bomb, name="bad.txt.gz"), ("more than 5 MiB", "limit"), size_limit=5 * 1024**2),
    BadInput("file over the limit", _text(GOOD), ("more than 1 KiB", "limit"), size_limit=1024),
    BadInput("endless row", _bytes(_endless_row, name="bad.txt.gz"), ("a row of more than 32 MiB",)),
    BadInput("binary", _bytes(bytes(range(256)) * 8), ("binary",)),
    BadInput("millions of columns", _bytes(lambda: b"a\t" * 3_000_000), ("first row", "2,000,000 column names")),
    BadInput(
        "NUL bytes further down",
        _bytes((_HEADER + _ROWS * 3000).encode() + b"1\0"),
        ("NUL bytes", f"{len(_HEADER + _ROWS * 3000) + 1:,}"),
    ),
    BadInput("zip", _bytes(_zip("IMP_height.txt")), ("zip archive", "unpack")),
    BadInput("Excel workbook", _bytes(_zip("[Content_Types].xml", "xl/workbook.xml")), ("Excel", "tab-separated")),
    BadInput("old Excel workbook", _bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600), ("Excel", "tab-separated")),
    BadInput("PNG", _bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), ("PNG",)),
    BadInput("PLINK bed", _bytes(b"\x6c\x1b\x01\xff\xaa"), ("PLINK", "recode")),
    BadInput("R data", _bytes(gzip.compress(b"RDX3\nX\n\0\0\0\3")), ("RData", "row.names = FALSE")),
    BadInput("VCF", _text("##fileformat=VCFv4.2\n#CHROM\tPOS\n"), ("VCF",)),
    BadInput("UTF-16", _bytes(GOOD.encode("utf-16")), ("UTF-16", "UTF-8")),
    BadInput("UTF-16, big end first", _bytes(b"\xfe\xff" + GOOD.encode("utf-16-be")), ("UTF-16", "UTF-8")),
    BadInput("UTF-16 without a mark", _bytes(GOOD.encode("utf-16-le")), ("UTF-16", "UTF-8")),
    BadInput("UTF-32", _bytes(GOOD.encode("utf-32")), ("UTF-32", "UTF-8")),
    BadInput("folder", _folder, ("folder", "a folder.txt")),
    BadInput("missing file", lambda folder: folder / "none.txt", ("no file", "none.txt")),
    BadInput("unreadable", _unreadable, ("cannot be opened", "loop.txt")),
    *((BadInput("forbidden", _forbidden, ("cannot be opened", "ermission")),) if os.geteuid() != 0 else ()),
)
