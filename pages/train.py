"""Choose what a search of a study varies and how, and launch it.

Also here: when the button Launch can be pressed.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.studies.listing import Study
from ui import url
from ui.cluster import cluster_note, engine_choice
from ui.refusals import Refusals
from ui.router import through_app
from ui.search.dataset import choose_dataset, form_of, reset_button
from ui.search.effort import show_efforts
from ui.search.launch import launch, name_field, show_what_is_missing
from ui.search.lines import lines_form
from ui.search.measurement import measure_button
from ui.search.outlook import look_ahead, show_basis, show_figures
from ui.search.settings import planned_experiment, search_form, show_fewer_parallel_trials
from ui.search.space_editor import space_editor
from ui.store import dataset_library, show_error
from ui.studies.current import STUDY, all_studies, current_study
from ui.studies.frame import TRAIN, show_frame
from ui.studies.searches import show_searches

through_app()


def search(study: Study | None) -> None:
    """Show what will be launched at the top, and all that decides it below.

    Args:
        study: whose dataset is searched on; None to choose among all.
    """
    entries = dataset_library().entries()
    if study is not None:
        show_searches(study)
        if study.entry is None:
            st.info(
                "The data of this study are no longer here, so no new search can be started: load the file again.",
                icon=":material/info:",
            )
            return
    if not entries:
        st.info("A search needs a dataset: load the demo data or your own first.", icon=":material/info:")
        st.page_link("pages/data.py", label="Go to Data", icon=":material/arrow_back:")
        return
    st.markdown(
        "Press **Launch** to train and compare networks as proposed here. Under **Expert** everything can be changed."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entry = choose_dataset(entries) if study is None or study.entry is None else study.entry
        reset_button(entry)
    form, refusals = form_of(entry), Refusals()
    top = st.container(border=True)
    with top:
        engine = engine_choice(form, refusals)
        launching = st.container()
        cluster_note()
    with st.expander("Expert: filters, division of the lines, search space, algorithm", icon=":material/tune:"):
        lines = lines_form(entry, form, refusals)
        st.subheader("Search space")
        reading = space_editor(form)
        st.subheader("How to search")
        choices = search_form(form, refusals)
    if lines is not None and engine == "local":
        show_fewer_parallel_trials(lines, choices)
    plan, is_refused = None, False
    if lines is not None and reading.space is not None:
        # Only the cluster can be refused, so its rules are the ones to check meanwhile.
        plan = planned_experiment(entry, lines, reading.space, choices, engine or "kubeflow", refusals)
        is_refused = plan is None
    with launching:
        row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
        refusals.beside("name")
        with row:
            name = name_field(entry, form, refusals)
        if lines is None or plan is None or engine is None or name is None:
            show_what_is_missing(
                lines=lines is not None,
                problems=reading.problems,
                settings=not is_refused,
                engine=engine is not None,
                name=name is not None,
            )
            st.button("Launch", type="primary", icon=":material/rocket_launch:", disabled=True, key="search-launch")
            return
        outlook = look_ahead(lines, plan)
        show_efforts(lines, plan, form)
        with row:
            show_figures(outlook, form)
        show_basis(outlook)
        buttons = st.container(horizontal=True, vertical_alignment="center")
        refusals.beside("launch")
        with buttons:
            is_pressed = st.button("Launch", type="primary", icon=":material/rocket_launch:", key="search-launch")
            measure_button(outlook, refusals)
        if is_pressed:
            launch(entry, plan, name=name, measured=outlook.measured, refusals=refusals)


try:
    study = current_study(all_studies())
    show_frame(study, TRAIN)
    # An address of before this page was a tab names a dataset, and goes on to offer all of them.
    search(None if "dataset" in st.query_params and not url.read(STUDY) else study)
except GwasError as error:
    show_error(error)
