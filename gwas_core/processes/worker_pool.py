"""The workers of one supervisor: started when there is work, listened to all at once, ended together."""

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
    """A job for a worker.

    Attributes:
        job: what the worker is sent; see ``worker``.
        trial: the trial's number, of a trial.
        deaths: workers that died of it.
    """

    job: dict[str, Any]
    trial: int | None = None
    deaths: int = 0

    @property
    def kind(self) -> str:
        return str(self.job["job"])


@dataclass(eq=False)
class Slot:
    """A place for one worker and what it is to do."""

    index: int
    worker: WorkerProcess | None = None
    task: Task | None = None


@dataclass(frozen=True)
class CanBegin:
    """The slot's worker is ready and has a task that it was not sent yet."""

    slot: Slot


@dataclass(frozen=True)
class Message:
    """The slot's worker has something to say about its task."""

    slot: Slot
    content: dict[str, Any]


@dataclass(frozen=True)
class Death:
    """A worker ended; its slot is free again.

    Attributes:
        task: what it was to do.
        words: how it ended.
        had_started: whether it ever was ready to work.
        log: where its last words are.
    """

    task: Task | None
    words: str
    had_started: bool
    log: Path


Event = CanBegin | Message | Death


class WorkerPool:
    """So many slots, and one place to wait for whatever happens in them.

    ``wake`` may be called from other threads and signal handlers; the rest from one thread.
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
        """Slots without a task."""
        return sum(slot.task is None for slot in self._slots)

    @property
    def tasks(self) -> list[Task]:
        """What is being done."""
        return [slot.task for slot in self._slots if slot.task is not None]

    def assign(self, task: Task) -> None:
        """Give a task to a free slot; ``CanBegin`` says when it may be sent to the worker.

        Workers that are running go first: starting one takes seconds.
        """
        slot = min((slot for slot in self._slots if slot.task is None), key=lambda slot: slot.worker is None)
        slot.task = task
        if slot.worker is None:
            slot.worker = WorkerProcess(self._living_server(), self._log_directory / f"worker-{slot.index}.log")
            self._selector.register(slot.worker, selectors.EVENT_READ, slot)
        elif slot.worker.ready:
            self._due.append(CanBegin(slot))

    def wait(self, seconds: float) -> Iterator[Event]:
        """What happened, waiting at most so long for the first of it."""
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
        """Kill the workers that have a trial; their tasks."""
        withdrawn = []
        for slot in self._slots:
            if slot.task is not None and slot.task.trial is not None:
                withdrawn.append(slot.task)
                slot.task = None
                self.dismiss(slot)
        return withdrawn

    def dismiss(self, slot: Slot) -> None:
        """Kill a slot's worker; the next task gets a fresh one."""
        if slot.worker is not None:
            self._selector.unregister(slot.worker)
            slot.worker.kill()
            slot.worker = None

    def close(self) -> None:
        """Kill all workers; harmless when there are none."""
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
