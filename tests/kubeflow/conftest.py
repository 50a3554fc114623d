"""A cluster for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeflow.katib_server import KatibServer
from tests.kubeflow.quick_cluster import cluster, quick_cluster


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """A running cluster that ``KUBECONFIG`` points to; its jobs run the real driver with the quick trial."""
    with cluster(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def quick_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibServer]:
    """The same with a stand-in for the driver, for tests of what happens around the trials."""
    with quick_cluster(tmp_path, monkeypatch) as running:
        yield running
