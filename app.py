"""The dashboard: ``streamlit run app.py`` (or ``./run``)."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="Deep GWAS Dashboard", page_icon=":material/genetics:", layout="wide")

st.navigation(
    [
        st.Page("pages/experiments.py", title="Experiments", icon=":material/science:", url_path="experiments"),
    ]
).run()
