"""Show which population a dataset is: components, kinship, LD decay and SNP heritability, once somebody opens it.

Also here: the components on the axes and the colour of the points; what a part that is missing says in its place.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.messages import counted
from gwas_core.model.population_report import PopulationReport, kept_population, limited_population
from gwas_core.report.population_charts import (
    Colouring,
    components_figure,
    components_table,
    decay_figure,
    decay_sentence,
    decay_table,
    heritability_sentence,
    kinship_figure,
    kinship_table,
    shares_figure,
    shares_table,
)
from gwas_core.workspace import Workspace
from ui.charts import chart_with_table
from ui.limited_work import raised, result_or_refusal
from ui.store import sentence, show_error
from ui.text import markdown_text

# Two beside each other at 1440 pixels, within the frame of the section.
_CHART_WIDTH = 445


def show_population(entry: LibraryEntry) -> None:
    """Show the population report of a dataset below a heading that opens it; nothing is computed before."""
    section = st.expander(
        "Population: structure, kinship, linkage disequilibrium, heritability",
        icon=":material/diversity_3:",
        key=_key(entry, "open"),
        on_change="rerun",
    )
    if not section.open:
        return
    with section:
        try:
            with st.spinner("Comparing every line with every other. This is done once per dataset"):
                report = _report(entry.hash)
        except GwasError as error:
            show_error(error)
            return
        _heritability(report)
        if report.all_lines > len(report.lines):
            st.info(
                f"Of {counted(report.all_lines, 'line')}, {len(report.lines):,} drawn at random are shown.",
                icon=":material/info:",
            )
        if report.structure_refusal:
            st.info(markdown_text(sentence(report.structure_refusal)), icon=":material/info:")
        else:
            _components(entry, report)
        with st.container(horizontal=True, gap="medium"):
            _kinship(entry, report)
            _decay(entry, report)


def _report(content_hash: str) -> PopulationReport:
    """Return the population report of a dataset; a refusal is kept for the session, as that of the quality report is.

    Raises:
        GwasError: the dataset cannot be read, or a limit was exceeded.
    """
    key = f"population-refused-{content_hash}"
    if key in st.session_state:
        refusal: GwasError = st.session_state[key]
        raise refusal.with_traceback(None)
    try:
        return _shared_report(str(Workspace.from_environment().root), content_hash)
    except GwasError as error:
        st.session_state[key] = error
        raise


# It is read from disk once for all sessions: it has a megabyte and more, and the page runs at every click.
@st.cache_resource(max_entries=4, show_spinner=False)
def _shared_report(root: str, content_hash: str) -> PopulationReport:
    workspace = Workspace(Path(root))
    # One that is there waits for nobody's turn.
    kept = kept_population(workspace, content_hash)
    return kept or raised(result_or_refusal(lambda: limited_population(workspace, content_hash)))


def _heritability(report: PopulationReport) -> None:
    text = markdown_text(sentence(heritability_sentence(report)))
    if report.heritability is None:
        # What is missing for the same reason is said once.
        if report.heritability_refusal != report.structure_refusal:
            st.info(text, icon=":material/info:")
        return
    st.markdown(text)


def _components(entry: LibraryEntry, report: PopulationReport) -> None:
    names = [f"PC{index + 1}" for index in range(len(report.shares))]
    if len(names) < 2:
        st.info("The lines differ along one component only, so that there is no plane to draw.", icon=":material/info:")
        return
    with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
        first = st.selectbox("Across", names, index=0, key=_key(entry, "x"), width=110)
        second = st.selectbox("Upwards", names, index=1, key=_key(entry, "y"), width=110)
        colour = _colouring(entry, report)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=_CHART_WIDTH):
            chart_with_table(
                components_figure(report, x=names.index(first), y=names.index(second), colour=colour),
                components_table(report),
                key=_key(entry, "components"),
                title=f"Principal components of {counted(len(report.lines), 'line')}",
            )
        with st.container(width=_CHART_WIDTH):
            chart_with_table(
                shares_figure(report),
                shares_table(report),
                key=_key(entry, "shares"),
                title=f"Variance of {counted(report.snps, 'SNP')} on each component",
            )


def _colouring(entry: LibraryEntry, report: PopulationReport) -> Colouring:
    if report.families is None:
        return "trait"
    colours: dict[str, Colouring] = {"Family": "family", "Trait": "trait"}
    chosen = st.segmented_control(
        "Colour", list(colours), default="Family", required=True, key=_key(entry, "colour"), width="content"
    )
    return colours[str(chosen)]


def _kinship(entry: LibraryEntry, report: PopulationReport) -> None:
    if report.kinship is None:
        return
    with st.container(width=_CHART_WIDTH):
        chart_with_table(
            kinship_figure(report.kinship),
            kinship_table(report.kinship),
            key=_key(entry, "kinship"),
            title="Kinship of lines",
        )
        rows = len(report.kinship.labels)
        blocks = (
            f" Each row is the mean of about {report.kinship.lines / rows:.0f} lines."
            if rows < len(report.lines)
            else ""
        )
        st.caption(
            "VanRaden 2008, first method: 0 is the average of all pairs, and relatives have more. "
            f"{'Families' if report.families is not None else 'Relatives'} lie beside each other.{blocks}"
        )


def _decay(entry: LibraryEntry, report: PopulationReport) -> None:
    if report.decay is None:
        st.info(markdown_text(sentence(report.decay_refusal)), icon=":material/info:")
        return
    with st.container(width=_CHART_WIDTH):
        chart_with_table(
            decay_figure(report.decay),
            decay_table(report.decay),
            key=_key(entry, "decay"),
            title="Decay of linkage disequilibrium",
        )
        st.caption(markdown_text(decay_sentence(report.decay)))


def _key(entry: LibraryEntry, name: str) -> str:
    return f"population-{entry.hash[:8]}-{name}"
