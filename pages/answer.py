"""Show the answer of a study: the best network of a search, its verdict, evaluation, bundle and model card.

Also here: what is shown while there is no model yet.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from ui.actions import finish_actions
from ui.chooser import choose_search
from ui.evaluation import show_evaluation
from ui.model import (
    not_judged,
    not_judged_box,
    show_bundle,
    show_card,
    show_judgement,
    show_observed_predicted,
)
from ui.router import through_app
from ui.store import engines, show_error
from ui.studies.current import all_studies, current_study
from ui.studies.frame import ANSWER, MACHINE_ROOM, show_frame

through_app()

REFRESH_SECONDS = 5


def wait_for_model(name: str) -> None:
    """Show how far the search is, and draw the whole page once there is a model."""
    try:
        record = engines().sync(name)
    except GwasError as error:
        show_error(error)
        return
    text = not_judged(record)
    if not text or not record.state.is_active():
        st.rerun()
    not_judged_box(record, text)
    st.progress(
        min(1.0, record.finished_trials / record.experiment.max_trials),
        text=f"{record.finished_trials:,} of {record.experiment.max_trials:,} trials",
    )


def model(name: str) -> None:
    """Show the model of one experiment, or why there is none yet."""
    engine = engines()
    record = engine.sync(name)
    text = not_judged(record)
    if text and record.state.is_active():
        st.fragment(run_every=REFRESH_SECONDS)(wait_for_model)(name)
        return
    if text:
        not_judged_box(record, text)
        if st.button("Open the experiment", key="to-experiment", icon=":material/monitoring:"):
            st.switch_page(MACHINE_ROOM.page, query_params={"experiment": name})
        return
    show_judgement(record)
    show_evaluation(engine.workspace, record)
    show_bundle(engine.workspace, record)
    show_observed_predicted(record)
    show_card(engine.workspace, record)


finish_actions()
try:
    study = current_study(all_studies())
    show_frame(study, ANSWER)
    name = choose_search(study, key="model")
    if name is not None:
        model(name)
except GwasError as error:
    show_error(error)
