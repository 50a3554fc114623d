"""Making sure that every page comes through ``app.py``, and that its own URL counts."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from ui import url


def through_app() -> None:
    """Called first by every page: start over through ``app.py`` if Streamlit went past it.

    Streamlit serves a folder named ``pages`` by itself until a script of the process has called
    ``st.navigation`` once. A link to a page that is the first visit after a server start would then show
    file names for a menu and leave out what ``app.py`` sets, for every visitor until somebody opens the bare
    address. There is no setting for it; this is the switch that ``st.navigation`` itself sets.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    url.arrive()
