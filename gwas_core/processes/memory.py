"""Memory: how much this process holds, returning what it no longer uses, how much the machine has, and has left.

Also here: the peak so far; that it is given back under glibc only; the limit of a container.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_MACHINE = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")
_CGROUP_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


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


def available_bytes() -> int | None:
    """Return the bytes that new processes can take without others being swapped out; None if that is not known.

    That is what the machine has left, and at most what the container has: caches of files count as free. Of a control
    group of version 1 only the limit is taken.
    """
    machine = _kilobytes(_MACHINE, "MemAvailable:")
    container = container_bytes(_CONTAINER)
    known = [bytes_ for bytes_ in (machine, container) if bytes_ is not None]
    return min(*known, usable_bytes()) if known else None


def container_bytes(folder: Path) -> int | None:
    """Return the bytes that a container has left; None if it has no limit, or there is none.

    Args:
        folder: of its control group, version 2.
    """
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        if not limit.isdigit():
            return None
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    # What files that nobody uses just now take is given up when it is needed.
    names, values = statistics[::2], statistics[1::2]
    idle = sum(int(value) for name, value in zip(names, values, strict=False) if name == "inactive_file")
    return max(0, int(limit) - max(0, used - idle))


def usable_bytes() -> int:
    """Return the bytes of memory that this machine has, or its container is given if that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_MEMORY_LIMITS:
        with suppress(OSError, ValueError):  # "max" where there is no limit
            sizes.append(int(path.read_text(encoding="ascii")))
    return max(1, min(sizes))


def _status(name: str) -> int:
    return _kilobytes(_STATUS, name) or 0


def _kilobytes(path: Path, name: str) -> int | None:
    """Return what a file of the kernel says under a name, in bytes; None if it is not there."""
    with suppress(OSError):
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None
