"""Which experiment a page is about: the one in the URL, or one chosen here, which then is in the URL."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.tuning.records import ExperimentSummary
from ui.text import markdown_text

_URL = "experiment"


def choose_experiment(summaries: Sequence[ExperimentSummary], *, key: str, forget: Sequence[str] = ()) -> str | None:
    """Its name; None where there is none, which is said.

    Args:
        forget: other parameters of the URL that belong to the experiment chosen before.
    """
    names = [summary.name for summary in summaries]
    if not names:
        st.info("There are no experiments yet: start one, and it appears here.", icon=":material/info:")
        return None
    wanted = st.query_params.get(_URL)
    widget = f"{key}-experiment"
    if wanted not in names and wanted is not None:
        st.error(
            f"There is no experiment named {markdown_text(wanted[:60])}: it was deleted, or the link is wrong. "
            "Choose another one.",
            icon=":material/error:",
        )
        st.session_state[widget] = None
    else:
        st.session_state[widget] = wanted or names[0]
        st.query_params[_URL] = wanted or names[0]
    st.selectbox(
        "Experiment",
        names,
        # The name alone: the browser sends back the text it shows, and a state in it would be out of date by then.
        key=widget,
        on_change=_choose,
        args=(widget, tuple(forget)),
        placeholder="Choose an experiment",
        width=420,
    )
    return wanted if wanted in names else (None if wanted is not None else names[0])


def _choose(widget: str, forget: tuple[str, ...]) -> None:
    chosen = st.session_state[widget]
    if chosen:
        st.query_params[_URL] = chosen
        for name in forget:
            st.query_params.pop(name, None)
