"""What errors are called: the same one, wherever it turns up."""

from __future__ import annotations

import errno

import pytest

from gwas_core.errors import FailureKind, InputError, describe_unexpected, is_disk_full


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libcusolver.so.11: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        SystemError("error return without exception set"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_out_of_memory_is_told_by_whatever_says_so(error: Exception) -> None:
    assert FailureKind.of(error) is FailureKind.OUT_OF_MEMORY
    assert describe_unexpected(error).startswith("memory ran out: ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("can't start new thread"), FailureKind.INVALID_SETTINGS),
        (RuntimeError("another one"), FailureKind.PROGRAM_ERROR),
        (ImportError("No module named 'x'"), FailureKind.PROGRAM_ERROR),
        (FileNotFoundError(errno.ENOENT, "gone"), FailureKind.FILES_LOST),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception, kind: FailureKind) -> None:
    assert FailureKind.of(error) is kind
    assert "memory ran out" not in describe_unexpected(error)


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError("Can't write data (errno = 28, error message = 'No space left on device')"), True),
        (OSError("100 requested and 64 written"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (OSError("100 requested and 64 written, or so"), False),
    ],
)
def test_a_full_disk_is_told_by_whatever_says_so(error: OSError, is_full: bool) -> None:
    """HDF5 and numpy say it in words alone."""
    assert is_disk_full(error) is is_full
