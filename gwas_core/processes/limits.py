"""Call of one of our functions in a process of its own, with limits of memory and time; what it refuses, in a sentence.

Also here: sizes and durations given as environment variables; the memory a reading of somebody's file may take.

What a stranger sends (a table, a bundle) is read here first: whatever it makes of the memory or the time, only this
process ends by it, and the page or the command that asked says why.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from gwas_core import errors
from gwas_core.errors import ExperimentError, GwasError, InputError, SettingsError
from gwas_core.messages import byte_size, duration, quoted
from gwas_core.processes.channel import die_with
from gwas_core.processes.detached import import_environment, module_command
from gwas_core.processes.memory import usable_bytes
from gwas_core.processes.threads import thread_environment
from gwas_core.serialization import JsonObject

MEMORY_VARIABLE = "GWAS_READING_MEMORY"
"""Environment variable with the most memory that reading a file of somebody else may take, such as ``8 GiB``."""

SECONDS_VARIABLE = "GWAS_READING_SECONDS"
"""Environment variable with the most seconds that reading a file of somebody else may take."""

_DEFAULT_SECONDS = 600.0
# Python, numpy and pandas alone take 150 MB.
_LEAST_MEMORY = 512 * 1024**2
# What a function answers is a small record; large results are files, whose path it answers.
_LARGEST_ANSWER = 64 * 1024**2
_LONGEST_LOG = 64 * 1024
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

_MEMORY, _TIME = "memory", "time"
# What libraries print, and nothing else, where the system refuses them memory and they give up.
_OUT_OF_MEMORY_TEXTS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory", "ResourceExhausted")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a process.

    Attributes:
        memory: bytes of memory of its own. Under Linux the kernel refuses more; elsewhere it may not.
        seconds: from its start to its answer.

    Raises:
        ValueError: a limit is not positive.
    """

    memory: int
    seconds: float

    def __post_init__(self) -> None:
        if self.memory <= 0 or not 0 < self.seconds < math.inf:
            raise ValueError("limits must be positive numbers")


def reading_limits(environment: Mapping[str, str] | None = None) -> Limits:
    """Return the limits under which a file of somebody else is read.

    Memory is that of ``GWAS_READING_MEMORY``, by default half of what this machine or container has; seconds are those
    of ``GWAS_READING_SECONDS``, by default 600.

    Args:
        environment: environment variables; those of this process if not given.

    Raises:
        SettingsError: a variable holds no size or number.
    """
    environment = os.environ if environment is None else environment
    return Limits(
        memory=size_setting(MEMORY_VARIABLE, max(_LEAST_MEMORY, usable_bytes() // 2), environment),
        seconds=_seconds_setting(SECONDS_VARIABLE, _DEFAULT_SECONDS, environment),
    )


def size_setting(variable: str, default: int, environment: Mapping[str, str] | None = None) -> int:
    """Return the bytes that an environment variable gives as in ``4 GiB``, ``500M`` or ``1000000``.

    Args:
        variable: its name.
        default: used where it is not set or empty.
        environment: environment variables; those of this process if not given.

    Raises:
        SettingsError: it holds no size.
    """
    text = (os.environ if environment is None else environment).get(variable, "").strip()
    if not text:
        return default
    match = _SIZE.fullmatch(text)
    size = 0.0
    if match is not None:
        number, unit, binary = match.groups()
        size = float(number) * (1024 if binary or unit else 1000) ** _UNITS[unit.lower()]
    if not 1 <= size < 2**62:
        raise SettingsError(f"{variable} must be a size such as 4 GiB or 500 MiB, not {quoted(text)}", field=variable)
    return int(size)


def _seconds_setting(variable: str, default: float, environment: Mapping[str, str]) -> float:
    text = environment.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 7 * 86_400:
        raise SettingsError(f"{variable} must be a number of seconds, such as 600, not {quoted(text)}", field=variable)
    return seconds


def call_limited(
    function: str,
    arguments: JsonObject,
    *,
    limits: Limits,
    subject: str,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call one of our functions in a process of its own, and return its answer.

    The process dies with this one, is the first one that the system kills where memory runs out, and reads nothing
    from stdin. Files that the function makes are its caller's to remove, also after an error.

    Args:
        function: module and name, as in ``"gwas_core.model.bundle:check"``.
        arguments: keyword arguments of the function, as JSON values.
        limits: of the process.
        subject: what is done, as the beginning of a sentence: ``"reading 'height.txt'"``.
        environment: of the process; that of this one, with one thread for each library, if not given.

    Returns:
        JSON values that the function returned.

    Raises:
        GwasError: that which the function raised, of the same class.
        InputError: a limit was exceeded; the sentence says which one, and the variable that raises it.
        ExperimentError: the process could not be started, or ended by a fault of ours.
    """
    module, _, name = function.partition(":")
    request = {
        "module": module,
        "name": name,
        "arguments": arguments,
        "memory": limits.memory,
        "seconds": limits.seconds,
        "parent": os.getpid(),
    }
    with (
        tempfile.TemporaryFile() as question,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as log,
    ):
        question.write(json.dumps(request).encode())
        question.seek(0)
        code = _run(question, answer, log, limits, environment)
        return _result(code, _content(answer, _LARGEST_ANSWER), _tail(log), limits=limits, subject=subject)


def _run(
    question: IO[bytes], answer: IO[bytes], log: IO[bytes], limits: Limits, environment: Mapping[str, str] | None
) -> int | None:
    """Return the exit code of the process that answers; None if it took too long."""
    variables = thread_environment(os.environ, 1) if environment is None else environment
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            module_command("gwas_core.processes.limits"),
            stdin=question,
            stdout=answer,
            stderr=log,
            env=import_environment(variables),
            # A session of its own: a kill reaches whatever it may start, and Ctrl-C only us.
            start_new_session=True,
        )
    except OSError as error:
        raise ExperimentError(
            f"no process can be started ({error.strerror or 'unknown reason'}): end other programs, and try again"
        ) from error
    try:
        return process.wait(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _result(code: int | None, content: bytes | None, log: str, *, limits: Limits, subject: str) -> Any:
    if code is None or code == -signal.SIGXCPU:
        raise _exceeded(_TIME, limits, subject)
    values: Any = None
    if content is not None and code == 0:
        with contextlib.suppress(ValueError, RecursionError):
            values = json.loads(content)
    match values:
        case {"answer": result}:
            return result
        case {"exceeded": limit}:
            raise _exceeded(limit, limits, subject)
        case {"class": str(name), "text": str(text), "field": field}:
            raise _raised(name, text, field)
    # The system killed it, or a library gave up where memory was refused: it does so without an answer.
    if code == -signal.SIGKILL or any(text in log for text in _OUT_OF_MEMORY_TEXTS):
        raise _exceeded(_MEMORY, limits, subject)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reason = quoted("".join(c if c.isprintable() else "?" for c in lines[-1]), limit=200) if lines else "without a word"
    raise ExperimentError(f"{subject} ended with code {code}: {reason}")


def _exceeded(limit: str, limits: Limits, subject: str) -> InputError:
    if limit == _TIME:
        return InputError(
            f"{subject} takes more than {duration(limits.seconds)}, the limit: make sure that it is the right file, or "
            f"raise the limit by {SECONDS_VARIABLE}"
        )
    return InputError(
        f"{subject} takes more than {byte_size(limits.memory)} of memory, the limit: make sure that it is the right "
        f"file, or raise the limit by {MEMORY_VARIABLE}"
    )


def _raised(name: str, text: str, field: Any) -> GwasError:
    """Return the error that the function raised."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, GwasError)):
        kind = GwasError
    return SettingsError(text, field=str(field)) if issubclass(kind, SettingsError) else kind(text)


def _content(file: IO[bytes], limit: int) -> bytes | None:
    """Return what was written to a file, or None if it is more than ``limit``."""
    if os.fstat(file.fileno()).st_size > limit:
        return None
    file.seek(0)
    return file.read()


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _LONGEST_LOG))
    return file.read(_LONGEST_LOG).decode("utf-8", errors="replace")


def _limit_this_process(memory: int, seconds: float) -> None:
    # Memory that is written to, which is what runs out. The address space is no measure of it: TensorFlow reserves
    # 1.4 GB more than it uses, and a file mapped into memory takes none.
    _lower(resource.RLIMIT_DATA, memory)
    if sys.platform != "linux":
        _lower(resource.RLIMIT_AS, memory)
    # Ends it if the parent was stopped and cannot; the parent's own clock comes first.
    _lower(resource.RLIMIT_CPU, math.ceil(seconds * 2) + 10)
    _lower(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _lower(kind: int, value: int) -> None:
    """Set a limit of this process, where the system has it, unless there is a lower one already."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value if kind != resource.RLIMIT_CPU else hard))


def _serve() -> NoReturn:
    """Read the request on stdin, call the function under the limits, write the answer to what was stdout, and end."""
    request = json.loads(sys.stdin.buffer.read())
    die_with(request["parent"])
    _limit_this_process(request["memory"], request["seconds"])
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print
    try:
        values = _answer(request)
        with os.fdopen(output, "wb") as file:
            file.write(json.dumps(values, allow_nan=False).encode())
        code = 0
    except MemoryError:
        os.pwrite(output, json.dumps({"exceeded": _MEMORY}).encode(), 0)
        code = 0
    except BaseException:  # noqa: BLE001 - the parent is told by the exit code and the log
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    # At once: threads of libraries, and freeing of gigabytes, are not waited for.
    os._exit(code)


def _answer(request: JsonObject) -> JsonObject:
    try:
        function = getattr(importlib.import_module(request["module"]), request["name"])
        return {"answer": function(**request["arguments"])}
    except GwasError as error:
        return {"class": type(error).__name__, "text": str(error), "field": getattr(error, "field", None)}
    except MemoryError:
        return {"exceeded": _MEMORY}
    except Exception as error:
        # Of TensorFlow, by name: it is not imported for those who need it not.
        if type(error).__name__ == "ResourceExhaustedError":
            return {"exceeded": _MEMORY}
        raise


if __name__ == "__main__":
    _serve()
