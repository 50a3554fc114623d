from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from gwas_core.errors import DiskError
from gwas_core.processes.locks import FileLock, acquire_any


def free(folder: Path) -> list[str]:
    """Which of the places below could be taken at this moment."""
    names = []
    for name in ("a", "b"):
        with FileLock(folder / name) as lock:
            if lock.acquire():
                names.append(name)
    return names


def test_one_of_several_places_is_taken_and_given_up(tmp_path: Path) -> None:
    places = [FileLock(tmp_path / name) for name in ("a", "b")]
    assert free(tmp_path) == ["a", "b"]
    with acquire_any(places, seconds=0):
        assert free(tmp_path) == ["b"]
        with acquire_any([FileLock(tmp_path / name) for name in ("a", "b")], seconds=0):
            assert free(tmp_path) == []
            with acquire_any([FileLock(tmp_path / "a")], seconds=0.05):  # goes on without
                assert free(tmp_path) == []
        assert free(tmp_path) == ["b"]
    assert free(tmp_path) == ["a", "b"]


def test_a_child_that_inherits_the_lock_keeps_it(tmp_path: Path) -> None:
    with FileLock(tmp_path / "a") as lock:
        assert lock.acquire()
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),))
    assert free(tmp_path) == ["b"], "its parent has given it up"
    child.communicate(b"\n")
    assert child.returncode == 0
    assert free(tmp_path) == ["a", "b"]
    with pytest.raises(ValueError, match="is not held"):
        lock.fileno()


def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an experiment is deleted and made again, just before its lock is taken."""
    path, flock, swaps = tmp_path / "a", fcntl.flock, [1]

    def swap_and_lock(descriptor: int, operation: int) -> None:
        if swaps:
            swaps.pop()
            path.unlink()
            path.touch()
        flock(descriptor, operation)

    monkeypatch.setattr("gwas_core.processes.locks.fcntl.flock", swap_and_lock)
    with FileLock(path) as lock:
        assert not lock.acquire()
        assert lock.acquire()
        assert lock.is_in_place()


def test_a_lock_that_finds_no_room_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(DiskError, match="disk is full"):
        FileLock(tmp_path / "new" / "a").acquire()
