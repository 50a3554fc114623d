"""When something was last done for a folder."""

from __future__ import annotations

import math
from pathlib import Path

from gwas_core.kubeflow.recent_times import RecentTimes

A, B, C = Path("/a"), Path("/b"), Path("/c")


def test_what_was_never_done_is_not_recent() -> None:
    assert not RecentTimes().is_within(A, math.inf)


def test_what_was_done_is_recent_for_a_while() -> None:
    times = RecentTimes()
    times.mark(A)
    assert times.is_within(A, 3600)
    assert not times.is_within(A, 0)
    assert not times.is_within(B, math.inf)


def test_only_so_many_are_remembered_the_latest() -> None:
    times = RecentTimes(most=2)
    for folder in (A, B, A, C):
        times.mark(folder)
    assert [times.is_within(folder, math.inf) for folder in (A, B, C)] == [True, False, True]
