"""Operating systems this program runs on: Linux and macOS; what is said on any other, such as Windows."""

from __future__ import annotations

from importlib.util import find_spec

_WHY = (
    "this program needs Linux or macOS: on Windows, install WSL (https://learn.microsoft.com/windows/wsl/) and start "
    "it there"
)


def unsupported_system() -> str:
    """Return why this program does not run on this system, as a sentence; empty if it does.

    Locks that end with their process, and processes that fork, are what Windows lacks.
    """
    return "" if find_spec("fcntl") is not None else _WHY
