"""A disk of a few megabytes that a test can fill: a tmpfs of its own. Only root can mount one; others skip, counted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FILLER = "filler"


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a disk of so many megabytes on a folder, and take it away afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)],
            capture_output=True,
            check=False,
        )
    except OSError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        # Lazily: a process that was killed a moment ago may still have it open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Write until not a byte more fits."""
    size = 1 << 20
    with (disk / _FILLER).open("ab", buffering=0) as file:
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    assert os.statvfs(disk).f_bavail == 0


def make_room(disk: Path) -> None:
    """Take away what ``fill`` wrote."""
    (disk / _FILLER).unlink()
