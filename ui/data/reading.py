"""Read the file that was chosen, preview it, let people say which columns are SNPs, add it to the library.

Also here: which rows and columns are previewed; two files are read at a time, each in a process with limits.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from gwas_core.errors import GwasError, InputError
from gwas_core.genotypes.column_roles import ColumnRoles
from gwas_core.genotypes.dataset import MISSING
from gwas_core.genotypes.limited_reading import LimitedReader, TableOutline
from gwas_core.genotypes.readers import SnpChoice
from gwas_core.messages import counted
from gwas_core.studies.listing import study_key
from gwas_core.workspace import Workspace
from ui.data.roles import roles_form
from ui.data.sources import Source
from ui.limited_work import raised, result_or_refusal
from ui.refusals import Refusals
from ui.store import show_error
from ui.studies.current import STUDY
from ui.studies.frame import DATA
from ui.tables import data_table
from ui.text import markdown_text

_PREVIEW_LINES, _PREVIEW_SNPS = 10, 8


def show_source(source: Source, refusals: Refusals) -> None:
    """Show what a file contains, let people change how it is read, and offer to add it to the datasets.

    Args:
        source: the file that was chosen.
        refusals: gets the places beside the fields.
    """
    choice = _snp_choice(refusals)
    try:
        with st.spinner("Reading the file"):
            reader = _reader(source, choice)
            table = _outline(reader)
    except InputError as error:
        refusals.show_at("file", error)
        return
    except GwasError as error:
        refusals.show(error)
        return
    st.subheader("What was found")
    with st.container(horizontal=True, gap="medium"):
        st.metric("Lines", f"{table.lines:,}", width="content")
        st.metric("SNPs", f"{table.snps:,}", width="content")
        st.metric("Other columns", f"{table.other_columns:,}", width="content")
    if table.other_columns > len(table.columns):
        st.caption(
            f"Only the first {len(table.columns):,} of the other columns can be chosen here. The command line takes "
            "any of them."
        )
    form = f"{source.name}-{reader.version}"
    try:
        roles = roles_form(table, refusals, form=form)
        drop = st.checkbox("Leave out lines without a value of the trait", key=f"data-drop-{form}")
        with st.spinner("Checking every line"):
            notes = _notes(reader, roles, drop)
    except GwasError as error:
        refusals.show(error)
        data_table(preview(table, table.roles), alt="The first rows of the file")
        return
    is_used = st.button("Use this dataset", type="primary", icon=":material/arrow_forward:", key="data-use")
    data_table(preview(table, roles), alt="The first rows of the file")
    st.caption(
        f"The first {min(_PREVIEW_LINES, table.lines)} of {counted(table.lines, 'row')}. A dot is a missing genotype."
    )
    st.markdown("\n".join(f"- {markdown_text(note)}" for note in notes))
    if is_used:
        try:
            with st.spinner("Adding it to the datasets"):
                content_hash = _add(reader, roles, drop)
        except GwasError as error:
            show_error(error)
            return
        st.session_state.pop("data-uploaded", None)
        st.switch_page(DATA.page, query_params={STUDY: study_key(content_hash)})


def preview(table: TableOutline, roles: ColumnRoles) -> pd.DataFrame:
    """Return the first rows: columns with a role first, then other columns, then the first SNPs.

    Args:
        table: what was read of the file.
        roles: which column is what.
    """
    used = list(roles.named().values())
    others = [name for name in table.columns if name not in used]
    columns: dict[str, Sequence[str]] = {name: table.columns[name] for name in [*used, *others][: 2 * _PREVIEW_SNPS]}
    for name, genotypes in table.genotypes.items():
        columns[name] = ["·" if value == MISSING else str(value) for value in genotypes]
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


def _reader(source: Source, choice: SnpChoice | None) -> LimitedReader:
    try:
        status = source.path.stat()
        version = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
    except OSError:
        version = ""
    return LimitedReader(
        path=source.path,
        name=source.name,
        version=version,
        workspace=Workspace.from_environment().root,
        snp_columns=choice,
    )


def _outline(reader: LimitedReader) -> TableOutline:
    """Return what the page shows of a file.

    Raises:
        GwasError: as the reader does.
    """
    return raised(_kept_outline(reader) if reader.version else result_or_refusal(reader.outline))


def _notes(reader: LimitedReader, roles: ColumnRoles, drop: bool) -> tuple[str, ...]:
    """Return sentences on what was changed to make the dataset of a file.

    Raises:
        GwasError: as the reader does.
    """
    return raised(_kept_notes(reader, roles, drop))


def _add(reader: LimitedReader, roles: ColumnRoles, drop: bool) -> str:
    return raised(result_or_refusal(lambda: reader.add(roles, drop_missing_phenotype=drop)))


# Refusals are kept too: a page runs at every click, and a file that took minutes to be refused would take them again.
@st.cache_resource(max_entries=20, show_spinner=False, hash_funcs={LimitedReader: repr})
def _kept_outline(reader: LimitedReader) -> TableOutline | GwasError:
    return result_or_refusal(reader.outline)


@st.cache_resource(max_entries=20, show_spinner=False, hash_funcs={LimitedReader: repr, ColumnRoles: repr})
def _kept_notes(reader: LimitedReader, roles: ColumnRoles, drop: bool) -> tuple[str, ...] | GwasError:
    return result_or_refusal(lambda: reader.check(roles, drop_missing_phenotype=drop))
