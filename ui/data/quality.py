"""Show the quality report of one dataset: figures, warnings and charts.

Also here: the mean of a trait that was centred.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.genotypes.limited_reading import limited_quality
from gwas_core.genotypes.quality import Histogram, QualityReport
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
from gwas_core.workspace import Workspace
from ui.charts import chart_with_table
from ui.limited_work import raised, result_or_refusal
from ui.store import dataset_library, show_error
from ui.tables import data_table
from ui.text import markdown_text

# Two beside each other at 1440 pixels.
_CHART_WIDTH = 460


def show_quality(entry: LibraryEntry) -> None:
    """Show the quality report of a dataset, which is computed the first time it is asked for."""
    st.subheader(f"Quality of {markdown_text(entry.source)}")
    try:
        with st.spinner("Checking every genotype. This is done once per dataset"):
            report = _report(entry.hash)
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


def _report(content_hash: str) -> QualityReport:
    """Return the quality report of a dataset.

    A refusal is kept for the session: the page runs at every click, and what took minutes to be refused would take
    them again.

    Raises:
        GwasError: the dataset cannot be read, or a limit was exceeded.
    """
    # One that is there waits for nobody's turn.
    if (kept := dataset_library().kept_quality(content_hash)) is not None:
        return kept
    key = f"quality-refused-{content_hash}"
    if key not in st.session_state:
        result = result_or_refusal(lambda: limited_quality(Workspace.from_environment(), content_hash))
        if not isinstance(result, GwasError):
            return result
        st.session_state[key] = result
    refusal: GwasError = st.session_state[key]
    return raised(refusal)


def _quality_metrics(report: QualityReport) -> None:
    phenotype, families = report.phenotype, report.families
    family_count = "none known" if families is None else f"{families.count:,}"
    metrics = [
        ("Lines", f"{report.lines:,}", None),
        ("SNPs", f"{report.snps:,}", None),
        ("Chromosomes", f"{len([name for name in report.chromosomes if name]):,}", None),
        ("Families", family_count, "Chosen when the file is read: a column, or characters of the line name."),
        (
            "Missing genotypes",
            f"{report.missing_fraction:.1%}",
            "They are filled in before training; the page Search shows how.",
        ),
        (
            "Heterozygous",
            "–" if report.heterozygosity is None else f"{report.heterozygosity:.1%}",
            "Share of all genotypes that are not missing. It is low in inbred lines.",
        ),
        (
            "Monomorphic SNPs",
            f"{report.monomorphic:,}",
            "SNPs with the same genotype in every line. A search leaves them out.",
        ),
        ("Duplicate SNPs", f"{report.duplicates:,}", "SNPs with the same genotypes as an earlier SNP, in every line."),
        ("Mean of the trait", number_label(_mean_of_trait(report)), None),
        ("Standard deviation", number_label(phenotype.standard_deviation), "Of the trait, over all lines."),
    ]
    with st.container(horizontal=True, gap="medium"):
        for label, value, help_text in metrics:
            st.metric(label, value, width="content", help=help_text)


def _mean_of_trait(report: QualityReport) -> float:
    """Return the mean of the trait, or 0 if it differs from 0 only by rounding (a trait that was centred)."""
    phenotype = report.phenotype
    return phenotype.mean if abs(phenotype.mean) > 1e-9 * phenotype.standard_deviation else 0.0


def _quality_charts(entry: LibraryEntry, report: QualityReport) -> None:
    phenotype = report.phenotype
    snps, lines = report.missing_per_snp.histogram, report.missing_per_line.histogram
    # In rows that wrap: as many charts beside each other as there is room for.
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
                data_table(
                    families_table(report),
                    alt="Families and their numbers of lines",
                    height=HEIGHT,
                    key=_key(entry, "families"),
                )


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
        title=title,
    )


def _key(entry: LibraryEntry, name: str) -> str:
    return f"quality-{entry.hash[:8]}-{name}"
