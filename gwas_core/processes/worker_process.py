"""Worker process seen from its parent: sending jobs, reading answers, how it died in words, killing it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

from gwas_core.processes.fork_server import ForkServer
from gwas_core.processes.signs_of_life import SilenceWatch
from gwas_core.processes.worker_messages import WORKER_MESSAGES, Alive, Done, Failed, Ready, Report
from gwas_core.serialization import JsonObject

_READ_BYTES = 65_536


class WorkerProcess:
    """Running worker: send it jobs, read its messages, kill it.

    Args:
        server: forks the worker.
        log: file to which what the worker prints is appended.
        silence_seconds: without a sign of life, after which the worker is looked at.

    Attributes:
        server: that forked it.
        log: file with what the worker printed.
        ready: whether the worker has said that it takes jobs.
    """

    def __init__(self, server: ForkServer, log: Path, *, silence_seconds: float) -> None:
        self.log = log
        self.server = server
        self._watch = SilenceWatch(silence_seconds)
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        with log.open("ab") as stderr:
            server.fork(their_in, their_out, stderr.fileno())
        os.close(their_in)
        os.close(their_out)
        self._in, self._out = os.fdopen(our_out, "wb"), os.fdopen(our_in, "rb", buffering=0)
        os.set_blocking(our_in, False)
        self._rest = b""
        self._ended = False
        self._pid: int | None = None
        self.ready = False

    def fileno(self) -> int:
        """Return the descriptor on which messages arrive, to wait on."""
        return self._out.fileno()

    @property
    def has_ended(self) -> bool:
        """Whether the worker closed its end, as the last ``read`` found."""
        return self._ended

    def send(self, message: JsonObject) -> None:
        """Send a job or the answer to a report. A dead worker is noticed by the next ``read``."""
        with contextlib.suppress(BrokenPipeError):
            self._in.write(json.dumps(message).encode() + b"\n")
            self._in.flush()

    def read(self) -> list[Ready | Report | Done | Failed]:
        """Return the messages that have arrived, without waiting; signs of life are not among them.

        Raises:
            InputError: a line is no message of a worker.
        """
        try:
            # One read for each time the descriptor is ready; the rest, if any, makes it ready again.
            data = os.read(self._out.fileno(), _READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            self._ended = True
            return []
        self._watch.heard()
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = [WORKER_MESSAGES.from_json_values(json.loads(line)) for line in lines]
        for message in messages:
            if isinstance(message, Ready):
                self._pid, self.ready = message.pid, True
        return [message for message in messages if not isinstance(message, Alive)]

    def silence(self, passed: float) -> str:
        """Return why the worker is to be taken for dead although it has not ended, in words; empty if it is not.

        Args:
            passed: seconds since the last call.
        """
        # Until it is ready, what is waited for is the process that forks it.
        who, pid = ("the worker", self._pid) if self._pid else ("the process that forks workers", self.server.pid)
        words = self._watch.verdict(pid, passed)
        return f"{who} {words}" if words else ""

    def death(self) -> str:
        """Describe how the worker ended; to be called after it has."""
        if self._pid is None:
            code = self.server.ended()
            if code is None:
                return "the worker ended before it was ready"
            self.log = self.server.log  # which tells why
            return f"the worker could not be started: the process it is forked from ended with code {code}"
        code = self.server.exit_code(self._pid)
        if code is None:
            # Whatever ended the fork server took its workers along.
            code = self.server.ended()
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
        """Kill the worker and whatever it started."""
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            self.server.exit_code(self._pid)
            self._pid = None
        # A worker that is not ready yet ends when it finds these closed.
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        self._out.close()
