"""Studies: which searches belong to which data, their states, and what a person says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwas_core.errors import SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.studies.about import LONGEST_NAME, StudyAbout, change_about, read_about
from gwas_core.studies.listing import Study, StudyState, list_studies, study_of
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.concurrency import at_once
from tests.tuning.quick_experiments import quick_experiment

SPACE = SearchSpace((Parameter(name="start_l2", kind=ParameterKind.DOUBLE, minimum=0.1, maximum=10),))
KEY = "0123456789abcdef"


def made(trait: str = "height", *, seed: int = 0, missing: bool = True) -> Dataset:
    """Data as read: with missing genotypes, which preparation fills in."""
    random = np.random.default_rng(seed)
    genotypes = random.integers(0, 3, (80, 40)).astype(np.int8)
    phenotype = genotypes[:, :5].sum(axis=1) + random.normal(size=80)
    if missing:
        genotypes[::7, ::5] = -1
    return Dataset(
        genotypes=genotypes,
        phenotype=phenotype,
        line_names=tuple(f"line-{number}" for number in range(80)),
        snps=pd.DataFrame({"name": [f"snp-{number}" for number in range(40)], "chromosome": "1", "position": 0}),
        trait=trait,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Workspace(tmp_path / "workspace"))


def studies(store: Store) -> tuple[Study, ...]:
    return list_studies(store.workspace, DatasetLibrary(store.workspace).entries(), store.experiments())


def searched(store: Store, dataset: Dataset, name: str) -> None:
    create_experiment(store, dataset, name=name, source="height.txt", space=SPACE)


def test_each_dataset_is_a_study_with_its_searches(store: Store) -> None:
    height, weight = made(), made("weight", seed=1)
    DatasetLibrary(store.workspace).add(weight, source="weight.txt")
    searched(store, height, "first")
    searched(store, height, "second")
    found = {study.trait: study for study in studies(store)}
    assert [entry.name for entry in found["height"].experiments] == ["second", "first"]
    assert found["weight"].experiments == ()
    assert found["weight"].state is StudyState.NO_SEARCH
    assert found["weight"].title == "weight · weight.txt"
    assert found["height"].key == height.content_hash[:16]
    assert (found["height"].lines, found["height"].snps) == (80, 40)
    assert study_of(studies(store), "first") == found["height"]
    assert study_of(studies(store), "third") is None


def test_a_search_of_an_earlier_version_is_found_by_its_lines(store: Store) -> None:
    """It does not say what it was prepared from."""
    dataset, other = made(), made(seed=1)
    more = replace(
        dataset,
        genotypes=np.vstack([dataset.genotypes, dataset.genotypes[:1]]),
        phenotype=np.append(dataset.phenotype, 1.0),
        line_names=(*dataset.line_names, "line-more"),
    )
    for entry in (dataset, other, more):
        DatasetLibrary(store.workspace).add(entry, source="height.txt")
    prepared = replace(dataset, genotypes=np.abs(dataset.genotypes))
    prepared.save(store.workspace.dataset_directory(prepared.content_hash))
    store.create(quick_experiment(prepared.content_hash, "old"))
    (found,) = (study for study in studies(store) if study.experiments)
    assert found.key == dataset.content_hash[:16]


def test_a_search_without_its_data_is_a_study_all_the_same(store: Store) -> None:
    dataset = made()
    searched(store, dataset, "first")
    DatasetLibrary(store.workspace).delete(dataset.content_hash)
    (study,) = studies(store)
    assert study.entry is None
    assert study.trait == "height"
    assert study.lines == 80
    store.create(quick_experiment("ab" * 32, "lost"))
    lost = study_of(studies(store), "lost")
    assert lost is not None
    assert lost.key == "x" + "ab" * 8
    assert lost.lines is None
    assert lost.title == "quick.txt"


def test_what_the_store_says_of_the_data_is_not_trusted(store: Store) -> None:
    store.create(quick_experiment("ab" * 32, "hostile"), dataset_as_read="../../etc/passwd")
    (study,) = studies(store)
    assert study.key == "x" + "ab" * 8


def test_a_search_that_runs_makes_its_study_a_searching_one(store: Store) -> None:
    searched(store, made(), "first")
    (study,) = studies(store)
    assert study.state is StudyState.SEARCHING, "created: about to run"
    stopped = replace(study.experiments[0], state=ExperimentState.STOPPED)
    assert replace(study, experiments=(stopped,)).state is StudyState.UNFINISHED


def test_what_a_person_says_is_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert read_about(workspace, KEY) == StudyAbout()
    change_about(workspace, KEY, name="Höhe", tags=["soy", "2019"])
    change_about(workspace, KEY, notes="one\n\ntwo", archived=True)
    assert read_about(workspace, KEY) == StudyAbout(
        name="Höhe", notes="one\n\ntwo", tags=("soy", "2019"), archived=True
    )


def test_two_people_change_one_study_at_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    at_once(
        lambda: [change_about(workspace, KEY, name=f"n{number}") for number in range(20)],
        lambda: [change_about(workspace, KEY, notes=f"t{number}") for number in range(20)],
    )
    about = read_about(workspace, KEY)
    assert (about.name, about.notes) == ("n19", "t19")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "x" * (LONGEST_NAME + 1)}, "at most 120 characters"),
        ({"name": "a\x1b[2J"}, "must be printable"),
        ({"notes": "a\x00"}, "must be printable"),
        ({"tags": ["soy", "Soy"]}, "two tags of the study are the same"),
        ({"tags": [" "]}, "is no tag"),
        ({"tags": ["a,b"]}, "is no tag"),
        ({"tags": [str(number) for number in range(21)]}, "at most 20 tags"),
    ],
)
def test_what_cannot_be_kept_changes_nothing(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    change_about(workspace, KEY, name="before")
    with pytest.raises(SettingsError, match=said):
        change_about(workspace, KEY, **changes)  # type: ignore[arg-type]
    assert read_about(workspace, KEY) == StudyAbout(name="before")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name": 5}', b'{"tags": "x"}', b'{"name": "' + b"x" * 500 + b'"}'])
def test_a_damaged_file_is_a_study_without_a_name(content: bytes, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    change_about(workspace, KEY, name="before")
    (tmp_path / "_studies" / f"{KEY}.json").write_bytes(content)
    assert read_about(workspace, KEY) == StudyAbout()


@pytest.mark.parametrize("key", ["", "../x", "a" * 15, "x" * 17, "A" * 16])
def test_other_keys_are_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no study"):
        read_about(Workspace(tmp_path), key)
