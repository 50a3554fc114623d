"""Changes that several processes make at once: none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.experiment import MAXIMUM_TRIALS, ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.tuning.transactions import change_attribute
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.concurrency import at_once
from tests.tuning.quick_experiments import quick_experiment

HASH = "0123456789abcdef" * 4


def test_six_extensions_at_once_are_six(tmp_path: Path) -> None:
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH, max_trials=12))
    ExperimentWriter(store, "quick").set_status(ExperimentState.RUNNING)
    with experiment_lock(tmp_path / "quick") as lock:  # so that it counts as running, and nothing is started
        assert lock.acquire()
        engines = [LocalEngine(Workspace(tmp_path)) for _ in range(6)]
        at_once(*(lambda engine=engine: engine.extend("quick", 1) for engine in engines))
    assert store.load("quick").experiment.max_trials == 18
    assert (tmp_path / "quick" / "record" / "max_trials.json").read_text() == "18\n"


def test_the_store_alone_loses_none(tmp_path: Path) -> None:
    """On several machines there is no common lock, only the database."""
    stores = [Store(Workspace(tmp_path)) for _ in range(6)]
    stores[0].create(quick_experiment(HASH, max_trials=10))
    at_once(*(lambda store=store: [store.add_trials("quick", 1) for _ in range(5)] for store in stores))
    assert stores[0].load("quick").experiment.max_trials == 40


def test_more_than_an_experiment_may_have_is_refused(tmp_path: Path) -> None:
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH, max_trials=12))
    with pytest.raises(SettingsError, match="max_trials"):
        store.add_trials("quick", MAXIMUM_TRIALS)
    assert store.load("quick").experiment.max_trials == 12


def test_a_study_that_is_gone_gets_no_attribute(tmp_path: Path) -> None:
    """Its number may be given out again."""
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH))
    study_id = store.study_id("quick")
    store.delete("quick")
    with pytest.raises(ExperimentError, match="just deleted"):
        change_attribute(store.storage, study_id, "max_trials", lambda _: 9)
    store.create(quick_experiment(HASH))
    assert store.load("quick").experiment.max_trials == 4
