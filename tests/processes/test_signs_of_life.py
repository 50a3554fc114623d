"""Stopped and hanging processes are told from slow ones, and a sign of life is one however clocks are set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gwas_core.errors import SettingsError
from gwas_core.processes import signs_of_life
from gwas_core.processes.locks import FileLock
from gwas_core.processes.signs_of_life import (
    HEARTBEAT_SECONDS,
    SILENCE_SECONDS,
    SILENCE_VARIABLE,
    Activity,
    SignOfLife,
    SilenceWatch,
    activity,
    silence_seconds,
)
from tests.waiting import wait_until

BUSY = "print(flush=True)\nwhile True: pass"
SLEEPING = "import time; print(flush=True); time.sleep(3600)"
COMPUTING_WITHOUT_A_BREAK = "print(flush=True); sum(range(10**15))"  # no other thread of it ever runs
THREAD_COMPUTES = "import threading\ndef f():\n while True: pass\nthreading.Thread(target=f).start(); print(flush=True)"

Start = Callable[[str], int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python process and return its number once it says that it has begun."""
    processes = []

    def started(code: str) -> int:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def verdict(pid: int, *, limit: float = 60.0, looks: int = 100, while_waiting: float = 0.05) -> str:
    """What the watch says of a process that gives no sign of life for longer than the limit."""
    watch = SilenceWatch(limit)
    for _ in range(looks):
        if words := watch.verdict(pid, HEARTBEAT_SECONDS):
            return words
        time.sleep(while_waiting)
    return ""


@pytest.mark.parametrize("code", [BUSY, COMPUTING_WITHOUT_A_BREAK, THREAD_COMPUTES])
def test_what_computes_lives_however_long_it_is_silent(start: Start, code: str) -> None:
    assert verdict(start(code)) == ""


def test_what_is_stopped_is_taken_for_dead(start: Start) -> None:
    pid = start(BUSY)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: (found := activity(pid)) is not None and found.stopped)
    assert verdict(pid) == "was stopped, as by the signal SIGSTOP, and did not go on for 60 s"
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: (found := activity(pid)) is not None and not found.stopped)
    assert verdict(pid) == ""


def test_what_waits_for_ever_is_taken_for_dead(start: Start) -> None:
    pid = start(SLEEPING)
    wait_until(lambda: (found := activity(pid)) is not None and not found.wanting)
    assert verdict(pid) == "did not answer and used no processor time for 60 s"


def test_a_sign_of_life_begins_the_counting_again(start: Start) -> None:
    pid = start(SLEEPING)
    watch = SilenceWatch(60.0)
    for _ in range(100):
        for _ in range(25):
            assert watch.verdict(pid, HEARTBEAT_SECONDS) == ""
        watch.heard()


def test_time_in_which_the_listener_was_stopped_does_not_count(start: Start) -> None:
    pid = start(SLEEPING)
    watch = SilenceWatch(60.0)
    for _ in range(25):  # as if a machine had been suspended for a day between any two looks
        assert watch.verdict(pid, 86_400.0) == ""


def test_a_process_that_is_gone_has_no_activity(start: Start) -> None:
    assert activity(2**22 + 1) is None
    assert verdict(2**22 + 1) == ""


def test_ps_tells_the_same_as_proc(start: Start) -> None:
    pid = start(BUSY)
    if not Path("/bin/ps").exists():
        pytest.skip("ps is not here (Debian: apt-get install procps)")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: signs_of_life._activity_of_ps(pid).stopped)
    found, told = activity(pid), signs_of_life._activity_of_ps(pid)
    assert found is not None
    assert (told.stopped, told.wanting) == (found.stopped, found.wanting)
    assert told.processor_seconds == pytest.approx(found.processor_seconds, abs=1.0)


def test_the_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert silence_seconds() == SILENCE_SECONDS
    monkeypatch.setenv(SILENCE_VARIABLE, "600")
    assert silence_seconds() == 600
    for text in ("0", "-1", "nan", "inf", "a minute", "1" * 5000):
        monkeypatch.setenv(SILENCE_VARIABLE, text)
        with pytest.raises(SettingsError, match=f"{SILENCE_VARIABLE} must be a number of seconds from 4 up"):
            silence_seconds()


def test_the_holder_of_a_lock_leaves_a_sign(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock, FileLock(tmp_path / "lock") as other:
        assert lock.acquire()
        assert other.last_sign_of_life() is None
        for _ in range(3):
            lock.give_sign_of_life()
        sign = other.last_sign_of_life()
        assert sign is not None
        assert sign.pid == os.getpid()
        assert sign.age() < 3600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff" * 300, b'{"pid": 1, "time": "x"}'])
def test_a_file_without_a_sign_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert FileLock(tmp_path / "lock").last_sign_of_life() is None


def test_a_clock_that_is_set_makes_no_silence() -> None:
    now = SignOfLife.now()
    assert now.boot, "Linux names each start of the machine"
    for days in (-1000, 1000):
        then = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        assert replace(now, time=then).age() < 3600
    # Of another machine, or from before this one was started, only the clock tells.
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert replace(now, boot="another", time=yesterday).age() == pytest.approx(86_400, abs=3600)


@pytest.mark.parametrize(
    ("before", "now", "is_dead"),
    [
        ({}, {}, True),
        ({}, {"processor_seconds": 1.01}, False),
        # Runnable without getting a processor for a minute, or waiting for a disk or a swapped-out page.
        ({}, {"wanting": True}, False),
        ({"wanting": True}, {}, False),
        ({"stopped": True}, {"stopped": True}, True),
        ({"stopped": True, "wanting": True}, {"stopped": True, "wanting": True}, True),
        # Let go on by somebody, or stopped just now: not for as long as the limit.
        ({"stopped": True}, {"wanting": True}, False),
        ({"wanting": True}, {"stopped": True}, False),
    ],
)
def test_only_what_neither_computes_nor_wants_to_is_dead(
    before: dict[str, bool | float], now: dict[str, bool | float], is_dead: bool
) -> None:
    idle = Activity(stopped=False, wanting=False, processor_seconds=1.0)
    assert bool(signs_of_life._words(replace(idle, **before), replace(idle, **now))) == is_dead
