"""A bundle is packed again if what it was made of has changed, whatever a clock says."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import make_split, save_split
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.model.training import TrialResult
from gwas_core.report.bundle_export import bundle_is_current, bundle_path, export_bundle
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.tuning.quick_experiments import quick_workspace
from ui.model import current_bundle

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished search of one trial, whose files are there; nothing here reads the network."""
    workspace, content_hash = quick_workspace(tmp_path)
    dataset = Dataset.load(workspace.dataset_directory(content_hash))
    store = Store(workspace)
    experiment = create_experiment(
        store, dataset, name="made", source="quick.txt", space=SearchSpace.preset("focused"), max_trials=1
    )
    prepared = Dataset.load(workspace.dataset_directory(experiment.dataset))
    save_split(make_split(prepared, experiment.split), workspace.experiment_directory("made"))
    judge(store, 0.5)
    return store


def judge(store: Store, error: float) -> None:
    """Have one more trial tried, and judged as the best one."""
    writer = ExperimentWriter(store, "made")
    writer.set_status(ExperimentState.RUNNING)
    number = writer.study.ask(writer.experiment.space.to_distributions()).number
    writer.begin(number)
    metrics = PredictionMetrics(
        lines=12, mean_absolute_error=error, root_mean_squared_error=1.0, pearson=0.5, within_family_pearson=None
    )
    result = TrialResult(val_mean_absolute_error=error, best_epoch=1, epochs=1, validation=metrics)
    writer.finish(number, Outcome(state=TrialState.SUCCEEDED, result=result))
    writer.add_final_evaluation(number, validation=metrics, test=metrics)
    writer.set_status(ExperimentState.SUCCEEDED)
    record = store.load("made")
    folder = record.trials[number].directory
    folder.mkdir()
    for name in ("model.keras", "hyperparameters.json", "log.txt"):
        (folder / name).write_text(f"{name} of trial {number}")
    (record.directory / "predictions.csv").write_text(f"line,part,observed,predicted\na,test,1,{error}\n")


def packed(workspace: Workspace, member: str) -> str:
    with zipfile.ZipFile(bundle_path(workspace, Store(workspace).load("made"))) as archive:
        return archive.read(member).decode()


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_an_extended_search_is_packed_again_and_an_unchanged_one_is_not(store: Store, shift: float) -> None:
    """A clock that was set back gives the old bundle a later time than the end of the search has."""
    workspace = store.workspace
    record = store.load("made")
    bundle = export_bundle(workspace, record)
    moment = time.time() + shift
    os.utime(bundle, (moment, moment))
    assert current_bundle(workspace, record) == bundle
    assert bundle.stat().st_mtime == pytest.approx(moment), "it was packed again without need"
    judge(store, 0.25)
    os.utime(bundle, (moment, moment))
    record = store.load("made")
    assert not bundle_is_current(workspace, record)
    current_bundle(workspace, record)
    assert packed(workspace, "model.keras") == "model.keras of trial 1"
    assert bundle_is_current(workspace, record)


@pytest.mark.parametrize("name", ["trial-0000/log.txt", "trial-0000/model.keras", "predictions.csv", "imputation.npz"])
def test_files_that_went_into_it_count(store: Store, name: str) -> None:
    record = store.load("made")
    export_bundle(store.workspace, record)
    assert bundle_is_current(store.workspace, record)
    path = record.directory / name
    path.write_bytes(path.read_bytes() + b" ")
    assert not bundle_is_current(store.workspace, record)
    path.unlink()
    assert not bundle_is_current(store.workspace, record)
    os.mkfifo(path)  # nobody waits for what it may hold
    assert not bundle_is_current(store.workspace, record)


def test_a_bundle_of_an_earlier_version_or_a_damaged_one_is_packed_again(store: Store) -> None:
    record = store.load("made")
    path = bundle_path(store.workspace, record)
    assert not bundle_is_current(store.workspace, record)
    for content in (b"", b"no zip"):
        path.write_bytes(content)
        assert not bundle_is_current(store.workspace, record)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", '{"format": 1}')
    assert not bundle_is_current(store.workspace, record)
    current_bundle(store.workspace, record)
    assert packed(store.workspace, "log.txt") == "log.txt of trial 0"
