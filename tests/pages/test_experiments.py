from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.study import StudyDirection
from streamlit.testing.v1 import AppTest

from gwas_core.tuning.demo import DEMO_FILE, DEMO_NAME
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests import waiting
from tests.counting import counted_statements
from tests.pages.conftest import OpenPage
from tests.pages.made_stores import HASH, mixed_store, new_experiment, thousand_trials
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until
from tests.waiting import LIMIT

APP = str(Path(__file__).resolve().parents[2] / "app.py")
PAGE = "pages/experiments.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def select(app: AppTest, name: str) -> None:
    """Select a row, as a click in the table does: AppTest cannot click there."""
    app.session_state["experiments-selected"] = name
    app.run()


def test_the_bare_address_leads_to_the_studies(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWAS_WORKSPACE", str(root))
    app = AppTest.from_file(APP, default_timeout=LIMIT).run()
    assert not app.exception
    assert app.title[0].value == "Deep GWAS"


def test_an_empty_store_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert "There are no experiments yet" in app.markdown[0].value
    assert not app.info


def test_the_demo_is_explained_while_it_is_alone(open_page: OpenPage, root: Path) -> None:
    new_experiment(root, DEMO_NAME)
    assert not open_page(PAGE).info  # of this name, but on other data
    Store(Workspace(root)).delete(DEMO_NAME)
    Store(Workspace(root)).create(replace(quick_experiment(HASH, DEMO_NAME), source=DEMO_FILE.name))
    assert "simulated soybean lines" in open_page(PAGE).info[0].value
    new_experiment(root, "own")
    assert not open_page(PAGE).info


def test_why_there_is_no_demo(open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(PAGE)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GWAS_NO_DEMO", "0")
    monkeypatch.setenv("GWAS_STORAGE", f"sqlite:///{tmp_path / 'store.sqlite3'}")
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "file" / "workspace"))

    def is_said() -> bool:
        if app.run().warning:
            return True
        assert "is about to start" in app.info[0].value
        return False

    waiting.wait_until(is_said)
    said = app.warning[0].value.replace("\\", "")
    assert said.startswith("The demo experiment could not be started: The workspace")
    assert said.endswith("cannot be written: Not a directory.")
    assert "There are no experiments yet" in app.markdown[0].value


def test_the_newest_is_selected_and_stays_so(open_page: OpenPage, root: Path) -> None:
    new_experiment(root, "first")
    app = open_page(PAGE)
    assert app.button(key="list-first-delete")
    new_experiment(root, "second")
    app.run()
    assert app.button(key="list-first-delete")


@pytest.mark.usefixtures("quick_model")
def test_experiments_are_listed_with_state_and_progress(open_page: OpenPage, root: Path) -> None:
    workspace, dataset = quick_workspace(root)
    engine = LocalEngine(workspace)
    engine.start(quick_experiment(dataset))
    wait_until(lambda: engine.sync("quick"), lambda record: record.state.is_finished())
    table = open_page(PAGE).dataframe[0].value
    assert table["Experiment"].tolist() == ["quick"]
    assert table["State"].tolist() == ["✓ succeeded"]
    assert table["Trials"].tolist() == ["4 of 4"]
    assert table["Best"][0] < table["Mean"][0]


def test_the_best_is_set_against_the_best_baseline(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED, reason="by hand")
    row = open_page(PAGE).dataframe[0].value.iloc[0]
    assert (row["Best"], row["Baseline"], row["Best baseline"]) == (0.5, 0.6, "GBLUP (REML)")
    assert row["Difference"] == pytest.approx(-1 / 6)
    assert list(row["Best so far"]) == [0.7, 0.5]
    assert (row["State"], row["Progress"], row["Note"]) == ("◼ stopped", 0.5, "by hand")


def test_an_interrupted_one_can_be_resumed_and_deleted_but_not_stopped(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.RUNNING)  # whose process is gone
    app = open_page(PAGE)
    assert app.dataframe[0].value["State"].tolist() == ["⚠ interrupted"]
    select(app, "made")
    assert {button.label: button.disabled for button in app.button if button.label != "Add and run"} == {
        "Open": False,
        "Answer": False,
        "Stop": True,
        "Resume": False,
        "Delete": False,
    }


def test_deleting_asks_for_the_name(open_page: OpenPage, root: Path) -> None:
    new_experiment(root, "kept")
    new_experiment(root, "unwanted")
    app = open_page(PAGE)
    select(app, "unwanted")
    app.button(key="list-unwanted-delete").click().run()
    assert app.button(key="delete-unwanted-yes").disabled
    app.button(key="delete-unwanted-no").click().run()
    assert len(app.dataframe[0].value) == 2
    app.button(key="list-unwanted-delete").click().run()
    app.text_input(key="delete-unwanted-name").set_value("unwanted").run()
    app.button(key="delete-unwanted-yes").click().run()
    assert app.dataframe[0].value["Experiment"].tolist() == ["kept"]
    assert [summary.name for summary in Store(Workspace(root)).experiments()] == ["kept"]


def test_what_cannot_be_done_is_a_sentence(open_page: OpenPage, root: Path) -> None:
    new_experiment(root)  # its dataset was never saved, so no supervisor can work on it
    app = open_page(PAGE)
    select(app, "made")
    app.button(key="list-made-resume").click().run()
    assert not app.exception
    assert app.error or app.dataframe[0].value["State"].tolist() == ["✗ failed"]


def test_a_store_that_cannot_be_read_is_a_sentence(open_page: OpenPage, root: Path) -> None:
    (root / "_experiments.sqlite3").write_bytes(b"this is no database" * 100)
    app = open_page(PAGE)
    assert app.error
    assert "Traceback" not in app.error[0].value


def test_a_thousand_trials_are_one_short_line(open_page: OpenPage, root: Path) -> None:
    thousand_trials(root)
    row = open_page(PAGE).dataframe[0].value.iloc[0]
    assert row["Trials"] == "1000 of 1000"
    assert len(row["Best so far"]) == 60


def test_what_one_session_has_read_is_not_read_by_the_others(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    sessions = [open_page(PAGE) for _ in range(3)]
    with counted_statements() as statements:
        for app in sessions:
            assert app.run().dataframe[0].value["Experiment"].tolist() == ["made"]
    # A look whether something changed, once each time that the page is drawn, and nothing that belongs to trials.
    assert not [statement for statement in statements if "trial_" in statement]
    assert len(statements) == 3 * 3


def test_a_workspace_that_was_deleted_and_made_again_is_shown_as_it_is_now(open_page: OpenPage, root: Path) -> None:
    new_experiment(root, "old")
    assert open_page(PAGE).dataframe[0].value["Experiment"].tolist() == ["old"]
    shutil.rmtree(root)
    new_experiment(root, "new")
    assert open_page(PAGE).dataframe[0].value["Experiment"].tolist() == ["new"]
    shutil.rmtree(root)
    assert "There are no experiments yet" in open_page(PAGE).markdown[0].value


def test_a_broken_one_is_listed_and_can_only_be_deleted(open_page: OpenPage, root: Path) -> None:
    store = Store(Workspace(root))
    new_experiment(root, "sound")
    new_experiment(root, "damaged")
    store.storage.set_study_user_attr(store.study_id("damaged"), "status", "nonsense")
    store.storage.create_new_study([StudyDirection.MINIMIZE], "half")
    app = open_page(PAGE)
    assert not app.exception
    table = app.dataframe[0].value.set_index("Experiment")
    assert table.loc[["damaged", "half"], "State"].tolist() == ["✗ broken", "✗ broken"]
    assert "status must be" in table.loc["damaged", "Note"]
    assert "broken off" in table.loc["half", "Note"]
    for name in ("damaged", "half"):
        select(app, name)
        enabled = {key for key in ("stop", "resume", "delete") if not app.button(key=f"list-{name}-{key}").disabled}
        assert enabled == {"delete"}
        assert app.button(key="list-open").disabled
        app.button(key=f"list-{name}-delete").click().run()
        app.text_input(key=f"delete-{name}-name").set_value(name).run()
        app.button(key=f"delete-{name}-yes").click().run()
        app = open_page(PAGE)
        assert name not in app.dataframe[0].value["Experiment"].tolist()


def test_folders_that_the_store_does_not_know_are_told(open_page: OpenPage, root: Path) -> None:
    new_experiment(root, "known")
    new_experiment(root, "lost")
    store = Store(Workspace(root))
    assert not open_page(PAGE).warning
    store.storage.delete_study(store.study_id("lost"))
    (warning,) = open_page(PAGE).warning
    assert "holds an experiment that the store does not know" in warning.value
    assert "lost" in warning.value
    assert "recover" in warning.value
