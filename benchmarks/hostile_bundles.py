"""Command ``python -m benchmarks.hostile_bundles``: what each hostile bundle costs, and what is said of it.

    python -m benchmarks.hostile_bundles [--only TEXT] [--keep FOLDER]

Every bundle of ``tests/model/hostile_bundles.py`` is given to ``predict`` in a process of its own, as a person or the
dashboard would do. The table tells the bytes of the file, the largest memory of any process, the processor time of all
of them, and the refusal. It ends with an error if one of them predicts, or is refused in more than one sentence.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gwas_core.processes.detached import import_environment, module_command
from tests.model.hostile_bundles import (
    HONEST,
    HOSTILE,
    make_hostile,
    write_directory_of_many_files,
    write_lzma_members,
)


@dataclass(frozen=True)
class Cost:
    """What one bundle cost: bytes of the file, bytes of memory, seconds of processor time and of waiting."""

    size: int
    memory: int
    processor_seconds: float
    seconds: float
    code: int
    said: str


def measure(bundle: Path) -> Cost:
    """Predict the lines of the honest bundle with another one."""
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        process = os.posix_spawn(
            sys.executable,
            module_command("gwas_core", "predict", str(bundle), str(HONEST.parent / "height.txt.gz"), "--json"),
            import_environment({**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}),
            file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)],
        )
        _, status, usage = os.wait4(process, 0)
        seconds = time.monotonic() - started
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
    return Cost(
        size=bundle.stat().st_size,
        memory=usage.ru_maxrss * 1024,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        seconds=seconds,
        code=os.waitstatus_to_exitcode(status),
        said=" / ".join(line for line in lines if not line.startswith("note:")),
    )


def main() -> int:
    """Measure all of them, print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="bundles whose name holds this")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the bundles here, and measure nothing")
    options = parser.parse_args()
    failed = []
    largest = Cost(0, 0, 0, 0, 0, "")
    if not options.keep:
        print("| bundle | kB | MB of memory | processor s | s | refusal |\n|---|---:|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        if not options.keep:
            # By a process of its own: what it held at most would count for all that are started after it.
            subprocess.run([sys.executable, "-m", __spec__.name, "--keep", name, "--only", options.only], check=True)
        written = {
            "(honest, for comparison)": lambda path: path.write_bytes(HONEST.read_bytes()),
            **{name: lambda path, name=name: make_hostile(name, path) for name in HOSTILE},
            "a directory of 300,000 files": write_directory_of_many_files,
            "members packed by LZMA": write_lzma_members,
        }
        for title, write in written.items():
            if options.only not in title:
                continue
            bundle = folder / f"{title.replace(' ', '-').replace('/', '-')}.zip"
            if options.keep:
                write(bundle)
                continue
            cost = measure(bundle)
            said = cost.said if title in HOSTILE or cost.code else "predicts"
            print(
                f"| {title} | {cost.size / 1000:,.0f} | {cost.memory / 1e6:,.0f} | {cost.processor_seconds:.1f} | "
                f"{cost.seconds:.1f} | {said[:200]} |",
                flush=True,
            )
            if not title.startswith("("):
                largest = max(largest, cost, key=lambda one: one.memory)
                if cost.code not in (1, 2) or not cost.said.startswith("error:") or " / " in cost.said:
                    failed.append(title)
            bundle.unlink()
    if options.keep:
        return 0
    print(f"\nLargest memory {largest.memory / 1e6:,.0f} MB. Not refused in a sentence: {', '.join(failed) or 'none'}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
