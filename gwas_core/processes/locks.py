"""Locks that a process holds for as long as it lives: who works on an experiment, free again after a kill.

Also here: a lock that a child takes over; the first free one of several; when its holder was last heard from.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from gwas_core.files import disk_errors
from gwas_core.processes.signs_of_life import SignOfLife, read_sign_of_life, write_sign_of_life
from gwas_core.processes.system import unsupported_system

try:
    import fcntl
except ImportError as error:  # as in a notebook on Windows
    raise ImportError(unsupported_system()) from error

_RETRY_SECONDS = 0.02


def experiment_lock(experiment_directory: Path) -> FileLock:
    """Return the lock that the process working on an experiment holds.

    Args:
        experiment_directory: made when the lock is taken, if it is not there.
    """
    return FileLock(experiment_directory / ".supervisor.lock")


class FileLock:
    """Exclusive lock on a file.

    The kernel releases it when its holder ends, however it ends. So a lock that can be taken proves that nobody works
    behind it: there is no process id that could be stale. Asking takes the lock for an instant, which is why taking it
    for good waits a little.

    The package ``filelock`` (4.3) uses the same system call. It was not taken because it offers no descriptor that a
    child process could inherit, so that a lock is never free between a process and the one it starts (see ``fileno``).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, seconds: float = 0.0) -> bool:
        """Take the lock, trying for ``seconds``, and return whether it is held now.

        Args:
            seconds: longest time to wait for the lock; by default it is tried once.

        Raises:
            DiskError: its file cannot be made: the disk is full, or does not let it be written.
        """
        if self._descriptor is not None:
            return True
        deadline = time.monotonic() + seconds
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_SECONDS)
        return True

    def _try(self) -> bool:
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Not inherited by child processes: a worker must never keep its supervisor's lock.
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The folder may have been deleted meanwhile, and made again: a lock on a file that is gone locks nothing.
            if os.fstat(descriptor).st_ino == self._path.stat().st_ino:
                self._descriptor = descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            if self._descriptor is None:
                os.close(descriptor)
        return self._descriptor is not None

    def is_in_place(self) -> bool:
        """Return whether the lock is held and its file still has its name; if not, others may hold one of that name."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def fileno(self) -> int:
        """Return the open descriptor that holds the lock, for a child process to inherit.

        A child that was given it (``start_detached(..., inherit=...)``) holds the lock too: the lock is free again when
        both have ended or released it, so it is never free in between, however the parent ends.

        Raises:
            ValueError: the lock is not held.
        """
        if self._descriptor is None:
            raise ValueError(f"the lock on {self._path} is not held")
        return self._descriptor

    def give_sign_of_life(self) -> None:
        """Write into the file that its holder lives: a lock alone is held by a process that is stopped, too.

        Raises:
            ValueError: the lock is not held.
        """
        write_sign_of_life(self.fileno())

    def last_sign_of_life(self) -> SignOfLife | None:
        """Return the last sign of life of whoever holds or held the lock; None if none was given."""
        return read_sign_of_life(self._path)

    def release(self) -> None:
        """Release the lock; harmless if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire_any(locks: Sequence[FileLock], *, seconds: float) -> FileLock:
    """Return the first lock that could be taken, or one that is not held if none could within ``seconds``.

    Args:
        locks: tried one after the other, again and again.
        seconds: longest time to wait.
    """
    deadline = time.monotonic() + seconds
    while True:
        for lock in locks:
            if lock.acquire():
                return lock
        if time.monotonic() >= deadline:
            return locks[0]
        time.sleep(_RETRY_SECONDS)
