"""Give pages the engines and the datasets of the workspace, and show errors as sentences.

Also here: a reason with capital letter and full stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.workspace import Workspace
from ui.text import markdown_text


def engines() -> Engines:
    """Return the engines of this machine and of the cluster, behind one interface, on the workspace in use.

    Raises:
        GwasError: if the workspace cannot be used.
    """
    return Engines(Workspace.from_environment())


def dataset_library() -> DatasetLibrary:
    """Return the datasets of the workspace in use."""
    return DatasetLibrary(Workspace.from_environment())


def show_error(error: GwasError) -> None:
    """Show what went wrong, as a sentence."""
    st.error(markdown_text(sentence(str(error))), icon=":material/error:")


def sentence(text: str) -> str:
    """Return a reason as a sentence: with a capital letter and a full stop.

    Args:
        text: from an error, or a stored reason.
    """
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?)`" else ".")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show errors that this project raises on purpose as sentences on the page; let all others pass."""
    try:
        yield
    except GwasError as error:
        show_error(error)
