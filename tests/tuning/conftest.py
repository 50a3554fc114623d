"""Shared by the tests of searching."""

from __future__ import annotations

import pytest

# Their assertions then say what they saw, as those in test modules do.
pytest.register_assert_rewrite("tests.tuning.engine_contract", "tests.tuning.quick_experiments")
