"""Draw the home: its two doors, and the studies as cards, which can be searched, sorted and filtered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from gwas_core.messages import counted
from gwas_core.studies.listing import Study, StudyState
from ui.studies.current import STUDY
from ui.studies.editing import edit_button
from ui.studies.frame import TABS, first_tab
from ui.studies.states import STATE_TITLES, study_badge, study_sentence
from ui.text import markdown_text, moment

# More than these make the page slow, and nobody reads them: they are found by searching.
_PER_PAGE = 20
_FEW = 4

_ORDERS: dict[str, tuple[Callable[[Study], str], bool]] = {
    "Last changed": (lambda study: study.changed, True),
    "Name": (lambda study: study.title.casefold(), False),
    "Trait": (lambda study: study.trait.casefold(), False),
    "Oldest": (lambda study: study.created, False),
}


def show_cards(studies: Sequence[Study]) -> None:
    """Show the studies as cards, with what finds one among many.

    Args:
        studies: at least one, the one that changed last first.
    """
    shown = _found(studies)
    if not shown:
        st.info("No study fits what is asked for above.", icon=":material/search_off:")
        return
    pages = -(-len(shown) // _PER_PAGE)
    page = 1
    if pages > 1:
        page = int(st.number_input(f"Page, of {pages}", min_value=1, max_value=pages, key="studies-page", width=160))
    for study in shown[(page - 1) * _PER_PAGE : page * _PER_PAGE]:
        _card(study)


def _found(studies: Sequence[Study]) -> list[Study]:
    """Show the fields that choose among many studies, and return the chosen ones in their order."""
    archived = sum(study.about.archived for study in studies)
    if len(studies) <= _FEW and not archived:
        return list(studies)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find",
            key="studies-find",
            placeholder="Name, trait, file, tag or note",
            icon=":material/search:",
            width=320,
        )
        states = st.multiselect(
            "State",
            list(StudyState),
            format_func=STATE_TITLES.__getitem__,
            key="studies-states",
            placeholder="All",
            width=280,
        )
        order = st.selectbox("Order", list(_ORDERS), key="studies-order", width=180)
        with_archived = archived > 0 and st.toggle(f"Archived too ({archived})", key="studies-archived")
    key, reverse = _ORDERS[order]
    words = text.casefold().split()
    found = [
        study
        for study in studies
        if (with_archived or not study.about.archived)
        and (not states or study.state in states)
        and all(word in _searched(study) for word in words)
    ]
    return sorted(found, key=key, reverse=reverse)


def _searched(study: Study) -> str:
    names = [entry.name for entry in study.experiments]
    return "\n".join([study.title, study.trait, study.source, study.about.notes, *study.about.tags, *names]).casefold()


def _card(study: Study) -> None:
    with st.container(border=True, key=f"study-{study.key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                first_tab(study).page, label=f"**{markdown_text(study.title)}**", query_params={STUDY: study.key}
            )
            study_badge(study)
            if study.about.archived:
                st.badge("Archived", icon=":material/inventory_2:", color="gray")
            for tag in study.about.tags:
                st.badge(markdown_text(tag), color="violet")
            st.space("stretch")
            edit_button(study)
        st.markdown(markdown_text(study_sentence(study)))
        st.caption(markdown_text(_facts(study)))
        if study.about.notes:
            st.caption(markdown_text(study.about.notes.splitlines()[0][:200]))
        with st.container(horizontal=True):
            for tab in TABS:
                st.page_link(tab.page, label=tab.title, icon=tab.icon, query_params={STUDY: study.key}, help=tab.help)


def _facts(study: Study) -> str:
    facts = [f"Trait {study.trait}" if study.trait else "", study.source if study.about.name else ""]
    if study.lines is not None and study.snps is not None:
        facts.append(f"{counted(study.lines, 'line')}, {counted(study.snps, 'SNP')}")
    facts.append(counted(len(study.experiments), "search", "searches"))
    facts.append(f"changed {moment(study.changed)}")
    return " · ".join(fact for fact in facts if fact)
