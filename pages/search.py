"""Choose what is searched and how, and launch it."""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from ui.data import library
from ui.refusals import Refusals
from ui.router import through_app
from ui.search import choose_dataset, launch, lines_form, name_field, price_field, search_form, show_projection
from ui.space_editor import space_editor
from ui.store import show_error

through_app()


def search() -> None:
    """The whole form, in the order in which one decides."""
    entries = library().entries()
    if not entries:
        st.info("A search needs a dataset: load the demo data or your own first.", icon=":material/info:")
        st.page_link("pages/data.py", label="Go to Data", icon=":material/arrow_back:")
        return
    refusals = Refusals()
    entry = choose_dataset(entries)
    lines = lines_form(entry, refusals)
    st.subheader("Search space")
    space = space_editor()
    st.subheader("How to search")
    settings = search_form(refusals)
    with st.container(horizontal=True):
        name = name_field(entry)
        price = price_field()
    refusals.beside("name")
    if lines is None or space is None:
        st.button("Launch", type="primary", icon=":material/rocket_launch:", disabled=True, key="search-launch")
        st.caption("Mend what is marked above first.")
        return
    show_projection(lines, space, settings, price=price)
    if st.button("Launch", type="primary", icon=":material/rocket_launch:", key="search-launch"):
        launch(entry, lines, space, settings, name=name, refusals=refusals)


st.title("Search")
try:
    search()
except GwasError as error:
    show_error(error)
