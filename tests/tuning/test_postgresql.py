"""PostgreSQL as the store: what holds for a file holds for a server, which several machines share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dashboard import Dashboard, Session
from gwas_core.errors import ExperimentError
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.concurrency import at_once
from tests.postgresql import postgresql
from tests.tuning import test_store as of_a_file
from tests.tuning import test_summaries as summaries_of_a_file
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until
from tests.waiting import hold_trials, release_trials
from tests.waiting import wait_until as wait_until_true

OPEN = (
    "import sys; from pathlib import Path; from gwas_core.workspace import Workspace; "
    "from gwas_core.tuning.store import Store; print(Store(Workspace(Path(sys.argv[1]))).experiments())"
)
CONTRACT = [
    of_a_file.test_what_is_written_comes_back,
    of_a_file.test_begun_again_a_trial_starts_afresh,
    of_a_file.test_requests_reach_the_writer,
    of_a_file.test_names_are_taken_once,
    of_a_file.test_newest_first_and_only_ours,
    of_a_file.test_reads_what_optuna_reads,
    of_a_file.test_an_engine_keeps_notes_of_its_own,
    summaries_of_a_file.test_whatever_changes_the_list_is_what_a_fresh_look_says,
    summaries_of_a_file.test_what_did_not_change_is_not_read_again,
    summaries_of_a_file.test_a_running_one_is_read_again_when_a_trial_has_ended,
]


@pytest.fixture(scope="module")
def new_database() -> Iterator[Callable[[], str]]:
    with postgresql() as new:
        yield new


@pytest.fixture
def address(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty database, which ``GWAS_STORAGE`` names."""
    found = new_database()
    monkeypatch.setenv("GWAS_STORAGE", found)
    return found


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("contract", CONTRACT, ids=lambda test: test.__name__.removeprefix("test_"))
def test_what_holds_for_a_file_holds_for_a_server(contract: Callable[[Store], Any], tmp_path: Path) -> None:
    contract(Store(Workspace(tmp_path / "workspace")))


@pytest.mark.usefixtures("address")
def test_many_processes_may_open_it_first(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path / f"machine-{number}")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(4)
    ]
    assert [process.communicate() for process in processes] == [("()\n", "")] * 4


@dataclass(frozen=True)
class Machine:
    """One of the machines that share the store: a workspace of its own, and the engine that works there."""

    engine: LocalEngine
    dataset: str

    @property
    def root(self) -> Path:
        return self.engine.store.workspace.root


@pytest.fixture
def machines(tmp_path: Path, address: str, quick_model: None) -> tuple[Machine, Machine]:
    made = []
    for name in ("one", "two"):
        workspace, dataset = quick_workspace(tmp_path / name)
        made.append(Machine(LocalEngine(workspace, store=Store(workspace)), dataset))
    return made[0], made[1]


def test_two_search_machines_and_two_dashboards_share_it(
    machines: tuple[Machine, Machine], address: str, tmp_path: Path
) -> None:
    """Each machine searches, and each dashboard shows both searches as they are, which neither takes for broken off."""
    for machine, name in zip(machines, ("first", "second"), strict=True):
        hold_trials(machine.root, 2)
        machine.engine.start(quick_experiment(machine.dataset, name, max_trials=6))
    dashboards = [Dashboard(machine.root, tmp_path / f"{machine.root.name}.log") for machine in machines]
    try:
        looking = [Session(dashboard, page) for dashboard in dashboards for page in ("experiments", "machine-room")]
        for session in looking:
            session.start()
        for machine in machines:
            for name in ("first", "second"):
                record = wait_until(partial(machine.engine.sync, name), lambda record: record.finished_trials >= 2)
                assert record.state is ExperimentState.RUNNING
        drawn = [session.drawn for session in looking]
        wait_until_true(lambda: all(s.drawn >= before + 2 for s, before in zip(looking, drawn, strict=True)))
        for machine in machines:
            listed = machine.engine.experiments()
            assert {summary.name: summary.state for summary in listed} == dict.fromkeys(
                ("first", "second"), ExperimentState.RUNNING
            )
            release_trials(machine.root)
        for machine, name in zip(machines, ("first", "second"), strict=True):
            record = wait_until(partial(machine.engine.sync, name), lambda record: not record.state.is_active())
            check_complete(record)
            assert record.counts == {TrialState.SUCCEEDED: 6}
            assert {trial.attempts for trial in record.trials} == {1}
        for session in looking:
            session.check()
            session.end()
    finally:
        for dashboard in dashboards:
            dashboard.close()


def test_one_machine_leaves_to_the_other_what_runs_there(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    hold_trials(here.root, 1)
    here.engine.start(quick_experiment(here.dataset, max_trials=4))
    record = there.engine.sync("quick")
    assert record.state is ExperimentState.RUNNING
    assert record.reason.startswith("it runs on '")
    assert str(here.root) in record.reason
    assert there.engine.experiments()[0].reason == record.reason
    with pytest.raises(ExperimentError, match=r"is running on .*: stop it before deleting it"):
        there.engine.delete("quick")
    assert not (there.root / "quick").exists(), "nothing was made there by looking"
    # It can be asked to stop and to do more from there, since that passes through the store.
    assert there.engine.extend("quick", 2).experiment.max_trials == 6
    stopping = there.engine.stop("quick", wait=0.1)
    assert stopping.state in (ExperimentState.STOPPING, ExperimentState.STOPPED)
    wait_until(lambda: there.engine.sync("quick"), lambda record: record.state is ExperimentState.STOPPED)
    with pytest.raises(ExperimentError, match=r"the files of quick are on .*: go on with it there"):
        there.engine.resume("quick")
    release_trials(here.root)
    here.engine.resume("quick")
    record = wait_until(lambda: there.engine.sync("quick"), lambda record: not record.state.is_active())
    assert record.counts == {TrialState.SUCCEEDED: 6}


def test_a_name_is_given_once_to_two_machines_at_the_same_moment(machines: tuple[Machine, Machine]) -> None:
    refusals: list[str] = []

    def start(machine: Machine) -> None:
        try:
            machine.engine.start(quick_experiment(machine.dataset, max_trials=1))
        except ExperimentError as error:
            refusals.append(str(error))

    at_once(*(partial(start, machine) for machine in machines))
    (refusal,) = refusals
    assert refusal.startswith("there is already an experiment named quick")
    record = wait_until(lambda: machines[0].engine.sync("quick"), lambda record: not record.state.is_active())
    assert record.counts == {TrialState.SUCCEEDED: 1}, (record.state, record.reason)
