"""Jupyter and Kale as the container image has them, in a virtual environment of their own beside the developer's.

It holds only what ``deploy/requirements.txt`` has and ``requirements.txt`` has not; the rest is the developer's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from gwas_core.processes.locks import FileLock
from tests.waiting import LIMIT

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE_LOCK, DEVELOPERS_LOCK = REPOSITORY / "deploy" / "requirements.txt", REPOSITORY / "requirements.txt"


def pins(lock: Path) -> dict[str, str]:
    """The lines of a lock by the package they pin (a package may have one for each Python version)."""
    # Hashes follow on lines of their own.
    text = re.sub(r" \\\n +", " ", lock.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    found: dict[str, str] = {}
    for line in lines:
        name = line.split("==")[0]
        found[name] = f"{found[name]}\n{line}" if name in found else line
    return found


def jupyter_environment() -> Path:
    """The folder of its programs (``kale``, ``jupyter``, ``python``); made where it is not there yet.

    Without a network the test is skipped, and counted; in CI it fails.
    """
    folder = Path(sys.prefix) / "jupyter"
    lock = FileLock(Path(sys.prefix) / "jupyter.lock")
    # Of tests that run side by side, the first one makes it.
    assert lock.acquire(seconds=LIMIT)
    with lock:
        _make(folder)
    return folder / "bin"


def _make(folder: Path) -> None:
    wanted = "\n".join(line for name, line in pins(IMAGE_LOCK).items() if name not in pins(DEVELOPERS_LOCK))
    done = folder / "installed.txt"
    if not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True, with_pip=False)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        site.joinpath("developer.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        lock = folder / "requirements.txt"
        lock.write_text(wanted, encoding="utf-8")
        command = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--requirement"]
        result = subprocess.run(
            [str(folder / "bin" / "python"), *command, str(lock)], capture_output=True, text=True, timeout=LIMIT
        )
        if result.returncode:
            problem = f"Jupyter and Kale could not be installed in {folder}:\n{result.stderr[-2000:]}"
            pytest.fail(problem) if os.environ.get("CI") else pytest.skip(problem)
        done.write_text(wanted, encoding="utf-8")
