"""A function called in a process of its own, with limits of memory and time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from gwas_core.errors import BundleError, ExperimentError, InputError, SettingsError
from gwas_core.messages import duration
from gwas_core.processes.detached import import_environment, module_command
from gwas_core.processes.limits import Limits, call_limited, exceeded, reading_limits
from gwas_core.processes.settings import size_setting
from gwas_core.serialization import JsonObject
from tests.waiting import wait_until

LIMITED_CALL = "gwas_core.processes.limited_call"
GENEROUS = Limits(memory=2 * 1024**3, seconds=300)


def call(function: str, limits: Limits = GENEROUS, **arguments: object) -> JsonObject:
    result: JsonObject = call_limited(
        f"tests.processes.limited_functions:{function}", arguments, limits=limits, subject="reading 'a.txt'"
    )
    return result


def test_returns_the_answer_whatever_libraries_print() -> None:
    assert call("answer", a=[1, None], b="ü") == {"values": {"a": [1, None], "b": "ü"}, "stdin": ""}


@pytest.mark.parametrize("function", ["take", "take_in_numpy"])
def test_says_that_the_memory_is_limited(function: str) -> None:
    small = Limits(memory=512 * 1024**2, seconds=300)
    with pytest.raises(InputError) as refusal:
        call(function, small, size=700 * 1024**2)
    assert str(refusal.value) == (
        "reading 'a.txt' takes more than 512 MiB of memory, the limit: make sure that it is the right file, or raise "
        "the limit by GWAS_READING_MEMORY"
    )
    assert call(function, GENEROUS, size=700 * 1024**2)


@pytest.mark.parametrize("function", ["abort_for_memory", "be_killed"])
def test_a_death_for_want_of_memory_is_called_so(function: str) -> None:
    with pytest.raises(InputError, match="more than 2 GiB of memory, the limit"):
        call(function)


def test_ends_what_takes_too_long_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    for seconds in (20, 80, 320):  # on a busy machine, it may not have started anything in the first
        sentence = rf"takes more than {duration(seconds)}, the limit.*GWAS_READING_SECONDS"
        with pytest.raises(InputError, match=sentence):
            call("wait", Limits(memory=2 * 1024**3, seconds=seconds), pid_file=str(noted))
        if noted.is_file():
            break

    def has_ended(pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return True

    for pid in map(int, noted.read_text(encoding="ascii").split()):
        wait_until(lambda pid=pid: has_ended(pid))


def test_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    program = (
        "import sys\n"
        "from tests.processes.test_limits import GENEROUS, call\n"
        "call('wait', GENEROUS, pid_file=sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(noted)], env=import_environment(os.environ)) as parent:
        try:
            wait_until(lambda: noted.is_file() and " " in noted.read_text(encoding="ascii"))
        finally:
            parent.kill()
    limited, started_by_it = map(int, noted.read_text(encoding="ascii").split())
    try:
        wait_until(lambda: not psutil.pid_exists(limited) or psutil.Process(limited).status() == psutil.STATUS_ZOMBIE)
    finally:
        for left in (limited, started_by_it):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


def test_processor_time_is_limited_where_nobody_watches() -> None:
    """As where its parent was stopped, and cannot end it."""
    question = b'{"function": "tests.processes.limited_functions:compute", "arguments": {}}'
    done = subprocess.run(
        module_command("gwas_core.processes.limits", str(2 * 1024**3), "2", str(os.getpid()), LIMITED_CALL),
        env=import_environment(os.environ),
        input=question,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert exceeded(done, Limits(memory=2 * 1024**3, seconds=5)) == "takes more than 20 s of processor time"


def test_errors_of_ours_keep_their_class() -> None:
    with pytest.raises(BundleError, match=r"^'b.zip' is damaged$"):
        call("refuse_bundle")
    with pytest.raises(SettingsError, match=r"^no column is named 'x'$") as refusal:
        call("refuse_setting")
    assert refusal.value.field == "snp_columns"


def test_other_errors_are_one_sentence() -> None:
    with pytest.raises(ExperimentError, match=r"^reading 'a.txt' ended with code 1: \"KeyError: 'a bug'\"$"):
        call("fail")
    with pytest.raises(ExperimentError, match="ended with code 0"):
        call("answer_much")


def test_limits_come_from_the_environment() -> None:
    given = {"GWAS_READING_MEMORY": "1.5 GiB", "GWAS_READING_SECONDS": "90"}
    assert reading_limits(given) == Limits(memory=3 * 512 * 1024**2, seconds=90)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < reading_limits({}).memory <= max(physical // 2, 512 * 1024**2)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 4 * 1024**3), ("500 m", 500 * 1024**2), ("1000000", 10**6), ("2kb", 2048), (" ", 7), ("0.5T", 2**39)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert size_setting("GWAS_SIZE", 7, {"GWAS_SIZE": text}) == size


@pytest.mark.parametrize("text", ["-1", "0", "many", "1e9", "4 GiB GiB", "9" * 15 + "T", "nan", "4" * 5000])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="GWAS_SIZE must be a size such as 4 GiB") as refusal:
        size_setting("GWAS_SIZE", 7, {"GWAS_SIZE": text})
    assert refusal.value.field == "GWAS_SIZE"
    assert len(str(refusal.value)) < 200


def test_less_memory_than_libraries_take_is_refused() -> None:
    """OpenBLAS would try for ever to get it."""
    with pytest.raises(SettingsError, match=r"GWAS_READING_MEMORY must be at least 256 MiB, .*, not 100 MiB"):
        reading_limits({"GWAS_READING_MEMORY": "100 MiB"})


@pytest.mark.parametrize("text", ["0", "-5", "soon", "nan", "inf", "1e400"])
def test_other_seconds_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="GWAS_READING_SECONDS must be a number of seconds"):
        reading_limits({"GWAS_READING_SECONDS": text})
