"""Run the dashboard: menu of pages, page settings, the address of each page, and the start of the demo.

Also here: the server, with its guard in front of it.

Streamlit reads this file twice. The server imports it and finds ``app``; for every run of a page it is run as a script.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.starlette import App

from ui.access import require_access
from ui.first_start import start_demo
from ui.garbage import leave_out_imports
from ui.guard import Guard
from ui.server import announced, forget_settings_of_folder

# A file of ours: an icon named by Streamlit's sign for it is fetched from a font server.
_ICON = Path(__file__).parent / "assets" / "icon.svg"


def home() -> None:
    """Lead from the bare address to the experiments: Streamlit gives its default page no address of its own."""
    st.switch_page("pages/experiments.py")


def show() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="Deep GWAS Dashboard", page_icon=_ICON, layout="wide")
    require_access()
    start_demo()
    leave_out_imports()
    pages = [
        st.Page(home, title="Home", default=True, visibility="hidden"),
        st.Page("pages/data.py", title="Data", icon=":material/table_chart:", url_path="data"),
        st.Page("pages/search.py", title="Search", icon=":material/tune:", url_path="search"),
        st.Page("pages/experiments.py", title="Experiments", icon=":material/science:", url_path="experiments"),
        st.Page("pages/experiment.py", title="Experiment", icon=":material/monitoring:", url_path="experiment"),
        st.Page("pages/association.py", title="Association", icon=":material/scatter_plot:", url_path="association"),
        st.Page("pages/model.py", title="Model", icon=":material/deployed_code:", url_path="model"),
    ]
    st.navigation(pages).run()


if __name__ == "__main__":
    show()
else:
    forget_settings_of_folder(Path(__file__).absolute())
    app = App(__file__, middleware=[Middleware(Guard)], lifespan=announced)
