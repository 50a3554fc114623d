"""Home: what this is for, two ways to begin, and the studies of the workspace.

Also here: how often the studies are read again while a search is at work.
"""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.studies.listing import Study, StudyState, study_key
from gwas_core.tuning.demo import DEMO_FILE
from gwas_core.tuning.records import ExperimentSummary
from ui.actions import finish_actions
from ui.data.sources import add_demo_dataset
from ui.first_start import demo_is_starting, show_first_start
from ui.router import through_app
from ui.store import engines, errors_shown, show_error
from ui.studies.cards import show_cards
from ui.studies.comparison import show_comparison
from ui.studies.current import STUDY, all_studies
from ui.studies.editing import finish_editing
from ui.studies.frame import DATA, first_tab

through_app()

REFRESH_SECONDS = 3


def begin(studies: tuple[Study, ...]) -> None:
    """Show the two ways to begin."""
    example, own = st.columns(2)
    with example, st.container(border=True, height="stretch"):
        st.markdown("**Try the example**")
        st.markdown("Simulated soybean lines with known causal SNPs, and a search on them that starts by itself.")
        if st.button("Open the example", icon=":material/potted_plant:", key="home-example"):
            with errors_shown():
                open_example(studies)
    with own, st.container(border=True, height="stretch"):
        st.markdown("**Use my data**")
        st.markdown("A table with one row per line (plant): a trait, and SNPs as 0, 1 or 2 copies of an allele.")
        if st.button("Bring genotypes", icon=":material/upload_file:", type="primary", key="home-own"):
            st.switch_page(DATA.page)


def open_example(studies: tuple[Study, ...]) -> None:
    """Go to the example's study; its data are added first if they are not there."""
    found = next((study for study in studies if study.source == DEMO_FILE.name and study.experiments), None)
    if found is not None:
        st.switch_page(first_tab(found).page, query_params={STUDY: found.key})
    with st.spinner("Reading the example"):
        content_hash = add_demo_dataset()
    st.switch_page(DATA.page, query_params={STUDY: study_key(content_hash)})


class Listed(NamedTuple):
    """Studies as they are now, and the experiments that they were made of, which were read once.

    Attributes:
        may_change: whether the list may change soon: a search is at work, or the demo starts.
    """

    experiments: tuple[ExperimentSummary, ...]
    studies: tuple[Study, ...]
    may_change: bool


def read() -> Listed:
    """Return the studies.

    Raises:
        GwasError: the store cannot be used.
    """
    # Asked before the list is read: the demo is in the list once it has started.
    starting = demo_is_starting()
    experiments = engines().experiments()
    studies = all_studies(experiments)
    searching = any(study.state is StudyState.SEARCHING for study in studies)
    return Listed(experiments, studies, may_change=starting or searching)


def show_studies(*, live: bool, first: list[Listed]) -> None:
    """Show the studies as they are now.

    Args:
        live: whether this is called again every few seconds.
        first: holds what the page has just read, for the first call.
    """
    try:
        listed = first.pop() if first else read()
    except GwasError as error:
        show_error(error)
        return
    if live and not listed.may_change:
        st.rerun()  # the whole page: nothing changes any more
    show_first_start(listed.experiments)
    if listed.studies:
        st.subheader("Studies")
        show_cards(listed.studies)


st.title("Deep GWAS")
st.markdown(
    "Find the loci of a trait, train a neural network to predict it from genotypes, and learn honestly whether it "
    "beats simple methods such as GBLUP. A **study** is one population and one trait."
)
finish_actions()
try:
    with st.spinner("Reading the studies …"):  # the first visit after a server start waits for libraries to load
        listed = read()
except GwasError as error:
    show_error(error)
else:
    begin(listed.studies)
    finish_editing(listed.studies)
    live = listed.may_change
    st.fragment(run_every=REFRESH_SECONDS if live else None)(show_studies)(live=live, first=[listed])
    show_comparison(listed.studies)
