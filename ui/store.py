"""From the workspace to a page: engines, and errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.workspace import Workspace
from ui.text import markdown_text


def engines() -> Engines:
    """This machine's engine and the cluster's behind one, on the workspace of the environment.

    Raises:
        GwasError: the workspace cannot be used.
    """
    return Engines(Workspace.from_environment())


def show_error(error: GwasError) -> None:
    """What went wrong, as a sentence."""
    st.error(markdown_text(sentence(str(error))), icon=":material/error:")


def sentence(text: str) -> str:
    """A reason with a capital letter and a full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?)`" else ".")


@contextmanager
def errors_shown() -> Iterator[None]:
    """What this project raises on purpose becomes a sentence on the page."""
    try:
        yield
    except GwasError as error:
        show_error(error)
