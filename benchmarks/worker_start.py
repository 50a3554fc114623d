"""Starting workers: from our fork server, and from multiprocessing's with the same modules preloaded.

    python -m benchmarks.worker_start

Prints, for each way, the seconds until the first worker and the median of the next two are ready, and the memory in
bytes that each of three idle workers holds for itself (its proportional share of private pages).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.common import in_fresh_process
from gwas_core.processes.channel import Channel
from gwas_core.processes.fork_server import serve_forks
from gwas_core.processes.threads import thread_environment
from gwas_core.processes.worker import serve_jobs
from gwas_core.processes.worker_pool import CanBegin, Message, Task, WorkerPool
from gwas_core.serialization import JsonObject

WORKERS = 3


def main() -> None:
    """Measure one way, named by the only argument, or both in processes of their own."""
    import sys

    match sys.argv[1:]:
        case []:
            ways = {name: in_fresh_process("worker_start", name) for name in ("ours", "multiprocessing")}
            print(json.dumps(ways, indent=2))
        case ["ours"]:
            print(json.dumps(measure_ours()))
        case ["multiprocessing"]:
            print(json.dumps(measure_multiprocessing()))
        case _:  # what ``measure_ours`` starts, with its parent's id
            import_network()
            serve_forks(lambda: serve_jobs(Channel(), lambda _: {"pid": os.getpid()}))


def measure_ours() -> dict[str, Any]:
    """Start workers of a ``WorkerPool`` one after the other."""
    seconds, processes = [], []
    with tempfile.TemporaryDirectory() as folder:
        environment = thread_environment(os.environ, 1)
        pool: WorkerPool[JsonObject] = WorkerPool(
            WORKERS,
            ("benchmarks.worker_start", "serve"),
            encode=dict,
            environment=environment,
            log_directory=Path(folder),
        )
        try:
            for _ in range(WORKERS):
                began = time.perf_counter()
                pool.assign(Task({}))
                (event,) = wait_for(pool, CanBegin)
                seconds.append(time.perf_counter() - began)
                pool.send(event.slot)
                (answer,) = wait_for(pool, Message)
                processes.append(answer.content.result["pid"])
                # Without releasing its slot, so that the next task starts another worker.
            return summary(seconds, processes)
        finally:
            pool.close()


def wait_for(pool: WorkerPool[JsonObject], kind: Any) -> list[Any]:
    """Return the events of this kind, once there is one."""
    while True:
        if found := [event for event in pool.wait(1.0) if isinstance(event, kind)]:
            return found


def measure_multiprocessing() -> dict[str, Any]:
    """Start processes of a forkserver context one after the other."""
    os.environ.update(thread_environment(os.environ, 1))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gwas_core.model.search_functions", "tensorflow"])
    seconds, processes, connections = [], [], []
    for _ in range(WORKERS):
        began = time.perf_counter()
        ours, theirs = context.Pipe()
        context.Process(target=answer_ready, args=(theirs,), daemon=True).start()
        theirs.close()
        processes.append(ours.recv())
        seconds.append(time.perf_counter() - began)
        connections.append(ours)
    return summary(seconds, processes)


def answer_ready(connection: Connection) -> None:
    """Say that this process is ready, and wait until nobody needs it."""
    import_network()
    connection.send(os.getpid())
    try:
        connection.recv()
    except EOFError:
        os._exit(0)


def import_network() -> None:
    """Import what training needs."""
    from gwas_core.model.search_functions import import_before_fork

    import_before_fork()


def summary(seconds: list[float], processes: list[int]) -> dict[str, Any]:
    """Return the figures of one way, while its workers live."""
    return {
        "first_seconds": round(seconds[0], 2),
        "next_seconds": round(statistics.median(seconds[1:]), 3),
        "bytes": [private_bytes(process) for process in processes],
    }


def private_bytes(process: int) -> int:
    """Return the share of private pages that a process holds (Linux)."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
