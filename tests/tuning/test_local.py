"""The engine of this machine: the contract, and what is its own."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.engine import watch
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import Refit
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import AlgorithmSettings
from tests.tuning import refitted_trial
from tests.tuning.engine_contract import Bench, EngineContract, check_complete, run
from tests.tuning.quick_experiments import (
    behaviours,
    processes_of,
    quick_experiment,
    quick_workspace,
    supervisor_of,
    wait_until,
    wait_until_gone,
)
from tests.tuning.quick_trial import MODEL
from tests.waiting import LIMIT, hold_trials, release_trials

pytestmark = pytest.mark.usefixtures("quick_model")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    # A path as people have them: spaces, braces, per cent signs, letters that are not ASCII.
    workspace, dataset = quick_workspace(tmp_path / "my {wörk} 100%")
    engine = LocalEngine(workspace)
    return Bench(engine, engine.store, lambda **changes: quick_experiment(**{"dataset": dataset} | changes))


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        return bench


def engine_of(bench: Bench) -> LocalEngine:
    assert isinstance(bench.engine, LocalEngine)
    return bench.engine


def test_every_way_a_trial_can_end(bench: Bench) -> None:
    names = ("good", "fails", "raises", "killed", "killed_once", "exits", "not_finite", "infinite")
    experiment = bench.experiment(
        space=behaviours(*names), algorithm=AlgorithmSettings(name="grid"), max_trials=50, max_failed_trials=50
    )
    record = run(bench, experiment)
    by_name = {str(trial.parameters["behaviour"]): trial for trial in record.trials}
    assert set(by_name) == set(names)
    # All points tried is an end like any other, and is said.
    assert record.state is ExperimentState.SUCCEEDED
    assert "all 8 points" in record.reason
    expected = {
        "good": (TrialState.SUCCEEDED, 1, ""),
        "fails": (TrialState.FAILED, 1, "this trial was told to fail"),
        "raises": (TrialState.FAILED, 1, "RuntimeError: this trial was told"),
        "killed": (
            TrialState.FAILED,
            2,
            "the worker was killed by signal 9 (SIGKILL), twice: perhaps memory ran out; use fewer parallel trials",
        ),
        "killed_once": (
            TrialState.SUCCEEDED,
            2,
            "begun again: the worker was killed by signal 9 (SIGKILL)",
        ),
        "exits": (
            TrialState.FAILED,
            2,
            "the worker ended by itself with code 7, twice: perhaps memory ran out; use fewer parallel trials",
        ),
        "not_finite": (TrialState.FAILED, 1, "val_mean_absolute_error became nan in epoch 1"),
        "infinite": (TrialState.FAILED, 1, "the result holds a number that is not finite"),
    }
    assert {name: (trial.state, trial.attempts, trial.reason) for name, trial in by_name.items()} == expected
    # The attempt that was killed left no epochs behind, and seeds are a trial's own.
    assert [epoch for epoch, _ in by_name["killed_once"].history] == [1, 2, 3]
    assert len({trial.seed for trial in record.trials}) == len(names)
    log = (record.directory / "worker-0.log").read_text(encoding="utf-8")
    assert "printed to stdout by a trial" in log
    wait_until_gone(engine_of(bench).store.workspace)


def test_it_outlives_who_started_it_and_stops_at_once(bench: Bench) -> None:
    engine = engine_of(bench)
    workspace = engine.store.workspace
    # The dashboard starts experiments from threads that end soon after.
    starter = threading.Thread(target=engine.start, args=[bench.experiment(fixed={"epoch_seconds": 3600.0})])
    starter.start()
    starter.join()
    process = supervisor_of(workspace)
    assert os.getsid(process.pid) == process.pid, "its own session: no terminal's end reaches it"
    wait_until(lambda: engine.sync("quick"), lambda record: record.counts[TrialState.RUNNING] == 2)
    (template,) = (child for child in process.children() if "gwas_core.tuning.worker" in child.cmdline())
    workers = template.children()
    assert len(workers) == 2
    threads = {worker.environ()["OMP_NUM_THREADS"] for worker in workers}
    assert threads == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
    with pytest.raises(ExperimentError, match="stop it before deleting"):
        engine.delete("quick")
    # A second supervisor of the same experiment finds the lock taken and leaves everything alone.
    with pytest.raises(ExperimentError, match="already running"):
        engine._launch("quick")
    # In the midst of an epoch, which is not waited for.
    stopped = engine.stop("quick", wait=LIMIT)
    assert stopped.state is ExperimentState.STOPPED
    assert stopped.counts == {TrialState.INTERRUPTED: 2}
    wait_until_gone(workspace)
    engine.delete("quick")
    assert engine.experiments() == ()
    assert not stopped.directory.exists()


def test_told_to_end_by_the_system_it_stops(bench: Bench) -> None:
    engine = engine_of(bench)
    workspace = engine.store.workspace
    hold_trials(workspace.root, 0)
    engine.start(bench.experiment())
    wait_until(lambda: engine.sync("quick"), lambda record: record.counts[TrialState.RUNNING] == 2)
    # As at a shutdown, everyone is told, workers too.
    for process in processes_of(workspace):
        process.send_signal(signal.SIGTERM)
    stopped = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    assert stopped.state is ExperimentState.STOPPED
    assert "shuts down" in stopped.reason
    wait_until_gone(workspace)
    release_trials(workspace.root)
    engine.resume("quick")
    *_, last = watch(engine, "quick")
    check_complete(last)
    assert last.reason == ""


def test_workers_are_replaced_before_they_grow_too_large(bench: Bench) -> None:
    engine = engine_of(bench)
    engine.start(bench.experiment(max_trials=5, parallel_trials=1, fixed={"behaviour": "grows"}))
    *_, record = watch(engine, "quick")
    check_complete(record)
    workers = [json.loads((trial.directory / "model.json").read_text())["worker"] for trial in record.trials]
    # Four fifths of what is allowed a trial: the first worker began with the baselines, the second one with a trial.
    assert [workers.count(worker) for worker in dict.fromkeys(workers)] == [2, 3]


def test_readers_never_see_an_error_or_half_a_thing(bench: Bench) -> None:
    engine = engine_of(bench)
    root = engine.store.workspace.root
    stop, errors = threading.Event(), list[Exception]()
    seen: set[int] = set()
    hold_trials(root, 0)

    def read() -> None:
        store = Store(engine.store.workspace)
        while not stop.is_set():
            try:
                store.experiments()
                record = store.load("quick")
                for trial in record.trials:
                    if trial.state.is_finished():
                        assert trial.parameters.keys() == {"penalty"}, trial
                    if trial.state is TrialState.SUCCEEDED:
                        assert trial.value is not None
                        assert trial.result is not None, trial
                        assert trial.epochs == 3, trial
                running = {trial.number for trial in record.trials if trial.state is TrialState.RUNNING}
                seen.update(running)
                # All that run were read meanwhile, and none can begin before one has finished: now one may.
                if len(running) == 2 or record.finished_trials + len(running) == 12:
                    hold_trials(root, record.finished_trials + 1)
            except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
                errors.append(error)
                release_trials(root)
                return

    engine.start(bench.experiment(max_trials=12))
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    *_, last = watch(engine, "quick", seconds=0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    check_complete(last)
    assert seen == set(range(12)), "each was read while it ran"


def test_what_cannot_start_says_why(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bench)
    workspace = engine.store.workspace
    with pytest.raises(SettingsError) as refusal:
        engine.start(bench.experiment(engine="kubeflow"))
    assert refusal.value.field == "engine"

    dataset = Dataset.load(workspace.dataset_directory(bench.experiment().dataset))
    genotypes = dataset.genotypes.copy()
    genotypes[0, 0] = MISSING
    unprepared = replace(dataset, genotypes=genotypes)
    unprepared.save(workspace.dataset_directory(unprepared.content_hash))
    with pytest.raises(SettingsError, match="missing genotypes"):
        engine.start(bench.experiment(dataset=unprepared.content_hash))

    monkeypatch.setenv("GWAS_MODEL", "no.such.module")
    with pytest.raises(ExperimentError, match=r"'no\.such\.module', which is no model"):
        engine.start(bench.experiment(name="no-model", max_trials=2))

    monkeypatch.setenv("GWAS_MODEL", "tests.tuning.model_that_cannot_be_imported")
    engine.start(bench.experiment(name="no-function", max_trials=2))
    *_, record = watch(engine, "no-function")
    assert record.state is ExperimentState.FAILED
    assert "there is no such library" in record.reason
    monkeypatch.setenv("GWAS_MODEL", MODEL)

    # Workers that cannot even open their files.
    (record.directory / "split.json").write_text("{}", encoding="utf-8")
    engine.extend("no-function", 1)
    *_, record = watch(engine, "no-function")
    assert record.state is ExperimentState.FAILED
    assert "workers do not start" in record.reason
    assert "split" in record.reason
    (record.directory / "split.json").unlink()
    with pytest.raises(ExperimentError, match=r"split\.json is gone"):
        engine.resume("no-function")


def test_a_lock_is_its_holders_alone(tmp_path: Path) -> None:
    first, second = experiment_lock(tmp_path), experiment_lock(tmp_path)
    assert first.acquire()
    assert first.acquire(), "its holder has it already"
    assert not second.acquire(seconds=0.05)
    first.release()
    first.release()
    assert second.acquire()
    second.release()


def test_no_child_inherits_the_lock(tmp_path: Path) -> None:
    with experiment_lock(tmp_path) as lock:
        assert lock.acquire()
        child = psutil.Popen(["/bin/sleep", "30"], close_fds=False)
    try:
        assert experiment_lock(tmp_path).acquire(), "a child kept its parent's lock"
    finally:
        child.kill()
        child.wait()


def test_the_judged_network_is_refitted_on_all_lines_and_a_failure_of_that_fails_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWAS_MODEL", refitted_trial.MODEL)
    told_to_fail = bench.store.workspace.root / "_no_refit"
    told_to_fail.touch()
    record = run(bench, bench.experiment(max_trials=1))
    assert (record.state, record.reason) == (ExperimentState.SUCCEEDED, "")
    assert record.refit_of_best == Refit(trial=0, result=None, reason="this refit was told to fail")
    # With what was wrong mended, whoever adds trials gets it, of the trial that is best then.
    told_to_fail.unlink()
    bench.engine.extend("quick", 1)
    *_, record = watch(bench.engine, "quick", seconds=0.1)
    assert record.state is ExperimentState.SUCCEEDED
    assert record.best is not None
    assert record.refit_of_best is not None
    assert record.refit_of_best.trial == record.best.number
    refit = record.refit_of_best.result
    assert refit is not None
    assert (refit.lines, refit.judged_lines, refit.epochs) == (80, 56, record.best.best_epoch)
    asked = json.loads((record.best.directory / "refit" / "asked.json").read_text())
    assert asked == {"lines": 80, "epochs": 3, "seed": record.best.seed}
