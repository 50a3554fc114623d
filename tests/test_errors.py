"""What errors are called: the same one, wherever it turns up."""

from __future__ import annotations

import errno

import pytest

from gwas_core.errors import FailureKind, InputError, describe_unexpected


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libcusolver.so.11: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
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
