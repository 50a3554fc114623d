"""A supervisor's end of one worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gwas_core
from gwas_core.tuning.functions import ModelFunctions

_READ_BYTES = 65_536
_END_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What every worker of an experiment is started with."""

    dataset: Path
    split: Path
    functions: ModelFunctions
    environment: Mapping[str, str]


class WorkerProcess:
    """A running worker: send it jobs, read its messages, kill it.

    ``fileno`` is the descriptor to wait on for messages.
    """

    def __init__(self, settings: WorkerSettings, log: Path) -> None:
        command = module_command(
            "gwas_core.tuning.worker",
            "--dataset", str(settings.dataset),
            "--split", str(settings.split),
            "--functions", settings.functions.to_json(),
            "--parent", str(os.getpid()),
        )  # fmt: skip
        self.log = log
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=import_environment(settings.environment),
                # A group of its own: a kill reaches whatever it may have started.
                process_group=0,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._rest = b""
        self._ended = False
        self.ready = False

    def fileno(self) -> int:
        return self._out.fileno()

    @property
    def has_ended(self) -> bool:
        """Whether it closed its end; known after ``read``."""
        return self._ended

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a job or an answer; one that is dead will be noticed when it is read."""
        with contextlib.suppress(BrokenPipeError):
            self._in.write(json.dumps(message).encode() + b"\n")
            self._in.flush()

    def read(self) -> list[dict[str, Any]]:
        """The messages that have come, without waiting."""
        try:
            # One read for each time the descriptor is ready; the rest, if any, makes it ready again.
            data = os.read(self._out.fileno(), _READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            self._ended = True
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def death(self) -> str:
        """How it ended, in words; to be asked after it has."""
        try:
            code = self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return "the worker stopped answering"
        if code >= 0:
            return f"the worker ended by itself with code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"the worker was killed by signal {-code} ({name})"

    def kill(self) -> None:
        """End it and whatever it started, now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        self._out.close()


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules in this Python.

    ``-P`` keeps files of the folder it happens to run in from being imported as modules.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def import_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` in which ``gwas_core`` can be imported from any folder."""
    root = str(Path(gwas_core.__file__).resolve().parent.parent)
    path = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join([root, path] if path else [root])}


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, shortened; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _READ_BYTES))
            lines = file.read().decode("utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    written = [line.strip() for line in lines if line.strip()]
    return "".join(c if c.isprintable() else "?" for c in written[-1])[:300] if written else ""
