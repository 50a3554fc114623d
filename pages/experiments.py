"""Every experiment of the store, live."""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.tuning.experiment import ExperimentState
from ui.actions import finish_actions
from ui.cluster import cluster_experiments
from ui.experiments import show_experiments, show_nothing_yet
from ui.first_start import demo_is_starting, show_first_start
from ui.router import through_app
from ui.store import engines, show_error

through_app()

REFRESH_SECONDS = 3


def worth_watching() -> bool:
    """Whether something runs, or nothing is there yet and may come; not where the store cannot be read."""
    # Asked first: once it has started, it is seen to run.
    starting = demo_is_starting()
    try:
        summaries = engines().experiments()
    except GwasError:
        return False
    # One that was only just created is about to run: somebody else, or another server, is starting it.
    moving = (summary.state.is_active() or summary.state is ExperimentState.CREATED for summary in summaries)
    return starting or not summaries or any(moving)


def experiments(*, live: bool) -> None:
    """The table, read anew."""
    if live and not worth_watching():
        st.rerun()  # the whole page: nothing is left to be looked at every few seconds
    try:
        summaries = engines().experiments()
    except GwasError as error:
        show_error(error)
        return
    show_first_start(summaries)
    if summaries:
        show_experiments(summaries)
    else:
        show_nothing_yet()


st.title("Experiments")
finish_actions()
with st.spinner("Reading the experiments …"):  # the first visit of a server waits for the libraries to load
    live = worth_watching()
st.fragment(run_every=REFRESH_SECONDS if live else None)(experiments)(live=live)
cluster_experiments()
