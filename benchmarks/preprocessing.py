"""Time of the product's preprocessing: once per experiment, and in every trial.

python -m benchmarks.preprocessing FILE
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.common import read_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import SplitSettings, load_split, make_split, save_split


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        dataset = read_dataset(options.file)
        split = make_split(dataset, SplitSettings())
        dataset.save(folder / "dataset")
        save_split(split, folder)
        once = time.perf_counter() - started
        started = time.perf_counter()
        again, parts = Dataset.load(folder / "dataset"), load_split(folder)
        trained = again.genotypes[parts.train]
        each = time.perf_counter() - started
        assert trained.shape[1] == dataset.genotypes.shape[1]
    print(json.dumps({"once_seconds": once, "each_trial_seconds": each}))


if __name__ == "__main__":
    main()
