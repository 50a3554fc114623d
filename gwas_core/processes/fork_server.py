"""A process that has imported everything and run nothing, and forks workers when asked.

What workers hold alike is held once, and a new one is there at once. The server takes requests over the socket that is
its stdin: stdin, stdout and stderr for a new worker, or the process id of one whose exit status is wanted.
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

_REQUEST_BYTES = 64
_END_SECONDS = 5.0


class ForkServer:
    """The process that workers are forked from, as whoever needs workers sees it.

    Args:
        command: module and arguments of a program that calls ``serve_forks``; its parent's id is added.
        environment: of the program and its workers; says their threads.
        log: gets what the program prints.
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
    def runs(self) -> bool:
        return self._process.poll() is None

    def fork(self, stdin: int, stdout: int, stderr: int) -> None:
        """Ask for a worker with these descriptors. It says itself when it is ready; where the server ends first,
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


def serve_forks(work: Callable[[], None]) -> None:
    """Fork a process that does ``work`` for every request, until whoever sends requests is gone.

    Requests come over the socket that is this process's stdin, as ``ForkServer`` sends them.
    """
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
    """As ``subprocess`` has it, of a process that is ending; None for one that goes on, or was asked for before."""
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
