from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gwas_core.engines.launch import launch_experiment
from gwas_core.engines.selection import Engines
from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.model.calibration import Calibration, Timing
from gwas_core.tuning.creation import check_fits_network, create_experiment
from gwas_core.tuning.space import PRESETS, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace

RATE = {"name": "learning_rate", "kind": "double", "minimum": 1e-5, "maximum": 1e-2}
SPACE = SearchSpace.from_dict({"parameters": [RATE], "fixed": {"network": "hybrid"}})
TIMING = Timing(start_seconds=1.0, epoch_seconds=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Workspace(tmp_path))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    settings = SimulationSettings(
        families=4, lines_per_family=30, snps=60, polygenic_qtl=20, missing_fraction=0.1, seed=3
    )
    return simulate(settings).dataset


def test_the_next_search_finds_the_dataset_as_it_was_read(store: Store, dataset: Dataset) -> None:
    assert dataset.has_missing
    experiment = create_experiment(store, dataset, name="first", source="made.txt", space=SPACE, notes=("a note",))
    library = DatasetLibrary(store.workspace)
    (entry,) = library.entries()
    assert (entry.hash, entry.source, entry.notes) == (dataset.content_hash, "made.txt", ("a note",))
    assert library.load(entry.hash).has_missing
    assert experiment.dataset != entry.hash
    assert not Dataset.load(store.workspace.dataset_directory(experiment.dataset)).has_missing
    # One that is there keeps its name and its place in the list.
    create_experiment(store, dataset, name="second", source="other name.txt", space=SPACE)
    assert library.entries() == (entry,)


def test_what_was_measured_before_is_not_measured_again(store: Store, dataset: Dataset) -> None:
    calibration = Calibration(xla=False, without_xla=TIMING, with_xla=TIMING, device="cpu")
    for name, given in (("known", calibration), ("unknown", None)):
        create_experiment(store, dataset, name=name, source="made.txt", space=SPACE, calibration=given)
    assert store.load("known").calibration == calibration
    assert store.load("unknown").calibration is None


def test_what_cannot_be_started_leaves_its_name_free(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(store.workspace.root))
    engines = Engines(store.workspace)
    with pytest.raises(ExperimentError, match="no Kubernetes cluster is configured"):
        launch_experiment(engines, dataset, name="first", source="made.txt", space=SPACE, engine="kubeflow")
    assert store.experiments() == ()
    assert not store.workspace.experiment_directory("first").exists()
    create_experiment(store, dataset, name="first", source="made.txt", space=SPACE)
    with pytest.raises(ExperimentError, match="already an experiment named first"):
        launch_experiment(engines, dataset, name="first", source="made.txt", space=SPACE, engine="kubeflow")
    assert [entry.name for entry in store.experiments()] == ["first"], "what was there stays"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_fit_their_networks(preset: str) -> None:
    check_fits_network(SearchSpace.preset(preset))


@pytest.mark.parametrize(
    ("parameter", "fixed", "field"),
    [
        ({**RATE, "minimum": 0.0}, {}, "learning_rate.minimum"),
        ({**RATE, "maximum": 11.0}, {}, "learning_rate.maximum"),
        ({**RATE, "name": "rate"}, {}, "rate.name"),
        ({"name": "loss", "kind": "categorical", "choices": ["huber", "hinge"]}, {}, "loss.choices"),
        ({"name": "network", "kind": "categorical", "choices": ["hybrid", "deeper"]}, {}, "network.choices"),
        (RATE, {"epochs": 0}, "fixed.epochs"),
        (RATE, {"epoch": 3}, "epoch.name"),
        (RATE, {"network": "deeper"}, "fixed.network"),
        (RATE, {"network": "tutorial", "haplotypes": 1}, "haplotypes.name"),
    ],
)
def test_what_does_not_fit_the_network_is_named(parameter: dict[str, Any], fixed: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_fits_network(SearchSpace.from_dict({"parameters": [parameter], "fixed": fixed}))
    assert refused.value.field == field
