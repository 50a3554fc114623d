"""List all experiments and keep the list up to date.

Also here: how often, and when it no longer needs to be read again.
"""

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


def may_change() -> bool:
    """Return whether the list may change soon: something runs, or there is nothing yet."""
    # Asked before the list is read: the demo is in the list once it has started.
    starting = demo_is_starting()
    try:
        summaries = engines().experiments()
    except GwasError:
        return False
    # A created experiment is about to run: another session or server is starting it.
    moving = (summary.state.is_active() or summary.state is ExperimentState.CREATED for summary in summaries)
    return starting or not summaries or any(moving)


def experiments(*, live: bool) -> None:
    """Read the experiments and show them as a table."""
    if live and not may_change():
        st.rerun()  # the whole page: the list need not be read every few seconds any more
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
with st.spinner("Reading the experiments …"):  # the first visit after a server start waits for libraries to load
    live = may_change()
st.fragment(run_every=REFRESH_SECONDS if live else None)(experiments)(live=live)
cluster_experiments()
