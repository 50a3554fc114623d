"""Functions that ``test_limits`` calls in a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gwas_core.errors import BundleError, SettingsError


def answer(**values: Any) -> dict[str, Any]:
    """Print, as libraries do, and return the arguments."""
    print("this goes to the log")
    os.write(1, b"and this\n")
    return {"values": values, "stdin": sys.stdin.read()}


def take(*, size: int) -> int:
    """Take memory, and write to it."""
    return len(bytearray(size))


def take_in_numpy(*, size: int) -> int:
    """Take memory through numpy, which raises an error of its own."""
    import numpy as np

    return int(np.ones(size, dtype=np.uint8)[-1])


def wait(*, pid_file: str) -> None:
    """Start a process, note both ids, and not end by itself while a test waits for that."""
    child = subprocess.Popen(["/bin/sleep", "7200"])
    Path(pid_file).write_text(f"{os.getpid()} {child.pid}", encoding="ascii")
    time.sleep(7200)


def compute() -> None:
    """Take processor time, and never end."""
    while True:
        pass


def refuse_bundle() -> None:
    """Refuse, with a class of ours."""
    raise BundleError("'b.zip' is damaged")


def refuse_setting() -> None:
    """Refuse a setting."""
    raise SettingsError("no column is named 'x'", field="snp_columns")


def fail() -> None:
    """Raise what nobody foresaw."""
    raise KeyError("a bug")


def abort_for_memory() -> None:
    """End like a library in C++ that was refused memory."""
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.kill(os.getpid(), signal.SIGABRT)


def be_killed() -> None:
    """End as the system ends a process where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def answer_much() -> str:
    """Return more than an answer may hold."""
    return "x" * (65 * 1024**2)
