"""Which files a page may read by their path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import streamlit as st

from gwas_core.errors import InputError
from gwas_core.tuning.demo import DEMO_FILE
from tests.genotypes.bad_input import as_text, good_rows
from tests.pages.conftest import OpenPage
from tests.pages.test_data import PAGE, opened
from ui.folders import readable_path

SECRET = "root:x:0:0:nobody may see this"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, beside a workspace and a folder of somebody else; the page asks for a token."""
    for name in ("home", "workspace", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "secret.txt").write_text(SECRET)
    (tmp_path / "home" / "mine.txt").write_text("mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("GWAS_TOKEN")
    monkeypatch.delenv("NB_PREFIX", raising=False)
    monkeypatch.delenv("GWAS_PATHS", raising=False)
    return tmp_path / "home"


def refused(typed: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        readable_path(str(typed))
    return str(caught.value).replace(repr(str(typed)), "X")


def test_with_a_token_on_this_machine_the_home_is_readable(home: Path) -> None:
    assert readable_path("~/mine.txt") == home / "mine.txt"
    assert readable_path(str(home / "mine.txt")) == home / "mine.txt"
    assert readable_path(str(DEMO_FILE)) == DEMO_FILE
    assert readable_path(str(home.parent / "workspace" / "new.txt")) == home.parent / "workspace" / "new.txt"


@pytest.mark.parametrize(("variable", "value"), [("GWAS_TOKEN", "off"), ("NB_PREFIX", "/notebook/user/gwas")])
def test_without_one_only_the_data_folder_and_the_workspace_are(
    variable: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    refused(home / "mine.txt")
    refused("~/mine.txt")
    assert readable_path(str(DEMO_FILE)) == DEMO_FILE


def test_where_others_reach_the_page_the_home_is_not_readable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: "0.0.0.0" if name == "server.address" else option(name))
    refused(home / "mine.txt")
    assert readable_path(str(DEMO_FILE)) == DEMO_FILE


def test_a_home_that_is_the_root_of_everything_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    refused("/etc/passwd")


def test_a_setting_allows_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home.parent / "other"
    monkeypatch.setenv("GWAS_PATHS", f"{os.pathsep}/nowhere{os.pathsep}{other} ".rstrip())
    assert readable_path(str(other / "secret.txt")).read_text() == SECRET
    refused(home.parent / "otherwise")


def test_what_leads_out_is_refused_in_the_same_words_whether_it_is_there_or_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home.parent / "other"
    (home / "link.txt").symlink_to(other / "secret.txt")
    (home / "folder").symlink_to(other)
    (other / "loop").symlink_to(other / "loop")
    monkeypatch.chdir(other)
    paths = (
        other / "secret.txt",
        other / "not-there.txt",
        other,
        home / "link.txt",
        home / "folder" / "secret.txt",
        home / "folder" / "not-there.txt",
        home / ".." / "other" / "secret.txt",
        "../other/secret.txt",
        "../other/not-there.txt",
        other / "loop" / "x",
        "secret.txt",
        "not-there.txt",
        "/proc/self/root/etc/passwd",
        "/proc/kmsg",
        "/etc/shadow",
        "/root/not-there",
        "~root/not-there",
        "~no-such-account/x",
        "~",
        "x\0y",
    )
    said = {refused(path) for path in paths}
    print(f"{len(paths)} paths that lead out, {len(said)} sentence")
    assert len(said) == 1
    (sentence,) = said
    assert "is not in a folder that this page may read" in sentence
    assert "GWAS_PATHS" in sentence
    for path in (".." * 3000, "/" + "x" * 5000):
        assert "is not in a folder that this page may read" in refused(path)


def test_the_page_shows_nothing_of_such_a_file(open_page: OpenPage, tmp_path: Path, home: Path) -> None:
    (tmp_path / "other" / "table.txt").write_text(as_text(good_rows(lines=30)))
    app = open_page(PAGE)
    for path in (tmp_path / "other" / "secret.txt", tmp_path / "other" / "table.txt", tmp_path / "other" / "none.txt"):
        opened(app, str(path))
        shown = [error.value for error in app.error]
        assert len(shown) == 1, shown
        assert "is not in a folder that this page may read" in shown[0]
        assert SECRET[:6] not in shown[0]
        assert not app.metric
    (tmp_path / "workspace" / "table.txt").write_text(as_text(good_rows(lines=30)))
    opened(app, str(tmp_path / "workspace" / "table.txt"))
    assert not app.error
    assert app.metric[0].value == "30"
