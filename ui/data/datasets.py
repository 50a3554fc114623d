"""List the datasets of the library: report, search, and confirmed deletion of each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.messages import counted
from gwas_core.studies.listing import study_key
from ui.store import dataset_library, show_error
from ui.studies.current import STUDY
from ui.studies.frame import TRAIN
from ui.text import markdown_text, moment

# More datasets than these scroll, so that the report below them stays in reach.
_FEW_DATASETS, _LIST_HEIGHT = 4, 420


def open_report(content_hash: str) -> None:
    """Show the quality report of a dataset, by putting the dataset into the URL.

    Args:
        content_hash: of the dataset.
    """
    st.query_params["dataset"] = content_hash


def show_datasets(entries: Sequence[LibraryEntry], chosen: str) -> None:
    """Show a row for each dataset, with what can be done with it.

    Args:
        entries: in the order in which they are shown.
        chosen: hash of the dataset whose quality report is shown below.
    """
    with st.container(height=_LIST_HEIGHT if len(entries) > _FEW_DATASETS else "content", border=False):
        for entry in entries:
            _dataset_row(entry, is_chosen=entry.hash == chosen)


def _dataset_row(entry: LibraryEntry, *, is_chosen: bool) -> None:
    key = entry.hash[:16]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"data-entry-{key}"):
        marker = " (shown below)" if is_chosen else ""
        families = f", {counted(entry.families, 'family', 'families')}" if entry.families else ""
        st.markdown(
            f"**{markdown_text(entry.source)}**{marker}  \n"
            f"Trait {markdown_text(entry.trait)}, {counted(entry.lines, 'line')}, {counted(entry.snps, 'SNP')}"
            f"{families}. Added {moment(entry.added)}",
            width="stretch",
        )
        st.button(
            "Quality",
            icon=":material/fact_check:",
            key=f"data-open-{key}",
            on_click=open_report,
            args=(entry.hash,),
            disabled=is_chosen,
            help="Show its quality report",
        )
        # Only one button of the page stands out.
        if st.button(
            "Train", icon=":material/tune:", key=f"data-search-{key}", type="primary" if is_chosen else "secondary"
        ):
            st.switch_page(TRAIN.page, query_params={STUDY: study_key(entry.hash)})
        with st.popover("Delete", icon=":material/delete:"):
            _delete_form(entry)


def _delete_form(entry: LibraryEntry) -> None:
    st.markdown(
        f"**{markdown_text(entry.source)}** will be removed from this list. Experiments keep their own copy, and your "
        "file stays where it is."
    )
    if st.button("Delete it", key=f"data-delete-{entry.hash[:16]}", type="primary", icon=":material/delete:"):
        try:
            dataset_library().delete(entry.hash)
        except GwasError as error:
            show_error(error)
            return
        if st.query_params.get("dataset") == entry.hash:
            del st.query_params["dataset"]
        st.rerun()
