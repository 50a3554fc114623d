"""Worker pool: workers that are started when there is work, listened to all at once, and ended together.

Also here: which slot gets a task; workers killed when their jobs are withdrawn, or when they give no sign of life; a
fork server that died or is stopped.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from gwas_core.processes.fork_server import ForkServer
from gwas_core.processes.signs_of_life import silence_seconds
from gwas_core.processes.worker_messages import Done, Failed, Ready, Report
from gwas_core.processes.worker_process import WorkerProcess
from gwas_core.serialization import JsonObject

SERVER_LOG = "workers.log"

Job = TypeVar("Job")


@dataclass
class Task(Generic[Job]):
    """Job for a worker.

    Attributes:
        job: what the worker is to do.
        deaths: number of workers that died while they worked on it.
    """

    job: Job
    deaths: int = 0


@dataclass(eq=False)
class Slot(Generic[Job]):
    """Place for one worker and its task."""

    index: int
    worker: WorkerProcess | None = None
    task: Task[Job] | None = None


@dataclass(frozen=True)
class CanBegin(Generic[Job]):
    """Event: the worker of a slot is ready for the task that the slot was assigned (see ``WorkerPool.send``)."""

    slot: Slot[Job]


@dataclass(frozen=True)
class Message(Generic[Job]):
    """Event: the worker of a slot has sent a message about its task."""

    slot: Slot[Job]
    content: Report | Done | Failed


@dataclass(frozen=True)
class Death(Generic[Job]):
    """Event: a worker ended; its slot is free again.

    Attributes:
        task: task that the worker had.
        words: how the worker ended.
        had_started: whether the worker was ever ready to work.
        log: file with the worker's last words.
        was_silent: whether the worker was killed because it gave no sign of life.
    """

    task: Task[Job] | None
    words: str
    had_started: bool
    log: Path
    was_silent: bool = False


Event = CanBegin[Job] | Message[Job] | Death[Job]


class WorkerPool(Generic[Job]):
    """Fixed number of slots for workers, and one place to wait for events of all of them.

    ``wake`` may be called from other threads and signal handlers; everything else from one thread.

    Args:
        size: number of slots.
        command: module and arguments of the workers' program, as ``ForkServer`` takes them.
        encode: returns a job as the workers' program reads it.
        environment: environment variables of the workers, their numbers of threads among them.
        log_directory: folder for ``workers.log`` and one log for each slot.

    Raises:
        SettingsError: ``GWAS_SILENCE_SECONDS`` is no number of seconds.
    """

    def __init__(
        self,
        size: int,
        command: Sequence[str],
        *,
        encode: Callable[[Job], JsonObject],
        environment: Mapping[str, str],
        log_directory: Path,
    ) -> None:
        self._command = command
        self._encode = encode
        self._environment = environment
        self._log_directory = log_directory
        self._silence_seconds = silence_seconds()
        self._looked = time.monotonic()
        self._server: ForkServer | None = None
        self._stopped_servers: list[ForkServer] = []
        self._slots: list[Slot[Job]] = [Slot(index) for index in range(size)]
        self._due: list[Event[Job]] = []
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
    def tasks(self) -> list[Task[Job]]:
        """Tasks that were assigned and are not done."""
        return [slot.task for slot in self._slots if slot.task is not None]

    def assign(self, task: Task[Job]) -> None:
        """Assign a task to a free slot; the event ``CanBegin`` says when it may be sent to the worker.

        Slots whose worker is running come first: starting one can take seconds.

        Args:
            task: of which no slot has another copy; one slot must be free.
        """
        slot = min((slot for slot in self._slots if slot.task is None), key=lambda slot: slot.worker is None)
        slot.task = task
        if slot.worker is None:
            log = self._log_directory / f"worker-{slot.index}.log"
            slot.worker = WorkerProcess(self._living_server(), log, silence_seconds=self._silence_seconds)
            self._selector.register(slot.worker, selectors.EVENT_READ, slot)
        elif slot.worker.ready:
            self._due.append(CanBegin(slot))

    def wait(self, seconds: float) -> Iterator[Event[Job]]:
        """Yield what happened, waiting for the first event.

        Args:
            seconds: longest time to wait; afterwards nothing is yielded. ``wake`` ends the wait earlier.
        """
        due, self._due = self._due, []
        yield from due
        for key, _ in self._selector.select(0.0 if due else seconds):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(self._wake_reader, 4096)
            else:
                yield from self._listen(key.data)
        yield from self._end_silent_workers()

    def wake(self) -> None:
        """End a ``wait`` that is under way."""
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"!")

    def send(self, slot: Slot[Job], job: Job | None = None) -> None:
        """Send a slot's worker its task; to be called upon ``CanBegin``, and harmless if the task was withdrawn since.

        Args:
            slot: of the event.
            job: what is sent instead of the task's own job.
        """
        if slot.task is not None and slot.worker is not None:
            slot.worker.send(self._encode(slot.task.job if job is None else job))

    def answer(self, slot: Slot[Job], content: JsonObject) -> None:
        """Answer a ``Report`` of a slot's worker, which waits for it; harmless if the worker was dismissed since.

        Args:
            slot: of the event that brought the report.
            content: what ``Channel.report`` returns in the worker.
        """
        if slot.worker is not None:
            slot.worker.send(content)

    def release(self, slot: Slot[Job], *, spent: bool) -> Task[Job]:
        """Return the task of a slot, which is done, and free the slot for the next one.

        Args:
            slot: whose worker sent ``Done`` or ``Failed``.
            spent: whether the worker is to be replaced, as it said.
        """
        task, slot.task = slot.task, None
        assert task is not None
        if spent:
            self.dismiss(slot)
        return task

    def withdraw(self, is_meant: Callable[[Job], bool]) -> list[Task[Job]]:
        """Kill the workers that have certain jobs, and return their tasks.

        Args:
            is_meant: whether a job is one of those to withdraw.
        """
        withdrawn = []
        for slot in self._slots:
            if slot.task is not None and is_meant(slot.task.job):
                withdrawn.append(slot.task)
                slot.task = None
                self.dismiss(slot)
        return withdrawn

    def dismiss(self, slot: Slot[Job]) -> None:
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
            self._server.end()
            self._server = None
        if self._server is None:
            self._server = ForkServer(
                self._command, environment=self._environment, log=self._log_directory / SERVER_LOG
            )
        return self._server

    def _end_server(self) -> None:
        for server in (*self._stopped_servers, *([] if self._server is None else [self._server])):
            server.end()
        self._server, self._stopped_servers = None, []

    def _end_silent_workers(self) -> Iterator[Event[Job]]:
        """Kill workers that are stopped, or hang without computing: nothing would ever come of them."""
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        for slot in self._slots:
            worker = slot.worker
            words = "" if worker is None else worker.silence(passed)
            if worker is None or not words:
                continue
            if not worker.ready and worker.server is self._server:
                # It does not fork any more. Its other workers may be well, and end with it: they are left alone.
                self._stopped_servers.append(self._server)
                self._server = None
            task, slot.task = slot.task, None
            self.dismiss(slot)
            yield Death(task, words, worker.ready, worker.log, was_silent=True)

    def _listen(self, slot: Slot[Job]) -> Iterator[Event[Job]]:
        worker = slot.worker
        if worker is None:  # dismissed over another event of the same moment
            return
        for content in worker.read():
            if not isinstance(content, Ready):
                yield Message(slot, content)
            elif slot.task is not None:
                yield CanBegin(slot)
        if worker.has_ended and slot.worker is worker:
            task, slot.task = slot.task, None
            words = worker.death()
            self.dismiss(slot)
            yield Death(task, words, worker.ready, worker.log)
