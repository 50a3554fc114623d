"""Let work on files from outside wait its turn: two at a time, since each may take the memory that its limits allow.

Also here: a refusal as a value, which a cache can keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from gwas_core.errors import GwasError, InputError, SettingsError

_AT_ONCE = threading.BoundedSemaphore(2)

Result = TypeVar("Result")


@contextmanager
def turn() -> Iterator[None]:
    """Hold one of the two places of this dashboard for work in a process with limits; wait until one is free."""
    with _AT_ONCE:
        yield


def result_or_refusal(work: Callable[[], Result]) -> Result | GwasError:
    """Return what work returns when its turn has come or, as a value, why it refuses its file."""
    with turn():
        try:
            return work()
        except (InputError, SettingsError) as refusal:
            return refusal


def raised(result: Result | GwasError) -> Result:
    """Return a result.

    Raises:
        GwasError: the result is this refusal.
    """
    if isinstance(result, GwasError):
        raise result
    return result
