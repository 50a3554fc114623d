"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no reason to fail an example.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Helpers with assertions that fail as readably as a test's own; before anything imports them.
pytest.register_assert_rewrite("tests.tuning.engine_contract", "tests.tuning.quick_experiments")

# No dashboard that a test opens starts a demo experiment, but for the tests of just that.
os.environ["GWAS_NO_DEMO"] = "1"
# Nor does it ask for a token, but for the tests of just that.
os.environ["GWAS_TOKEN"] = "off"

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="run tests/cluster too, on the cluster of KUBECONFIG")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of full-size SoyNAM files, which are not ours to ship; skipped, and counted, where absent."""
    folder = Path(os.environ.get("GWAS_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "IMP_height.txt.gz").is_file():
        pytest.skip("the full-size SoyNAM files are not here: set GWAS_REAL_DATA to their folder")
    return folder


@pytest.fixture
def quick_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have searches that this test starts tune the quick model of ``tests.tuning.quick_trial``."""
    monkeypatch.setenv("GWAS_MODEL", "tests.tuning.quick_trial")
