"""The store: what is written comes back, quickly, whoever else is reading or writing."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import optuna
import pytest

from gwas_core.errors import ExperimentError, FailureKind, SettingsError
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.training import TrialResult
from gwas_core.processes.locks import experiment_lock
from gwas_core.serialization import to_json_values
from gwas_core.tuning.attributes import BASELINES, CALIBRATION, OUTCOME, RESULT, Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import FinalMetrics
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.tables import Reader
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.concurrency import at_once
from tests.counting import counted_statements
from tests.tuning.quick_experiments import quick_experiment

HASH = "0123456789abcdef" * 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Workspace(tmp_path))


def metrics(error: float) -> PredictionMetrics:
    """What a model reached on some lines."""
    return PredictionMetrics(
        lines=12, mean_absolute_error=error, root_mean_squared_error=2 * error, pearson=0.25, within_family_pearson=None
    )


def begun(writer: ExperimentWriter, count: int) -> None:
    """Have so many trials suggested and begun."""
    for _ in range(count):
        trial = writer.study.ask(writer.experiment.space.to_distributions())
        writer.begin(trial.number)


def test_what_is_written_comes_back(store: Store) -> None:
    experiment = quick_experiment(HASH, fixed={"epochs": 3})
    store.create(experiment)
    created = store.load("quick")
    assert (created.state, created.experiment, created.trials) == (ExperimentState.CREATED, experiment, ())
    assert (created.best, created.baselines, created.final_evaluation, created.started) == (None, None, None, None)

    writer = ExperimentWriter(store, "quick")
    writer.set_status(ExperimentState.RUNNING)
    begun(writer, 4)
    for epoch, value in enumerate([0.9, 0.5, 0.7], start=1):
        writer.report(0, epoch, value)
    validation = metrics(0.5)
    result = TrialResult(val_mean_absolute_error=0.5, best_epoch=2, epochs=3, validation=validation)
    writer.finish(0, Outcome(state=TrialState.SUCCEEDED, result=result))
    writer.report(1, 1, 2.0)
    writer.finish(1, Outcome(state=TrialState.PRUNED, reason="others were better"))
    writer.finish(2, Outcome(state=TrialState.FAILED, reason="no luck", failure=FailureKind.OUT_OF_MEMORY))
    baselines = {"mean": BaselineMetrics(validation=metrics(1.0), test=metrics(1.5), variance={"ratio": 2.0})}
    writer.set_baselines(baselines)
    writer.add_final_evaluation(0, validation=metrics(0.5), test=metrics(0.75))

    record = store.load("quick")
    assert [trial.state for trial in record.trials] == ["succeeded", "pruned", "failed", "running"]
    first = record.trials[0]
    assert first.history == ((1, 0.9), (2, 0.5), (3, 0.7))
    assert (first.value, first.best_epoch, first.epochs, first.attempts) == (0.5, 2, 3, 1)
    assert first.result == result
    assert first.metrics == {
        "val_mean_absolute_error": 0.5,
        "val_root_mean_squared_error": 1.0,
        "val_pearson": 0.25,
    }
    assert [trial.failure for trial in record.trials] == [None, None, FailureKind.OUT_OF_MEMORY, None]
    assert first.parameters["epochs"] == 3
    assert first.seed == experiment.trial_seed(0)
    assert first.directory == store.workspace.trial_directory("quick", 0)
    assert first.seconds is not None
    assert first.seconds >= 0
    assert [trial.reason for trial in record.trials] == ["", "others were better", "no luck", ""]
    assert record.trials[1].metrics == {"val_mean_absolute_error": 2.0}
    assert record.best == first
    assert record.finished_trials == 3
    assert record.baselines == baselines
    assert record.final_evaluation == FinalMetrics(trial=0, validation=metrics(0.5), test=metrics(0.75))
    assert record.evaluated_best == record.final_evaluation
    writer.add_final_evaluation(1, validation=metrics(0.5), test=metrics(0.75))
    assert writer.final_evaluation() == replace(record.final_evaluation, trial=1, test_evaluations=2)
    assert store.load("quick").evaluated_best is None
    for trial in record.trials:
        json.dumps(trial.to_dict(), allow_nan=False)

    (summary,) = store.experiments()
    assert summary.counts == record.counts
    assert (summary.name, summary.source, summary.best) == ("quick", "quick.txt", (0, 0.5))
    assert (summary.state, summary.max_trials, summary.finished_trials) == (ExperimentState.RUNNING, 4, 3)
    assert summary.baselines == record.baselines

    # What nobody works on is not running.
    writer.set_status(ExperimentState.INTERRUPTED, "gone")
    record = store.load("quick")
    assert record.trials[3].state is TrialState.INTERRUPTED
    assert store.experiments()[0].counts == record.counts
    assert (record.reason, record.finished is None) == ("gone", False)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(
            state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=0.5), finished="2026-01-01T00:02:00Z"
        ),
        Outcome(state=TrialState.PRUNED, reason="others were better", finished="2026-01-01T00:02:00Z"),
        Outcome(state=TrialState.FAILED, reason="no luck", finished="2026-01-01T00:02:00Z"),
    ],
)
def test_added_at_once_a_trial_is_as_it_would_be_step_by_step(store: Store, outcome: Outcome) -> None:
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    writer.set_status(ExperimentState.RUNNING)
    parameters = {parameter.name: parameter.at_position(0.5) for parameter in writer.experiment.space.parameters}
    number = writer.add(parameters, folder="quick-a")
    writer.begin(number, seed=7, started="2026-01-01T00:00:00Z")
    for epoch, value in ((1, 0.9), (2, 0.5)):
        writer.report(number, epoch, value)
    writer.finish(number, outcome)
    writer.add_finished(
        parameters,
        outcome,
        folder="quick-a",
        history=((1, 0.9), (2, 0.5)),
        seed=7,
        started="2026-01-01T00:00:00Z",
    )
    first, second = store.load("quick").trials
    assert replace(second, number=0) == first
    assert second.number == 1


def test_begun_again_a_trial_starts_afresh(store: Store) -> None:
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    writer.set_status(ExperimentState.RUNNING)
    begun(writer, 1)
    for epoch in (1, 2, 3):
        writer.report(0, epoch, 1.0)
    parameters = store.load("quick").trials[0].parameters
    writer.put_back(0, death=True, reason="begun again: its worker died")
    (waiting,) = store.load("quick").trials
    assert (waiting.state, waiting.reason) == (TrialState.WAITING, "begun again: its worker died")
    begun(writer, 1)
    writer.report(0, 1, 0.5)
    (trial,) = store.load("quick").trials
    assert (trial.state, trial.attempts, trial.history) == (TrialState.RUNNING, 2, ((1, 0.5),))
    assert trial.parameters == parameters
    writer.finish(0, Outcome(state=TrialState.PRUNED, reason="worse"))
    assert store.load("quick").trials[0].value == 0.5


def test_a_trial_begun_again_is_compiled_as_before(store: Store) -> None:
    """Which way is faster may be measured otherwise the next time; a trial's digits must not depend on that."""
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    for _ in range(2):
        writer.study.ask(writer.experiment.space.to_distributions())
    assert writer.begin(0, xla=True).xla is True
    assert store.load("quick").trials[0].xla is True
    writer.put_back(0, crash=True)
    assert writer.begin(0, xla=False).xla is True
    # What a cluster's trial took is known from its result.
    writer.begin(1)
    assert store.load("quick").trials[1].xla is None
    writer.finish(1, Outcome(state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=0.5, xla=True)))
    assert [trial.to_dict()["xla"] for trial in store.load("quick").trials] == [True, True]


def test_a_clock_set_back_shortens_no_trial(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    begun(writer, 2)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    monkeypatch.setattr("gwas_core.tuning.writer.now", lambda: yesterday)
    writer.finish(0, Outcome(state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=0.5)))
    # As where another process begun it, or an older version: there are only the two times, which tell nothing.
    writer = ExperimentWriter(store, "quick")
    writer.finish(1, Outcome(state=TrialState.PRUNED, reason="worse"))
    first, second = store.load("quick").trials
    assert first.started is not None
    assert first.finished is not None
    assert first.finished < first.started
    assert first.seconds is not None
    assert 0 <= first.seconds < 3600
    assert second.seconds is None
    assert [trial.to_dict()["seconds"] for trial in (first, second)] == [first.seconds, None]


def test_requests_reach_the_writer(store: Store) -> None:
    store.create(quick_experiment(HASH, max_trials=4))
    writer = ExperimentWriter(store, "quick")
    writer.set_status(ExperimentState.RUNNING)
    assert (writer.requests().stop, writer.requests().max_trials) == (False, 4)
    store.request_stop("quick")
    assert store.add_trials("quick", 5) == 9
    assert (writer.requests().stop, writer.requests().max_trials) == (True, 9)
    record = store.load("quick")
    assert (record.state, record.experiment.max_trials) == (ExperimentState.STOPPING, 9)
    store.clear_stop_request("quick")
    assert not writer.requests().stop
    with pytest.raises(SettingsError, match="max_trials"):
        store.add_trials("quick", 1_000_000)


def test_names_are_taken_once(store: Store) -> None:
    store.create(quick_experiment(HASH))
    with pytest.raises(ExperimentError, match="already an experiment named quick"):
        store.create(quick_experiment(HASH, seed=1))
    (store.workspace.root / "photos").mkdir()
    (store.workspace.root / "photos" / "cat.jpg").touch()
    with pytest.raises(ExperimentError, match="already has a folder photos"):
        store.create(quick_experiment(HASH, "photos"))
    assert [summary.name for summary in store.experiments()] == ["quick"]


def test_newest_first_and_only_ours(store: Store) -> None:
    for name in ("first", "second"):
        store.create(quick_experiment(HASH, name))
    optuna.create_study(storage=store.storage, study_name="somebody-elses")
    assert [summary.name for summary in store.experiments()] == ["second", "first"]
    with pytest.raises(ExperimentError, match="another program"):
        store.load("somebody-elses")
    with pytest.raises(ExperimentError, match="no experiment named third"):
        store.load("third")
    with pytest.raises(SettingsError):
        store.load("../first")


def test_deleted_for_good(store: Store) -> None:
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    begun(writer, 3)
    directory = store.load("quick").directory
    (directory / "trial-0000").mkdir()
    with experiment_lock(directory) as lock:
        assert lock.acquire()
        with pytest.raises(ExperimentError, match="stop it before deleting"):
            Store(store.workspace).delete("quick")
    store.delete("quick")
    assert not directory.exists()
    assert store.experiments() == ()
    with pytest.raises(ExperimentError, match="no experiment named quick"):
        store.delete("quick")
    # Its number may be given out again; what it held must not come back.
    store.create(quick_experiment(HASH))
    assert store.load("quick").trials == ()


def test_reads_what_optuna_reads(store: Store) -> None:
    """Our reading of Optuna's tables against Optuna's own, on every kind of value they hold."""
    space = SearchSpace.preset("tutorial")
    store.create(quick_experiment(HASH, space=space))
    study = optuna.load_study(study_name="quick", storage=store.storage, sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(6):
        trial = study.ask(space.to_distributions())
        for epoch in range(1, number + 1):
            trial.report(math.nan if epoch == 2 else 1.0 / epoch, epoch)
        trial.set_user_attr("text", {"ä": [1, None, 'quoted "text"']})
    study.tell(0, 0.25)
    study.tell(1, state=optuna.trial.TrialState.PRUNED)
    study.tell(2, state=optuna.trial.TrialState.FAIL)
    study.tell(3, 1e-300)
    study.enqueue_trial({"learning_rate": 0.1})
    rows = Reader(store.storage).trials(store.study_id("quick"))
    trials = study.get_trials()
    assert len(rows) == len(trials) == 7
    for row, trial in zip(rows, trials, strict=True):
        assert (row.number, row.state, row.value) == (trial.number, trial.state.name, trial.value)
        assert row.parameters == trial.params
        assert [type(value) for value in row.parameters.values()] == [type(value) for value in trial.params.values()]
        finite = {step: value for step, value in trial.intermediate_values.items() if not math.isnan(value)}
        assert dict(row.history) == finite
        assert row.attributes == trial.user_attrs
        for ours, theirs in ((row.started, trial.datetime_start), (row.finished, trial.datetime_complete)):
            assert (None if ours is None else ours.timestamp()) == (None if theirs is None else theirs.timestamp())
    outcomes = Reader(store.storage).outcomes([store.study_id("quick")])[store.study_id("quick")]
    assert outcomes == [(trial.number, trial.state.name, trial.value) for trial in trials]


def test_what_another_version_wrote_in_another_form_is_passed_over(store: Store) -> None:
    experiment = quick_experiment(HASH)
    store.create(experiment)
    study_id = store.study_id("quick")
    good = to_json_values(BaselineMetrics(validation=metrics(1.0), test=metrics(1.5)))
    results = {
        "good": {**good, "later": 1},
        "half": {"validation": {"mean_absolute_error": 0.4}},
        "text": "lost",
        "empty": {},
        "infinite": {**good, "test": {**good["test"], "mean_absolute_error": math.inf}},
        "none": {"validation": None},
    }
    for key, value in (
        (BASELINES, {"results": results, "reason": ""}),
        (CALIBRATION, {"xla": False, "reason": "memory ran out"}),
        (RESULT, {"trial": 0, "validation": {}}),
    ):
        store.storage.set_study_user_attr(study_id, key, value)
    begun(ExperimentWriter(store, "quick"), 1)
    record = store.load("quick")
    assert record.baselines == {"good": BaselineMetrics(validation=metrics(1.0), test=metrics(1.5))}
    assert (record.calibration, record.final_evaluation) == (None, None)
    assert ExperimentWriter(store, "quick").measured_xla is False
    assert store.experiments()[0].baselines == record.baselines


def test_the_reason_of_an_outcome_is_read_even_if_the_rest_is_not(store: Store) -> None:
    store.create(quick_experiment(HASH))
    writer = ExperimentWriter(store, "quick")
    begun(writer, 1)
    writer.finish(0, Outcome(state=TrialState.FAILED, reason="memory ran out", failure=FailureKind.OUT_OF_MEMORY))
    trial_id = store.storage.get_trial_id_from_study_id_trial_number(store.study_id("quick"), 0)
    (trial,) = store.load("quick").trials
    assert (trial.reason, trial.failure) == ("memory ran out", FailureKind.OUT_OF_MEMORY)
    later = {"reason": "memory ran out", "failure": "a kind of tomorrow", "result": {"loss": 1}, "state": "sleeping"}
    # The user attributes of a finished trial are fixed for Optuna; another version would have written these before.
    with store.storage.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = ?",
            (json.dumps(later), trial_id, OUTCOME),
        )
    (trial,) = store.load("quick").trials
    assert (trial.reason, trial.failure, trial.result) == ("memory ran out", FailureKind.UNKNOWN, None)


def test_an_engine_keeps_notes_of_its_own(store: Store) -> None:
    store.create(quick_experiment(HASH))
    assert store.engine_attribute("quick", "kubeflow") is None
    store.set_engine_attribute("quick", "kubeflow", {"uid": "1"})
    assert store.engine_attribute("quick", "kubeflow") == {"uid": "1"}


def test_a_thousand_trials_are_read_by_a_few_statements(store: Store) -> None:
    space = SearchSpace.preset("tutorial")
    store.create(quick_experiment(HASH, space=space, max_trials=1000))
    writer = ExperimentWriter(store, "quick")
    begun(writer, 1)
    for epoch in range(1, 16):
        writer.report(0, epoch, 1.0 / epoch)
    result = TrialResult(val_mean_absolute_error=0.5, best_epoch=2, validation=metrics(0.5))
    writer.finish(0, Outcome(state=TrialState.SUCCEEDED, result=result))
    multiply_trial(store.workspace.root / "_experiments.sqlite3", 1000)
    # A few statements, however many trials there are; how long they take is for the benchmarks.
    with counted_statements() as statements:
        record = store.load("quick")
    assert len(statements) < 10
    with counted_statements() as statements:
        store.experiments()
    assert len(statements) < 10
    assert len(record.trials) == 1000
    assert record.trials[999] == replace(record.trials[0], number=999, directory=record.trials[999].directory)


def multiply_trial(database: Path, count: int) -> None:
    """Copy the only trial of a database until there are so many: through Optuna it would take a minute."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    columns = {
        "trial_params": "param_name, param_value, distribution_json",
        "trial_values": "objective, value, value_type",
        "trial_intermediate_values": "step, intermediate_value, intermediate_value_type",
        "trial_user_attributes": "key, value_json",
    }
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
            f"{numbers} SELECT 1 + i, i, study_id, state, datetime_start, datetime_complete FROM trials, n",
            [count - 1],
        )
        for table, names in columns.items():
            connection.execute(
                f"INSERT INTO {table} (trial_id, {names}) {numbers} SELECT 1 + i, {names} FROM {table}, n", [count - 1]
            )
        connection.commit()


def test_writers_and_readers_do_not_lock_each_other_out(store: Store) -> None:
    names = ("one", "two", "three")

    def work(name: str) -> None:
        own = Store(store.workspace)
        own.create(quick_experiment(HASH, name))
        writer = ExperimentWriter(own, name)
        writer.set_status(ExperimentState.RUNNING)
        for number in range(5):
            begun(writer, 1)
            writer.report(number, 1, 1.0)
            store.request_stop(name)
            writer.finish(number, Outcome(state=TrialState.FAILED, reason="as told"))
            own.experiments()

    at_once(*(partial(work, name) for name in names))
    assert {summary.counts[TrialState.FAILED] for summary in store.experiments()} == {5}
    with closing(sqlite3.connect(store.workspace.root / "_experiments.sqlite3")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_processes_may_open_it_first(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gwas_core.workspace import Workspace; "
        "from gwas_core.tuning.store import Store; print(Store(Workspace(Path(sys.argv[1]))).experiments())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "new")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(4)
    ]
    assert [process.communicate() for process in processes] == [("()\n", "")] * 4


def test_what_cannot_be_opened_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "_experiments.sqlite3").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(ExperimentError, match="file is not a database"):
        Store(workspace)
    (tmp_path / "file").touch()
    with pytest.raises(ExperimentError, match="cannot be opened"):
        Store(Workspace(tmp_path / "file" / "below"))
    with pytest.raises(SettingsError, match="no \\? or #"):
        Store(Workspace(tmp_path / "what?"))
    for address in ("nonsense://user:secret@host/x", "postgresql+missing://user:secret@host/x", "not an address"):
        monkeypatch.setenv("GWAS_STORAGE", address)
        with pytest.raises(ExperimentError) as refusal:
            Store(workspace)
        assert "secret" not in str(refusal.value)


def test_another_storage_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWAS_STORAGE", f"sqlite:///{tmp_path / 'elsewhere' / 'shared.db'}")
    store = Store(Workspace(tmp_path / "workspace"))
    store.create(quick_experiment(HASH))
    assert (tmp_path / "elsewhere" / "shared.db").is_file()
    assert not list((tmp_path / "workspace").glob("*.sqlite3"))
    assert [summary.name for summary in Store(Workspace(tmp_path / "other")).experiments()] == ["quick"]
