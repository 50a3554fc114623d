"""Show the state of a study as an icon and words, and its verdict as a sentence."""

from __future__ import annotations

import streamlit as st

from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.studies.listing import Study, StudyState
from ui.states import Colour

STATE_TITLES: dict[StudyState, str] = {
    StudyState.NO_SEARCH: "No search yet",
    StudyState.SEARCHING: "Searching",
    StudyState.ANSWERED: "Answered",
    StudyState.UNFINISHED: "Search without an answer",
}

_BADGES: dict[StudyState, tuple[str, Colour]] = {
    StudyState.NO_SEARCH: (":material/circle:", "gray"),
    StudyState.SEARCHING: (":material/play_arrow:", "blue"),
    StudyState.ANSWERED: (":material/check_circle:", "green"),
    StudyState.UNFINISHED: (":material/warning:", "orange"),
}


def study_badge(study: Study) -> None:
    """Show the state of a study as a badge."""
    icon, colour = _BADGES[study.state]
    st.badge(STATE_TITLES[study.state], icon=icon, color=colour)


def study_sentence(study: Study) -> str:
    """Return what came out of a study, or what to do next, in one sentence.

    Args:
        study: whose newest judged search gives the verdict.
    """
    if study.answering is not None:
        return verdict_sentence(experiment_verdict(study.answering))
    if study.state is StudyState.SEARCHING:
        running = study.experiments[0]
        return f"A search is at work: {running.finished_trials:,} of {running.max_trials:,} trials are finished."
    if study.state is StudyState.UNFINISHED:
        return "No search has been judged on the test lines yet: resume one, or start another."
    return "Look at the data and at the loci, then train."
