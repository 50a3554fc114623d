"""Who may use the dashboard: tokens, cookies, and the key in the workspace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui import access as module
from ui.access import Access, access, is_for_this_machine_only, is_token_asked_for

KEY = b"k" * 32


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has a workspace of its own, and its process has not yet asked its environment."""
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("GWAS_TOKEN")
    monkeypatch.delenv("NB_PREFIX", raising=False)
    access.cache_clear()
    yield
    access.cache_clear()


@pytest.mark.parametrize(
    ("token", "prefix", "expected"),
    [
        ("", "", True),
        ("", "/", True),
        ("", "/notebook/user/gwas", False),
        ("off", "", False),
        ("OFF ", "/", False),
        ("given", "", True),
        ("given", "/notebook/user/gwas", True),
    ],
)
def test_where_a_token_is_asked_for(token: str, prefix: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWAS_TOKEN", token)
    monkeypatch.setenv("NB_PREFIX", prefix)
    assert is_token_asked_for() is expected
    assert access().is_asked_for is expected
    assert access().token == (token if token == "given" else access().token)
    assert is_for_this_machine_only() is expected, "as .streamlit/config.toml has it"


def test_the_token_is_new_at_each_start_and_browsers_stay_remembered() -> None:
    first = access()
    assert first.token is not None
    assert len(first.token) >= 40
    cookies = {first.cookie_name: first.new_cookie()}
    access.cache_clear()
    second = access()
    assert second.token != first.token
    assert second.admits(cookies, {})
    assert first.token not in str(cookies)


def test_another_token_that_is_given_has_all_browsers_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWAS_TOKEN", "the first one")
    cookie = access().new_cookie()
    access.cache_clear()
    assert access().admits({access().cookie_name: cookie}, {})
    monkeypatch.setenv("GWAS_TOKEN", "the second one")
    access.cache_clear()
    assert not access().admits({access().cookie_name: cookie}, {})


def test_the_key_is_nobody_elses(tmp_path: Path) -> None:
    cookie = access().new_cookie()
    path = tmp_path / "workspace" / "_access_key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name], "nothing half-written is left"
    # One that others may read, or that leads elsewhere, is none.
    path.chmod(0o640)
    access.cache_clear()
    assert not access().admits({access().cookie_name: cookie}, {})
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    (tmp_path / "known").write_bytes(KEY)
    (tmp_path / "known").chmod(0o600)
    path.symlink_to(tmp_path / "known")
    access.cache_clear()
    assert access().key != module.hmac.new(KEY, b"", module.hashlib.sha256).digest()
    assert (tmp_path / "known").read_bytes() == KEY
    assert not path.is_symlink()


def test_a_key_that_somebody_else_has_put_there_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "workspace" / "_access_key"
    path.parent.mkdir()
    path.write_bytes(KEY)
    path.chmod(0o600)
    known = module.hmac.new(KEY, b"", module.hashlib.sha256).digest()
    assert access().key == known
    access.cache_clear()
    monkeypatch.setattr("ui.access.os.geteuid", lambda: os.getuid() + 1)
    assert access().key != known


def test_a_pipe_in_place_of_the_key_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    os.mkfifo(tmp_path / "workspace" / "_access_key")
    assert access().admits({access().cookie_name: access().new_cookie()}, {})


def test_a_workspace_that_cannot_be_written_has_a_key_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWAS_WORKSPACE", "/proc/nowhere")
    assert access().admits({access().cookie_name: access().new_cookie()}, {})


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        ".",
        "9999999999",
        "9999999999.",
        "9999999999.00",
        "name.",
        f"9999999999.{'0' * 64}",
        f"9999999999.{Access('t', b'x' * 32)._signature('9999999999')}",
    ],
)
def test_no_cookie_but_ours_is_let_in(cookie: str) -> None:
    policy = Access("t", KEY)
    assert not policy.admits({policy.cookie_name: cookie}, {})


def test_a_cookie_ends() -> None:
    policy = Access("t", KEY)
    assert policy.admits({policy.cookie_name: policy.new_cookie()}, {})
    until = str(int(time.time()) - 1)
    assert not policy.admits({policy.cookie_name: f"{until}.{policy._signature(until)}"}, {})


@pytest.mark.parametrize(
    ("header", "expected"),
    [("token secret", True), ("Bearer secret", True), ("token  secret ", True), ("token", False), ("secret", False),
     ("token secre", False), ("token secret2", False), ("Basic secret", False), ("token sécret", False)],
)  # fmt: skip
def test_a_program_shows_the_token_in_a_header(header: str, expected: bool) -> None:
    assert Access("secret", KEY).admits({}, {"Authorization": header}) is expected


def test_each_workspace_has_a_cookie_of_its_own() -> None:
    """Cookies of one machine are sent to all its ports."""
    assert Access("t", KEY).cookie_name != Access("t", b"x" * 32).cookie_name


def test_nothing_that_is_printed_of_it_holds_the_key() -> None:
    assert "kkkk" not in repr(Access("t", KEY))
