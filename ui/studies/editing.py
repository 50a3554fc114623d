"""Rename, tag, annotate, archive or delete a study, in a dialog that the page itself opens."""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.studies.about import LONGEST_NAME, LONGEST_NOTES, change_about
from gwas_core.studies.listing import Study
from ui.store import dataset_library, engines, sentence
from ui.text import markdown_text

_EDITED = "study-edited"


def edit_button(study: Study) -> None:
    """Show the button that opens the dialog of a study."""
    if st.button(
        "Edit",
        key=f"study-edit-{study.key}",
        icon=":material/edit:",
        help="Rename, tag, write notes, archive or delete this study",
    ):
        st.session_state[_EDITED] = study.key
        st.rerun()  # the whole page, whose dialog it is


def finish_editing(studies: tuple[Study, ...]) -> None:
    """Show the dialog of the study whose button was pressed. The page calls it, outside its live parts."""
    key = st.session_state.get(_EDITED)
    study = next((study for study in studies if study.key == key), None)
    if study is not None:
        _edit(study)


def _dismiss() -> None:
    st.session_state.pop(_EDITED, None)


@st.dialog("Edit study", icon=":material/edit:", on_dismiss=_dismiss)
def _edit(study: Study) -> None:
    about, key = study.about, study.key
    name = st.text_input(
        "Name", about.name, max_chars=LONGEST_NAME, key=f"study-name-{key}", placeholder=study.title, autocomplete="off"
    )
    tags = st.text_input(
        "Tags", ", ".join(about.tags), key=f"study-tags-{key}", placeholder="field 2019, drought", help="With commas"
    )
    notes = st.text_area("Notes", about.notes, max_chars=LONGEST_NOTES, key=f"study-notes-{key}")
    archived = st.checkbox(
        "Archived", about.archived, key=f"study-archived-{key}", help="Left out of the list until it is asked for"
    )
    with st.container(horizontal=True):
        is_saved = st.button("Save", type="primary", key=f"study-save-{key}")
        if st.button("Cancel", key=f"study-cancel-{key}"):
            _dismiss()
            st.rerun()
    if is_saved:
        wanted = tuple(filter(None, (tag.strip() for tag in tags.split(","))))
        try:
            change_about(
                engines().workspace, key, name=name.strip(), notes=notes.strip(), tags=wanted, archived=archived
            )
        except GwasError as error:
            st.error(markdown_text(sentence(str(error))), icon=":material/error:")
            return
        _dismiss()
        st.rerun()
    with st.expander("Delete this study", icon=":material/delete:"):
        _delete_form(study)


def _delete_form(study: Study) -> None:
    names = [entry.name for entry in study.experiments]
    running = [entry.name for entry in study.experiments if entry.state.is_active()]
    if running:
        st.markdown(f"{markdown_text(running[0])} is running: stop it first.")
        return
    gone = [f"its {counted(len(names), 'search', 'searches')} with all trials and models"] if names else []
    gone += ["the genotypes and the trait as they were read"] if study.entry is not None else []
    st.markdown(
        f"This removes {markdown_text(' and '.join(gone))}. Your file stays where it is. It cannot be undone; "
        "archiving hides a study and keeps everything."
    )
    typed = st.text_input("Type *delete* to confirm", key=f"study-confirm-{study.key}", autocomplete="off")
    if st.button("Delete", type="primary", disabled=typed.strip() != "delete", key=f"study-delete-{study.key}"):
        try:
            for name in names:
                engines().delete(name)
            if study.entry is not None:
                dataset_library().delete(study.entry.hash)
        except GwasError as error:
            st.error(markdown_text(sentence(str(error))), icon=":material/error:")
            return
        _dismiss()
        st.rerun()
