from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gwas_core.tuning.local import LocalEngine
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until
from tests.tuning.quick_trial import FUNCTIONS

APP = str(Path(__file__).resolve().parents[2] / "app.py")


def open_app(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("GWAS_WORKSPACE", str(workspace))
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    return app


def test_an_empty_store_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(tmp_path, monkeypatch)
    assert app.title[0].value == "Experiments"
    assert "./run demo" in app.info[0].value


def test_experiments_are_listed_with_state_and_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, dataset = quick_workspace(tmp_path)
    engine = LocalEngine(workspace, functions=FUNCTIONS)
    engine.start(quick_experiment(dataset))
    wait_until(lambda: engine.sync("quick"), lambda record: record.state.is_finished())
    table = open_app(tmp_path, monkeypatch).dataframe[0].value
    assert table["Experiment"].tolist() == ["quick"]
    assert table["State"].tolist() == ["✓ succeeded"]
    assert table["Trials"].tolist() == ["4 of 4"]
    assert table["Best"][0] < table["Mean"][0]


def test_a_store_that_cannot_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_experiments.sqlite3").write_bytes(b"this is no database" * 100)
    app = open_app(tmp_path, monkeypatch)
    assert app.error
    assert "Traceback" not in app.error[0].value
