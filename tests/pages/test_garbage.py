from __future__ import annotations

import gc
import sys
import types
import weakref

import pytest

from tests.pages.conftest import OpenPage
from ui import garbage


class Page:
    """Something that refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_imports_brought_is_left_out_once_a_page_was_opened(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.unfreeze()
    monkeypatch.setattr(garbage, "_modules_before", 0)
    open_page("pages/experiments.py")
    assert gc.get_freeze_count() > len(sys.modules)


def test_later_garbage_is_collected_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    garbage.leave_out_imports()
    known = weakref.ref(Page())
    # A few more modules are no reason to leave out again.
    monkeypatch.setitem(sys.modules, "imported_later", types.ModuleType("imported_later"))
    garbage.leave_out_imports()
    gc.collect()
    assert known() is None
