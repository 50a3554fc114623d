"""How tests wait: for a state, never for a time.

No verdict depends on how fast something went: a limit only ends what would never come, so it is the same for
everything, and far longer than a busy machine takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LIMIT = 900.0
"""Seconds after which what is waited for is taken for never to come."""

MILLISECONDS = LIMIT * 1000
"""The same, for Playwright."""


def wait_until(look: Callable[[], T], *, told: Callable[[], object] = str, limit: float = LIMIT) -> T:
    """Look until what is seen is true, and return it.

    Args:
        told: what to say of the state in which it was left, should it never come.
    """
    deadline = time.monotonic() + limit
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not come to that within {limit:.0f} s: {told()}"
        time.sleep(0.02)
    return found


# Trials that wait for the test, so that a search cannot be over before the test has looked at it.


def hold_trials(workspace: Path, finished: int) -> None:
    """Let only so many quick trials of each experiment finish; those that run besides wait at their end.

    Of trials that run at the same time, all that pass together may.
    """
    temporary = workspace / f"_hold.{threading.get_ident()}"
    temporary.write_text(str(finished))
    temporary.replace(workspace / "_hold")


def release_trials(workspace: Path) -> None:
    """Let all trials finish."""
    (workspace / "_hold").unlink(missing_ok=True)


def wait_while_held(trial_directory: Path) -> None:
    """Wait at the end of a quick trial for as long as the test holds it."""
    experiment = trial_directory.parent
    while True:
        try:
            allowed = int((experiment.parent / "_hold").read_text())
        except OSError:
            return
        if len(list(experiment.glob("*/model.json"))) < allowed:
            return
        time.sleep(0.02)
