"""Every experiment of the store, live."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.tuning.records import ExperimentSummary
from ui.actions import finish_actions
from ui.experiments import show_experiments
from ui.router import through_app
from ui.store import local_engine, show_error

through_app()

REFRESH_SECONDS = 3


def worth_watching(summaries: Sequence[ExperimentSummary]) -> bool:
    """Whether something runs, or nothing is there yet and may come."""
    return not summaries or any(summary.state.is_active() for summary in summaries)


def live_now() -> bool:
    """The same of the store as it is; not where it cannot be read, which the list below says."""
    try:
        return worth_watching(local_engine().experiments())
    except GwasError:
        return False


def experiments(*, live: bool) -> None:
    """The table, read anew."""
    try:
        summaries = local_engine().experiments()
    except GwasError as error:
        show_error(error)
        return
    if live and not worth_watching(summaries):
        st.rerun()  # the whole page: nothing is left to be looked at every few seconds
    if not summaries:
        st.info(
            "There are no experiments yet. In a terminal, `./run demo` starts one on simulated data, and "
            "`./run tune FILE` one on your own genotypes; it appears here as soon as it runs.",
            icon=":material/info:",
        )
        return
    show_experiments(summaries)


st.title("Experiments")
finish_actions()
live = live_now()
st.fragment(run_every=REFRESH_SECONDS if live else None)(experiments)(live=live)
