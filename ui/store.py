"""Give pages the engines and the datasets of the workspace, and show errors as sentences.

Also here: that all sessions share one open store; a reason with capital letter and full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.tuning.storage import storage_identity
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from ui.text import markdown_text

_NAME = re.compile(r"[a-z][^\s:,;]*?([-_./][a-z0-9]|[0-9])")


def engines() -> Engines:
    """Return the engines of this machine and of the cluster, behind one interface, on the workspace in use.

    Raises:
        GwasError: if the workspace cannot be used.
    """
    workspace = Workspace.from_environment()
    return Engines(workspace, store=_store(workspace))


def _store(workspace: Workspace) -> Store:
    """Return the store that all sessions share, so that what one of them has read is not read again by the others."""
    identity = storage_identity(workspace)
    if identity is None:
        return Store(workspace)  # which makes the file: it is shared from the next time on
    return _shared_store(str(workspace.root), workspace.storage_url, identity)


@st.cache_resource(max_entries=4, show_spinner=False)
def _shared_store(root: str, url: str, identity: str) -> Store:
    """Open the store; another address, or another file at the same place, is another store."""
    assert url
    assert identity
    return Store(Workspace(Path(root)))


def dataset_library() -> DatasetLibrary:
    """Return the datasets of the workspace in use."""
    return DatasetLibrary(Workspace.from_environment())


def show_error(error: GwasError) -> None:
    """Show what went wrong, as a sentence."""
    st.error(markdown_text(sentence(str(error))), icon=":material/error:")


def sentence(text: str) -> str:
    """Return a reason as a sentence: with a capital letter, unless it begins with a name, and a full stop.

    Args:
        text: from an error, or a stored reason.
    """
    text = text.strip()
    if not text:
        return ""
    # Names of experiments, hyperparameters and files are such words, and lose their meaning by a capital letter.
    is_name = _NAME.match(text) is not None
    return (text[0] if is_name else text[0].upper()) + text[1:] + ("" if text[-1] in ".!?)`" else ".")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show errors that this project raises on purpose as sentences on the page; let all others pass."""
    try:
        yield
    except GwasError as error:
        show_error(error)
