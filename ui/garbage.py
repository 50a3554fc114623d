"""Garbage collection kept short: what imports brought is not searched again after every run of a page."""

from __future__ import annotations

import gc
import sys

_FEW_MODULES = 20

_modules_before = 0


def leave_out_imports() -> None:
    """Take what is alive now out of later garbage collections, if many modules were imported since the last time.

    Streamlit collects after each run of a page, however small. Most objects of the process belong to modules, which
    are never freed: searching them all takes 0.1 s of processor time with pandas and plotly, more than most pages.
    What pages make afterwards is collected as ever.
    """
    global _modules_before
    if len(sys.modules) < _modules_before + _FEW_MODULES:
        return
    _modules_before = len(sys.modules)
    gc.collect()
    gc.freeze()
