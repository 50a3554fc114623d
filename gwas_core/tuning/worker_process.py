"""A supervisor's end of one worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
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


class Template:
    """The process that workers are forked from; see ``worker``."""

    def __init__(self, settings: WorkerSettings, log: Path) -> None:
        command = module_command(
            "gwas_core.tuning.worker",
            "--dataset", str(settings.dataset),
            "--split", str(settings.split),
            "--functions", settings.functions.to_json(),
            "--parent", str(os.getpid()),
        )  # fmt: skip
        self.log = log
        self._requests, theirs = socket.socketpair()
        self._requests.settimeout(2 * _END_SECONDS)
        self._answers = self._requests.makefile("rb")
        with theirs, log.open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=theirs.fileno(),
                stdout=stderr,
                stderr=stderr,
                env=import_environment(settings.environment),
                # A group of its own, so that what is typed at a terminal does not reach it.
                process_group=0,
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def fork(self, stdin: int, stdout: int, stderr: int) -> None:
        """Ask for a worker with these descriptors. It says itself when it is ready; where the template ends first,
        the worker's stdout is closed."""
        with contextlib.suppress(OSError):
            socket.send_fds(self._requests, [b"fork"], [stdin, stdout, stderr])

    def exit_code(self, pid: int) -> int | None:
        """Of a worker that has ended or is about to; None where that is not to be learned."""
        try:
            self._requests.sendall(str(pid).encode())
            for line in iter(self._answers.readline, b""):
                answer = json.loads(line)
                if answer["pid"] == pid:  # and not one that came too late
                    return None if answer["code"] is None else int(answer["code"])
        except OSError:
            pass
        return None

    def ended(self) -> int | None:
        """Its exit code, if it has ended or is just ending."""
        try:
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Kill it, and with it its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._answers.close()
        self._requests.close()


class WorkerProcess:
    """A running worker: send it jobs, read its messages, kill it.

    ``fileno`` is the descriptor to wait on for messages; ``ready`` is whether it has said that it takes jobs.
    """

    def __init__(self, template: Template, log: Path) -> None:
        self.log = log
        self._template = template
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        with log.open("ab") as stderr:
            template.fork(their_in, their_out, stderr.fileno())
        os.close(their_in)
        os.close(their_out)
        self._in, self._out = os.fdopen(our_out, "wb"), os.fdopen(our_in, "rb", buffering=0)
        os.set_blocking(our_in, False)
        self._rest = b""
        self._ended = False
        self._pid: int | None = None
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
        messages = [json.loads(line) for line in lines]
        for message in messages:
            if message["type"] == "ready":
                self._pid, self.ready = message["pid"], True
        return messages

    def death(self) -> str:
        """How it ended, in words; to be asked after it has."""
        if self._pid is None:
            code = self._template.ended()
            if code is None:
                return "the worker ended before it was ready"
            self.log = self._template.log  # which tells why
            return f"the worker could not be started: what it is made from ended with code {code}"
        code = self._template.exit_code(self._pid)
        if code is None:
            # Whatever ended the template took its workers along.
            code = self._template.ended()
        if code is None:
            self.kill()
            return "the worker stopped answering"
        self._pid = None
        if code >= 0:
            return f"the worker ended by itself with code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"the worker was killed by signal {-code} ({name})"

    def kill(self) -> None:
        """End it and whatever it started, now."""
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            self._template.exit_code(self._pid)
            self._pid = None
        # One that is not ready yet ends when it finds these closed.
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
