"""Choose the dataset to search on; choices are kept for each dataset while the session lasts, and reset."""

from __future__ import annotations

import streamlit as st

from gwas_core.genotypes.library import LibraryEntry
from gwas_core.messages import counted


def form_of(entry: LibraryEntry) -> str:
    """Return the name of the form of a dataset: part of the keys of all its fields."""
    return f"{entry.hash[:16]}-{_versions(entry.hash)[0]}"


def choose_dataset(entries: tuple[LibraryEntry, ...]) -> LibraryEntry:
    """Show the datasets and return the chosen one, which is in the URL, so that a link restores it.

    Args:
        entries: datasets of the library, at least one.
    """
    hashes = {entry.hash: entry for entry in entries}
    wanted = st.query_params.get("dataset", "")
    chosen: str = st.selectbox(
        "Dataset",
        list(hashes),
        index=list(hashes).index(wanted) if wanted in hashes else 0,
        format_func=lambda content_hash: _title(hashes[content_hash]),
        key="search-dataset",
    )
    if chosen != wanted:
        st.query_params["dataset"] = chosen
    return hashes[chosen]


def reset_button(entry: LibraryEntry) -> None:
    """Show the button that starts a fresh form; the old one is kept until the next reset, so it asks nothing."""
    current, before = _versions(entry.hash)
    undo = before is not None
    st.button(
        "Undo the reset" if undo else "Reset",
        icon=":material/undo:" if undo else ":material/restart_alt:",
        key="search-reset",
        on_click=_show_version,
        args=(entry.hash, before if before is not None else current + 1, None if undo else current),
        help="Bring back what was chosen before" if undo else "Set everything on this page back to its defaults",
    )


def _title(entry: LibraryEntry) -> str:
    return f"{entry.source}: {entry.trait}, {counted(entry.lines, 'line')}, {counted(entry.snps, 'SNP')}"


def _versions(content_hash: str) -> tuple[int, int | None]:
    """Return the number of the form that is shown, and of the one that a reset put away."""
    versions: tuple[int, int | None] = st.session_state.get(f"search-form-{content_hash[:16]}", (0, None))
    return versions


def _show_version(content_hash: str, version: int, before: int | None) -> None:
    st.session_state[f"search-form-{content_hash[:16]}"] = (version, before)
