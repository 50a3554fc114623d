"""Run the dashboard: menu of pages, page settings, the address of each page, and the start of the demo."""

from __future__ import annotations

import streamlit as st

from ui.first_start import start_demo
from ui.garbage import leave_out_imports

st.set_page_config(page_title="Deep GWAS Dashboard", page_icon=":material/genetics:", layout="wide")


def home() -> None:
    """Lead from the bare address to the experiments: Streamlit gives its default page no address of its own."""
    st.switch_page("pages/experiments.py")


start_demo()
leave_out_imports()
st.navigation(
    [
        st.Page(home, title="Home", default=True, visibility="hidden"),
        st.Page("pages/data.py", title="Data", icon=":material/table_chart:", url_path="data"),
        st.Page("pages/search.py", title="Search", icon=":material/tune:", url_path="search"),
        st.Page("pages/experiments.py", title="Experiments", icon=":material/science:", url_path="experiments"),
        st.Page("pages/experiment.py", title="Experiment", icon=":material/monitoring:", url_path="experiment"),
        st.Page("pages/association.py", title="Association", icon=":material/scatter_plot:", url_path="association"),
        st.Page("pages/model.py", title="Model", icon=":material/deployed_code:", url_path="model"),
    ]
).run()
