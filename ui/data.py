"""From a file to a dataset of the library, and what is to be known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from gwas_core.errors import GwasError, InputError
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.library import DatasetLibrary, LibraryEntry
from gwas_core.genotypes.quality import Histogram, QualityReport
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.messages import counted, quoted
from gwas_core.report.labels import number_label
from gwas_core.report.quality_charts import (
    HEIGHT,
    chromosomes_figure,
    chromosomes_table,
    families_table,
    histogram_figure,
    histogram_table,
    quality_warnings,
)
from gwas_core.tuning.demo import DEMO_FILE
from gwas_core.workspace import Workspace
from ui.charts import chart_with_table
from ui.refusals import Refusals
from ui.store import show_error
from ui.text import markdown_text

SEARCH_PAGE = "pages/search.py"

_PREVIEW_LINES, _PREVIEW_SNPS = 10, 8
# More datasets than these scroll, so that the report below them stays in reach.
_FEW_ENTRIES, _LIBRARY_HEIGHT = 4, 420
# Two beside each other at 1440 pixels.
_CHART_WIDTH = 460
_NO_FAMILIES, _CHARACTERS, _COLUMN = "none", "characters", "column"


@dataclass(frozen=True)
class Source:
    """A file somebody chose; ``name`` is what it is called, ``path`` where it is."""

    path: Path
    name: str


def library() -> DatasetLibrary:
    """The library of the workspace."""
    return DatasetLibrary(Workspace.from_environment())


def demo_dataset() -> str:
    """Put the demo data into the library; returns the hash."""
    table, roles = _read(str(DEMO_FILE), _version(DEMO_FILE), DEMO_FILE.name, "", "")
    dataset, notes = make_dataset(table, roles)
    return library().add(dataset, source=DEMO_FILE.name, notes=tuple(notes))


def source_on_server(text: str) -> Source:
    """The file at a path somebody typed.

    Raises:
        InputError: nothing that could be a file.
    """
    typed = text.strip()
    if not typed.isprintable():
        raise InputError(f"{quoted(typed)} is no path: it holds control characters")
    path = Path(typed)
    try:
        path = path.expanduser()
        # Opening a pipe would wait for ever, and a device never ends.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{quoted(path.name)} is not an ordinary file: give the file with the genotypes")
    except (OSError, RuntimeError) as error:
        raise InputError(f"{quoted(typed)} cannot be opened: check the path") from error
    return Source(path, path.name)


def choose_source(refusals: Refusals, *, is_first: bool) -> Source | None:
    """The three ways in; the demo data lead straight to their quality report.

    Args:
        is_first: there is no dataset yet, so that this is what to do next.
    """
    way = st.segmented_control(
        "Where the genotypes come from",
        ["Demo data", "Upload", "Path on the server"],
        default="Demo data",
        required=True,
        key="data-way",
        label_visibility="collapsed",
    )
    if way == "Demo data":
        st.markdown(
            "Simulated soybean lines in families that share a parent, with plant height and known causal SNPs: "
            "enough to try everything here in minutes."
        )
        kind: Literal["primary", "secondary"] = "primary" if is_first else "secondary"
        if st.button("Load the demo data", icon=":material/potted_plant:", type=kind, key="data-demo"):
            try:
                open_report(demo_dataset())
            except GwasError as error:
                show_error(error)
        return None
    st.caption(
        "A table with one row a line: traits, line names and SNPs (0, 1, 2 copies of an allele) as columns, separated "
        "by tabs, commas, semicolons or spaces; plain or gzip."
    )
    return _uploaded(refusals) if way == "Upload" else _typed_path(refusals)


def _uploaded(refusals: Refusals) -> Source | None:
    count = st.session_state.setdefault("data-uploads", 0)
    limit = st.get_option("server.maxUploadSize")
    file = st.file_uploader("Genotype table", key=f"data-upload-{count}")
    # Below the field, where the browser says that a file is too large: it never comes to Python.
    st.caption(
        f"At most {limit:,} MB. A larger file: copy it to the computer that runs this dashboard, and choose **Path on "
        "the server** above."
    )
    refusals.beside("file")
    if file is not None:
        st.session_state.update({"data-uploaded": None, "data-upload-refused": None})
        try:
            # On disk at once, and out of the browser session's memory.
            with st.spinner(f"Storing {file.size / 1e6:,.1f} MB"):
                path = library().store_upload(file, file.name)
            st.session_state["data-uploaded"] = (str(path), file.name)
        except GwasError as error:
            st.session_state["data-upload-refused"] = str(error)
        # Another uploader is an empty one: the file in memory goes with the old one.
        st.session_state["data-uploads"] = count + 1
        st.rerun()
    if refused := st.session_state.get("data-upload-refused"):
        refusals.show_at("file", GwasError(refused))
    stored = st.session_state.get("data-uploaded")
    if stored is None:
        return None
    source = Source(Path(stored[0]), stored[1])
    if not source.path.is_file():
        st.session_state.pop("data-uploaded")
        return None
    st.caption(f"{markdown_text(source.name)}, {source.path.stat().st_size / 1e6:,.1f} MB")
    return source


def _typed_path(refusals: Refusals) -> Source | None:
    text = st.text_input(
        "Path of the genotype table",
        key="data-path",
        placeholder="/data/genotypes.txt.gz",
        help="A file that the computer running this dashboard can read, of any size.",
    )
    refusals.beside("file")
    if not text.strip():
        return None
    try:
        return source_on_server(text)
    except GwasError as error:
        refusals.show_at("file", error)
        return None


def show_source(source: Source, refusals: Refusals) -> None:
    """What was found in a file, to be changed, and the button that uses it."""
    choice = _snp_choice(refusals)
    try:
        with st.spinner("Reading the file"):
            table, guessed = read_source(source, choice)
    except GwasError as error:
        if isinstance(error, InputError):
            refusals.show_at("file", error)
        else:
            refusals.show(error)
        return
    st.subheader("What was found")
    with st.container(horizontal=True, gap="medium"):
        st.metric("Lines", f"{table.lines:,}", width="content")
        st.metric("SNPs", f"{len(table.snps):,}", width="content")
        st.metric("Other columns", f"{len(table.columns):,}", width="content")
    token = f"{source.name}-{_version(source.path)}"
    try:
        roles = _roles_form(table, guessed, refusals, token)
        drop = st.checkbox("Leave out lines without a value of the trait", key=f"data-drop-{token}")
        dataset, notes = _dataset(source, choice, roles, drop=drop)
    except GwasError as error:
        refusals.show(error)
        st.dataframe(preview(table, guessed), hide_index=True)
        return
    is_used = st.button("Use this dataset", type="primary", icon=":material/arrow_forward:", key="data-use")
    st.dataframe(preview(table, roles), hide_index=True, alt="The first rows of the file")
    st.caption(f"The first {min(_PREVIEW_LINES, table.lines)} of {counted(table.lines, 'row')}; a dot is missing.")
    st.markdown("\n".join(f"- {markdown_text(note)}" for note in notes))
    if is_used:
        try:
            with st.spinner("Adding it to the datasets"):
                content_hash = library().add(dataset, source=source.name, notes=notes)
        except GwasError as error:
            show_error(error)
            return
        st.session_state.pop("data-uploaded", None)
        st.switch_page(SEARCH_PAGE, query_params={"dataset": content_hash})


def read_source(source: Source, choice: tuple[str, str] = ("", "")) -> tuple[GenotypeTable, ColumnRoles]:
    """The table of a file and its guessed roles; read once for each version of the file.

    Args:
        choice: prefix of the SNPs' names, and the column after which SNPs come; empty where they are guessed.

    Raises:
        InputError, SettingsError: as ``read_table``.
    """
    return _read(str(source.path), _version(source.path), source.name, *choice)


# The two files looked at last: each holds a byte a genotype.
@st.cache_resource(max_entries=2, show_spinner=False)
def _read(path: str, version: str, name: str, prefix: str, after: str) -> tuple[GenotypeTable, ColumnRoles]:  # noqa: ARG001
    choice = SnpChoice(prefix=prefix, after=after) if prefix or after else None
    table = read_table(Path(path), file_name=name, snp_columns=choice)
    return table, guess_roles(table)


def _version(path: Path) -> str:
    """What changes when a file does."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def _dataset(
    source: Source, choice: tuple[str, str], roles: ColumnRoles, *, drop: bool
) -> tuple[Dataset, tuple[str, ...]]:
    return _made(str(source.path), _version(source.path), source.name, choice, roles, drop)


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={ColumnRoles: repr})
def _made(
    path: str,
    version: str,
    name: str,
    choice: tuple[str, str],
    roles: ColumnRoles,
    drop: bool,
) -> tuple[Dataset, tuple[str, ...]]:
    table, _ = _read(path, version, name, *choice)
    dataset, notes = make_dataset(table, roles, drop_missing_phenotype=drop)
    return dataset, tuple(notes)


def _snp_choice(refusals: Refusals) -> tuple[str, str]:
    """Prefix and preceding column, of which at most one is given."""
    with st.expander("Which columns are SNPs"):
        way = st.radio(
            "SNP columns",
            ["Guess", "Name starts with", "All after a column"],
            key="data-snps",
            horizontal=True,
            help="Columns named by a place (Gm05_1234, chr1:123) are SNPs; without any, those that hold only 0, 1, 2.",
        )
        given = "" if way == "Guess" else st.text_input(way, key="data-snps-text")
        refusals.beside("snp_columns")
    return (given, "") if way == "Name starts with" else ("", given)


def _roles_form(table: GenotypeTable, guessed: ColumnRoles, refusals: Refusals, token: str) -> ColumnRoles:
    columns = list(table.columns)
    left, right = st.columns(2)
    with left:
        phenotype = _column_choice(
            "Trait", columns, guessed.phenotype, "phenotype", refusals, token, help_text="What is to be predicted."
        )
        line_name = _column_choice(
            "Line name", columns, guessed.line_name, "line_name", refusals, token, help_text="Tells the lines apart."
        )
        folds = _column_choice(
            "Folds",
            columns,
            guessed.folds,
            "folds",
            refusals,
            token,
            help_text="Numbers that part the lines for cross-validation; a search can validate and test by them.",
        )
    with right:
        family, characters = _family_choice(table, guessed, line_name, refusals, token)
    return ColumnRoles(
        phenotype=phenotype, line_name=line_name, family=family, family_characters=characters, folds=folds
    )


def _column_choice(
    label: str,
    columns: Sequence[str],
    guess: str | None,
    role: str,
    refusals: Refusals,
    token: str,
    *,
    help_text: str,
) -> str | None:
    options: list[str | None] = [None, *columns]
    chosen: str | None = st.selectbox(
        label,
        options,
        index=options.index(guess),
        format_func=lambda name: "(none)" if name is None else name,
        key=f"data-{role}-{token}",
        help=help_text,
    )
    refusals.beside(role)
    return chosen


def _family_choice(
    table: GenotypeTable, guessed: ColumnRoles, line_name: str | None, refusals: Refusals, token: str
) -> tuple[str | None, tuple[int, int] | None]:
    options = [(_NO_FAMILIES, ""), (_CHARACTERS, ""), *((_COLUMN, name) for name in table.columns)]
    guess = (_COLUMN, guessed.family) if guessed.family else (_CHARACTERS if guessed.family_characters else "none", "")
    titles = {_NO_FAMILIES: "(none)", _CHARACTERS: "(characters of the line name)"}
    kind, column = st.selectbox(
        "Family",
        options,
        index=options.index(guess),
        format_func=lambda option: titles.get(option[0], option[1]),
        key=f"data-family-{token}",
        help="Lines of a family share parents. Splits, imputation and the judgement within families need it.",
    )
    characters = None
    if kind == _CHARACTERS:
        first_guess, last_guess = guessed.family_characters or (1, 1)
        first_column, last_column = st.columns(2)
        first = first_column.number_input("From character", 1, 200, first_guess, key=f"data-first-{token}")
        last = last_column.number_input("To character", 1, 200, last_guess, key=f"data-last-{token}")
        characters = (int(first), int(last))
        if line_name is not None and table.lines:
            name = table.columns[line_name][0].strip()
            st.caption(
                f"Counted from 1, the last included: family {shown_text(name[first - 1 : last])} in {shown_text(name)}."
            )
    refusals.beside("family", "family_characters")
    return (column if kind == _COLUMN else None), characters


def shown_text(text: str) -> str:
    """Text from a file in quotes, for Markdown."""
    return markdown_text(quoted(text))


def preview(table: GenotypeTable, roles: ColumnRoles) -> pd.DataFrame:
    """The first rows: columns with a role first, then other columns, then the first SNPs."""
    used = list(roles.named().values())
    others = [name for name in table.columns if name not in used]
    columns: dict[str, Sequence[Any]] = {
        name: table.columns[name][:_PREVIEW_LINES] for name in [*used, *others][: 2 * _PREVIEW_SNPS]
    }
    names = table.snps["name"].tolist()[:_PREVIEW_SNPS]
    genotypes = np.asarray(table.genotypes[:_PREVIEW_LINES, : len(names)])
    for index, name in enumerate(names):
        columns[name] = ["·" if value == MISSING else str(value) for value in genotypes[:, index]]
    return pd.DataFrame(columns)


# Datasets of the library


def open_report(content_hash: str) -> None:
    """Show the report of a dataset; the URL says which."""
    st.query_params["dataset"] = content_hash


def show_library(entries: Sequence[LibraryEntry], chosen: str) -> None:
    """A row for each dataset with what can be done with it."""
    with st.container(height=_LIBRARY_HEIGHT if len(entries) > _FEW_ENTRIES else "content", border=False):
        for entry in entries:
            _library_row(entry, is_chosen=entry.hash == chosen)


def _library_row(entry: LibraryEntry, *, is_chosen: bool) -> None:
    key = entry.hash[:16]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"data-entry-{key}"):
        marker = " (shown below)" if is_chosen else ""
        families = f", {counted(entry.families, 'family', 'families')}" if entry.families else ""
        st.markdown(
            f"**{markdown_text(entry.source)}**{marker}  \n"
            f"Trait {markdown_text(entry.trait)}, {counted(entry.lines, 'line')}, {counted(entry.snps, 'SNP')}"
            f"{families}. Added {entry.added[:16].replace('T', ' ')} UTC",
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
        # One main button: the other datasets' are plain.
        if st.button(
            "Search", icon=":material/tune:", key=f"data-search-{key}", type="primary" if is_chosen else "secondary"
        ):
            st.switch_page(SEARCH_PAGE, query_params={"dataset": entry.hash})
        with st.popover("Delete", icon=":material/delete:"):
            _delete_form(entry)


def _delete_form(entry: LibraryEntry) -> None:
    st.markdown(
        f"**{markdown_text(entry.source)}** will be gone from this list. Experiments keep their own copy; your file "
        "stays where it is."
    )
    if st.button("Delete it", key=f"data-delete-{entry.hash[:16]}", type="primary", icon=":material/delete:"):
        try:
            library().delete(entry.hash)
        except GwasError as error:
            show_error(error)
            return
        if st.query_params.get("dataset") == entry.hash:
            del st.query_params["dataset"]
        st.rerun()


def show_quality(entry: LibraryEntry) -> None:
    """The quality report of a dataset."""
    st.subheader(f"Quality of {markdown_text(entry.source)}")
    try:
        with st.spinner("Looking at every genotype (once)"):
            report = library().quality(entry.hash)
    except GwasError as error:
        show_error(error)
        return
    _quality_metrics(report)
    for warning in quality_warnings(report):
        st.warning(markdown_text(warning), icon=":material/warning:")
    _quality_charts(entry, report)
    if entry.notes:
        with st.expander("How the file was read"):
            st.markdown("\n".join(f"- {markdown_text(note)}" for note in entry.notes))


def _quality_metrics(report: QualityReport) -> None:
    phenotype, families = report.phenotype, report.families
    family_count = "none known" if families is None else f"{families.count:,}"
    metrics = [
        ("Lines", f"{report.lines:,}", None),
        ("SNPs", f"{report.snps:,}", None),
        ("Chromosomes", f"{len([name for name in report.chromosomes if name]):,}", None),
        ("Families", family_count, "Which column or characters name them is chosen when a file is read."),
        ("Missing genotypes", f"{report.missing_fraction:.1%}", "Filled in before training: see Search."),
        (
            "Heterozygous",
            "–" if report.heterozygosity is None else f"{report.heterozygosity:.1%}",
            "Of all called genotypes: low in inbred lines.",
        ),
        ("Monomorphic SNPs", f"{report.monomorphic:,}", "The same in every line: left out."),
        ("Duplicate SNPs", f"{report.duplicates:,}", "Equal to an earlier SNP in every line."),
        ("Mean of the trait", number_label(_near_zero(report)), None),
        ("Standard deviation", number_label(phenotype.standard_deviation), "Of the trait, over all lines."),
    ]
    with st.container(horizontal=True, gap="medium"):
        for label, value, help_text in metrics:
            st.metric(label, value, width="content", help=help_text)


def _near_zero(report: QualityReport) -> float:
    """The trait's mean, without what rounding leaves of a mean that was set to 0."""
    phenotype = report.phenotype
    return phenotype.mean if abs(phenotype.mean) > 1e-9 * phenotype.standard_deviation else 0.0


def _quality_charts(entry: LibraryEntry, report: QualityReport) -> None:
    phenotype = report.phenotype
    snps, lines = report.missing_per_snp.histogram, report.missing_per_line.histogram
    # As many beside each other as there is room for.
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=_CHART_WIDTH):
            _histogram(entry, "phenotype", phenotype.histogram, f"Trait {phenotype.name}", phenotype.name, "Lines")
        with st.container(width=_CHART_WIDTH):
            title = "Frequency of the counted allele"
            _histogram(entry, "allele-frequency", report.allele_frequency, title, "Frequency", "SNPs")
        with st.container(width=_CHART_WIDTH):
            title = "Missing genotypes of SNPs"
            _histogram(entry, "missing-per-snp", snps, title, "Fraction missing", "SNPs", percent=True)
        with st.container(width=_CHART_WIDTH):
            title = "Missing genotypes of lines"
            _histogram(entry, "missing-per-line", lines, title, "Fraction missing", "Lines", percent=True)
        with st.container(width=_CHART_WIDTH):
            chart_with_table(
                chromosomes_figure(report),
                chromosomes_table(report),
                key=_key(entry, "chromosomes"),
                title="SNPs on each chromosome",
            )
        if report.families is not None:
            with st.container(width=_CHART_WIDTH):
                st.markdown("**Families**")
                st.dataframe(families_table(report), hide_index=True, height=HEIGHT, key=_key(entry, "families"))


def _histogram(
    entry: LibraryEntry,
    name: str,
    histogram: Histogram,
    title: str,
    values: str,
    counts: str,
    *,
    percent: bool = False,
) -> None:
    chart_with_table(
        histogram_figure(histogram, values=values, counts=counts, percent=percent),
        histogram_table(histogram, values=values, counts=counts),
        key=_key(entry, name),
        title=markdown_text(title),
    )


def _key(entry: LibraryEntry, name: str) -> str:
    return f"quality-{entry.hash[:8]}-{name}"
