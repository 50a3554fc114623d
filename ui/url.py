"""Keep choices of a page in its URL: they are written there, and read from there in every run.

Also here: a value counts until the browser has followed, or somebody went back.

A run begins with the URL that the browser had when it asked for the run. The browser may have asked (to refresh, or for
the next change) before it heard of the last change, which would then be lost. So a written value counts until the
browser has had time to follow, or until the person navigates: back, forward, or to another page.
"""

from __future__ import annotations

import time

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_FOLLOWS_WITHIN = 30.0  # seconds, for a browser on a very busy machine
_WRITTEN, _PAGE = "url-written", "url-page"


def read(parameter: str) -> str:
    """Return a parameter as it is in the URL, or will be once the browser has followed; empty if it is not there.

    Args:
        parameter: name of the parameter.
    """
    _forget_after_navigation()
    text = st.query_params.get(parameter, "")
    written, until = st.session_state.get(_WRITTEN, {}).get(parameter, (text, 0.0))
    if text == written or time.monotonic() > until:
        return text
    _put(parameter, written)
    return str(written)


def write(parameter: str, text: str) -> None:
    """Put a parameter into the URL; empty text removes it.

    Args:
        parameter: name of the parameter.
        text: value, not escaped.
    """
    _put(parameter, text)
    st.session_state.setdefault(_WRITTEN, {})[parameter] = text, time.monotonic() + _FOLLOWS_WITHIN


def _put(parameter: str, text: str) -> None:
    if text:
        st.query_params[parameter] = text
    else:
        st.query_params.pop(parameter, None)


def arrive() -> None:
    """Let the URL count with which somebody arrives from another page. Every page calls this."""
    context = get_script_run_ctx()
    page = context.page_script_hash if context is not None else ""
    if st.session_state.get(_PAGE) != page:
        st.session_state.pop(_WRITTEN, None)
        st.session_state[_PAGE] = page


def _forget_after_navigation() -> None:
    """Let the browser's URL count in a run that its back or forward button caused."""
    context = get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        st.session_state.pop(_WRITTEN, None)
