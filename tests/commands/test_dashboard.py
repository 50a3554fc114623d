"""``dashboard``: what is handed to Streamlit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import REPOSITORY

PREFIX = "/notebook/user/gwas"


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """``ask(*arguments, **environment)`` runs the command with a Streamlit that says what it is asked."""
    package = tmp_path / "streamlit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))\n"
    )

    def run(*arguments: str, **environment: str) -> tuple[list[str], dict[str, str], str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith(("GWAS_", "STREAMLIT_"))}
        done = subprocess.run(
            [sys.executable, "-m", "gwas_core", *arguments],
            cwd=tmp_path,
            env={**known, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        asked, variables, folder = json.loads(done.stdout)
        return asked, variables, folder

    return run


@pytest.mark.parametrize(
    ("arguments", "options", "demo"),
    [
        ("", "", None),
        ("--no-demo", "", "1"),
        ("--server.port 8600", "--server.port 8600", None),
        ("--server.port 8600 --no-demo --theme.base dark", "--server.port 8600 --theme.base dark", "1"),
        ("--no-demo --server.port=8600", "--server.port=8600", "1"),
    ],
)
def test_options_go_to_streamlit(arguments: str, options: str, demo: str | None, ask: Any, tmp_path: Path) -> None:
    asked, variables, folder = ask("dashboard", *arguments.split())
    assert asked == ["run", str(REPOSITORY / "app.py"), *options.split()]
    assert variables.get("GWAS_NO_DEMO") == demo
    # Paths that are typed into the dashboard are the caller's.
    assert Path(folder) == tmp_path


def test_programs_that_it_starts_import_nothing_of_the_folder_they_are_in(ask: Any) -> None:
    assert ask("dashboard")[1]["PYTHONSAFEPATH"] == "1"


@pytest.mark.parametrize("before", [True, False])
def test_the_workspace_is_handed_on(before: bool, ask: Any, tmp_path: Path) -> None:
    option = ["--workspace", str(tmp_path / "mine")]
    asked, variables, _ = ask(*option, "dashboard") if before else ask("dashboard", *option)
    assert (asked[2:], variables["GWAS_WORKSPACE"]) == ([], str(tmp_path / "mine"))


@pytest.mark.parametrize(
    ("arguments", "port", "expected"),
    [
        ("--server.port 8888", "", PREFIX),
        ("--server.port=8888 --server.headless true", "", PREFIX),
        ("", "8888", PREFIX),
        ("--server.port 8501", "8888", None),
        ("--server.port 8501", "", None),
        ("--server.port 18888", "", None),
        ("", "", None),
    ],
)
def test_the_prefix_is_that_of_port_8888(arguments: str, port: str, expected: str | None, ask: Any) -> None:
    """In a Kubeflow notebook server."""
    _, variables, _ = ask("dashboard", *arguments.split(), NB_PREFIX=PREFIX, STREAMLIT_SERVER_PORT=port)
    assert variables.get("STREAMLIT_SERVER_BASE_URL_PATH") == expected


def test_a_base_path_that_is_given_stays(ask: Any) -> None:
    environment = {"NB_PREFIX": PREFIX, "STREAMLIT_SERVER_PORT": "8888", "STREAMLIT_SERVER_BASE_URL_PATH": "/mine"}
    assert ask("dashboard", **environment)[1]["STREAMLIT_SERVER_BASE_URL_PATH"] == "/mine"
