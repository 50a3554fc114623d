"""Fork server: a process that has imported everything and run nothing, and forks workers on request.

Workers share the memory of what was imported, and a new worker is ready at once. The server takes requests over the
socket that is its stdin: three descriptors (stdin, stdout, stderr) for a new worker, or the process id of a worker
whose exit status is wanted.

``multiprocessing`` has a fork server too. Measured side by side (``python -m benchmarks.worker_start``, three runs),
it is as good: the first worker is ready in 3.6 to 5.5 s (ours: 4.2 to 4.7 s), the next ones in 0.07 to 0.15 s (0.02 s),
and each holds 79 MB of its own (72 MB). It was not taken for two reasons that it cannot be set to avoid. It has one
server for each process, whose environment is that of its first use: a second search in the same notebook could not have
another number of threads. And each of its workers runs the caller's main script again: a script that calls
``gwas_core.evaluate`` without a ``__main__`` guard would fail.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gwas_core.processes.channel import die_with
from gwas_core.processes.detached import import_environment, module_command
from gwas_core.processes.memory import give_back_memory
from gwas_core.processes.worker_messages import WORKER_MESSAGES

_REQUEST_BYTES = 64
_END_SECONDS = 5.0


class ForkServer:
    """Handle of a fork server, for the process that needs workers.

    Args:
        command: module and arguments of a program that calls ``serve_forks``; ``--parent`` and this process's id are
            added.
        environment: environment variables of the program and its workers, their numbers of threads among them.
        log: file to which the program's output is appended.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._requests, theirs = socket.socketpair()
        self._requests.settimeout(2 * _END_SECONDS)
        self._answers = self._requests.makefile("rb")
        with theirs, log.open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                module_command(*command, "--parent", str(os.getpid())),
                stdin=theirs.fileno(),
                stdout=stderr,
                stderr=stderr,
                env=import_environment(environment),
                # A group of its own, so that what is typed at a terminal does not reach it.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the server is alive."""
        return self._process.poll() is None

    def fork(self, stdin: int, stdout: int, stderr: int) -> None:
        """Request a worker with these descriptors.

        The worker itself says when it is ready. If the server ends first, the worker's stdout is closed.

        Args:
            stdin: descriptor of this process, which may close it afterwards, as the other two.
            stdout: as ``stdin``.
            stderr: as ``stdin``.
        """
        with contextlib.suppress(OSError):
            socket.send_fds(self._requests, [b"fork"], [stdin, stdout, stderr])

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a worker that has ended or is about to; None if the server does not know it.

        Args:
            pid: process id of a worker of this server.

        Returns:
            As ``subprocess`` counts it: the negative number of the signal that ended the worker. The server forgets a
            worker once it has answered.
        """
        try:
            self._requests.sendall(str(pid).encode())
            for line in iter(self._answers.readline, b""):
                answer = json.loads(line)
                if answer["pid"] == pid:  # not the late answer to an earlier question
                    return None if answer["code"] is None else int(answer["code"])
        except OSError:
            pass
        return None

    def ended(self) -> int | None:
        """Return the server's exit code if it has ended, waiting up to a second for it; None if it lives."""
        try:
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Kill the server and, through the kernel, its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._answers.close()
        self._requests.close()


def serve_forks(work: Callable[[], None]) -> None:
    """Fork a process that does ``work`` for every request, until the process that sends requests is gone.

    Requests come from a ``ForkServer`` over the socket that is this process's stdin.

    Args:
        work: what a worker does, with stdin, stdout and stderr as requested; the worker ends when it returns.
    """
    # Shared, like everything that was imported before.
    WORKER_MESSAGES.prepare()
    # A worker shares a page until it writes to it, and collecting garbage writes to everything that is not frozen.
    gc.collect()
    gc.freeze()
    give_back_memory()
    requests = socket.socket(fileno=os.dup(0))
    this = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
        if not message:
            return
        if len(descriptors) < 3:
            pid = int(message)
            requests.sendall(json.dumps({"pid": pid, "code": _exit_code(pid)}).encode() + b"\n")
            continue
        if os.fork() == 0:
            try:
                requests.close()
                # A group of its own: a kill reaches whatever it may start.
                os.setpgid(0, 0)
                die_with(this)
                for place, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, place)
                    os.close(descriptor)
                work()
            except BaseException:  # noqa: BLE001 - nothing of a worker may go on in here as a second server
                traceback.print_exc()
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)


def _exit_code(pid: int) -> int | None:
    """Return the exit code of a child as ``subprocess`` counts it; None if it lives or was asked for before."""
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            break
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None
