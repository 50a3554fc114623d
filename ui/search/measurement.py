"""Measure how fast this machine trains networks on the dataset: the button, and how long it is under way."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.messages import duration
from gwas_core.tuning.measurement import MeasurementRequest
from ui.refusals import Refusals
from ui.search.outlook import Outlook, measurements


def measure_button(outlook: Outlook, refusals: Refusals) -> None:
    """Show the button that starts the measurement, or how long one is under way.

    Args:
        outlook: what is known of the search's time.
        refusals: shows why a measurement cannot be started.
    """
    if outlook.status.running_since is not None:
        _measuring(outlook.request)
        return
    is_local = outlook.engine == "local"
    again = "Measure again" if is_local else "Measure again on this machine"
    if st.button(
        "Measure on this machine" if outlook.measured is None else again,
        icon=":material/timer:",
        key="search-measure",
        help="Does what a search does on this dataset, in a process of its own: reads and filters it, starts networks, "
        "trains them for a few steps, and computes the baselines. With thousands of lines it takes a minute or two. "
        + (
            "The result is kept, and the search then does not have to measure again."
            if is_local
            else "The result is the time of this machine, not of the cluster."
        ),
    ):
        try:
            with st.spinner("Starting the measurement"):
                measurements().start(outlook.request)
        except GwasError as error:
            refusals.show_at("launch", error)
        else:
            st.rerun()


@st.fragment(run_every=1.0)
def _measuring(request: MeasurementRequest) -> None:
    """Show how long the measurement is under way; draw the whole page anew once it is over."""
    since = measurements().status(request).running_since
    if since is None:
        st.rerun()
    seconds = max(0.0, (datetime.now(UTC) - since).total_seconds())  # below zero if the clock was set back
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/hourglass_top: Measuring on this machine, {duration(seconds)} so far.", width="content")
        if st.button("Cancel", key="search-measure-cancel", icon=":material/cancel:"):
            measurements().cancel(request)
            st.rerun()
