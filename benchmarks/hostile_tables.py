"""Tables made to exhaust a reader: what reading each of them takes, in a process of its own.

    python -m benchmarks.hostile_tables            # all shapes
    python -m benchmarks.hostile_tables two_letters

For each shape it prints the file's bytes, the bytes it unpacks to, the most memory that the process held beyond that of
a small table, as a multiple of the unpacked bytes, the seconds of processor time, and what came of it.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gwas_core.errors import GwasError
from gwas_core.processes.detached import run_module

_MIB = 1024**2


def _repeated(row: str, times: int, header: str) -> Iterator[bytes]:
    yield header.encode() + b"\n"
    block, many = (row + "\n").encode(), max(1, 4 * _MIB // len(row))
    for start in range(0, times, many):
        yield block * min(many, times - start)


def _two_letters() -> Iterator[bytes]:
    """Two-letter cells of columns that are no SNPs: 208 MB."""
    columns = 70_000
    names = "\t".join(f"c{index}" for index in range(columns))
    return _repeated("0\t" + "\t".join(["AB"] * columns), 990, f"Gm01_1\t{names}")


def _empty_cells() -> Iterator[bytes]:
    """Nothing but delimiters."""
    columns = 10_000
    names = "\t".join(f"c{index}" for index in range(columns))
    return _repeated("0" + "\t" * columns, 10_000, f"Gm01_1\t{names}")


def _single_letters() -> Iterator[bytes]:
    """One letter in each cell, separated by white space."""
    columns = 10_000
    names = " ".join(f"c{index}" for index in range(columns))
    return _repeated("0 " + " ".join(["A"] * columns), 5_000, f"Gm01_1 {names}")


def _quoted_letters() -> Iterator[bytes]:
    """Letters outside of ASCII, in quotes."""
    columns = 10_000
    names = ",".join(f"c{index}" for index in range(columns))
    return _repeated("0," + ",".join(['"é"'] * columns), 2_000, f"Gm01_1,{names}")


def _different_cells() -> Iterator[bytes]:
    """Numbers of five digits, most of them different, in columns that could be traits."""
    columns = 10_000
    yield ("Gm01_1\t" + "\t".join(f"c{index}" for index in range(columns)) + "\n").encode()
    for line in range(1_500):
        yield (
            "0\t" + "\t".join(f"{(line * 7919 + column) % 100_000:05d}" for column in range(columns)) + "\n"
        ).encode()


def _narrow() -> Iterator[bytes]:
    """Two columns and five million rows, each with a name of its own."""
    yield b"Gm01_1\tname\n"
    for start in range(0, 5_000_000, 100_000):
        yield "".join(f"0\tline{index:09d}\n" for index in range(start, start + 100_000)).encode()


def _zeros() -> Iterator[bytes]:
    """Genotypes that are all 0."""
    snps = 50_000
    return _repeated("0\t" * snps + "a", 2_000, "\t".join(f"Gm01_{index}" for index in range(snps)) + "\tname")


def _missing() -> Iterator[bytes]:
    """Genotypes that are all missing."""
    snps = 50_000
    return _repeated("\t" * snps + "a", 4_000, "\t".join(f"Gm01_{index}" for index in range(snps)) + "\tname")


def _one_row() -> Iterator[bytes]:
    """Two million columns and one row."""
    columns = 1_999_999
    names = "\t".join(f"c{index}" for index in range(columns))
    return _repeated("0\t" + "\t".join(["A"] * columns), 1, f"Gm01_1\t{names}")


def _long_row() -> Iterator[bytes]:
    """A row of 15 million cells below a header of two."""
    return _repeated("0\t" * 15_000_000, 1, "Gm01_1\tname")


SHAPES: dict[str, Callable[[], Iterator[bytes]]] = {
    "two_letters": _two_letters,
    "empty_cells": _empty_cells,
    "single_letters": _single_letters,
    "quoted_letters": _quoted_letters,
    "different_cells": _different_cells,
    "narrow": _narrow,
    "zeros": _zeros,
    "missing": _missing,
    "one_row": _one_row,
    "long_row": _long_row,
}
"""Content of each table, in pieces."""


def write(shape: str, path: Path) -> int:
    """Write a table compressed, and return the bytes it unpacks to."""
    total = 0
    with gzip.open(path, "wb", compresslevel=6) as file:
        for piece in SHAPES[shape]():
            total += file.write(piece)
    return total


def _read(path: Path) -> None:
    """Read a table and guess the roles of its columns, and print what came of it, the peak and the seconds."""
    from gwas_core.genotypes.column_roles import guess_roles
    from gwas_core.genotypes.readers import read_table
    from gwas_core.processes.memory import peak_bytes

    started = time.process_time()
    before = peak_bytes()
    try:
        table = read_table(path)
        guess_roles(table)
        outcome = f"{table.lines:,} lines, {len(table.snps):,} SNPs, {len(table.columns):,} other columns"
    except GwasError as error:
        outcome = f"refused: {error}"
    seconds = time.process_time() - started
    print(json.dumps({"peak": peak_bytes() - before, "seconds": seconds, "outcome": outcome}))


def main(arguments: list[str]) -> None:
    """Print one row for each shape that is named, or for all."""
    print(f"{'shape':<16} {'file MB':>8} {'unpacked MB':>12} {'peak MB':>8} {'multiple':>8} {'s':>6}  outcome")
    with tempfile.TemporaryDirectory() as folder:
        for shape in arguments or SHAPES:
            path = Path(folder) / f"{shape}.txt.gz"
            unpacked = write(shape, path)
            done = run_module(
                "benchmarks.hostile_tables", "--read", str(path), environment=dict(os.environ), timeout=1800
            )
            result = json.loads(done.stdout) if done.returncode == 0 else None
            if result is None:
                print(f"{shape:<16} ended with code {done.returncode}: {done.stderr.decode()[-300:]}")
                continue
            print(
                f"{shape:<16} {path.stat().st_size / 1e6:8.2f} {unpacked / 1e6:12.1f} {result['peak'] / 1e6:8.0f} "
                f"{result['peak'] / unpacked:8.2f} {result['seconds']:6.1f}  {result['outcome'][:110]}",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        _read(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
