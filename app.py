"""Run the dashboard: menu of pages, page settings, the address of each page, and the start of the demo.

Also here: the server, with its guard in front of it.

Streamlit reads this file twice. The server imports it and finds ``app``; for every run of a page it is run as a script.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.starlette import App

from ui.access import require_access
from ui.first_start import start_demo
from ui.garbage import leave_out_imports
from ui.guard import Guard
from ui.router import serve_through_app
from ui.server import announced, forget_settings_of_folder

# A file of ours: an icon named by Streamlit's sign for it is fetched from a font server.
_ICON = Path(__file__).parent / "assets" / "icon.svg"

# Addresses of earlier versions.
_MOVED = {
    "search": "pages/train.py",
    "experiment": "pages/machine_room.py",
    "association": "pages/loci.py",
    "model": "pages/answer.py",
}


def home() -> None:
    """Lead from the bare address to the studies: Streamlit gives its default page no address of its own."""
    st.switch_page("pages/studies.py")


def _moved(page: str) -> Callable[[], None]:
    """Return a page that leads to another one, with what the address asks for: links of earlier versions go on."""

    def moved() -> None:
        """Lead to the page that does this now."""
        st.switch_page(page, query_params=st.query_params.to_dict())

    return moved


def show() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="Deep GWAS Dashboard", page_icon=_ICON, layout="wide")
    require_access()
    start_demo()
    leave_out_imports()
    pages = [
        st.Page(home, title="Home", default=True, visibility="hidden"),
        st.Page("pages/studies.py", title="Studies", icon=":material/home:", url_path="studies"),
        st.Page("pages/experiments.py", title="All searches", icon=":material/science:", url_path="experiments"),
        st.Page("pages/glossary.py", title="Glossary", icon=":material/menu_book:", url_path="glossary"),
        st.Page("pages/data.py", title="Data", url_path="data", visibility="hidden"),
        st.Page("pages/loci.py", title="Loci", url_path="loci", visibility="hidden"),
        st.Page("pages/train.py", title="Train", url_path="train", visibility="hidden"),
        st.Page("pages/answer.py", title="Answer", url_path="answer", visibility="hidden"),
        st.Page("pages/predict.py", title="Predict", url_path="predict", visibility="hidden"),
        st.Page("pages/machine_room.py", title="Machine room", url_path="machine-room", visibility="hidden"),
        *(st.Page(_moved(page), title=path, url_path=path, visibility="hidden") for path, page in _MOVED.items()),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    show()
else:
    serve_through_app()
    forget_settings_of_folder(Path(__file__).absolute())
    app = App(__file__, middleware=[Middleware(Guard)], lifespan=announced)
