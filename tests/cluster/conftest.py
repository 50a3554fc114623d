"""Tests that need a real cluster: skipped, and counted, unless asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--cluster"):
        return
    skip = pytest.mark.skip(reason="needs a real cluster: KUBECONFIG=... ./run test --cluster tests/cluster")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)
