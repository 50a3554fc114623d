"""Quality report as warnings, tables and figures.

Also here: from which share of missing genotypes, duplicates or family-wise missingness on a dataset is warned of;
histograms, SNPs on each chromosome, lines in each family.
"""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from gwas_core.genotypes.quality import Histogram, QualityReport
from gwas_core.messages import counted, listed
from gwas_core.report.labels import number_label
from gwas_core.report.text import plot_text

HEIGHT = 280

# Below these a reader has better things to worry about.
_FOLLOWS_FAMILIES = 0.01
_MANY_DUPLICATES = 0.05
_MUCH_MISSING = 0.2
_UNKNOWN = "unknown"


def quality_warnings(report: QualityReport) -> tuple[str, ...]:
    """Return what a geneticist should know before trusting results from a dataset.

    Args:
        report: of the dataset before filters and imputation.

    Returns:
        One sentence for each finding; empty if all is well.
    """
    warnings = []
    families, phenotype = report.families, report.phenotype
    if families is not None and families.cells_missing > _FOLLOWS_FAMILIES:
        warnings.append(
            f"Missingness follows families: {families.cells_missing:.1%} of family x SNP cells are empty. A model "
            "could learn families from it; imputation by the SNP's most frequent genotype hides the pattern."
        )
    elif report.missing_fraction > _MUCH_MISSING:
        warnings.append(f"{report.missing_fraction:.0%} of all genotypes are missing and will be imputed.")
    if report.duplicates > _MANY_DUPLICATES * report.snps:
        warnings.append(
            f"{counted(report.duplicates, 'SNP')} of {report.snps:,} equal an earlier one in every line: an "
            "association cannot tell such SNPs apart."
        )
    if report.monomorphic:
        warnings.append(
            f"{counted(report.monomorphic, 'SNP')} {'is' if report.monomorphic == 1 else 'are'} monomorphic and will "
            "be left out."
        )
    if phenotype.outliers:
        warnings.append(
            f"{counted(phenotype.outliers, 'line')} {'has' if phenotype.outliers == 1 else 'have'} a phenotype more "
            f"than 3 interquartile ranges outside the quartiles: "
            f"{listed(phenotype.outlier_lines, limit=5, total=phenotype.outliers)}. Check them for typing errors."
        )
    return tuple(warnings)


def histogram_table(histogram: Histogram, *, values: str, counts: str) -> pd.DataFrame:
    """Return a histogram as a table: a row for each bin with its two edges and its count.

    Args:
        histogram: to show.
        values: what is measured, for the names of the columns.
        counts: what is counted.
    """
    return pd.DataFrame(
        {
            f"{values}, from": histogram.edges[:-1],
            f"{values}, to": histogram.edges[1:],
            counts: histogram.counts,
        }
    )


def histogram_figure(histogram: Histogram, *, values: str, counts: str, percent: bool = False) -> go.Figure:
    """Draw a histogram.

    Args:
        histogram: to draw.
        values: title of the x axis.
        counts: title of the y axis.
        percent: whether values are fractions to show as percentages.
    """
    edges = histogram.edges
    shown = [f"{edge:.0%}" if percent else number_label(edge) for edge in edges]
    figure = go.Figure(
        go.Bar(
            x=[(low + high) / 2 for low, high in pairwise(edges)],
            y=list(histogram.counts),
            width=[high - low for low, high in pairwise(edges)],
            customdata=[f"{low} to {high}" for low, high in pairwise(shown)],
            hovertemplate="%{customdata}: %{y:,} " + plot_text(counts.lower()) + "<extra></extra>",
            marker={"line": {"width": 0}},
            name=plot_text(counts),
        )
    )
    figure.update_layout(_layout(values, counts), bargap=0.0)
    if percent:
        figure.update_xaxes(tickformat=".0%")
    return figure


def chromosomes_table(report: QualityReport) -> pd.DataFrame:
    """Return the number of SNPs on each chromosome.

    Returns:
        Columns Chromosome and SNPs, in natural order.
    """
    return pd.DataFrame(
        {
            "Chromosome": [name or _UNKNOWN for name in report.chromosomes],
            "SNPs": list(report.chromosomes.values()),
        }
    )


def chromosomes_figure(report: QualityReport) -> go.Figure:
    """Draw the number of SNPs on each chromosome as bars."""
    table = chromosomes_table(report)
    names = [plot_text(name, limit=12) for name in table["Chromosome"]]
    figure = go.Figure(
        go.Bar(x=names, y=table["SNPs"].tolist(), hovertemplate="%{x}: %{y:,} SNPs<extra></extra>", name="SNPs")
    )
    figure.update_layout(_layout("Chromosome", "SNPs"), bargap=0.3)
    # Names such as 1 and 2 are names, not positions.
    figure.update_xaxes(type="category")
    return figure


def families_table(report: QualityReport) -> pd.DataFrame:
    """Return the number of lines in each family.

    Returns:
        Columns Family and Lines, the largest family first; empty if no families are known.
    """
    sizes = {} if report.families is None else report.families.sizes
    ordered = sorted(sizes.items(), key=lambda entry: -entry[1])
    return pd.DataFrame({"Family": [name for name, _ in ordered], "Lines": [size for _, size in ordered]})


def _layout(x: str, y: str) -> dict[str, object]:
    return {
        "height": HEIGHT,
        "showlegend": False,
        # Room for the toolbar, and no more: the title is the page's.
        "margin": {"l": 60, "r": 20, "t": 15, "b": 50},
        "xaxis": {"title": {"text": plot_text(x, limit=60)}},
        "yaxis": {"title": {"text": plot_text(y)}, "rangemode": "tozero"},
    }
