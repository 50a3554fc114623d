"""Processes that share the tasks of an evaluation out among themselves."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gwas_core.errors import ExperimentError
from gwas_core.evaluation.store import EvaluationTask
from gwas_core.processes.detached import import_environment, last_line, module_command

_ATTEMPTS = 2


class Team:
    """As many processes as there is parallel work, each begun with its first task and kept for the next.

    Args:
        command: module and arguments of a process; its parent's id is added.
        environment: of the processes; says their threads.
        log: gets what they print.
    """

    def __init__(self, size: int, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = module_command(*command, "--parent", str(os.getpid()))
        self._environment = import_environment(environment)
        self._log = log
        # The kernel ends a process with the thread that began it: these threads last as long as the team.
        self._pool = ThreadPoolExecutor(size)
        self._own = threading.local()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closing = False

    def do(self, tasks: Sequence[EvaluationTask], *, poll_seconds: float = 1.0) -> Iterator[tuple[EvaluationTask, ...]]:
        """Yield the tasks that were finished, at least every ``poll_seconds`` (none where there were none).

        Raises:
            ExperimentError: a task failed, or its process died twice.
        """
        futures: dict[Future[None], EvaluationTask] = {self._pool.submit(self._do, task): task for task in tasks}
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=poll_seconds, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            yield tuple(futures[future] for future in done)

    def close(self) -> None:
        """End all processes, in the middle of a task too."""
        self._closing = True
        for process in self._processes:
            process.kill()
        self._pool.shutdown(cancel_futures=True)
        for process in self._processes:
            process.wait()
            _close_pipes(process)

    def _do(self, task: EvaluationTask) -> None:
        for _ in range(_ATTEMPTS):
            answer = self._ask(asdict(task))
            if answer is not None:
                if answer["error"]:
                    raise ExperimentError(f"{_named(task)} failed: {answer['error']}")
                return
            if self._closing:
                break
        raise ExperimentError(
            f"the process died twice while it worked on {_named(task)}, perhaps because memory ran out: evaluate with "
            f"--parallel 1 ({last_line(self._log) or 'it left no word'}, in {self._log})"
        )

    def _ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of this thread's process; None where it died."""
        process = getattr(self._own, "process", None) or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._own.process = None
        return None

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                # Ctrl-C is for the process that asks; it ends these.
                process_group=0,
            )
        self._own.process = process
        self._processes.append(process)
        if self._closing:  # too late for close to see it
            process.kill()
        return process


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _named(task: EvaluationTask) -> str:
    return (
        f"the baselines of {task.held_out_set}"
        if task.kind == "baselines"
        else f"network {task.number} of {task.held_out_set}"
    )
