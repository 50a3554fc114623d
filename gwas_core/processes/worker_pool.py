"""Worker pool: workers that are started when there is work, listened to all at once, and ended together.

Also here: which slot gets a task; workers killed when trials are withdrawn; a fork server that died.
"""

from __future__ import annotations

import os
import selectors
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gwas_core.processes.fork_server import ForkServer
from gwas_core.processes.worker_process import WorkerProcess

SERVER_LOG = "workers.log"


@dataclass
class Task:
    """Job for a worker.

    Attributes:
        job: message that the worker is sent.
        trial: number of the trial, if the job is one.
        deaths: number of workers that died while they worked on it.
    """

    job: dict[str, Any]
    trial: int | None = None
    deaths: int = 0

    @property
    def kind(self) -> str:
        """Name of the job."""
        return str(self.job["job"])


@dataclass(eq=False)
class Slot:
    """Place for one worker and its task."""

    index: int
    worker: WorkerProcess | None = None
    task: Task | None = None


@dataclass(frozen=True)
class CanBegin:
    """Event: the worker of a slot is ready for the task that the slot was assigned (see ``WorkerPool.send``)."""

    slot: Slot


@dataclass(frozen=True)
class Message:
    """Event: the worker of a slot has sent a message about its task."""

    slot: Slot
    content: dict[str, Any]


@dataclass(frozen=True)
class Death:
    """Event: a worker ended; its slot is free again.

    Attributes:
        task: task that the worker had.
        words: how the worker ended.
        had_started: whether the worker was ever ready to work.
        log: file with the worker's last words.
    """

    task: Task | None
    words: str
    had_started: bool
    log: Path


Event = CanBegin | Message | Death


class WorkerPool:
    """Fixed number of slots for workers, and one place to wait for events of all of them.

    ``wake`` may be called from other threads and signal handlers; everything else from one thread.

    Args:
        size: number of slots.
        command: module and arguments of the workers' program, as ``ForkServer`` takes them.
        environment: environment variables of the workers, their numbers of threads among them.
        log_directory: folder for ``workers.log`` and one log for each slot.
    """

    def __init__(
        self, size: int, command: Sequence[str], *, environment: Mapping[str, str], log_directory: Path
    ) -> None:
        self._command = command
        self._environment = environment
        self._log_directory = log_directory
        self._server: ForkServer | None = None
        self._slots = [Slot(index) for index in range(size)]
        self._due: list[Event] = []
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)

    @property
    def free(self) -> int:
        """Number of slots without a task."""
        return sum(slot.task is None for slot in self._slots)

    @property
    def tasks(self) -> list[Task]:
        """Tasks that were assigned and are not done."""
        return [slot.task for slot in self._slots if slot.task is not None]

    def assign(self, task: Task) -> None:
        """Assign a task to a free slot; the event ``CanBegin`` says when it may be sent to the worker.

        Slots whose worker is running come first: starting one can take seconds.
        """
        slot = min((slot for slot in self._slots if slot.task is None), key=lambda slot: slot.worker is None)
        slot.task = task
        if slot.worker is None:
            slot.worker = WorkerProcess(self._living_server(), self._log_directory / f"worker-{slot.index}.log")
            self._selector.register(slot.worker, selectors.EVENT_READ, slot)
        elif slot.worker.ready:
            self._due.append(CanBegin(slot))

    def wait(self, seconds: float) -> Iterator[Event]:
        """Yield what happened, waiting at most ``seconds`` for the first event."""
        due, self._due = self._due, []
        yield from due
        for key, _ in self._selector.select(0.0 if due else seconds):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
            else:
                yield from self._listen(key.data)

    def wake(self) -> None:
        """End a ``wait`` that is under way."""
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"!")

    def send(self, slot: Slot, job: Mapping[str, Any] | None = None) -> None:
        """Send a slot's worker its task; to be called upon ``CanBegin``, and harmless if the task was withdrawn since.

        Args:
            job: what is sent instead of the task's own job.
        """
        if slot.task is not None and slot.worker is not None:
            slot.worker.send(slot.task.job if job is None else job)

    def release(self, slot: Slot, *, spent: bool) -> Task:
        """Return the task of a slot, which is done, and free the slot for the next one.

        Args:
            spent: whether the worker is to be replaced, as it said.
        """
        task, slot.task = slot.task, None
        assert task is not None
        if spent:
            self.dismiss(slot)
        return task

    def withdraw_trials(self) -> list[Task]:
        """Kill the workers that have a trial, and return their tasks."""
        withdrawn = []
        for slot in self._slots:
            if slot.task is not None and slot.task.trial is not None:
                withdrawn.append(slot.task)
                slot.task = None
                self.dismiss(slot)
        return withdrawn

    def dismiss(self, slot: Slot) -> None:
        """Kill the worker of a slot; its next task gets a fresh one."""
        if slot.worker is not None:
            self._selector.unregister(slot.worker)
            slot.worker.kill()
            slot.worker = None

    def close(self) -> None:
        """Kill all workers; harmless if there are none."""
        for slot in self._slots:
            slot.task = None
            self.dismiss(slot)
        self._end_server()

    def _living_server(self) -> ForkServer:
        if self._server is not None and not self._server.runs:
            self._end_server()
        if self._server is None:
            self._server = ForkServer(
                self._command, environment=self._environment, log=self._log_directory / SERVER_LOG
            )
        return self._server

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.end()
            self._server = None

    def _listen(self, slot: Slot) -> Iterator[Event]:
        worker = slot.worker
        if worker is None:  # dismissed over another event of the same moment
            return
        for content in worker.read():
            if content["type"] != "ready":
                yield Message(slot, content)
                continue
            if slot.task is not None:
                yield CanBegin(slot)
        if worker.has_ended and slot.worker is worker:
            task, slot.task = slot.task, None
            words = worker.death()
            self.dismiss(slot)
            yield Death(task, words, worker.ready, worker.log)
