"""What ``./run`` makes of its arguments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
DASHBOARD = "-m streamlit run app.py"
COMMAND = "-m gwas_core"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script beside an environment that is set up, whose Python says what it is asked."""
    for name in ("run", "requirements.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    (tmp_path / "run").chmod(0o755)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*"\necho "$PWD $GWAS_WORKSPACE ${GWAS_NO_DEMO-unset}"\n')
    python.chmod(0o755)
    with (tmp_path / "requirements.txt").open("rb") as lock:
        done = subprocess.run(["cksum"], stdin=lock, capture_output=True, check=True)
    (tmp_path / ".venv" / ".lock").write_bytes(done.stdout)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "asked", "demo"),
    [
        ("", DASHBOARD, "unset"),
        ("dashboard", DASHBOARD, "unset"),
        ("--no-demo", DASHBOARD, "1"),
        ("--server.port 8600", f"{DASHBOARD} --server.port 8600", "unset"),
        ("--server.port 8600 --no-demo --theme.base dark", f"{DASHBOARD} --server.port 8600 --theme.base dark", "1"),
        ("dashboard --no-demo --server.port 8600", f"{DASHBOARD} --server.port 8600", "1"),
        ("demo --detach", f"{COMMAND} demo --detach", "unset"),
        ("--help", f"{COMMAND} --help", "unset"),
        ("--workspace elsewhere status", f"{COMMAND} --workspace elsewhere status", "unset"),
    ],
)  # fmt: skip
def test_arguments_go_where_they_belong(arguments: str, asked: str, demo: str, project: Path) -> None:
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWAS_")}
    done = subprocess.run(
        [project / "run", *arguments.split()],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    # A dashboard's files are the project's, a command's are the caller's.
    folder = project if asked.startswith(DASHBOARD) else elsewhere
    assert done.stdout.splitlines() == [asked, f"{folder} {project / 'workspace'} {demo}"]
