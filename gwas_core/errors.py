"""Errors that the project raises on purpose, and the kinds of failure of a trial.

Also here: which kind of failure (memory, divergence, full disk, lost files, bad settings, bug) an error means for the
trial that raised it; an unforeseen error in one line; the error for wrong input, a refused setting, a damaged bundle, a
state that forbids something; a full disk in words, also where a library does not say that it was one.

A message states the rule, the value found and what to do about it, in one sentence a biologist can act on. Any other
error is a bug.
"""

from __future__ import annotations

import errno
import os
import re
from enum import StrEnum


class GwasError(Exception):
    """Base class of all errors that this project raises on purpose."""


class InputError(GwasError, ValueError):
    """Input from outside (a file, an archive, a table) that cannot be used."""


class SettingsError(GwasError, ValueError):
    """Setting that is refused.

    Attributes:
        field: name of the setting (``"learning_rate.min"``), so that a form can show the reason beside it.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class FailureKind(StrEnum):
    """Kind of reason for which a trial failed, stored with it: what to advise follows from it.

    Members:
        OUT_OF_MEMORY: the process could not get the memory it asked for.
        NOT_FINITE: the loss, an error or another figure is no finite number: training diverged.
        INVALID_SETTINGS: hyperparameters or data that do not fit each other.
        DISK_FULL: nothing more can be written.
        FILES_LOST: a file that was there is gone.
        WORKER_DIED: the process ended without an answer; most often the system killed it to free memory.
        INTERRUPTED: the process that ran the search died again and again while this trial ran.
        PROGRAM_ERROR: an error that nobody foresaw.
        UNKNOWN: nothing but the reason in words is known, as of trials stored before kinds were.
    """

    OUT_OF_MEMORY = "out_of_memory"
    NOT_FINITE = "not_finite"
    INVALID_SETTINGS = "invalid_settings"
    DISK_FULL = "disk_full"
    FILES_LOST = "files_lost"
    WORKER_DIED = "worker_died"
    INTERRUPTED = "interrupted"
    PROGRAM_ERROR = "program_error"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, error: BaseException) -> FailureKind:
        """Return the kind of failure that an error means for the trial that raised it."""
        match error:
            case TrialFailed():
                return error.kind
            case _ if is_out_of_memory(error):
                return cls.OUT_OF_MEMORY
            case InputError() | SettingsError():
                return cls.INVALID_SETTINGS
            case FileNotFoundError():
                return cls.FILES_LOST
            case OSError() if is_disk_full(error):
                return cls.DISK_FULL
            case GwasError():
                return cls.UNKNOWN
            case _:
                return cls.PROGRAM_ERROR

    @classmethod
    def read(cls, text: object) -> FailureKind:
        """Return the kind that a stored text names; ``UNKNOWN`` for anything else."""
        return cls(text) if isinstance(text, str) and text in set(cls) else cls.UNKNOWN


class TrialFailed(GwasError, RuntimeError):
    """Failure of one trial for a reason of its own (non-finite loss, out of memory); the search goes on."""

    def __init__(self, message: str, *, kind: FailureKind = FailureKind.UNKNOWN) -> None:
        super().__init__(message)
        self.kind = kind


class TrialPruned(GwasError):
    """Early end of a trial that the reporter asked for; the best epoch so far is kept."""


class ExperimentError(GwasError, RuntimeError):
    """Experiment that does not exist, or is in a state that does not allow what was asked."""


class BrokenExperimentError(ExperimentError):
    """Experiment of the store that cannot be read: half made, damaged, or written by another version.

    Attributes:
        reason: why it cannot be read.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SpaceExhausted(GwasError):
    """End of a search in which every point of a finite space was suggested."""


class DiskError(GwasError, OSError):
    """File or folder that the system does not let be written or read: most often, the disk is full.

    Attributes:
        errno: of the system's error; None if it is not known.
    """

    def __init__(self, message: str, *, number: int | None = None) -> None:
        super().__init__(message)
        self.errno = number


class BundleError(InputError):
    """Model bundle that is damaged, tampered with, or was not made by this program."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the system gave no more memory, also where a library says it another way."""
    match error:
        case MemoryError() | OSError(errno=errno.ENOMEM):
            return True
        case ImportError():  # of a library written in C
            return any(words in str(error) for words in _NO_MEMORY_WORDS)
        case RuntimeError():
            return str(error) == "can't start new thread"
        case SystemError():  # of a library that was loaded in part
            return str(error) == "error return without exception set"
        case _:
            return False


_NO_MEMORY_WORDS = ("failed to map segment", "Cannot allocate memory", "cannot allocate memory")

OUT_OF_MEMORY = (
    "memory ran out: use a smaller file, close other programs, or raise the limit of this shell (ulimit -v) or of the "
    "container"
)
"""What is said of it where a command ends."""


def describe_unexpected(error: BaseException) -> str:
    """Return an unexpected error as one line of text."""
    if is_out_of_memory(error):
        return "memory ran out: use fewer parallel trials, a smaller batch size or fewer units"
    if isinstance(error, OSError) and is_disk_full(error):
        return describe_os_error(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# HDF5 tells the system's error only in words, and numpy's tofile only how much it could write.
_FULL_IN_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|^\d+ requested and \d+ written$", re.MULTILINE
)


def is_disk_full(error: OSError) -> bool:
    """Return whether an error means that nothing more can be written: the disk is full, or somebody's quota is."""
    return error.errno in _FULL or (error.errno is None and _FULL_IN_WORDS.search(str(error)) is not None)


def describe_os_error(error: OSError, path: str | os.PathLike[str] | None = None) -> str:
    """Return an error of the system about a file as one sentence, with what to do if the disk is full.

    Args:
        error: as the system raised it.
        path: of the file, if the error does not tell it.

    Returns:
        The words of a ``DiskError`` stay as they are.
    """
    if isinstance(error, DiskError):
        return str(error)
    name = error.filename if path is None else path
    file = "" if name is None else os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)
    if is_disk_full(error):
        what = f"{file} cannot be written" if file else "nothing more can be written"
        return f"the disk is full: {what}; make room, then try again (what was finished is kept)"
    reason = error.strerror or str(error) or type(error).__name__
    reason = reason[0].lower() + reason[1:]
    return f"{file} cannot be used: {reason}" if file else f"a file cannot be used: {reason}"
