"""Processes of a search that are stopped (SIGSTOP): none is waited for for ever, and nothing is lost."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest

from gwas_core.engines.selection import Engines
from gwas_core.processes.signs_of_life import SILENCE_VARIABLE
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from tests import waiting
from tests.commands.conftest import command
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import (
    fork_server_of,
    fork_servers_of,
    processes_of,
    quick_experiment,
    quick_workspace,
    supervisor_of,
    wait_until,
    wait_until_gone,
    workers_of,
)
from tests.waiting import hold_trials, release_trials

pytestmark = pytest.mark.usefixtures("quick_model")

LIMIT = 4.0


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    monkeypatch.setenv(SILENCE_VARIABLE, str(LIMIT))
    workspace, dataset = quick_workspace(tmp_path)
    engine = LocalEngine(workspace)
    hold_trials(workspace.root, 0)
    engine.start(quick_experiment(dataset))
    wait_until(lambda: engine.sync("quick"), lambda record: record.counts[TrialState.RUNNING] == 2)
    yield engine
    for process in processes_of(workspace):
        process.kill()


def complete(engine: LocalEngine) -> None:
    release_trials(engine.store.workspace.root)
    record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    check_complete(record)
    assert record.state is ExperimentState.SUCCEEDED
    assert record.counts == {TrialState.SUCCEEDED: 4}
    wait_until_gone(engine.store.workspace)


def suspend_between_writes(engine: LocalEngine, process: psutil.Process) -> None:
    """Stop a process at a moment at which it does not write: else it keeps the database locked for as long."""
    database = engine.store.workspace.root / "_experiments.sqlite3"

    def is_suspended() -> bool:
        process.suspend()
        waiting.wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.resume()
                return False
        return True

    waiting.wait_until(is_suspended)


def test_a_stopped_worker_is_replaced_and_its_trial_begun_again(engine: LocalEngine) -> None:
    workers = workers_of(fork_server_of(engine.store.workspace))
    assert len(workers) == 2
    workers[0].suspend()
    record = wait_until(lambda: engine.sync("quick"), lambda record: any(t.attempts == 2 for t in record.trials))
    (again,) = (trial for trial in record.trials if trial.attempts == 2)
    assert again.reason == ("begun again: the worker was stopped, as by the signal SIGSTOP, and did not go on for 4 s")
    waiting.wait_until(lambda: not workers[0].is_running())
    assert workers[1].is_running(), "the other one goes on"
    complete(engine)


def test_a_worker_stopped_again_fails_its_trial_and_says_why(engine: LocalEngine) -> None:
    stopped: set[int] = set()

    def failed() -> bool:
        for worker in (worker for server in fork_servers_of(engine.store.workspace) for worker in workers_of(server)):
            if worker.pid not in stopped:
                stopped.add(worker.pid)
                worker.suspend()
        return engine.sync("quick").counts[TrialState.FAILED] >= 1

    waiting.wait_until(failed)
    failures = {trial.reason for trial in engine.sync("quick").trials if trial.state is TrialState.FAILED}
    assert failures == {
        "the worker was stopped, as by the signal SIGSTOP, and did not go on for 4 s, twice: something stops it"
    }


def test_a_stopped_fork_server_is_replaced(engine: LocalEngine) -> None:
    server = fork_server_of(engine.store.workspace)
    workers = workers_of(server)
    server.suspend()
    workers[0].kill()
    # The trial needs a worker, which this server does not fork; the other worker is left alone.
    waiting.wait_until(
        lambda: [
            other for other in fork_servers_of(engine.store.workspace) if other.pid != server.pid and workers_of(other)
        ]
    )
    assert workers[1].is_running()
    complete(engine)


def test_all_stopped_and_let_go_on_lose_nothing(engine: LocalEngine) -> None:
    """As a laptop that was suspended, or a container that was paused."""
    server = fork_server_of(engine.store.workspace)
    everyone = [supervisor_of(engine.store.workspace), server, *workers_of(server)]
    for process in everyone:
        process.suspend()
    time.sleep(2 * LIMIT)
    for process in everyone:
        process.resume()
    time.sleep(2 * LIMIT)  # in which they would be missed
    assert [trial.attempts for trial in engine.sync("quick").trials] == [1, 1]
    complete(engine)


def test_what_is_said_of_a_stopped_supervisor(engine: LocalEngine) -> None:
    workspace = engine.store.workspace
    supervisor = supervisor_of(workspace)
    assert engine.sync("quick").reason == ""
    suspend_between_writes(engine, supervisor)
    record = wait_until(partial(engine.sync, "quick"), lambda record: bool(record.reason))
    assert record.state is ExperimentState.RUNNING, "it can go on"
    assert record.reason.startswith("nothing was heard since ")
    assert f"`kill -CONT {supervisor.pid}` lets it go on" in record.reason
    assert Engines(workspace).experiments()[0].reason == record.reason
    assert engine.sync("quick").reason == record.reason, "since when does not move"
    assert record.reason in command(workspace.root)("status", "quick").out
    # Asked to stop it cannot answer, which is said too.
    stopping = engine.stop("quick", wait=0.1)
    assert (stopping.state, stopping.reason) == (ExperimentState.STOPPING, record.reason)
    supervisor.resume()
    record = wait_until(partial(engine.sync, "quick"), lambda record: record.state is ExperimentState.STOPPED)
    assert record.reason == ""
    assert engine.resume("quick").reason == ""
    complete(engine)
