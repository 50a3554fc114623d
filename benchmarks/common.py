"""Shared parts of the benchmarks: rows of the table, separate processes, and data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table
from gwas_core.messages import elapsed
from gwas_core.processes.detached import import_environment
from gwas_core.processes.threads import thread_environment, usable_cores

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("GWAS_REAL_DATA") or ROOT.parent / "shared" / "data")
LINES = 3_600
"""Number of training lines: the tutorial states the time of an epoch for this size."""
BATCH = 30


@dataclass(frozen=True, kw_only=True)
class Row:
    """Row of the table: one comparison.

    Attributes:
        what: name of what is measured.
        ours: figure of the product, as text.
        tutorial: figure of the tutorial, as text; may be empty.
        ratio: figure that the target refers to, as text.
        target: target, as text.
        holds: whether the target is reached; None if there is none.
        note: how it was measured, and what is projected.
        values: underlying figures as JSON values.
    """

    what: str
    ours: str
    tutorial: str = ""
    ratio: str = ""
    target: str = ""
    holds: bool | None = None
    note: str = ""
    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def in_fresh_process(module: str, *arguments: str, threads: int | None = None, limit: float = 3600.0) -> dict[str, Any]:
    """Run ``python -m benchmarks.<module>`` and return the JSON object of its last line.

    Args:
        module: name of the benchmark.
        arguments: of its command line.
        threads: number of threads; all cores if None.
        limit: maximum time in seconds.

    Raises:
        RuntimeError: the benchmark failed or took too long.
    """
    environment = thread_environment(import_environment(os.environ), threads or usable_cores())
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"benchmarks.{module} was not done after {elapsed(limit)}") from error
    if done.returncode != 0:
        raise RuntimeError(f"benchmarks.{module} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def full_size_file(folder: Path) -> Path:
    """Return the real file if it is here, else a simulated one of the same size and layout in ``folder``."""
    real = REAL_DATA / "IMP_height.txt.gz"
    if real.is_file():
        return real
    path = folder / "simulated_height.txt.gz"
    if not path.is_file():
        write_table(simulate(SimulationSettings(seed=1)), path)
    return path


def read_dataset(path: Path) -> Dataset:
    """Read, check and prepare a table as the product does."""
    table = read_table(path)
    dataset, _ = make_dataset(table, guess_roles(table))
    return preprocess(dataset, PreprocessingSettings()).dataset
