"""Whatever write a process is killed at, what it leaves is a state that is written down in the driver's checks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.driver import LIBRARY, STEPS, build

STRIDE = 7  # by hand, the driver does every one

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the library that kills is made for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler"),
]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_write_nothing_is_half_done(step: str, library: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.driver", step, "--stride", str(STRIDE), "--json"],
        env={**os.environ, LIBRARY: str(library), "LD_PRELOAD": str(library)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    result = json.loads(ran.stdout)[step]
    assert result["wrong"] == []
    assert result["kills"] >= 5
