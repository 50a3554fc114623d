"""List the searches of a study, each with its state and the ways to look at it."""

from __future__ import annotations

import streamlit as st

from gwas_core.studies.listing import Study
from gwas_core.tuning.records import ExperimentSummary
from ui.states import state_badge
from ui.studies.current import STUDY
from ui.studies.frame import ANSWER, MACHINE_ROOM
from ui.text import markdown_text, moment

# More searches than these scroll, so that the form below them stays in reach.
_FEW, _LIST_HEIGHT = 4, 260


def show_searches(study: Study) -> None:
    """Show a row for each search of a study, the newest first; nothing if there is none.

    Args:
        study: whose searches are shown.
    """
    if not study.experiments:
        return
    st.subheader("Searches")
    with st.container(height=_LIST_HEIGHT if len(study.experiments) > _FEW else "content", border=False):
        for entry in study.experiments:
            _row(study, entry)
    st.subheader("A new search")


def _row(study: Study, entry: ExperimentSummary) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"search-row-{entry.name}"):
        st.markdown(f"**{markdown_text(entry.name)}**", width="content")
        state_badge(entry.state)
        st.caption(
            f"{entry.finished_trials:,} of {entry.max_trials:,} trials · started {moment(entry.created)}",
            width="content",
        )
        st.space("stretch")
        asked = {STUDY: study.key, "experiment": entry.name}
        st.page_link(MACHINE_ROOM.page, label=MACHINE_ROOM.title, icon=MACHINE_ROOM.icon, query_params=asked)
        if entry.evaluated_best is not None:
            st.page_link(ANSWER.page, label=ANSWER.title, icon=ANSWER.icon, query_params=asked)
