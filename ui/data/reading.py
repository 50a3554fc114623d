"""Read the file that was chosen, preview it, let people say which columns are SNPs, add it to the library.

Also here: which rows and columns are previewed; two files kept in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from gwas_core.errors import GwasError, InputError
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.messages import counted
from ui.data.datasets import SEARCH_PAGE
from ui.data.roles import roles_form
from ui.data.sources import Source
from ui.refusals import Refusals
from ui.store import dataset_library, show_error
from ui.text import markdown_text

_PREVIEW_LINES, _PREVIEW_SNPS = 10, 8


@dataclass(frozen=True)
class _FileVersion:
    """File as it is now: the key of what is kept of it in memory.

    Attributes:
        path: of the file.
        version: size and time of the last change, or empty if the file cannot be looked at.
        name: what messages call the file.
        snps: which columns are SNPs; None if that is guessed.
    """

    path: str
    version: str
    name: str
    snps: SnpChoice | None


def show_source(source: Source, refusals: Refusals) -> None:
    """Show what a file contains, let people change how it is read, and offer to add it to the datasets.

    Args:
        source: the file that was chosen.
        refusals: gets the places beside the fields.
    """
    choice = _snp_choice(refusals)
    try:
        with st.spinner("Reading the file"):
            file = _file_version(source, choice)
            table, guessed = _read(file)
    except InputError as error:
        refusals.show_at("file", error)
        return
    except GwasError as error:
        refusals.show(error)
        return
    st.subheader("What was found")
    with st.container(horizontal=True, gap="medium"):
        st.metric("Lines", f"{table.lines:,}", width="content")
        st.metric("SNPs", f"{len(table.snps):,}", width="content")
        st.metric("Other columns", f"{len(table.columns):,}", width="content")
    form = f"{source.name}-{file.version}"
    try:
        roles = roles_form(table, guessed, refusals, form=form)
        drop = st.checkbox("Leave out lines without a value of the trait", key=f"data-drop-{form}")
        dataset, notes = _made(file, roles, drop)
    except GwasError as error:
        refusals.show(error)
        st.dataframe(preview(table, guessed), hide_index=True, alt="The first rows of the file")
        return
    is_used = st.button("Use this dataset", type="primary", icon=":material/arrow_forward:", key="data-use")
    st.dataframe(preview(table, roles), hide_index=True, alt="The first rows of the file")
    st.caption(
        f"The first {min(_PREVIEW_LINES, table.lines)} of {counted(table.lines, 'row')}. A dot is a missing genotype."
    )
    st.markdown("\n".join(f"- {markdown_text(note)}" for note in notes))
    if is_used:
        try:
            with st.spinner("Adding it to the datasets"):
                content_hash = dataset_library().add(dataset, source=source.name, notes=notes)
        except GwasError as error:
            show_error(error)
            return
        st.session_state.pop("data-uploaded", None)
        st.switch_page(SEARCH_PAGE, query_params={"dataset": content_hash})


def preview(table: GenotypeTable, roles: ColumnRoles) -> pd.DataFrame:
    """Return the first rows: columns with a role first, then other columns, then the first SNPs.

    Args:
        table: content of the file.
        roles: of its columns.
    """
    used = list(roles.named().values())
    others = [name for name in table.columns if name not in used]
    columns: dict[str, Sequence[str]] = {
        name: table.columns[name][:_PREVIEW_LINES] for name in [*used, *others][: 2 * _PREVIEW_SNPS]
    }
    names = table.snps["name"].tolist()[:_PREVIEW_SNPS]
    genotypes = np.asarray(table.genotypes[:_PREVIEW_LINES, : len(names)])
    for index, name in enumerate(names):
        columns[name] = ["·" if value == MISSING else str(value) for value in genotypes[:, index]]
    return pd.DataFrame(columns)


def _snp_choice(refusals: Refusals) -> SnpChoice | None:
    """Return which columns are SNPs, or None if that is to be guessed."""
    with st.expander("Which columns are SNPs"):
        way = st.radio(
            "SNP columns",
            ["Guess", "Name starts with", "All after a column"],
            key="data-snps",
            horizontal=True,
            help="Guess: columns named by a position (Gm05_1234, chr1:123) are SNPs. If no column is, those that "
            "contain only 0, 1 and 2 are.",
        )
        given = "" if way == "Guess" else st.text_input(way, key="data-snps-text")
        refusals.beside("snp_columns")
    if not given:
        return None
    return SnpChoice(prefix=given) if way == "Name starts with" else SnpChoice(after=given)


def _file_version(source: Source, choice: SnpChoice | None) -> _FileVersion:
    try:
        status = source.path.stat()
        version = f"{status.st_size}-{status.st_mtime_ns}"
    except OSError:
        version = ""
    return _FileVersion(str(source.path), version, source.name, choice)


# Of the two files looked at last: each takes one byte per genotype.
@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={_FileVersion: repr})
def _read(file: _FileVersion) -> tuple[GenotypeTable, ColumnRoles]:
    """Return the table of a file and the roles its columns probably have.

    Raises:
        InputError, SettingsError: as ``read_table`` does.
    """
    table = read_table(Path(file.path), file_name=file.name, snp_columns=file.snps)
    return table, guess_roles(table)


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={_FileVersion: repr, ColumnRoles: repr})
def _made(file: _FileVersion, roles: ColumnRoles, drop: bool) -> tuple[Dataset, tuple[str, ...]]:
    """Return the dataset of a file, and sentences on what was changed to make it."""
    table, _ = _read(file)
    dataset, notes = make_dataset(table, roles, drop_missing_phenotype=drop)
    return dataset, tuple(notes)
