"""Half-made, damaged and foreign studies: listed as broken, deleted by every front end, and in nobody's way."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.study import StudyDirection
from sqlalchemy import event
from sqlalchemy.engine import Engine

from gwas_core.errors import BrokenExperimentError, DiskError, ExperimentError
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.folder_record import FolderRecord
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.commands.conftest import command_here
from tests.tuning.quick_experiments import quick_experiment

HASH = "0123456789abcdef" * 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Workspace(tmp_path))


def write_raw(store: Store, name: str, key: str, text: str) -> None:
    """Put a text where the JSON of an attribute is."""
    with store.storage.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE study_user_attributes SET value_json = ? WHERE study_id = ? AND key = ?",
            (text, store.study_id(name), key),
        )


def all_broken(store: Store) -> list[str]:
    """Experiments that are broken, each in its own way."""
    store.storage.create_new_study([StudyDirection.MINIMIZE], "half")
    only_status = store.storage.create_new_study([StudyDirection.MINIMIZE], "half-with-status")
    store.storage.set_study_user_attr(only_status, "status", {"state": "created"})
    damages = {
        "format": ("experiment", lambda name: json.dumps(quick_experiment(HASH, name).to_dict() | {"format": 99})),
        "no-json": ("status", lambda _: '{"state": "runn'),
        "wrong-state": ("status", lambda _: '{"state": "sleeping"}'),
        "status-list": ("status", lambda _: "[1, 2]"),
        "status-null": ("status", lambda _: "null"),
        "experiment-text": ("experiment", lambda _: '"lost"'),
        "experiment-no-json": ("experiment", lambda _: "{{{{"),
        "no-name": ("experiment", lambda _: '{"format": 1, "max_trials": 3}'),
        "max-trials": ("max_trials", lambda _: '"many"'),
    }
    for name, (key, text) in damages.items():
        store.create(quick_experiment(HASH, name))
        store.add_trials(name, 1)
        write_raw(store, name, key, text(name))
    return ["half", "half-with-status", *damages]


def test_all_commands_stand_a_broken_experiment_and_delete_it(store: Store) -> None:
    store.create(quick_experiment(HASH, "sound"))
    broken = all_broken(store)
    here = command_here(store.workspace.root)
    listed = here("status")
    assert listed.code == 0, listed.err
    states = {entry["name"]: entry for entry in here("status", "--json").json}
    assert states["sound"]["state"] == "created"
    for name in broken:
        assert states[name]["state"] == "broken", name
        assert states[name]["reason"], name
        assert f"{name} is broken: " in listed.err
        for arguments in (("status", name), ("trials", name), ("resume", name), ("stop", name), ("bundle", name)):
            answer = here(*arguments)
            assert answer.code == 1, (arguments, answer)
            assert answer.err.startswith("error: "), answer.err
            assert f"`delete {name}`" in answer.err, answer.err
        taken = here("delete", name)
        assert "there is no terminal" in taken.err
        with pytest.raises(ExperimentError, match="delete it"):
            store.create(quick_experiment(HASH, name))
        gone = here("delete", name, "--yes")
        assert (gone.code, gone.err) == (0, f"{name} was deleted.\n")
        store.create(quick_experiment(HASH, name))
    assert {entry.state for entry in LocalEngine(store.workspace).experiments()} == {ExperimentState.CREATED}


def test_what_only_opening_finds_broken_is_deleted_too(store: Store) -> None:
    store.create(quick_experiment(HASH, "space"))
    store.create(quick_experiment(HASH, "times"))
    experiment = quick_experiment(HASH, "space").to_dict()
    store.storage.set_study_user_attr(store.study_id("space"), "experiment", experiment | {"space": {"parameters": 3}})
    store.storage.set_study_user_attr(store.study_id("times"), "status", {"state": "stopped", "started": "yesterday"})
    here = command_here(store.workspace.root)
    assert here("status").code == 0
    for name in ("space", "times"):
        with pytest.raises(BrokenExperimentError, match="cannot be read"):
            store.load(name)
        assert here("status", name).code == 1
        assert here("delete", name, "--yes").code == 0
    assert store.experiments() == ()


def test_the_study_of_another_program_is_not_ours_to_delete(store: Store) -> None:
    foreign = optuna.create_study(storage=store.storage, study_name="somebody-elses")
    foreign.enqueue_trial({})
    other = optuna.create_study(storage=store.storage, study_name="with-notes")
    other.set_user_attr("notes", "mine")
    here = command_here(store.workspace.root)
    assert here("status", "--json").json == []
    for name in ("somebody-elses", "with-notes"):
        refused = here("delete", name, "--yes")
        assert refused.code == 1
        assert "another program" in refused.err
    assert len(store.storage.get_all_studies()) == 2


def test_an_experiment_is_created_in_one_transaction(store: Store) -> None:
    commits: list[object] = []

    def note(connection: object) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", note)
    try:
        store.create(quick_experiment(HASH, "quick"))
    finally:
        event.remove(Engine, "commit", note)
    assert len(commits) == 1
    study = optuna.load_study(study_name="quick", storage=store.storage)
    assert study.directions == [StudyDirection.MINIMIZE]
    assert set(study.user_attrs) == {"experiment", "status"}


def test_a_creation_that_was_broken_off_keeps_no_name(store: Store) -> None:
    """Killed before the store was told, it leaves a folder in which there is nothing that anybody did."""
    store.create(quick_experiment(HASH, "quick"))
    store.storage.delete_study(store.study_id("quick"))
    directory = store.workspace.experiment_directory("quick")
    (directory / "split.json").write_text("{}")
    assert (directory / "record" / "experiment.json").is_file()
    store.create(quick_experiment(HASH, "quick", seed=7))
    assert store.load("quick").experiment.seed == 7
    assert json.loads((directory / "record" / "experiment.json").read_text())["seed"] == 7


def test_a_folder_with_trials_is_not_taken_over(store: Store) -> None:
    store.create(quick_experiment(HASH, "quick"))
    writer = ExperimentWriter(store, "quick")
    writer.begin(writer.study.ask(writer.experiment.space.to_distributions()).number)
    store.storage.delete_study(store.study_id("quick"))
    with pytest.raises(ExperimentError, match="`recover` brings it back"):
        store.create(quick_experiment(HASH, "quick"))


def test_a_creation_that_fails_leaves_nothing(store: Store) -> None:
    def fail(directory: Path) -> None:
        (directory / "half.json").write_text("half")
        raise ExperimentError("no")

    with pytest.raises(ExperimentError, match="no"):
        store.create(quick_experiment(HASH, "quick"), prepare=fail)
    assert not store.workspace.experiment_directory("quick").exists()
    store.create(quick_experiment(HASH, "quick"))


def test_what_a_deletion_left_that_was_killed_goes_with_the_next(store: Store) -> None:
    for name in ("first", "second"):
        store.create(quick_experiment(HASH, name))
    left = store.workspace.root / "_deleted-01234567-gone"
    left.mkdir()
    store.delete("first")
    assert not left.exists()
    assert not list(store.workspace.root.glob("_deleted-*"))
    assert store.unknown_folders() == ()
    assert [entry.name for entry in store.experiments()] == ["second"]


def test_one_that_seemed_to_run_is_listed_with_the_others(store: Store) -> None:
    """Its description can be listed, and not be read."""
    store.create(quick_experiment(HASH, "fine"))
    store.create(quick_experiment(HASH, "damaged"))
    ExperimentWriter(store, "damaged").set_status(ExperimentState.RUNNING)
    write_raw(store, "damaged", "experiment", json.dumps(quick_experiment(HASH, "damaged").to_dict() | {"space": 5}))
    listed = LocalEngine(store.workspace).experiments()
    assert {summary.name for summary in listed} == {"fine", "damaged"}


def test_the_study_of_another_program_is_not_deleted(store: Store) -> None:
    study = store.storage.create_new_study([StudyDirection.MINIMIZE], "theirs")
    store.storage.set_study_user_attr(study, "owner", "another program")
    with pytest.raises(ExperimentError, match="another program"):
        store.delete("theirs")
    assert store.storage.get_study_id_from_name("theirs") == study


def test_an_experiment_is_written_last_into_its_folder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it the folder counts as that of an experiment, which is then whole."""
    written = []
    write = FolderRecord.write_attribute

    def noted(self: FolderRecord, key: str, values: object) -> None:
        written.append(key)
        write(self, key, values)

    monkeypatch.setattr(FolderRecord, "write_attribute", noted)
    store.create(quick_experiment(HASH, "fine"))
    assert len(written) > 1
    assert written[-1] == "experiment"


@pytest.mark.parametrize(
    ("method", "work"),
    [
        ("mkdir", lambda store: FolderRecord(store.workspace.experiment_directory("new")).begin()),
        ("rename", lambda store: store.delete("fine")),
    ],
)
def test_a_full_disk_is_a_sentence(
    method: str, work: Callable[[Store], None], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(quick_experiment(HASH, "fine"))

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, method, fail)
    with pytest.raises(DiskError, match="disk is full"):
        work(store)
    monkeypatch.undo()
    assert store.load("fine").name == "fine"
