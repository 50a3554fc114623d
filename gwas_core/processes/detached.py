"""Detached processes: modules of ours that outlive the process that starts them; last line of their log.

Also here: where such a process finds our package; that files of the folder it happens to run in are not imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import gwas_core
from gwas_core.errors import InputError
from gwas_core.files import read_whole_lines_at_end

_READ_BYTES = 65_536


def start_detached(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    append: bool = True,
    inherit: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own and return its process, which is reaped when it ends.

    The process outlives its parent, the terminal and its process group. A thread waits for it, so that it leaves no
    zombie where it ends before its parent.

    Args:
        command: as ``module_command`` makes it.
        log: file that gets what the process prints.
        environment: environment variables of the process; the folder of ``gwas_core`` is added to its import path.
        append: whether ``log`` keeps what earlier processes printed.
        inherit: file descriptors that stay open in the process.

    Raises:
        OSError: the system does not start it, or ``log`` cannot be written.
    """
    with log.open("ab" if append else "wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=inherit,
            env=import_environment(environment),
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def run_module(
    module: str, *arguments: str, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Run one of our modules to its end and return its exit code and what it wrote to stdout and stderr.

    Args:
        module: as in ``python -m``.
        arguments: of its command line.
        environment: of the process; the folder of ``gwas_core`` is added to its import path.
        timeout: seconds after which the process is ended.

    Raises:
        OSError: the system does not start it.
        subprocess.TimeoutExpired: it took longer than ``timeout``.
    """
    return subprocess.run(  # noqa: S603 - our own modules
        module_command(module, *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        env=import_environment(environment),
        check=False,
    )


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules in this Python.

    ``-P`` keeps files of the folder it happens to run in from being imported as modules.

    Args:
        module: as in ``python -m``.
        arguments: of its command line.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def import_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of ``environment`` in which ``gwas_core`` can be imported from any folder.

    Programs that such a process starts in its turn import no files of the folder they happen to run in either.

    Args:
        environment: what its ``PYTHONPATH`` names, if it has one, is looked at after our folder.
    """
    root = str(Path(gwas_core.__file__).resolve().parent.parent)
    path = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join([root, path] if path else [root]), "PYTHONSAFEPATH": "1"}


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank, shortened to 300 characters; empty if there is none.

    Args:
        log: may be missing; only its last 64 kB are read.
    """
    try:
        lines = read_whole_lines_at_end(log, limit=_READ_BYTES).decode("utf-8", errors="replace").split("\n")
    except (OSError, InputError):
        return ""
    written = [line.strip() for line in lines if line.strip()]
    return "".join(c if c.isprintable() else "?" for c in written[-1])[:300] if written else ""
