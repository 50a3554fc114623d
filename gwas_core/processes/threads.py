"""Threads and cores: how many cores a container gives, and the threads of each worker that share them.

Also here: environment variables of BLAS, OpenMP and TensorFlow; memory of a shared GPU.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_CGROUP_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")

# Every library that would otherwise start a thread for each core of the machine.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


def usable_cores() -> int:
    """Return the number of cores this process may use: those it is bound to, at most what its container is given."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit = container_cores(_CGROUP_CPU_LIMIT.read_text(encoding="ascii"))
    except OSError:
        limit = None
    return bound if limit is None else max(1, min(bound, limit))


def container_cores(text: str) -> int | None:
    """Return the cores that a cgroup's ``cpu.max`` allows, rounded up; None for no limit.

    Args:
        text: content of ``cpu.max``, "quota period" in microseconds.
    """
    quota, _, period = text.strip().partition(" ")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return max(1, -(-int(quota) // int(period)))


def worker_threads(cores: int, parallel_trials: int) -> int:
    """Return the number of threads for each worker, so that all together keep no more than the cores busy.

    Args:
        cores: as ``usable_cores`` counts them.
        parallel_trials: number of workers at the same time.

    Returns:
        At least 1.
    """
    return max(1, cores // parallel_trials)


def thread_environment(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return a copy of ``environment`` for a process of ``threads`` threads; libraries read it when they load.

    Args:
        environment: is not changed; its own numbers of threads are replaced in the copy.
        threads: of linear algebra, and of each operation of TensorFlow.
    """
    return {
        **environment,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        # Operations of one network run one after the other: a second pool of threads only competes.
        "TF_NUM_INTEROP_THREADS": "1",
        # Workers that share a GPU take memory as they need it, not all of it at once.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
