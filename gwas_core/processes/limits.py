"""Limits of memory and time of a process that reads what is not trusted, and how it ended in words.

Also here: the memory and time that reading a file may take, and the variables that change them; where a system has no
such limits; why no ``preexec_fn``.

Reading a file that someone else made can take any amount of memory and time, whatever its size. So it is read in a
process of its own, and only this process ends by it: ``run_limited`` runs one of our modules so, ``call_limited`` one
of our functions.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gwas_core import errors
from gwas_core.errors import ExperimentError, GwasError, InputError, SettingsError
from gwas_core.messages import byte_size, duration, quoted
from gwas_core.processes.channel import die_with
from gwas_core.processes.detached import import_environment, module_command
from gwas_core.processes.memory import usable_bytes
from gwas_core.processes.settings import seconds_setting, size_setting
from gwas_core.processes.threads import thread_environment
from gwas_core.serialization import JsonObject

MEMORY_VARIABLE = "GWAS_READING_MEMORY"
"""Environment variable with the most memory that reading a file of somebody else may take, such as ``8 GiB``."""

SECONDS_VARIABLE = "GWAS_READING_SECONDS"
"""Environment variable with the most seconds that reading a file of somebody else may take."""

_DEFAULT_SECONDS = 600.0
# Python, numpy and pandas alone take 150 MB, and OpenBLAS tries for ever where it gets no memory while it is loaded.
_LEAST_MEMORY, _LEAST_DEFAULT = 256 * 1024**2, 512 * 1024**2
# What a process writes is a small record; large results are files.
_LARGEST_OUTPUT, _LARGEST_LOG = 64 * 1024**2, 1024**2

_MODULE, _CALL = "gwas_core.processes.limits", "gwas_core.processes.limited_call"
# What libraries print, and nothing else, where the system refuses them memory and they give up.
_OUT_OF_MEMORY_TEXTS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory", "ResourceExhausted")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a process.

    Attributes:
        memory: bytes of memory of its own; Linux refuses it more. Libraries take a part of it.
        seconds: from its start to its end, after which its parent ends it; the system does after twice as much
            processor time.

    Raises:
        ValueError: a limit is not positive.
    """

    memory: int
    seconds: float

    def __post_init__(self) -> None:
        if self.memory <= 0 or not 0 < self.seconds < math.inf:
            raise ValueError("limits must be positive numbers")


def reading_limits(environment: Mapping[str, str] | None = None, *, default_memory: int | None = None) -> Limits:
    """Return the limits under which a file of somebody else is read.

    Memory is that of ``GWAS_READING_MEMORY``, by default half of what this machine or container has; seconds are those
    of ``GWAS_READING_SECONDS``, by default 600.

    Args:
        environment: environment variables; those of this process if not given.
        default_memory: bytes in place of half of the machine's.

    Raises:
        SettingsError: a variable holds no size or number, or too little memory.
    """
    environment = os.environ if environment is None else environment
    if default_memory is None:
        default_memory = max(_LEAST_DEFAULT, usable_bytes() // 2)
    memory = size_setting(MEMORY_VARIABLE, default_memory, environment)
    if memory < _LEAST_MEMORY:
        raise SettingsError(
            f"{MEMORY_VARIABLE} must be at least {byte_size(_LEAST_MEMORY)}, which Python and its libraries take, not "
            f"{byte_size(memory)}",
            field=MEMORY_VARIABLE,
        )
    return Limits(
        memory=memory,
        seconds=seconds_setting(
            SECONDS_VARIABLE, _DEFAULT_SECONDS, most=7 * 86_400, such_as=", such as 600", environment=environment
        ),
    )


def run_limited(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    limits: Limits,
    threads: int = 1,
    standard_input: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run one of our modules to its end under limits, and return its exit code and what it wrote.

    The limits are set by the new process itself before it imports the module: ``preexec_fn`` can hang a program with
    threads. The process dies with this one, and is the first one that the system kills where memory runs out. Files
    that it makes are its caller's to remove, also after an error.

    Args:
        module: as in ``python -m``.
        arguments: of its command line.
        environment: of the process.
        limits: of the process.
        threads: of each library, which reserves memory for each of them.
        standard_input: what it can read from stdin.

    Returns:
        Its exit code, at most 64 MiB that it wrote to stdout (nothing if that was more), and the last of stderr.

    Raises:
        OSError: the system does not start it.
        subprocess.TimeoutExpired: it took longer than ``limits.seconds``.
    """
    own = (limits.memory, _processor_seconds(limits), os.getpid())
    command = module_command(_MODULE, *map(str, own), module, *arguments)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
        given.write(standard_input)
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 - our own modules
            command,
            stdin=given,
            stdout=output,
            stderr=log,
            env=import_environment(thread_environment(environment, threads)),
            # A session of its own: a kill reaches whatever it may start, and Ctrl-C only us.
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limits.seconds)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return subprocess.CompletedProcess(command, code, _whole(output), _tail(log))


def exceeded(done: subprocess.CompletedProcess[bytes], limits: Limits) -> str:
    """Return which limit a process has run into, as the end of a sentence: ``takes more than 2 GiB of memory``.

    Args:
        done: process that ended without saying why.
        limits: those it ran under.

    Returns:
        Empty if it ended for another reason.
    """
    if done.returncode in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        return f"takes more than {duration(_processor_seconds(limits))} of processor time"
    log = done.stderr.decode("utf-8", errors="replace")
    # The system killed it, or a library gave up where memory was refused: it does so without an answer.
    if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL) or any(text in log for text in _OUT_OF_MEMORY_TEXTS):
        return f"takes more than {byte_size(limits.memory)} of memory"
    return ""


def call_limited(
    function: str,
    arguments: JsonObject,
    *,
    limits: Limits,
    subject: str,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call one of our functions in a process with limits, as ``run_limited`` starts it, and return its answer.

    Args:
        function: module and name, as in ``"gwas_core.genotypes.limited_reading:read_outline"``.
        arguments: keyword arguments of the function, as JSON values.
        limits: of the process.
        subject: what is done, as the beginning of a sentence: ``"reading 'height.txt'"``.
        environment: of the process; that of this one if not given.

    Returns:
        JSON values that the function returned.

    Raises:
        GwasError: that which the function raised, of the same class.
        InputError: a limit was exceeded; the sentence says which one, and the variable that raises it.
        ExperimentError: the process could not be started, or ended by a fault of ours.
    """
    try:
        done = run_limited(
            _CALL,
            environment=os.environ if environment is None else environment,
            limits=limits,
            standard_input=json.dumps({"function": function, "arguments": arguments}).encode(),
        )
    except subprocess.TimeoutExpired as error:
        raise _refusal(subject, f"takes more than {duration(limits.seconds)}", SECONDS_VARIABLE) from error
    except OSError as error:
        raise ExperimentError(
            f"no process can be started ({error.strerror or 'unknown reason'}): end other programs, and try again"
        ) from error
    values: Any = None
    if done.returncode == 0:
        with contextlib.suppress(ValueError, RecursionError):
            values = json.loads(done.stdout)
    match values:
        case {"answer": result}:
            return result
        case {"class": str(name), "text": str(text), "field": field}:
            raise _raised(name, text, field)
    limit = exceeded(done, limits)
    if limit:
        raise _refusal(subject, limit, MEMORY_VARIABLE if limit.endswith("memory") else SECONDS_VARIABLE)
    lines = [line.strip() for line in done.stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
    reason = quoted("".join(c if c.isprintable() else "?" for c in lines[-1]), limit=200) if lines else "without a word"
    raise ExperimentError(f"{subject} ended with code {done.returncode}: {reason}")


def _refusal(subject: str, limit: str, variable: str) -> InputError:
    return InputError(
        f"{subject} {limit}, the limit: make sure that it is the right file, or raise the limit by {variable}"
    )


def _raised(name: str, text: str, field: Any) -> GwasError:
    """Return the error that the function raised."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, GwasError)):
        kind = GwasError
    return SettingsError(text, field=str(field)) if issubclass(kind, SettingsError) else kind(text)


def _processor_seconds(limits: Limits) -> int:
    # The parent's own clock comes first. This one ends the process where the parent was stopped, and cannot.
    return math.ceil(limits.seconds * 2) + 10


def _whole(file: IO[bytes]) -> bytes:
    """Return what was written to a file, or nothing if that is too much."""
    if os.fstat(file.fileno()).st_size > _LARGEST_OUTPUT:
        return b""
    file.seek(0)
    return file.read()


def _tail(file: IO[bytes]) -> bytes:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _LARGEST_LOG))
    return file.read(_LARGEST_LOG)


def limit_this_process(memory_bytes: int, processor_seconds: int) -> None:
    """Limit memory and processor time of this process for the rest of its life, as far as the system can.

    Linux keeps both; macOS keeps processor time; Windows has neither. A lower limit that is set already stays.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    # Memory that is written to, which is what runs out. The address space is no measure of it: TensorFlow reserves
    # 1.4 GB more than it uses, and a file mapped into memory takes none.
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    for kind, wanted in ((memory, memory_bytes), (resource.RLIMIT_CPU, processor_seconds), (resource.RLIMIT_CORE, 0)):
        soft, hard = resource.getrlimit(kind)
        lowest = min([wanted, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)])
        with contextlib.suppress(OSError, ValueError):  # a system that knows the limit and does not keep it
            resource.setrlimit(kind, (lowest, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _main(arguments: list[str]) -> None:
    memory, seconds, parent, module, *rest = arguments
    die_with(int(parent))
    limit_this_process(int(memory), int(seconds))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
