"""The driver: what Katib sees of a trial, whatever happens to its pipeline run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.files import write_json
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split, save_split
from gwas_core.kubeflow import driver
from gwas_core.kubeflow.driver import TERMINATED, MetricsTail, main
from gwas_core.kubeflow.katib import PRIMARY_CONTAINER, katib_experiment
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.trial_inputs import EXPERIMENT_FILE, trial_seed
from gwas_core.model.training import OBJECTIVE, run_trial
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from gwas_core.workspace import Workspace
from tests.kubeflow.pipelines_server import Fault, PipelinesServer
from tests.tuning import quick_trial
from tests.waiting import LIMIT, wait_until

TRIAL = "soy-k2x9p4wq"
# As Katib's collector reads a line (its default filter), and its time.
METRIC = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00$")

SPACE = SearchSpace(
    (
        Parameter(name="learning_rate", kind=ParameterKind.DOUBLE, minimum=1e-4, maximum=1e-2, scale="log"),
        Parameter(name="batch_size", kind=ParameterKind.DISCRETE, choices=(16, 32)),
        Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=("huber", "mean_squared_error")),
    ),
    {"network": "hybrid", "epochs": 2},
)
SETS = ["--set=learning_rate=0.001", "--set=batch_size=16", "--set=loss=huber"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PipelinesServer]:
    with PipelinesServer(token="kubelet's") as running:
        (tmp_path / "token").write_text("kubelet's", encoding="ascii")
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
        for name, value in cluster(running, tmp_path).to_environment().items():
            monkeypatch.setenv(name, value)
        before = signal.getsignal(signal.SIGTERM)
        yield running
        signal.signal(signal.SIGTERM, before)


def cluster(server: PipelinesServer, workspace: Path) -> ClusterSettings:
    return ClusterSettings(namespace="ns", pipeline_host=server.host, mount_path="/workspace")


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    made = Experiment(
        name="soy", dataset="ab" * 32, source="soy.txt", space=SPACE, engine="kubeflow", seed=7, xla="off"
    )
    write_json(tmp_path / "soy" / EXPERIMENT_FILE, made.to_dict())
    return made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "soy" / TRIAL


def drive(directory: Path, *options: str, sets: list[str] = SETS, poll: float = 0.1) -> int:
    return main(arguments(directory, *options, sets=sets, poll=poll))


def arguments(directory: Path, *options: str, sets: list[str] = SETS, poll: float = 0.1) -> list[str]:
    workspace = f"--workspace={directory.parent.parent}"
    return ["--kind=pipeline", "--experiment=soy", f"--trial={TRIAL}", workspace, f"--poll={poll}", *sets, *options]


def training(
    server: PipelinesServer, directory: Path, values: list[Any], state: str = "SUCCEEDED"
) -> Callable[..., None]:
    """A run whose train step leaves these objectives on the volume, and a result."""

    def run(made: dict[str, Any]) -> None:
        made["state"] = "RUNNING"
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "metrics.jsonl").open("w", encoding="utf-8") as file:
            for epoch, value in enumerate(values, start=1):
                file.write(json.dumps({"epoch": epoch, OBJECTIVE: value}) + "\n")
                file.flush()
                time.sleep(0.15)
        write_json(directory / "result.json", {OBJECTIVE: min(values)})
        server.end(made["display_name"], state)

    return run


def metrics(output: str) -> list[float]:
    """What Katib's collector takes from the output, and that it takes nothing else."""
    values = []
    for line in output.splitlines():
        found = METRIC.findall(line)
        if found:
            assert [entry[0] for entry in found] == [OBJECTIVE], line
            assert STAMP.match(line.split(" ", 1)[0]), line
            values.append(float(found[0][1]))
    return values


def reason(directory: Path) -> str:
    return str(json.loads((directory / "failure.json").read_text(encoding="utf-8"))["reason"])


def test_a_trial_that_succeeds(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.started = training(server, directory, [0.81, 0.7, 0.75])
    assert drive(directory) == 0
    assert metrics(capsys.readouterr().out) == [0.81, 0.7, 0.75]
    run = server.run(TRIAL)
    told = run["runtime_config"]["parameters"]
    assert told["hyperparameters"] == {
        "learning_rate": 0.001, "batch_size": 16, "loss": "huber", "network": "hybrid", "epochs": 2
    }  # fmt: skip
    assert (told["experiment"], told["trial"], told["workspace"]) == ("soy", TRIAL, "/workspace")
    assert (told["dataset"], told["xla"], told["seed"]) == ("ab" * 32, "off", trial_seed(experiment, TRIAL))
    (pipeline,) = server.pipelines.values()
    assert pipeline["name"].startswith("deep-gwas-soy-")
    assert b"preprocessing" in pipeline["package"]
    assert not (directory / "failure.json").exists()


def test_a_second_trial_uses_the_same_pipeline(
    server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    server.started = training(server, directory, [0.7])
    assert drive(directory) == 0
    server.started = training(server, directory.with_name("soy-other"), [0.7])
    assert drive(directory, "--trial=soy-other") == 0
    assert len(server.pipelines) == 1
    assert len(server.runs) == 2


def test_the_result_is_printed_where_no_epoch_was_seen(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(made: dict[str, Any]) -> None:
        write_json(directory / "result.json", {OBJECTIVE: 0.5})
        server.end(TRIAL, "SUCCEEDED")

    server.started = run
    assert drive(directory) == 0
    assert metrics(capsys.readouterr().out) == [0.5]


def test_a_driver_that_is_started_again_takes_the_run_up(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = server.add_run(TRIAL, "soy", "RUNNING")
    threading.Thread(target=training(server, directory, [0.9, 0.8]), args=(run,), daemon=True).start()
    assert drive(directory) == 0
    assert metrics(capsys.readouterr().out) == [0.9, 0.8]
    assert list(server.runs) == [run["run_id"]]


def test_values_that_are_not_finite_are_never_printed(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.started = training(server, directory, [0.9, float("nan"), float("inf"), 0.8])
    assert drive(directory) == 0
    assert metrics(capsys.readouterr().out) == [0.9, 0.8]


@pytest.mark.parametrize("result", ['{"val_mean_absolute_error": NaN}', "{}", "", '{"val_mean_absolute_error": null}'])
def test_a_run_without_a_finite_result_is_a_failure(
    result: str,
    server: PipelinesServer,
    experiment: Experiment,
    directory: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(made: dict[str, Any]) -> None:
        directory.mkdir(parents=True)
        (directory / "result.json").write_text(result, encoding="utf-8")
        server.end(TRIAL, "SUCCEEDED")

    server.started = run
    assert drive(directory) == 1
    assert metrics(capsys.readouterr().out) == []


def test_a_failed_step_is_named_with_the_end_of_its_log(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(made: dict[str, Any]) -> None:
        log = directory / "steps" / "train.log"
        log.parent.mkdir(parents=True)
        lines = [f"line {number}" for number in range(100)]
        log.write_text("\n".join([*lines, f"{OBJECTIVE}=nan", "TrialFailed: \x1b[31mloss\x1b[0m became nan"]))
        server.end(TRIAL, "FAILED", error={"code": 2, "message": "failed"})

    server.started = run
    assert drive(directory) == 1
    output = capsys.readouterr().out
    assert metrics(output) == []
    assert "line 99" in output
    assert "line 60" not in output
    assert "\x1b" not in output
    assert "step train failed: TrialFailed: ?[31mloss?[0m became nan" in reason(directory)


def test_a_pipe_in_place_of_the_log_of_a_failed_step_is_not_waited_for(
    server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    def run(made: dict[str, Any]) -> None:
        (directory / "steps").mkdir(parents=True)
        os.mkfifo(directory / "steps" / "train.log")
        server.end(TRIAL, "FAILED", error={"code": 2, "message": "failed"})

    server.started = run
    assert drive(directory) == 1
    assert reason(directory) == "step train failed: without a word; see the log of its pod"


def test_a_step_that_left_no_log_is_named_by_the_api(
    server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    tasks = [
        {"display_name": "preprocessing", "state": "SUCCEEDED"},
        {"display_name": "train", "state": "FAILED", "error": {"message": "OOMKilled"}},
    ]
    server.started = lambda run: server.end(TRIAL, "FAILED", run_details={"task_details": tasks})
    assert drive(directory) == 1
    assert reason(directory) == "step train failed: OOMKilled"


@pytest.mark.parametrize("state", ["CANCELED", "FAILED", "SKIPPED"])
def test_every_end_but_success_is_a_failure(
    state: str, server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    server.started = lambda run: server.end(TRIAL, state)
    assert drive(directory) == 1
    assert reason(directory)


def test_the_api_may_fail_now_and_then(
    server: PipelinesServer, experiment: Experiment, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults += [Fault("GET /runs/", status=status) for status in (401, 500, 0)]
    server.faults.append(Fault("POST /runs$", status=500, too_late=True))
    server.started = training(server, directory, [0.7])
    assert drive(directory) == 0
    assert metrics(capsys.readouterr().out) == [0.7]
    assert len(server.runs) == 1


def test_gives_up_when_the_api_stays_away(
    server: PipelinesServer, experiment: Experiment, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_TERMINATION_SECONDS", 0.2)
    server.faults.append(Fault("GET /runs", status=503, times=1000))
    assert drive(directory, "--patience=0.5") == 1
    assert "503" in reason(directory)


def test_a_value_outside_the_space_is_refused_before_anything_is_started(
    server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    assert drive(directory, sets=["--set=learning_rate=3", *SETS[1:]]) == 1
    assert "learning_rate must lie within" in reason(directory)
    assert drive(directory, sets=SETS[1:]) == 1
    assert server.requests == []


@pytest.mark.parametrize("options", [["--trial=../../etc"], ["--experiment=../soy"], ["--experiment=other"]])
def test_names_that_are_paths_or_unknown(
    options: list[str], server: PipelinesServer, experiment: Experiment, directory: Path
) -> None:
    assert drive(directory, *options) == 1
    assert server.requests == []


def test_tail_waits_for_whole_lines_and_starts_again_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = MetricsTail(path)
    assert tail.read() == []
    line = json.dumps({OBJECTIVE: 0.5}) + "\n"
    path.write_text(line + line[:10], encoding="utf-8")
    assert tail.read() == [0.5]
    assert tail.read() == []
    path.write_text(line + line + "damaged\n[]\n" + "[" * 100_000 + "\n", encoding="utf-8")
    assert tail.read() == [0.5]
    path.write_text(line, encoding="utf-8")
    assert tail.read() == [0.5]


def fails_unforeseen(*arguments: Any, **options: Any) -> None:
    raise RuntimeError(f"{OBJECTIVE}=0.1 and nobody knows why")


def test_an_error_nobody_foresaw_is_explained_too(
    tmp_path: Path, experiment: Experiment, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    dataset = simulate(SimulationSettings(families=2, lines_per_family=20, snps=30, polygenic_qtl=10, seed=5)).dataset
    dataset.save(tmp_path / "_datasets" / experiment.dataset)
    save_split(make_split(dataset, SplitSettings()), directory.parent)
    monkeypatch.setattr(quick_trial, "run_trial", fails_unforeseen)
    monkeypatch.setenv("GWAS_MODEL", quick_trial.MODEL)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    assert drive(directory, "--kind=job") == 1
    output = capsys.readouterr().out
    assert metrics(output) == []
    assert "Traceback" in output
    assert "RuntimeError" in reason(directory)


# As a process of its own


def test_sigterm_ends_the_run(server: PipelinesServer, experiment: Experiment, directory: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gwas_core.kubeflow.driver", *arguments(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: "GET /runs/" in " ".join(server.requests))
        assert server.run(TRIAL)["state"] == "PENDING"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == TERMINATED
    assert server.run(TRIAL)["state"] == "CANCELED"
    assert metrics(output) == []
    assert not (directory / "failure.json").exists()


def test_a_job_trains_here_as_run_trial_does(tmp_path: Path) -> None:
    """The command Katib makes of the manifest, through a shell, against the function itself."""
    dataset = simulate(SimulationSettings(families=4, lines_per_family=25, snps=60, polygenic_qtl=30, seed=5)).dataset
    experiment = Experiment(
        name="soy", dataset=dataset.content_hash, source="x", space=SPACE, engine="kubeflow", xla="off"
    )
    dataset.save(Workspace(tmp_path).dataset_directory(dataset.content_hash))
    split = make_split(dataset, SplitSettings())
    write_json(tmp_path / "soy" / EXPERIMENT_FILE, experiment.to_dict())
    save_split(split, tmp_path / "soy")
    settings = ClusterSettings(trial_kind="job", mount_path="/workspace", cpu="1")
    template = katib_experiment(experiment, cluster=settings)["spec"]["trialTemplate"]
    text = json.dumps(template["trialSpec"]).replace("/workspace", str(tmp_path))
    values = {"learning_rate": "0.0009999999999999998", "batch_size": "16", "loss": "huber"}
    for parameter in template["trialParameters"]:
        placeholder = f"${{trialParameters.{parameter['name']}}}"
        assert placeholder in text
        text = text.replace(placeholder, values.get(parameter["reference"], TRIAL))
    (container,) = json.loads(text)["spec"]["template"]["spec"]["containers"]
    assert container["name"] == PRIMARY_CONTAINER
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["sh", "-c", " ".join([*container["command"], *container["args"], "2>&1"])],
        capture_output=True,
        text=True,
        env={**os.environ, **environment, "PATH": path},
        timeout=LIMIT,
    )
    assert ended.returncode == 0, ended.stdout
    hyperparameters = {
        **SPACE.fixed,
        "learning_rate": float(values["learning_rate"]),
        "batch_size": 16,
        "loss": "huber",
    }
    result = run_trial(
        dataset,
        split,
        hyperparameters,
        tmp_path / "direct",
        report=lambda epoch, metrics: None,
        seed=trial_seed(experiment, TRIAL),
        xla="off",
    )
    assert np.isclose(min(metrics(ended.stdout)), result.val_mean_absolute_error, rtol=1e-6)
    saved = json.loads((tmp_path / "soy" / TRIAL / "result.json").read_text(encoding="utf-8"))
    assert saved["seed"] == trial_seed(experiment, TRIAL)
