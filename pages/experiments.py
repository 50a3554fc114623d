"""List all experiments and keep the list up to date.

Also here: how often, and when it no longer needs to be read again.
"""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.records import ExperimentSummary
from ui.actions import finish_actions
from ui.cluster import cluster_experiments
from ui.experiments import show_experiments, show_nothing_yet, show_unknown_folders
from ui.first_start import demo_is_starting, show_first_start
from ui.router import through_app
from ui.store import engines, errors_shown, show_error

through_app()

REFRESH_SECONDS = 3


class Listed(NamedTuple):
    """Experiments as they are now.

    Attributes:
        summaries: the newest first.
        may_change: whether the list may change soon: something runs, or there is nothing yet.
        error: why they cannot be read now.
    """

    summaries: tuple[ExperimentSummary, ...]
    may_change: bool
    error: GwasError | None = None


def read() -> Listed:
    """Return the experiments, or why they cannot be read: a full disk or a server that is away may be over soon."""
    # Asked before the list is read: the demo is in the list once it has started.
    starting = demo_is_starting()
    try:
        summaries = engines().experiments()
    except GwasError as error:
        return Listed((), may_change=True, error=error)
    # A created experiment is about to run: another session or server is starting it.
    moving = (summary.state.is_active() or summary.state is ExperimentState.CREATED for summary in summaries)
    return Listed(summaries, may_change=starting or not summaries or any(moving))


def experiments(*, live: bool, first: list[Listed]) -> None:
    """Show the experiments as a table.

    Args:
        live: whether this is called again every few seconds.
        first: holds what the page has just read, for the first call.
    """
    listed = first.pop() if first else read()
    if live and not listed.may_change:
        st.rerun()  # the whole page: the list need not be read every few seconds any more
    if listed.error is not None:
        show_error(listed.error)
        return
    show_first_start(listed.summaries)
    if listed.summaries:
        show_experiments(listed.summaries)
    else:
        show_nothing_yet()


st.title("All searches")
finish_actions()
with st.spinner("Reading the experiments …"):  # the first visit after a server start waits for libraries to load
    listed = read()
live = listed.may_change
st.fragment(run_every=REFRESH_SECONDS if live else None)(experiments)(live=live, first=[listed])
if listed.error is None:
    with errors_shown():
        show_unknown_folders(engines().store.unknown_folders(entry.name for entry in listed.summaries))
cluster_experiments()
