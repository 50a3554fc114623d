from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.processes.detached import import_environment, module_command
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.measurement import Measurement, MeasurementRequest, Measurements, MeasurementStatus
from gwas_core.tuning.space import SearchSpace
from gwas_core.workspace import Workspace
from tests.tuning.quick_experiments import processes_of
from tests.waiting import LIMIT, wait_until

SPACE = SearchSpace.from_dict(
    {
        "parameters": [
            {"name": "batch_size", "kind": "discrete", "choices": [15, 30, 60], "default": 30},
            {
                "name": "learning_rate",
                "kind": "double",
                "minimum": 1e-5,
                "maximum": 1e-2,
                "scale": "log",
                "default": 1e-3,
            },
        ],
        "fixed": {"network": "hybrid", "conv_filters": 2, "num_dense_units": 2, "epochs": 3},
    }
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate(SimulationSettings(families=4, lines_per_family=30, snps=60, polygenic_qtl=20, seed=3)).dataset


@pytest.fixture
def content_hash(workspace: Workspace, dataset: Dataset) -> str:
    return DatasetLibrary(workspace).add(dataset, source="made.txt")


def request_for(
    content_hash: str, *, space: SearchSpace = SPACE, parallel: int = 1, xla: str = "off"
) -> MeasurementRequest:
    return MeasurementRequest.of(
        content_hash,
        space=space,
        preprocessing=PreprocessingSettings(),
        split=SplitSettings(),
        parallel_trials=1,
        xla=xla,
    )


def changed(**fixed: object) -> SearchSpace:
    return SearchSpace(SPACE.parameters, {**SPACE.fixed, **fixed})  # type: ignore[arg-type]


def finished(measurements: Measurements, request: MeasurementRequest) -> MeasurementStatus:
    wait_until(lambda: measurements.status(request).running_since is None)
    return measurements.status(request)


def test_what_changes_the_time_changes_the_key() -> None:
    first = request_for("a" * 64)
    assert first.batch_sizes == (16, 32, 64)
    assert first.typical_batch_size == 32
    same = (
        replace(first, split=SplitSettings(seed=5)),
        replace(first, preprocessing=PreprocessingSettings(minimum_allele_frequency=0.05)),
        request_for("a" * 64, space=changed(epochs=30, dropout_rate=0.1, patience=2)),
    )
    assert {request.key for request in same} == {first.key}
    others = (
        request_for("b" * 64),
        request_for("a" * 64, space=changed(conv_filters=4)),
        request_for("a" * 64, space=changed(loss="huber")),
        request_for("a" * 64, xla="auto"),
        replace(first, machine="another"),
        replace(first, threads=first.threads + 1),
        replace(first, batch_sizes=(16, 32)),
    )
    assert len({first.key, *(request.key for request in others)}) == 1 + len(others)


def test_batch_sizes_that_are_near_count_as_one() -> None:
    request, near = (
        request_for("a" * 64, space=SearchSpace(SPACE.parameters[1:], {**SPACE.fixed, "batch_size": size}))
        for size in (30, 33)
    )
    assert request.batch_sizes == (32,)
    assert request.key == near.key


def test_it_is_measured_in_another_process_and_kept(workspace: Workspace, content_hash: str, dataset: Dataset) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash, xla="auto")
    assert measurements.status(request) == MeasurementStatus()
    measurements.start(request)
    running = measurements.status(request)
    assert running.running_since is not None
    measurements.start(request)  # it runs already
    assert len(processes_of(workspace, "gwas_core.tuning.measurement")) == 1
    status = finished(measurements, request)
    measured = status.measurement
    assert measured is not None, status.reason
    assert measured.request == request
    assert set(measured.timings) == {16, 32, 64}
    assert all(timing.start_seconds > 0 and timing.epoch_seconds > 0 for timing in measured.timings.values())
    assert measured.calibration is not None
    assert measured.timings[32] == measured.calibration.chosen
    assert measured.startup_seconds > 0
    assert measured.first_start_seconds >= 0  # one start less another: on a busy machine the second may take longer
    assert measured.baseline_seconds > 0
    assert 0 < measured.genotypes <= dataset.lines * len(dataset.snps)
    # Somebody else finds it; another search does not.
    assert Measurements(workspace).status(request).measurement == measured
    assert from_json_values(Measurement, to_json_values(measured), name="measurement") == measured
    assert measurements.status(request_for(content_hash)) == MeasurementStatus()


def test_cancelling_ends_the_process_and_forgets_it(workspace: Workspace, content_hash: str) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash)
    measurements.start(request)
    measurements.cancel(request)
    assert processes_of(workspace, "gwas_core.tuning.measurement") == []
    assert measurements.status(request) == MeasurementStatus()
    measurements.cancel(request)
    # It can be begun again; without a question about XLA nothing is calibrated.
    measurements.start(request)
    measured = finished(measurements, request).measurement
    assert measured is not None
    assert measured.calibration is None
    assert set(measured.timings) == {16, 32, 64}


def test_a_killed_process_is_said(workspace: Workspace, content_hash: str) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash)
    measurements.start(request)
    (process,) = processes_of(workspace, "gwas_core.tuning.measurement")
    os.kill(process.pid, signal.SIGKILL)
    status = finished(measurements, request)
    assert status.measurement is None
    assert "was killed" in status.reason


def test_a_pipe_in_place_of_a_result_is_no_measurement(workspace: Workspace, content_hash: str) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash)
    folder = workspace.root / "_measurements" / request.key
    folder.mkdir(parents=True)
    (folder / "request.json").write_text("{}")
    os.mkfifo(folder / "result.json")
    assert measurements.status(request) == MeasurementStatus()


def test_a_dataset_that_is_gone_is_said(workspace: Workspace, content_hash: str) -> None:
    DatasetLibrary(workspace).delete(content_hash)
    measurements, request = Measurements(workspace), request_for(content_hash)
    measurements.start(request)
    assert "there is no dataset" in finished(measurements, request).reason


def test_a_measurement_that_takes_too_long_is_given_up(workspace: Workspace, content_hash: str) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash)
    folder = workspace.root / "_measurements" / request.key
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps(to_json_values(request)))
    command = module_command(
        "gwas_core.tuning.measurement", "--workspace", str(workspace.root), "--longest", "0", request.key
    )
    assert subprocess.run(command, env=import_environment(os.environ), timeout=LIMIT, check=False).returncode == 0
    assert "measuring took longer than 0 s" in measurements.status(request).reason


@pytest.mark.parametrize(
    "damage",
    [lambda text: "", lambda text: "[]", lambda text: "{}", lambda text: text.replace("startup_seconds", "seconds")],
)
def test_what_another_version_left_is_no_measurement(
    workspace: Workspace, content_hash: str, damage: Callable[[str], str]
) -> None:
    measurements, request = Measurements(workspace), request_for(content_hash)
    folder = workspace.root / "_measurements" / request.key
    folder.mkdir(parents=True)
    (folder / "request.json").write_text("{}")
    result = {"request": to_json_values(request), "genotypes": 1, "calibration": None, "timings": {}}
    result |= {"startup_seconds": 1.0, "first_start_seconds": 1.0, "baseline_seconds": 1.0}
    (folder / "result.json").write_text(damage(json.dumps({**result, "device": "cpu", "busy": False, "finished": ""})))
    assert measurements.status(request) == MeasurementStatus()
