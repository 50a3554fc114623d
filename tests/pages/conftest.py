"""What the tests of pages share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import ui.url
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.readers import read_table
from gwas_core.workspace import Workspace
from tests.genotypes.bad_input import as_text, good_rows
from tests.waiting import LIMIT

APP = str(Path(__file__).resolve().parents[2] / "app.py")

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session")
def components_found_once() -> Iterator[None]:
    """Have ``AppTest`` look through the installed packages for components once, not for every test."""
    with pytest.MonkeyPatch.context() as patch:
        found = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, components_found_once: None) -> OpenPage:
    """Open a page of the app (``"pages/data.py"``) on an empty workspace, with what its URL asks for."""
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("GWAS_STORAGE", raising=False)
    monkeypatch.setenv("GWAS_PATHS", str(tmp_path))
    # AppTest goes past app.py in every run; starting over each time would lose the click that made it run.
    monkeypatch.setattr("ui.router.through_app", ui.url.arrive)
    st.cache_resource.clear()
    st.cache_data.clear()

    def page(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(APP, default_timeout=LIMIT).run()
        app.switch_page(name)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception
        return app

    return page


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Where the opened pages keep everything."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """80 lines, from ``my table.txt``."""
    path = tmp_path / "my table.txt"
    path.write_text(as_text(good_rows(lines=80)))
    table = read_table(path)
    return make_dataset(table, guess_roles(table))[0]
