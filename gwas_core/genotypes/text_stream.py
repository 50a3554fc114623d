"""Text stream of a file: gzip, encodings, line ends, size limits, and files that are no tables (Excel, VCF, PDF).

Also here: a file that is missing, a folder, binary, or cut off; rows without an end; blank rows at the end.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from gwas_core.errors import InputError
from gwas_core.files import open_regular_file
from gwas_core.messages import byte_size, quoted
from gwas_core.processes.settings import size_setting

SIZE_LIMIT = 4 * 1024**3
"""Largest size of a table in bytes after decompression, unless ``GWAS_TABLE_SIZE`` gives another.

More is taken for a mistake or an attack. Genotypes compress about thirty times, repeated text a thousand times.
"""

SIZE_VARIABLE = "GWAS_TABLE_SIZE"
"""Environment variable with the largest size of a table after decompression, such as ``16 GiB``."""

ROW_LIMIT = 32 * 1024**2
"""Largest size of a row in bytes: without it, a compressed file without line ends could fill the memory."""

# Large enough that numpy's cost per call vanishes, small enough that the index arrays of a
# block (about 20 bytes a byte of text) stay far below the size of the genotypes themselves.
CHUNK_SIZE = 2 * 1024**2

_GZIP = b"\x1f\x8b"
_BLANK = b" \t,;\r\n"

# Files that people choose by mistake. UTF-32's mark starts with UTF-16's, so it comes first.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (_GZIP, "gzip data compressed a second time: decompress it once"),
    (b"\xff\xfe\x00\x00", "UTF-32 text: save it as UTF-8"),
    (b"\xff\xfe", "UTF-16 text (Excel's 'Unicode text'): save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x6c\x1b\x01", "a PLINK .bed file: export allele counts with 'plink --recode A'"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) workbook: save the sheet as tab-separated text"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"RDX", "R's own format (.RData): write the table with write.table(..., row.names = FALSE)"),
    (b"BZh", "bzip2 data: decompress it first"),
    (b"\xfd7zXZ", "xz data: decompress it first"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data: decompress it first"),
    (b"BCF\x02", "a BCF file: convert it to a table of allele counts"),
    (b"##fileformat=VCF", "a VCF file: convert it to a table of allele counts ('plink --recode A')"),
)
_EXPECTED = "a table of text with one line a row is expected"


def table_size_limit() -> int:
    """Return the largest size of a table in bytes after decompression.

    Raises:
        SettingsError: ``GWAS_TABLE_SIZE`` is no size.
    """
    return size_setting(SIZE_VARIABLE, SIZE_LIMIT)


def read_row_blocks(
    path: Path, *, file_name: str = "", size_limit: int | None = None, chunk_size: int = CHUNK_SIZE
) -> Iterator[bytes]:
    r"""Yield the text of a file, plain or gzip, as blocks of complete rows.

    Every row ends with ``\n``, the last one too; a byte order mark and blank rows at the end of the file (spreadsheets
    write them as rows of delimiters) are left out.

    Args:
        path: the file.
        file_name: what messages call the file (default: its name on disk).
        size_limit: in bytes after decompression (default: ``table_size_limit()``).
        chunk_size: bytes that are held at a time, unless a row is longer.

    Raises:
        InputError: the file cannot be read, is damaged, is no text in UTF-8 or ASCII, or exceeds ``size_limit`` or
            ``ROW_LIMIT``.
        SettingsError: ``GWAS_TABLE_SIZE`` is no size.
    """
    file_name = file_name or path.name
    size_limit = table_size_limit() if size_limit is None else size_limit
    pending: list[bytes] = []
    for chunk in _chunks(path, file_name, size_limit=size_limit, chunk_size=chunk_size):
        newline = chunk.rfind(b"\n")
        if newline < 0:
            pending.append(chunk)
        else:
            block = b"".join((*pending, chunk[: newline + 1]))
            rows = _without_blank_tail(block)
            if rows:
                yield _unix_line_ends(rows)
            pending = [block[len(rows) :], chunk[newline + 1 :]]
        if sum(map(len, pending)) > ROW_LIMIT:
            raise InputError(
                f"{quoted(file_name)} has a row of more than {ROW_LIMIT // 1024**2} MiB: "
                "it is no table with one line a row"
            )
    rest = b"".join(pending)
    if rest.strip(_BLANK):
        yield _unix_line_ends(rest + b"\n")


def _without_blank_tail(block: bytes) -> bytes:
    """Return a block up to the end of its last row that holds more than blanks and delimiters."""
    return block[: block.find(b"\n", len(block.rstrip(_BLANK))) + 1] if block.strip(_BLANK) else b""


def _unix_line_ends(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n") if b"\r" in block else block


def _chunks(path: Path, file_name: str, *, size_limit: int, chunk_size: int) -> Iterator[bytes]:
    """Yield decompressed bytes in chunks; the first one is checked for the kind of file."""
    with _open(path, file_name) as file:
        stream = _decompressed(file)
        total = 0
        while chunk := _explained(lambda: stream.read(chunk_size), file_name):
            if total == 0:
                _refuse_other_formats(chunk, file_name)
                start = chunk.removeprefix(b"\xef\xbb\xbf")
            else:
                start = chunk
            if b"\0" in chunk:
                raise InputError(
                    f"{quoted(file_name)} holds NUL bytes (the first {total + chunk.index(0):,} bytes in): "
                    f"it is damaged or binary, and {_EXPECTED}"
                )
            total += len(chunk)
            if total > size_limit:
                raise InputError(
                    f"{quoted(file_name)} holds more than {byte_size(size_limit)} of text, the limit: "
                    "leave out SNPs or lines, make sure that it is the right file, or raise the limit by "
                    f"{SIZE_VARIABLE}"
                )
            yield start


def _open(path: Path, file_name: str) -> io.BufferedReader:
    if path.is_dir():
        raise InputError(f"{quoted(file_name)} is a folder: give the file with the genotypes")
    try:
        return open_regular_file(path, name=file_name)
    except FileNotFoundError as error:
        folder = quoted(str(path.absolute().parent), limit=200)
        raise InputError(f"there is no file {quoted(file_name)} in {folder}: check the name") from error
    except OSError as error:
        raise InputError(f"{quoted(file_name)} cannot be opened ({error.strerror}): check its permissions") from error


def _decompressed(file: io.BufferedReader) -> BinaryIO:
    # By content, not by name: browsers and mail programs add and remove ".gz" as they like.
    # A read that fails here fails again, with an explanation, when the first chunk is read.
    try:
        magic = file.peek(2)[:2]
    except OSError:
        magic = b""
    return gzip.GzipFile(fileobj=file) if magic == _GZIP else file  # type: ignore[return-value]


def _explained(read: Callable[[], bytes], file_name: str) -> bytes:
    try:
        return read()
    except EOFError as error:
        raise InputError(
            f"{quoted(file_name)} ends in the middle of its gzip data: it was cut off, so copy or download it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{quoted(file_name)} holds damaged gzip data: copy or download it again") from error
    except OSError as error:
        raise InputError(
            f"{quoted(file_name)} cannot be read ({error.strerror}): check the disk and permissions"
        ) from error


def _refuse_other_formats(chunk: bytes, file_name: str) -> None:
    if chunk.startswith(b"PK\x03\x04") and (b"xl/" in chunk or b"[Content_Types].xml" in chunk):
        raise InputError(f"{quoted(file_name)} is an Excel (.xlsx) workbook: save the sheet as tab-separated text")
    for signature, what in _SIGNATURES:
        if chunk.startswith(signature):
            raise InputError(f"{quoted(file_name)} is {what}; {_EXPECTED}")
    head = chunk[:4096]
    if b"\0" in head:
        # Latin letters in UTF-16 have a NUL in every second byte.
        if max(head[0::2].count(0), head[1::2].count(0)) > 0.4 * (len(head) / 2):
            raise InputError(f"{quoted(file_name)} looks like UTF-16 text without its mark: save it as UTF-8")
        raise InputError(f"{quoted(file_name)} is a binary file (it holds NUL bytes): {_EXPECTED}")
