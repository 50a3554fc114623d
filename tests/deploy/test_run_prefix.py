"""``./run`` in a Kubeflow notebook server: the prefix belongs to port 8888."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.image import REPOSITORY

PREFIX = "/notebook/user/gwas"


@pytest.mark.parametrize(
    ("arguments", "port", "expected"),
    [
        ("--server.port 8888", "", PREFIX),
        ("--server.port=8888 --server.headless true", "", PREFIX),
        ("", "8888", PREFIX),
        ("--server.port 8501", "", "unset"),
        ("--server.port 18888", "", "unset"),
        ("", "", "unset"),
    ],
)
def test_the_prefix_is_that_of_port_8888(arguments: str, port: str, expected: str, tmp_path: Path) -> None:
    for name in ("run", "requirements.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "${STREAMLIT_SERVER_BASE_URL_PATH-unset}"\n')
    python.chmod(0o755)
    lock = subprocess.run(
        ["cksum"], input=(tmp_path / "requirements.txt").read_bytes(), capture_output=True, check=True
    )
    (tmp_path / ".venv" / ".lock").write_bytes(lock.stdout)
    done = subprocess.run(
        ["bash", str(tmp_path / "run"), *arguments.split()],
        env={**os.environ, "NB_PREFIX": PREFIX, "STREAMLIT_SERVER_PORT": port},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected
