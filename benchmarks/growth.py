"""How time and memory grow with lines and SNPs, on simulated populations: one epoch, and GBLUP by REML.

    python -m benchmarks.growth --lines 1000 --snps 4000 [--steps 20]

Measures one size; the table fits a power of the size to several of them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from benchmarks.common import BATCH
from gwas_core.genotypes.simulate import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split

_FAMILIES = 20


def peak_gigabytes() -> float:
    """The most memory this process has held so far (VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--snps", type=int, required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--network", action="store_true")
    options = parser.parse_args()
    dataset = simulate(
        SimulationSettings(families=_FAMILIES, lines_per_family=options.lines // _FAMILIES, snps=options.snps, seed=1)
    ).dataset
    split = make_split(dataset, SplitSettings())
    measured: dict[str, float] = {"lines": dataset.lines, "snps": options.snps, "data_gigabytes": peak_gigabytes()}
    if not options.network:
        from gwas_core.model.baselines import judge_baselines

        started = time.perf_counter()
        judge_baselines(dataset, split)
        measured |= {
            "baselines_seconds": time.perf_counter() - started,
            "baselines_gigabytes": peak_gigabytes(),
        }
    else:
        from gwas_core.model.networks import parse
        from gwas_core.model.trainer import Trainer

        network, chosen = parse({"batch_size": BATCH})
        trainer = Trainer(dataset, split.train, network, chosen, seed=0, xla=False)
        steps = min(options.steps, trainer.steps)
        trainer.epoch(steps=steps)
        started = time.perf_counter()
        trainer.epoch(steps=steps)
        measured |= {
            "epoch_seconds": (time.perf_counter() - started) / steps * trainer.steps,
            "training_gigabytes": peak_gigabytes(),
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
