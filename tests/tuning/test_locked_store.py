"""A store that another process keeps locked, as one halted in the midst of a write does, or whose disk fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gwas_core.errors import DiskError, ExperimentError
from gwas_core.tuning import storage
from gwas_core.tuning.storage import StorageUse, open_storage, storage_file, translated_errors
from gwas_core.workspace import Workspace


def test_the_sentence_says_what_may_keep_it_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_BUSY_SECONDS", 1)
    workspace = Workspace(tmp_path / "workspace")
    opened = open_storage(workspace)
    file = storage_file(workspace)
    assert file is not None
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ExperimentError) as refusal, StorageUse(file)():
            opened.create_new_study([], "soy")
    assert str(refusal.value) == (
        f"the store of experiments {file} stayed locked for 1 s by another process, "
        "perhaps a search that was halted in the midst of a write: "
        f"continue or end it (`fuser {file}` lists those that have the file open), and try again"
    )
    with StorageUse(file)():
        assert opened.create_new_study([], "soy")


@pytest.mark.parametrize("has_room", [True, False])
def test_an_error_that_may_mean_a_full_disk_means_one_where_there_is_no_room(
    has_room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "has_room", lambda folder: has_room)
    with pytest.raises(ExperimentError if has_room else DiskError) as refusal, translated_errors(tmp_path / "store"):
        raise sqlite3.OperationalError("disk I/O error")
    assert ("the disk is full" in str(refusal.value)) is not has_room
