"""What a page keeps in its URL: written there, and read from there in every run.

A run begins with the URL that the browser had when it asked for the run. It may have asked, to refresh or for the
next change, before it was told of the last one, and that would be undone. So what was written counts until the
browser has had the time to follow, or goes somewhere itself: back or forward, or to another page.
"""

from __future__ import annotations

import time

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_FOLLOWS_WITHIN = 30.0  # seconds, for a browser on a very busy machine
_WRITTEN, _PAGE = "url-written", "url-page"


def read(parameter: str) -> str:
    """What stands in the URL, or will once the browser has followed; empty where there is nothing."""
    _forget_after_navigation()
    text = st.query_params.get(parameter, "")
    written, until = st.session_state.get(_WRITTEN, {}).get(parameter, (text, 0.0))
    if text == written or time.monotonic() > until:
        return text
    _put(parameter, written)
    return str(written)


def write(parameter: str, text: str) -> None:
    """Put it into the URL; empty text takes the parameter out."""
    _put(parameter, text)
    st.session_state.setdefault(_WRITTEN, {})[parameter] = text, time.monotonic() + _FOLLOWS_WITHIN


def _put(parameter: str, text: str) -> None:
    if text:
        st.query_params[parameter] = text
    else:
        st.query_params.pop(parameter, None)


def arrive() -> None:
    """Called by every page: the URL with which somebody comes from another one is the one that is wanted."""
    context = get_script_run_ctx()
    page = context.page_script_hash if context is not None else ""
    if st.session_state.get(_PAGE) != page:
        st.session_state.pop(_WRITTEN, None)
        st.session_state[_PAGE] = page


def _forget_after_navigation() -> None:
    """In a run for the browser's back or forward button, its URL is the one that is wanted."""
    context = get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        st.session_state.pop(_WRITTEN, None)
