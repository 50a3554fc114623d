"""Make sure that every page is served through ``app.py``, with its menu, also after a restart of the server."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from ui import url
from ui.access import require_access


def serve_through_app() -> None:
    """Have Streamlit serve every address through ``app.py``, from the first visit on. The server calls this.

    Streamlit serves a folder named ``pages`` by itself until a script of the process has called ``st.navigation`` once:
    it knows only the addresses that are named as its files, and says of all others that there is no such page.
    """
    PagesManager.uses_pages_directory = False


def through_app() -> None:
    """Start again through ``app.py`` if Streamlit served the page without it. Every page calls this first.

    Streamlit serves a folder named ``pages`` by itself until a script of the process has called ``st.navigation`` once.
    If the first visit after a server start is a link to a page, the menu would then show file names, and the settings
    of ``app.py`` would be missing, for every visitor until somebody opens the bare address. Streamlit has no setting
    for this; the attribute used here is the one that ``st.navigation`` itself sets.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    require_access()
    url.arrive()
