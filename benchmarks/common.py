"""What the measurements share: rows of the table, and processes of their own to measure in."""

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
"""To train on: the size the tutorial's epoch is stated for."""
BATCH = 30


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        what: is measured.
        tutorial, ours: the two figures, for people; ``tutorial`` may be empty.
        ratio: the figure that the target is about, for people.
        target: as it was set.
        holds: whether the target is reached; None where there is none.
        note: how it was measured, and what is projected.
        values: the figures behind it, JSON-ready.
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
    """The JSON object that ``python -m benchmarks.<module>`` prints as its last line, threads set on purpose.

    Raises:
        RuntimeError: it failed, with the end of what it said; or took longer than ``limit`` seconds.
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
    """The real file where it is at hand; else a simulated one of the same size and layout in ``folder``."""
    real = REAL_DATA / "IMP_height.txt.gz"
    if real.is_file():
        return real
    path = folder / "simulated_height.txt.gz"
    if not path.is_file():
        write_table(simulate(SimulationSettings(seed=1)), path)
    return path


def read_dataset(path: Path) -> Dataset:
    """As the product reads, checks and prepares it."""
    table = read_table(path)
    dataset, _ = make_dataset(table, guess_roles(table))
    return preprocess(dataset, PreprocessingSettings()).dataset
