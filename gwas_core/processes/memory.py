"""Memory of this process: how much it holds, and returning what it no longer uses.

Also here: the peak so far; that it is given back under glibc only.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def give_back_memory() -> None:
    """Return freed memory to the system, if the C library is glibc; do nothing elsewhere.

    glibc keeps what lies between blocks still in use: after XLA compiled a network that is 200 MB, after a mixed model
    was fitted as much again, in each of the workers.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def held_bytes() -> int:
    """Return the bytes of this process that no file backs, including those shared since a fork; 0 if unknown."""
    return _status("RssAnon:")


def peak_bytes() -> int:
    """Return the most bytes this process has held so far; 0 if unknown."""
    return _status("VmHWM:")


def _status(name: str) -> int:
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0
