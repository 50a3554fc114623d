"""Signs of life: whether a process that is not heard from is stopped or only slow; when one was last heard from.

Also here: ``GWAS_SILENCE_SECONDS``, after which a worker that is stopped is replaced; time in which the listener itself
was stopped, which does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gwas_core.errors import InputError
from gwas_core.files import open_regular_file
from gwas_core.processes.settings import seconds_setting
from gwas_core.serialization import from_json_values, to_json_values

SILENCE_VARIABLE = "GWAS_SILENCE_SECONDS"
"""Environment variable that replaces ``SILENCE_SECONDS``."""

SILENCE_SECONDS = 60.0
"""Seconds without a sign of life after which a process is looked at. Only one that is stopped, or that has used no
processor time at all meanwhile though it waits neither for a processor nor for a disk, is taken for dead: however slow
or loaded a machine is, that does not come of it."""

HEARTBEAT_SECONDS = 2.0
"""Seconds between two signs of life."""

_LEAST_SILENCE = 2 * HEARTBEAT_SECONDS
_MOST_COUNTED = HEARTBEAT_SECONDS
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LENGTH = 256  # of a sign of life in a file: written over in place, so that it needs no room on a full disk
_PS_SECONDS = 10.0


def silence_seconds() -> float:
    """Return the seconds without a sign of life after which a process is looked at.

    Raises:
        SettingsError: ``GWAS_SILENCE_SECONDS`` is no such number.
    """
    return seconds_setting(
        SILENCE_VARIABLE, SILENCE_SECONDS, least=_LEAST_SILENCE, such_as=f" from {_LEAST_SILENCE:g} up"
    )


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Activity of a process, as the system knows it.

    Attributes:
        stopped: whether it is stopped (by SIGSTOP, Ctrl-Z, a debugger), or frozen.
        wanting: whether one of its threads has a processor or waits for one, or waits for a disk.
        processor_seconds: processor time of all its threads so far.
    """

    stopped: bool
    wanting: bool
    processor_seconds: float


def activity(pid: int) -> Activity | None:
    """Return the activity of a process; None if it is gone, or the system does not tell."""
    try:
        return _activity_of_linux(pid) if Path("/proc/self/stat").exists() else _activity_of_ps(pid)
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None


def _activity_of_linux(pid: int) -> Activity:
    folder = Path("/proc") / str(pid)
    fields = _stat_fields(folder)
    states = {fields[0]}
    for thread in (folder / "task").iterdir():
        with suppress(OSError):  # it has ended
            states.add(_stat_fields(thread)[0])
    return Activity(
        stopped=fields[0] in ("T", "t"),
        wanting=bool(states & {"R", "D"}),
        # The 14th and 15th field of the file (proc_pid_stat(5)): in user and in kernel mode, in clock ticks.
        processor_seconds=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
    )


def _stat_fields(folder: Path) -> list[str]:
    """Return the fields of ``stat`` from the third on: the second is a name, which may hold blanks and brackets."""
    return (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


def _activity_of_ps(pid: int) -> Activity:
    """Return the activity as ``ps`` tells it, where there is no /proc (macOS)."""
    done = subprocess.run(  # noqa: S603 - a number of ours
        ["/bin/ps", "-o", "stat=,time=", "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=_PS_SECONDS,
        check=True,
    )
    state, _, clock = done.stdout.strip().partition(" ")
    seconds = 0.0
    for part in clock.strip().replace("-", ":").split(":"):
        seconds = 60 * seconds + float(part)
    return Activity(stopped=state.startswith("T"), wanting=state[0] in "RUD", processor_seconds=seconds)


class SilenceWatch:
    """Watch over a process that gives a sign of life every few seconds, kept by the process that listens.

    The silence is what the listener has counted while it was awake itself: a machine that was suspended, or a
    container that was paused, goes on as if nothing had been.

    Args:
        limit: seconds of silence after which the process is looked at.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._silence = 0.0
        self._before: Activity | None = None

    def heard(self) -> None:
        """Note a sign of life."""
        self._silence, self._before = 0.0, None

    def verdict(self, pid: int, passed: float) -> str:
        """Return why the process is to be taken for dead, in words; empty as long as it is not.

        Args:
            pid: process id.
            passed: seconds since the last call.
        """
        self._silence += min(passed, _MOST_COUNTED)
        if self._silence < self._limit / 2:
            return ""
        if self._before is None:
            self._before = activity(pid)
            return ""
        if self._silence < self._limit:
            return ""
        before, now = self._before, activity(pid)
        words = "" if now is None else _words(before, now)
        if words:
            return f"{words} for {self._limit:.0f} s"
        self.heard()  # slow, but alive: the counting begins again
        return ""


def _words(before: Activity, now: Activity) -> str:
    if before.stopped and now.stopped:
        return "was stopped, as by the signal SIGSTOP, and did not go on"
    if not before.wanting and not now.wanting and now.processor_seconds <= before.processor_seconds:
        return "did not answer and used no processor time"
    return ""


@dataclass(frozen=True, kw_only=True)
class SignOfLife:
    """Sign of life that a process leaves in a file.

    Attributes:
        pid: process id.
        time: by the clock; ISO 8601, UTC.
        monotonic: by a clock that nobody sets and that stands still while the machine is suspended.
        boot: names the start of the machine that this clock counts from; empty if the system has no name for it.
    """

    pid: int
    time: str
    monotonic: float
    boot: str

    @classmethod
    def now(cls) -> SignOfLife:
        """Return a sign of life of this process."""
        return cls(
            pid=os.getpid(),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            monotonic=time.monotonic(),
            boot=_boot_id(),
        )

    def age(self) -> float:
        """Return the seconds since, as far as they can be told: by the clock, if another machine wrote it."""
        if self.boot and self.boot == _boot_id():
            return max(0.0, time.monotonic() - self.monotonic)
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(self.time)).total_seconds())


def write_sign_of_life(descriptor: int) -> None:
    """Write a sign of life over the beginning of an open file; do nothing if that fails, as on a full disk."""
    text = json.dumps(to_json_values(SignOfLife.now())).ljust(_LENGTH - 1) + "\n"
    with suppress(OSError):
        os.pwrite(descriptor, text.encode("ascii"), 0)


def read_sign_of_life(path: Path) -> SignOfLife | None:
    """Return the sign of life that a file holds; None if it holds none."""
    try:
        with open_regular_file(path) as file:
            text = file.read(_LENGTH)
        sign = from_json_values(SignOfLife, json.loads(text), name="sign of life", error=InputError)
        return sign if datetime.fromisoformat(sign.time).tzinfo is not None else None
    except (OSError, ValueError, InputError):
        return None


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
