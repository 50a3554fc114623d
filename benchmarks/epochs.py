"""Seconds of an epoch with and without XLA, and the least possible time (the floor), measured in the same run.

python -m benchmarks.epochs FILE --network hybrid [--layout flat] [--steps 20] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import BATCH, LINES, read_dataset
from benchmarks.floor import count_work, measure_machine


def measure(file: Path, hyperparameters: dict[str, Any], *, steps: int, rounds: int) -> dict[str, Any]:
    """Measure start (building, compiling, first step) and epoch with and without XLA, and the floor of an epoch."""
    from gwas_core.model.networks import parse_network
    from gwas_core.model.trainer import Trainer

    dataset = read_dataset(file)
    train = np.sort(np.random.default_rng(0).permutation(dataset.lines)[: min(LINES, dataset.lines)])
    network, chosen = parse_network(hyperparameters)
    machine = measure_machine()
    result: dict[str, Any] = {"sgemm_gflops": 2e-9 * machine.multiply_adds, "copy_gigabytes": 1e-9 * machine.bytes}
    for name, xla in (("without_xla", False), ("with_xla", True)):
        started = time.perf_counter()
        trainer = Trainer(dataset, train, network, chosen, seed=0, xla=xla)
        trainer.epoch(steps=1)
        first = time.perf_counter() - started
        trainer.epoch(steps=steps)  # compiled for this number of steps, caches warm
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            trainer.epoch(steps=steps)
            times.append((time.perf_counter() - started) / steps)
        result[name] = {"start_seconds": first, "epoch_seconds": min(times) * trainer.steps, "rounds": times}
    batch = dataset.genotypes[train[: chosen.batch_size]]
    target = np.zeros((len(batch), 1), dtype=np.float32)
    work = count_work(trainer.model, batch, target)
    result |= {
        "lines": len(train),
        "steps": trainer.steps,
        "weights": trainer.weights,
        "multiply_adds": work.multiply_adds,
        "bytes": work.bytes,
        "floor_seconds": work.seconds(machine) * trainer.steps,
    }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--network", default="hybrid")
    parser.add_argument("--layout", default=None)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    hyperparameters = {"network": options.network, "batch_size": BATCH}
    if options.layout is not None:
        hyperparameters["layout"] = options.layout
    print(json.dumps(measure(options.file, hyperparameters, steps=options.steps, rounds=options.rounds)))


if __name__ == "__main__":
    main()
