"""Measurement, before a search is launched, of how long training takes here, in a process of its own.

Also here: which batch sizes are timed; which earlier measurement answers; when it is cancelled or takes too long; the
state of one under way, done or failed.

A process of its own does it, so that no page ever loads TensorFlow, and leaves what it found in the workspace, where
every later look at the same dataset and network finds it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gwas_core.errors import GwasError, InputError, describe_unexpected
from gwas_core.files import read_json, write_json
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.messages import elapsed
from gwas_core.model.calibration import (
    Calibration,
    Timing,
    calibrate,
    cost_settings,
    time_initial_weights,
    time_training,
)
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.networks import parse_network
from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.processes.locks import FileLock
from gwas_core.processes.threads import thread_environment, usable_cores, worker_threads
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.space import SearchSpace
from gwas_core.workspace import Workspace

LONGEST_SECONDS = 600.0
"""A measurement that takes longer is given up: the search itself would tell as soon."""

_REQUEST, _RESULT, _LOG, _LOCK = "request.json", "result.json", "log.txt", ".lock"
_LARGEST_FILE = 1024**2
_POLL_SECONDS = 0.1
_START_SECONDS, _END_SECONDS = 60.0, 5.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MeasurementRequest:
    """Description of what is to be timed.

    Attributes:
        dataset: hash of a dataset of the library.
        preprocessing, split: how it is filtered and divided.
        hyperparameters: the network with what trials have in common.
        batch_sizes: powers of two that stand for the batch sizes of the search, in ascending order.
        typical_batch_size: the one among them with which compiling by XLA is tried.
        xla: ``auto`` (tried both ways), ``on`` or ``off``.
        cores, threads: of the machine, and of each trial.
        machine: its name.
    """

    dataset: str
    preprocessing: PreprocessingSettings
    split: SplitSettings
    hyperparameters: Mapping[str, HyperparameterValue]
    batch_sizes: tuple[int, ...]
    typical_batch_size: int
    xla: str
    cores: int
    threads: int
    machine: str

    @classmethod
    def of(
        cls,
        dataset: str,
        *,
        space: SearchSpace,
        preprocessing: PreprocessingSettings,
        split: SplitSettings,
        parallel_trials: int,
        xla: str,
    ) -> MeasurementRequest:
        """Return the request that answers how long a search on this machine takes.

        Args:
            dataset: hash of a dataset of the library.
            space: of the search.
            preprocessing: filters and imputation of the search.
            split: division of the lines.
            parallel_trials: trials at a time, which share the cores.
            xla: ``auto``, ``on`` or ``off``.

        Raises:
            SettingsError: the space does not fit the network.
        """
        hyperparameters = {**space.fixed, **(space.defaults or {})}
        typical = parse_network(hyperparameters)[1].batch_size
        sizes = {_batch_class(size) for size in (typical, *_batch_sizes(space))}
        cores = usable_cores()
        return cls(
            dataset=dataset,
            preprocessing=preprocessing,
            split=split,
            hyperparameters=hyperparameters,
            batch_sizes=tuple(sorted(sizes)),
            typical_batch_size=_batch_class(typical),
            xla=xla,
            cores=cores,
            threads=worker_threads(cores, parallel_trials),
            machine=platform.node(),
        )

    @property
    def key(self) -> str:
        """Name of the measurement: requests with the same key take as long, in proportion to the genotypes."""
        parts = {
            "dataset": self.dataset,
            "network": {**cost_settings(self.hyperparameters), "batch_size": list(self.batch_sizes)},
            "xla": self.xla,
            "machine": [self.machine, self.cores, self.threads],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Result of a measurement; all times in seconds.

    Attributes:
        genotypes: training lines times SNPs.
        startup_seconds: until the first network could be built: Python, TensorFlow, the data and their filters.
        first_start_seconds: to work out what networks start from, once for all that start alike.
        baseline_seconds: to evaluate all baselines.
        calibration: timing with and without XLA; None if the request names one of them.
        timings: by batch size, in the way in which trials will run.
        device: ``cpu`` or ``gpu``.
        busy: whether the machine had more to do than it has cores, before this began.
        finished: UTC, ISO 8601.
    """

    request: MeasurementRequest
    genotypes: int
    startup_seconds: float
    first_start_seconds: float
    baseline_seconds: float
    calibration: Calibration | None
    timings: Mapping[int, Timing]
    device: str
    busy: bool
    finished: str


@dataclass(frozen=True, kw_only=True)
class MeasurementStatus:
    """State of a measurement: under way, done, failed for a reason, or none of these.

    Attributes:
        running_since: None unless it is under way.
    """

    running_since: datetime | None = None
    measurement: Measurement | None = None
    reason: str = ""


class Measurements:
    """Measurements of a workspace, each in a folder of its own."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = Workspace(workspace.root.absolute())

    def status(self, request: MeasurementRequest) -> MeasurementStatus:
        """Return the state of a measurement; a few small files are read.

        Args:
            request: what was asked to be measured.
        """
        folder = self._folder(request.key)
        try:
            asked = datetime.fromtimestamp((folder / _REQUEST).stat().st_mtime, UTC)
        except OSError:
            return MeasurementStatus()
        if _is_locked(folder):
            return MeasurementStatus(running_since=asked)
        # Looked for after the lock: a process writes it before it lets go.
        try:
            found = read_json(folder / _RESULT, limit=_LARGEST_FILE)
            if isinstance(found, dict) and "reason" in found:
                return MeasurementStatus(reason=str(found["reason"]))
            measurement = from_json_values(Measurement, found, name="measurement", error=InputError)
            return MeasurementStatus(measurement=measurement)
        except FileNotFoundError:
            reason = "the process that measured ended without saying why: it was killed, or memory ran out"
            return MeasurementStatus(reason=reason)
        except (OSError, ValueError):
            # Written by another version.
            return MeasurementStatus()

    def start(self, request: MeasurementRequest) -> None:
        """Begin to measure, unless it is under way; returns once the process works.

        Args:
            request: what an earlier measurement of the same key found is forgotten.

        Raises:
            InputError: it does not start.
        """
        folder = self._folder(request.key)
        if self.status(request).running_since is not None:
            return
        log = folder / _LOG
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _RESULT).unlink(missing_ok=True)
            write_json(folder / _REQUEST, to_json_values(request))
            # It may outlive the page, and what it finds is there when somebody comes back.
            process = start_detached(
                module_command("gwas_core.tuning.measurement", "--workspace", str(self._workspace.root), request.key),
                log=log,
                append=False,
                environment=thread_environment(os.environ, request.threads),
            )
        except OSError as error:
            raise InputError(f"the measurement does not start: {error.strerror or error}") from error
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and not _is_locked(folder):
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_POLL_SECONDS)
        if process.poll() not in (None, 0) and not (folder / _RESULT).is_file():
            raise InputError(f"the measurement does not start: {last_line(log) or 'the reason is not known'}")

    def cancel(self, request: MeasurementRequest) -> None:
        """End a measurement and forget what it found; harmless if there is none.

        Args:
            request: what was asked to be measured.
        """
        folder = self._folder(request.key)
        # The process looks for this file.
        (folder / _REQUEST).unlink(missing_ok=True)
        deadline = time.monotonic() + _END_SECONDS
        while _is_locked(folder) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _folder(self, key: str) -> Path:
        return self._workspace.root / "_measurements" / key


def measure(workspace: Workspace, request: MeasurementRequest, *, started: float) -> Measurement:
    """Time the network of a request and return what was found; the number of threads must be set before.

    Args:
        started: when the process did, by ``time.monotonic``.

    Raises:
        GwasError: the dataset is gone, or the network does not fit it.
    """
    busy = os.getloadavg()[0] > request.cores
    prepared = preprocess(DatasetLibrary(workspace).load(request.dataset), request.preprocessing).dataset
    split = make_split(prepared, request.split)
    from gwas_core.model.backend import has_accelerator
    from gwas_core.model.baselines import evaluate_baselines

    device = "gpu" if has_accelerator() else "cpu"
    startup_seconds = time.monotonic() - started
    typical = {**request.hyperparameters, "batch_size": request.typical_batch_size}
    calibration = calibrate(prepared, split, typical) if request.xla == "auto" else None
    timings = {} if calibration is None else {request.typical_batch_size: calibration.chosen}
    xla = request.xla == "on" if calibration is None else calibration.xla
    for size in request.batch_sizes:
        if size not in timings:
            timings[size] = time_training(prepared, split, {**request.hyperparameters, "batch_size": size}, xla=xla)
    first_start_seconds = time_initial_weights(prepared, split, typical)
    begun = time.monotonic()
    evaluate_baselines(prepared, split, threads=request.threads)
    return Measurement(
        request=request,
        genotypes=len(split.train) * len(prepared.snps),
        startup_seconds=startup_seconds,
        first_start_seconds=first_start_seconds,
        baseline_seconds=time.monotonic() - begun,
        calibration=calibration,
        timings=timings,
        device=device,
        busy=busy,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _batch_sizes(space: SearchSpace) -> tuple[int, ...]:
    """Return the smallest and the largest batch size that is searched; empty if none is searched."""
    for parameter in space.parameters:
        if parameter.name == "batch_size":
            values = (parameter.minimum, parameter.last) if parameter.kind.is_range() else parameter.choices
            numbers = [int(float(value)) for value in values if value is not None]
            return min(numbers), max(numbers)
    return ()


def _batch_class(size: int) -> int:
    """Return the power of two nearest to a batch size."""
    return int(2 ** round(math.log2(max(1, size))))


def _is_locked(folder: Path) -> bool:
    """Return whether a process measures: it holds this lock for as long as it lives."""
    if not folder.is_dir():
        return False
    with FileLock(folder / _LOCK) as lock:
        return not lock.acquire()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, as ``python -m gwas_core.tuning.measurement`` does, and return the exit code.

    Args:
        arguments: of the command line; those of this process if None.

    Returns:
        0 if a result or a reason was written; 1 if another process is measuring the same.
    """
    started = time.monotonic()
    parser = argparse.ArgumentParser(description="Times a network; started by the dashboard.")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--longest", type=float, default=LONGEST_SECONDS, help="seconds after which it is given up")
    parser.add_argument("key", help="the measurement's folder")
    options = parser.parse_args(arguments)
    folder = options.workspace / "_measurements" / options.key
    with FileLock(folder / _LOCK) as lock:
        if not lock.acquire(seconds=_START_SECONDS):
            return 1
        threading.Thread(target=_watch, args=(folder, options.longest), daemon=True).start()
        try:
            values = read_json(folder / _REQUEST, limit=_LARGEST_FILE)
            request = from_json_values(MeasurementRequest, values, name="request", error=InputError)
            result = to_json_values(measure(Workspace(options.workspace), request, started=started))
        except GwasError as error:
            result = {"reason": str(error)}
        except Exception as error:
            # Any error of training ends the measurement, and is told to the page that asked for it.
            _logger.exception("the measurement failed")
            result = {"reason": describe_unexpected(error)}
        write_json(folder / _RESULT, result)
    return 0


def _watch(folder: Path, longest: float) -> None:
    """End this process once nobody wants the measurement any more, or it takes too long."""
    deadline = time.monotonic() + longest
    while (folder / _REQUEST).is_file():
        if time.monotonic() > deadline:
            reason = f"measuring took longer than {elapsed(longest)}: the first trials will tell instead"
            write_json(folder / _RESULT, {"reason": reason})
            os._exit(0)
        time.sleep(_POLL_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
