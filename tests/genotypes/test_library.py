from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.quality import quality_report
from gwas_core.genotypes.readers import read_table
from gwas_core.workspace import Workspace
from tests.genotypes.bad_input import GOOD


def about(**changes: Any) -> str:
    """What describes an entry, with some of it changed."""
    values = {
        "hash": "a",
        "source": "a.txt",
        "added": "2026-01-05T09:00:00+00:00",
        "trait": "height",
        "lines": 1,
        "snps": 1,
        "families": 0,
        "notes": [],
    }
    return json.dumps(values | changes)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "good.txt"
    path.write_text(GOOD)
    table = read_table(path)
    return make_dataset(table, guess_roles(table))[0]


@pytest.fixture
def library(tmp_path: Path) -> DatasetLibrary:
    return DatasetLibrary(Workspace(tmp_path / "workspace"))


def test_the_content_hash_is_that_of_earlier_versions(dataset: Dataset) -> None:
    # Of version 0.1.0: by it, experiments and the library find their data.
    assert dataset.content_hash == "447ca9687928f5f78c7b0b4336c3b6d73a8c2775309193ff9a612fa4d8069fde"


def test_what_is_added_is_listed_and_loaded(library: DatasetLibrary, dataset: Dataset) -> None:
    assert library.entries() == ()
    content_hash = library.add(dataset, source="good\x1b.txt", notes=("a note",))
    (entry,) = library.entries()
    assert (entry.hash, entry.trait, entry.lines, entry.snps) == (content_hash, "norm_phe", 40, 6)
    assert entry.source == "good\N{REPLACEMENT CHARACTER}.txt"
    assert entry.notes == ("a note",)
    loaded = library.load(content_hash)
    assert loaded.content_hash == content_hash
    np.testing.assert_array_equal(loaded.genotypes, dataset.genotypes)


def test_adding_twice_keeps_one_and_the_latest_comes_first(library: DatasetLibrary, dataset: Dataset) -> None:
    library.add(dataset, source="first.txt")
    other = library.add(replace(dataset, trait="other"), source="other.txt")
    library.add(dataset, source="again.txt")
    assert [entry.source for entry in library.entries()] == ["again.txt", "other.txt"]
    assert library.entries()[1].hash == other


def test_quality_is_computed_once_and_again_when_damaged(
    library: DatasetLibrary, dataset: Dataset, tmp_path: Path
) -> None:
    content_hash = library.add(dataset, source="good.txt")
    assert library.quality(content_hash) == quality_report(dataset)
    cache = tmp_path / "workspace" / "_library" / content_hash / "quality.json"
    cache.write_text(cache.read_text().replace('"lines": 40', '"lines": 41', 1))
    assert library.quality(content_hash).lines == 41  # read, not computed
    cache.write_text('{"lines": 40}')
    assert library.quality(content_hash) == quality_report(dataset)


def test_deleting(library: DatasetLibrary, dataset: Dataset) -> None:
    content_hash = library.add(dataset, source="good.txt")
    library.delete(content_hash)
    assert library.entries() == ()
    for action in (library.load, library.quality, library.delete):
        with pytest.raises(InputError, match="there is no dataset"):
            action(content_hash)


@pytest.mark.parametrize("content_hash", ["", "../../etc", "A" * 64, "a" * 63])
def test_only_hashes_become_folders(library: DatasetLibrary, content_hash: str) -> None:
    with pytest.raises(SettingsError, match="content hash"):
        library.load(content_hash)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"hash": "a"}',
        "no json",
        "[" * 100_000,
        '"' + "a" * 2_000_000 + '"',
        about(lines="many"),
        about(lines=True),
        about(snps=-1),
        about(source=["a.txt"]),
        about(added="yesterday"),
        about(added="2026-01-05T09:00:00"),
        about(added=5),
        about(notes=[1]),
        about(notes=None),
    ],
)
def test_a_damaged_entry_is_passed_over(
    library: DatasetLibrary, dataset: Dataset, tmp_path: Path, content: str
) -> None:
    content_hash = library.add(dataset, source="good.txt")
    (tmp_path / "workspace" / "_library" / content_hash / "about.json").write_text(content)
    assert library.entries() == ()


def test_entries_of_a_later_version_are_read(library: DatasetLibrary, dataset: Dataset, tmp_path: Path) -> None:
    content_hash = library.add(dataset, source="good.txt")
    (tmp_path / "workspace" / "_library" / content_hash / "about.json").write_text(about(colour="green"))
    assert [entry.source for entry in library.entries()] == ["a.txt"]


def test_an_upload_that_is_too_large_leaves_nothing(library: DatasetLibrary, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'big\.txt' is larger than 2 MiB, the limit of an upload"):
        library.store_upload(io.BytesIO(b"x" * (2 * 1024**2 + 1)), "big.txt", size_limit=2 * 1024**2)
    assert list((tmp_path / "workspace" / "_uploads").iterdir()) == []
    assert library.store_upload(io.BytesIO(b"x" * 2 * 1024**2), "big.txt", size_limit=2 * 1024**2).is_file()


def test_an_upload_that_cannot_be_read_to_its_end_leaves_nothing(library: DatasetLibrary, tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(28, "No space left on device")
            return super().read(size)

    with pytest.raises(InputError, match=r"cannot be stored \(No space left on device\)"):
        library.store_upload(Failing(b"x" * 2 * 1024**2), "a.txt")
    assert list((tmp_path / "workspace" / "_uploads").iterdir()) == []


def test_an_upload_is_named_by_its_content(library: DatasetLibrary, tmp_path: Path) -> None:
    content = GOOD.encode() * 100
    path = library.store_upload(io.BytesIO(content), "../../evil\x1b[2J.TXT")
    assert path == tmp_path / "workspace" / "_uploads" / f"{hashlib.sha256(content).hexdigest()}.txt"
    assert path.read_bytes() == content
    assert library.store_upload(io.BytesIO(content), "x.txt") == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    os.utime(path, (0, 0))
    kept = library.store_upload(io.BytesIO(b"x"), "table.sh")
    assert [entry.name for entry in path.parent.iterdir()] == [kept.name]
    assert kept.suffix == ""
