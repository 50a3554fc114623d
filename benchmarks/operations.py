"""Profile of a training step: milliseconds of each compiled operation, the longest first.

    python -m benchmarks.operations FILE --network tutorial [--threads 1] [--no-xla] [--most 30]

The source of an operation is in XLA's dump (``XLA_FLAGS="--xla_dump_to=FOLDER --xla_dump_hlo_as_text"``), under
the same name.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.common import BATCH, LINES, read_dataset

_STEPS = 10
# Names of events that contain operations and are none themselves.
_AROUND = (
    "Execut",
    "EagerLocal",
    "EagerKernel",
    "TFE_Py",
    "_trace_epoch",
    "KernelAndDevice",
    "BlockUntilReady",
    "end:",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--network", default="hybrid")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-xla", action="store_true")
    parser.add_argument("--most", type=int, default=30)
    options = parser.parse_args()
    # Read when TensorFlow is imported.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(options.threads), "TF_NUM_INTEROP_THREADS": "1"}
    from gwas_core.model.networks import parse_network
    from gwas_core.model.trainer import Trainer

    dataset = read_dataset(options.file)
    train = np.sort(np.random.default_rng(0).permutation(dataset.lines)[: min(LINES, dataset.lines)])
    network, chosen = parse_network({"network": options.network, "batch_size": BATCH})
    trainer = Trainer(dataset, train, network, chosen, seed=0, xla=not options.no_xla)
    trainer.epoch(steps=_STEPS)
    started = time.perf_counter()
    trainer.epoch(steps=_STEPS)
    print(f"{(time.perf_counter() - started) / _STEPS * 1e3:9.2f} ms a step, {options.threads} thread(s)")
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            trainer.epoch(steps=_STEPS)
        (recorded,) = Path(folder).rglob("*.xplane.pb")
        times = _times(recorded.read_bytes())
    for name, milliseconds in times.most_common(options.most):
        print(f"{milliseconds:9.2f} ms  {name[:100]}")


def _times(recorded: bytes) -> Counter[str]:
    """Return milliseconds per step by operation, summed over threads."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(recorded)
    times: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not any(part in name for part in _AROUND):
                    times[name] += event.duration_ps * 1e-9 / _STEPS
    return times


if __name__ == "__main__":
    main()
