"""Pipeline runs over HTTP, against a server that behaves as the API's description says, faults included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gwas_core.errors import InputError
from gwas_core.kubeflow.kubernetes_api import Invalid, NotAllowed, NotFound, Unreachable
from gwas_core.kubeflow.pipelines_api import PipelinesApi, Run, RunState, RunStep
from tests.concurrency import at_once
from tests.kubeflow.pipelines_server import Fault, PipelinesServer

NAME = "soy-abcd1234"


@pytest.fixture
def server() -> Iterator[PipelinesServer]:
    with PipelinesServer() as running:
        yield running


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text("components: {}\n", encoding="utf-8")
    return path


def client(server: PipelinesServer, **options: object) -> PipelinesApi:
    return PipelinesApi(server.host, namespace="ns", **{"patience": 20.0, **options})  # type: ignore[arg-type]


def start(pipelines: PipelinesApi, package: Path, name: str = NAME) -> Run:
    pipeline = pipelines.upload("deep-gwas-soy", package)
    return pipelines.start(name, group="soy", pipeline=pipeline, parameters={"trial": name, "seed": 3})


@pytest.mark.parametrize("multi_user", [True, False])
def test_a_run_is_made_once_and_then_taken_up(multi_user: bool, package: Path) -> None:
    with PipelinesServer(multi_user=multi_user) as server:
        run = start(client(server), package)
        again = start(client(server), package)
        assert again.run_id == run.run_id
        assert len(server.runs) == len(server.pipelines) == len(server.experiments) == 1
        assert server.run(NAME)["runtime_config"]["parameters"] == {"trial": NAME, "seed": 3}
        (pipeline,) = server.pipelines.values()
        assert b"components: {}" in pipeline["package"]
        (group,) = server.experiments.values()
        assert group.get("namespace") == ("ns" if multi_user else None)


def test_drivers_that_start_together_share_pipeline_and_group(server: PipelinesServer, package: Path) -> None:
    server.faults.append(Fault("GET /pipelines/names", status=200, times=4, seconds=0.3))
    names = [f"soy-{number}" for number in range(4)]
    at_once(*(partial(start, client(server), package, name) for name in names))
    assert sorted(run["display_name"] for run in server.runs.values()) == names
    assert len(server.pipelines) == len(server.experiments) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 0])
def test_a_run_whose_making_was_not_confirmed_is_not_made_twice(
    status: int, server: PipelinesServer, package: Path
) -> None:
    server.faults.append(Fault("POST /runs$", status=status, too_late=True))
    run = start(client(server), package)
    assert list(server.runs) == [run.run_id]


def test_every_request_survives_an_error_and_a_lost_connection(server: PipelinesServer, package: Path) -> None:
    paths = ("healthz", "GET /experiments", "POST /experiments", "upload", "versions", "GET /runs", "POST /runs$")
    server.faults += [
        Fault(path, status=status) for path, status in zip(paths, (500, 0, 503, 0, 500, 0, 502), strict=True)
    ]
    assert start(client(server), package).state is RunState.PENDING
    assert len(server.runs) == 1
    assert all(fault.times == 0 for fault in server.faults)


def test_a_slow_answer_is_waited_for(server: PipelinesServer, package: Path) -> None:
    run = start(client(server), package)
    server.faults.append(Fault("GET /runs/", status=200, seconds=1.5))
    assert client(server).get(run.run_id).run_id == run.run_id


def test_gives_up_when_the_patience_is_over(server: PipelinesServer, package: Path) -> None:
    pipelines = client(server, patience=1.0)
    server.faults.append(Fault(".", status=503, times=1000))
    with pytest.raises(Unreachable, match="503"):
        start(pipelines, package)
    assert len(server.requests) < 100, "it paused between its questions"


def test_nobody_there(package: Path) -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        start(PipelinesApi("http://127.0.0.1:9", namespace="ns", patience=0.1), package)


def test_the_token_is_read_anew_for_every_request(server: PipelinesServer, package: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n", encoding="ascii")
    server.token = "first"
    pipelines = client(server, token=token)
    run = start(pipelines, package)
    # It expires before the kubelet has written the next one.
    server.token = "second"
    threading.Timer(0.8, token.write_text, args=("second",)).start()
    assert pipelines.get(run.run_id).run_id == run.run_id


def test_a_token_that_is_never_accepted(server: PipelinesServer, package: Path, tmp_path: Path) -> None:
    server.token = "right"
    (tmp_path / "token").write_text("wrong", encoding="ascii")
    with pytest.raises(NotAllowed, match="does not accept our token"):
        client(server, token=tmp_path / "token").find(NAME, group="soy")
    with pytest.raises(NotAllowed, match="cannot be read"):
        client(server, token=tmp_path / "none").find(NAME, group="soy")


def test_refusals_are_not_repeated(server: PipelinesServer, package: Path) -> None:
    server.faults += [Fault("healthz", status=403), Fault("GET /runs/x", status=400)]
    with pytest.raises(NotAllowed):
        client(server).find(NAME, group="soy")
    with pytest.raises(Invalid):
        client(server).get("x")
    with pytest.raises(NotFound):
        client(server).get("nothing")
    assert len(server.requests) == 3


def test_a_group_of_another_release_that_says_400(server: PipelinesServer, package: Path) -> None:
    server.faults.append(Fault("POST /experiments", status=400, too_late=True))
    assert start(client(server), package).name == NAME


def test_without_a_package(server: PipelinesServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="submit the experiment again"):
        client(server).upload("deep-gwas-soy", tmp_path / "none.yaml")


def test_terminating_what_has_ended_is_no_error(server: PipelinesServer, package: Path) -> None:
    pipelines = client(server)
    run = start(pipelines, package)
    pipelines.terminate(run.run_id)
    assert pipelines.get(run.run_id).state is RunState.CANCELED
    pipelines.terminate(run.run_id)
    pipelines.terminate("nothing")


def test_what_a_run_says_of_its_steps() -> None:
    run = Run.of(
        {
            "run_id": "1",
            "display_name": NAME,
            "state": "FAILED",
            "error": {"code": 2, "message": "failed"},
            "run_details": {
                "task_details": [
                    {"display_name": "train", "state": "FAILED", "error": {"message": "OOMKilled"}},
                    {"display_name": "root", "state": "A_STATE_OF_TOMORROW"},
                ]
            },
        }
    )
    assert run.steps == (
        RunStep(name="train", state=RunState.FAILED, message="OOMKilled"),
        RunStep(name="root", state=RunState.UNKNOWN, message=""),
    )
    assert (run.state, run.message) == (RunState.FAILED, "failed")
    assert [state for state in RunState if state.is_finished()] == [
        RunState.SUCCEEDED,
        RunState.SKIPPED,
        RunState.FAILED,
        RunState.CANCELED,
    ]
