"""Choose the experiment that a page shows: that of the URL, else the one looked at last, else the newest."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.studies.listing import Study
from gwas_core.tuning.records import ExperimentSummary
from ui import url
from ui.experiments import show_nothing_yet
from ui.store import engines
from ui.studies.current import STUDY
from ui.studies.frame import TRAIN
from ui.text import markdown_text

_URL = "experiment"
_LAST = "experiment-last"


def choose_experiment(summaries: Sequence[ExperimentSummary], *, key: str, forget: Sequence[str] = ()) -> str | None:
    """Show the experiments and return the name of the chosen one, or None with the reason shown.

    Args:
        summaries: all experiments, newest first.
        key: prefix of the key of the field.
        forget: other parameters of the URL, which belong to the experiment chosen before and are removed.
    """
    names = [summary.name for summary in summaries]
    if not names:
        show_nothing_yet()
        return None
    wanted = url.read(_URL) or _default(names)
    widget = f"{key}-experiment"
    known = wanted in names
    if not known:
        st.error(
            f"There is no experiment named {markdown_text(wanted[:60])}: it was deleted, or the link is wrong. "
            "Choose another one.",
            icon=":material/error:",
        )
    elif url.read(_URL) != wanted:
        url.write(_URL, wanted)
    st.session_state[widget] = wanted if known else None
    st.selectbox(
        "Search",
        names,
        # Names without states: the browser sends back the text it shows, and a state in it could be out of date.
        key=widget,
        on_change=_choose,
        args=(widget, tuple(forget)),
        placeholder="Choose a search",
        width=420,
    )
    if not known:
        return None
    st.session_state[_LAST] = wanted
    return wanted


def choose_search(study: Study | None, *, key: str, forget: Sequence[str] = ()) -> str | None:
    """Show the searches of a study and return the name of the chosen one, or None with the reason shown.

    The one in the URL, else the one that gives the study's answer, else the newest.

    Args:
        study: whose searches are shown; None for all experiments.
        key: prefix of the key of the field.
        forget: other parameters of the URL, which belong to the search chosen before and are removed.
    """
    if study is None:
        return choose_experiment(engines().experiments(), key=key, forget=forget)
    if not study.experiments:
        st.info("No search has been started yet, so there is no network.", icon=":material/info:")
        st.page_link(TRAIN.page, label="Go to Train", icon=TRAIN.icon, query_params={STUDY: study.key})
        return None
    if not url.read(_URL):
        url.write(_URL, (study.answering or study.experiments[0]).name)
    names = [entry.name for entry in study.experiments]
    if names == [url.read(_URL)]:
        st.caption(f"Search {markdown_text(names[0])}")
        return names[0]
    return choose_experiment(study.experiments, key=key, forget=forget)


def _default(names: Sequence[str]) -> str:
    """Return the experiment looked at last, or else the newest: links of the menu name no experiment."""
    last: str = st.session_state.get(_LAST, "")
    return last if last in names else names[0]


def _choose(widget: str, forget: tuple[str, ...]) -> None:
    chosen = st.session_state[widget]
    if chosen:
        url.write(_URL, chosen)
        for name in forget:
            url.write(name, "")
