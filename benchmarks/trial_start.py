"""Time before a trial learns: for the first, second and third trial of one worker.

    python -m benchmarks.trial_start FILE [--network hybrid] [--xla]

The trials differ in numeric hyperparameters only, like trials of a search whose networks have the same shapes. The
start of a trial is its time without the time of its epochs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import BATCH, read_dataset
from gwas_core.genotypes.splits import SplitSettings, make_split

NUMBERS: dict[str, list[dict[str, Any]]] = {
    "hybrid": [{"learning_rate": rate, "dropout_rate": rate * 100} for rate in (0.001, 0.002, 0.003)],
    "tutorial": [{"learning_rate": rate, "dropout_rate": rate * 100} for rate in (0.001, 0.002, 0.003)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--network", choices=tuple(NUMBERS), default="hybrid")
    parser.add_argument("--xla", action="store_true")
    options = parser.parse_args()
    dataset = read_dataset(options.file)
    # Few lines, so that epochs are short: the start does not depend on their number.
    dataset = dataset.take(lines=np.arange(min(dataset.lines, 20 * BATCH)))
    split = make_split(dataset, SplitSettings())
    started = time.perf_counter()
    from gwas_core.model.backend import import_keras
    from gwas_core.model.training import run_trial

    import_keras()
    imported = time.perf_counter() - started
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        for number, numbers in enumerate(NUMBERS[options.network]):
            epochs: list[float] = []
            started = time.perf_counter()
            run_trial(
                dataset,
                split,
                {"network": options.network, "batch_size": BATCH, "epochs": 3, "patience": 3, **numbers},
                Path(folder) / str(number),
                report=lambda _, metrics, epochs=epochs: epochs.append(metrics["seconds"]),
                xla="on" if options.xla else "off",
            )
            starts.append(time.perf_counter() - started - len(epochs) * min(epochs))
    print(json.dumps({"import_seconds": imported, "start_seconds": starts}))


if __name__ == "__main__":
    main()
