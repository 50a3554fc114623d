"""A whole search by the product's command: seconds, best error, and memory of all processes.

    python -m benchmarks.search FILE [--trials 35] [--parallel 3] [--preset tutorial]

A trial that is worse than the median of the others at the same epoch is stopped (Katib's median stopping).

Memory is the proportional set size of the command and all its child processes, so shared memory counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import ROOT

_EVERY_SECONDS = 0.5


class MemoryWatch(threading.Thread):
    """Peak memory of all processes whose environment names the workspace."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.peak_processes = 0
        self._mark = str(workspace)
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            sizes = [size for process in psutil.process_iter() if (size := self._size(process))]
            if sum(sizes) > self.peak_bytes:
                self.peak_bytes, self.peak_processes = sum(sizes), len(sizes)

    def end(self) -> None:
        self._over.set()
        self.join()

    def _size(self, process: psutil.Process) -> int:
        try:
            if process.environ().get("GWAS_WORKSPACE") != self._mark:
                return 0
            return int(process.memory_full_info().pss)
        except psutil.Error:
            return 0


def run_search(file: Path, *, preset: str, trials: int, parallel: int) -> dict[str, Any]:
    """Run the command in a new workspace and return time, peak memory and its JSON answer."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        watch = MemoryWatch(workspace)
        watch.start()
        started = time.perf_counter()
        done = subprocess.run(
            [
                sys.executable, "-m", "gwas_core", "tune", str(file), "--preset", preset, "--max-trials", str(trials),
                "--parallel-trials", str(parallel), "--early-stopping", "medianstop", "--name", "benchmark", "--json",
            ],
            cwd=ROOT,
            env={**os.environ, "GWAS_WORKSPACE": str(workspace)},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        taken = time.perf_counter() - started
        watch.end()
        if done.returncode != 0:
            raise RuntimeError(f"the search failed:\n{done.stderr[-2000:]}")
        answer = json.loads(done.stdout)
    return {
        "seconds": taken,
        "peak_gigabytes": watch.peak_bytes / 1e9,
        "peak_processes": watch.peak_processes,
        "answer": answer,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--preset", default="tutorial")
    parser.add_argument("--trials", type=int, default=35)
    parser.add_argument("--parallel", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(run_search(options.file, preset=options.preset, trials=options.trials, parallel=options.parallel)))


if __name__ == "__main__":
    main()
