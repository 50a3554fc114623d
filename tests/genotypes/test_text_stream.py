"""Blocks of rows, whatever the file's line ends, compression and chunks."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import InputError
from gwas_core.genotypes.text_stream import read_row_blocks

ROWS = st.lists(st.text(alphabet='ab1é\t,;" ', max_size=8), max_size=12)


def expected_text(rows: list[str]) -> bytes:
    """The rows with Unix line ends, less those at the end that hold nothing."""
    kept = list(rows)
    while kept and not kept[-1].strip(" \t,;"):
        kept.pop()
    return "".join(f"{row}\n" for row in kept).encode()


@given(
    rows=ROWS,
    end=st.sampled_from(["\n", "\r\n"]),
    final=st.booleans(),
    mark=st.booleans(),
    packed=st.sampled_from(["no", "one part", "two parts"]),
    chunk_size=st.integers(3, 40),
)
def test_blocks_join_to_the_rows(
    rows: list[str], end: str, final: bool, mark: bool, packed: str, chunk_size: int
) -> None:
    content = (end.join(rows) + (end if final and rows else "")).encode()
    content = b"\xef\xbb\xbf" * mark + content
    if packed == "one part":
        content = gzip.compress(content)
    elif packed == "two parts":  # as bgzip and "cat a.gz b.gz" write them
        content = gzip.compress(content[:7]) + gzip.compress(content[7:])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        path.write_bytes(content)
        blocks = list(read_row_blocks(path, chunk_size=chunk_size))
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks) == expected_text(rows)


def test_compression_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt.gz"
    path.write_bytes(b"a\tb\n")
    assert list(read_row_blocks(path)) == [b"a\tb\n"]
    path = tmp_path / "packed.txt"
    path.write_bytes(gzip.compress(b"a\tb\n"))
    assert list(read_row_blocks(path)) == [b"a\tb\n"]


def test_the_size_limit_is_that_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(gzip.compress(b"1\t2\n" * 1000))
    assert b"".join(read_row_blocks(path, size_limit=4000)) == b"1\t2\n" * 1000
    with pytest.raises(InputError, match="more than"):
        list(read_row_blocks(path, size_limit=3999))


def test_reading_stops_as_soon_as_the_limit_is_passed(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    # The damage behind the limit is never reached.
    path.write_bytes(gzip.compress(b"1\t2\n" * 1_000_000) + b"damage")
    with pytest.raises(InputError, match="more than 1 KiB"):
        list(read_row_blocks(path, size_limit=1024, chunk_size=512))
    with pytest.raises(InputError, match="damaged"):
        list(read_row_blocks(path))
