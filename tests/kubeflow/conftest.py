"""A cluster for every test that asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeflow.katib_server import KatibServer
from tests.tuning.quick_trial import FUNCTIONS


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """A running cluster that ``KUBECONFIG`` points to; its jobs run the real driver with the quick trial."""
    yield from _running(tmp_path / "cluster", monkeypatch, {"GWAS_FUNCTIONS": FUNCTIONS.to_json()})


@pytest.fixture
def quick_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """The same with a stand-in for the driver, for tests of what happens around the trials."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(Path(__file__).parent / "quick_python")
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    yield from _running(tmp_path / "cluster", monkeypatch, {"PATH": path})


def _running(folder: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Iterator[KatibServer]:
    folder.mkdir()
    with KatibServer(folder, environment=environment) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        yield server
