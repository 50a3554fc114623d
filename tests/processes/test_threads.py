"""Cores shared out."""

from __future__ import annotations

import os

import pytest

from gwas_core.processes.threads import container_cores, thread_environment, usable_cores, worker_threads


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000", 2),
        ("5000 100000", 1),
        ("", None),
        ("1 0", None),
    ],
)
def test_container_limits(text: str, cores: int | None) -> None:
    assert container_cores(text) == cores


@pytest.mark.parametrize(("cores", "parallel", "threads"), [(16, 3, 5), (2, 3, 1), (1, 1, 1), (8, 8, 1), (4, 1, 4)])
def test_workers_together_use_the_cores_once(cores: int, parallel: int, threads: int) -> None:
    assert worker_threads(cores, parallel) == threads


def test_this_machine() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_environment_keeps_the_rest() -> None:
    before = {"HOME": "/home/anna", "OMP_NUM_THREADS": "64"}
    after = thread_environment(before, 2)
    assert (after["HOME"], after["OMP_NUM_THREADS"], after["TF_NUM_INTRAOP_THREADS"]) == ("/home/anna", "2", "2")
    assert before["OMP_NUM_THREADS"] == "64"
