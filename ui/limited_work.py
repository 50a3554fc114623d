"""Let work on files from outside wait its turn: two at a time, since each may take the memory that its limits allow.

Also here: a refusal as a value, which a cache can keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from gwas_core.errors import GwasError, InputError, SettingsError

TURNS = threading.BoundedSemaphore(2)
"""The places of this dashboard for work in a process with limits: hold one meanwhile."""

Result = TypeVar("Result")


def result_or_refusal(work: Callable[[], Result]) -> Result | GwasError:
    """Return what work returns when its turn has come or, as a value, why it refuses its file."""
    with TURNS:
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
        # Without where it was raised before: that would grow each time.
        raise result.with_traceback(None)
    return result
