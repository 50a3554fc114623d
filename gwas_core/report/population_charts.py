"""Population report as tables, figures and sentences: components, kinship, LD decay, heritability.

Also here: colours of the families; family names beside the kinship matrix; what a heritability means, in words.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.genotypes.linkage_disequilibrium import LinkageDecay
from gwas_core.genotypes.relatedness import KinshipPicture
from gwas_core.messages import counted
from gwas_core.model.population_report import PopulationReport
from gwas_core.report.figure_style import BLUE, COLOURS, GREY, SEQUENCE, marker_trace, new_figure
from gwas_core.report.labels import number_label, told_apart
from gwas_core.report.text import plot_text

Colouring = Literal["family", "trait"]
"""What the colour of a line's point shows."""

_HEIGHT, _SQUARE, _SMALL = 440, 400, 300
# Of so many families each name finds its place beside the matrix.
_MOST_NAMED = 20
# Room for the toolbar, and no more: the title is the page's.
_MARGIN = {"t": 18}
# The kinship of a line with itself would flatten all else.
_COLOUR_QUANTILES = (0.01, 0.99)


def components_table(report: PopulationReport) -> pd.DataFrame:
    """Return the principal components of the lines.

    Returns:
        A row for each line: Line, Family (if families are known), the trait, PC1, PC2 and so on.
    """
    scores = np.array(report.scores, dtype=np.float64).reshape(-1, len(report.shares))
    columns: list[tuple[str, Any]] = [("Line", list(report.lines))]
    if report.families is not None:
        columns.append(("Family", list(report.families)))
    columns.append((report.trait, list(report.phenotype)))
    columns += [(_component(index), scores[:, index].tolist()) for index in range(scores.shape[1])]
    # A trait may have the name of another column.
    names = told_apart(name for name, _ in columns)
    return pd.DataFrame(dict(zip(names, (values for _, values in columns), strict=True)))


def components_figure(report: PopulationReport, *, x: int = 0, y: int = 1, colour: Colouring = "family") -> go.Figure:
    """Draw each line as a point on two principal components.

    Args:
        report: with at least one component; where there is no second one, all lines lie at 0 on its axis.
        x: number of the component on the x axis, from 0.
        y: number of the component on the y axis, from 0.
        colour: the largest families and all others; lines without families are coloured by the trait.
    """
    scores = np.array(report.scores, dtype=np.float64)
    places = [scores[:, index] if index < scores.shape[1] else np.zeros(len(scores)) for index in (x, y)]
    figure = new_figure(height=_HEIGHT)
    hover = _line_texts(report)
    if colour == "family" and report.families is not None:
        families = np.array(report.families, dtype=np.str_)
        for name, rows, marker in _family_groups(families):
            figure.add_trace(_points(places, rows, hover, marker, name=name, points=len(families)))
        figure.update_layout(showlegend=True)
    else:
        marker = {
            "color": np.array(report.phenotype),
            "colorscale": SEQUENCE,
            "colorbar": {"title": {"text": plot_text(report.trait, limit=20)}, "thickness": 12},
        }
        everyone = np.arange(len(scores))
        trace = _points(places, everyone, hover, marker, name=plot_text(report.trait, limit=40), points=len(scores))
        figure.add_trace(trace)
        figure.update_layout(showlegend=False)
    figure.update_xaxes(title=_axis_title(report, x))
    figure.update_yaxes(title=_axis_title(report, y))
    return figure


def shares_table(report: PopulationReport) -> pd.DataFrame:
    """Return the share of the variance of each principal component.

    Returns:
        Columns Component, Share of variance, and Sum of shares up to this component.
    """
    return pd.DataFrame(
        {
            "Component": [_component(index) for index in range(len(report.shares))],
            "Share of variance": list(report.shares),
            "Sum of shares": np.cumsum(report.shares).tolist(),
        }
    )


def shares_figure(report: PopulationReport) -> go.Figure:
    """Draw the share of the variance of each principal component as bars (a scree plot)."""
    table = shares_table(report)
    figure = new_figure(height=_SMALL, showlegend=False, margin=_MARGIN)
    figure.add_trace(
        go.Bar(
            x=table["Component"].tolist(),
            y=table["Share of variance"].tolist(),
            customdata=table["Sum of shares"].tolist(),
            marker={"color": BLUE},
            hovertemplate="%{x}: %{y:.2%}, %{customdata:.2%} up to here<extra></extra>",
        )
    )
    figure.update_xaxes(title="Principal component")
    figure.update_yaxes(title="Share of variance", tickformat=".1~%", rangemode="tozero")
    return figure


def kinship_table(picture: KinshipPicture) -> pd.DataFrame:
    """Return the kinship matrix as it is drawn.

    Returns:
        The column Lines, and one column for each row of it.
    """
    labels = told_apart(("Lines", *picture.labels))
    columns: dict[str, Any] = {labels[0]: list(picture.labels)}
    columns |= dict(zip(labels[1:], np.array(picture.values).T.tolist(), strict=True))
    return pd.DataFrame(columns)


def kinship_figure(picture: KinshipPicture) -> go.Figure:
    """Draw the kinship matrix as a heat map, with the names of families beside it if there are not too many.

    Colours end at the 1st and the 99th percentile.
    """
    values = np.array(picture.values)
    names = told_apart(_block_names(picture))
    low, high = np.quantile(values, _COLOUR_QUANTILES).tolist()
    figure = new_figure(height=_SQUARE, showlegend=False, margin=_MARGIN)
    figure.add_trace(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            colorscale=SEQUENCE,
            zmin=low,
            zmax=high if high > low else low + 1.0,
            colorbar={"title": {"text": "Kinship"}, "thickness": 12},
            hovertemplate="%{y}<br>%{x}<br>kinship %{z:.3f}<extra></extra>",
        )
    )
    ticks, texts = _family_ticks(picture)
    axis = {"type": "category", "tickmode": "array", "tickvals": ticks, "ticktext": texts, "showgrid": False}
    title = (
        "Family" if texts else f"Lines, {'relatives beside each other' if picture.families is None else 'by family'}"
    )
    figure.update_xaxes(**axis, title=title, constrain="domain", tickangle=-90 if texts else 0)
    figure.update_yaxes(**axis, autorange="reversed", scaleanchor="x", constrain="domain")
    return figure


def decay_table(decay: LinkageDecay) -> pd.DataFrame:
    """Return the decay of linkage disequilibrium.

    Returns:
        A row for each bin: shortest, longest and mean distance in base pairs, mean r² and number of pairs.
    """
    return pd.DataFrame(
        {
            "Distance from, bp": [part.shortest for part in decay.bins],
            "Distance to, bp": [part.longest for part in decay.bins],
            "Mean distance, bp": [round(part.mean_distance) for part in decay.bins],
            "Mean r²": [part.mean_r2 for part in decay.bins],
            "Pairs of SNPs": [part.pairs for part in decay.bins],
        }
    )


def decay_figure(decay: LinkageDecay) -> go.Figure:
    """Draw the mean r² of pairs of SNPs by their distance, with the half-decay distance if there is one."""
    figure = new_figure(height=_SMALL, showlegend=False, margin=_MARGIN)
    figure.add_trace(
        go.Scatter(
            x=[part.mean_distance for part in decay.bins],
            y=[part.mean_r2 for part in decay.bins],
            mode="lines+markers",
            marker={"color": BLUE, "size": 6},
            line={"color": BLUE, "width": 1.5},
            customdata=[[distance_text(part.mean_distance), counted(part.pairs, "pair")] for part in decay.bins],
            hovertemplate="%{customdata[0]}: mean r² %{y:.3f} of %{customdata[1]}<extra></extra>",
        )
    )
    if decay.half_distance is not None:
        place = math.log10(decay.half_distance)  # an annotation stands at the exponent, a shape at the number
        figure.add_shape(
            type="line",
            x0=decay.half_distance,
            x1=decay.half_distance,
            yref="y domain",
            y0=0,
            y1=1,
            layer="below",
            line={"color": GREY, "dash": "dash", "width": 1.5},
        )
        figure.add_annotation(
            text=f"half at {distance_text(decay.half_distance)}",
            x=place,
            yref="y domain",
            y=1,
            yanchor="top",
            **({"xanchor": "left", "xshift": 5} if place < _middle(decay) else {"xanchor": "right", "xshift": -5}),
            showarrow=False,
        )
    figure.update_xaxes(title="Distance, base pairs", type="log", exponentformat="SI", dtick=1)
    figure.update_yaxes(title="Mean r²", rangemode="tozero")
    return figure


def decay_sentence(decay: LinkageDecay) -> str:
    """Return how fast linkage disequilibrium decays, and from which pairs this is known."""
    first, last = decay.bins[0], decay.bins[-1]
    pairs = f"{'a random sample of ' if decay.is_sample else 'all '}{counted(decay.pairs, 'pair')}"
    start = f"r² is about {decay.first_r2:.2f} at the shortest distances ({distance_text(first.mean_distance)})"
    if decay.half_distance is None:
        fall = (
            f"{start} and {last.mean_r2:.2f} at {distance_text(last.mean_distance)}: it does not fall to half of its "
            "first value in the range of these distances."
        )
    else:
        fall = f"{start} and has fallen to half of that at {distance_text(decay.half_distance)}."
    return (
        f"{fall} From {pairs} among {counted(decay.snps, 'SNP')} on {counted(decay.chromosomes, 'chromosome')}, over "
        "the lines in which both SNPs are called."
    )


def heritability_sentence(report: PopulationReport) -> str:
    """Return the SNP heritability with its standard error and what it means; or why there is none.

    Returns:
        Sentences with the name of the trait in them, which is text from outside.
    """
    heritability = report.heritability
    if heritability is None:
        return report.heritability_refusal
    figures = f"SNP heritability {heritability.estimate:.2f} ± {heritability.standard_error:.2f} (standard error)"
    meaning = (
        f"about {heritability.estimate:.0%} of the variance of {report.trait} among "
        f"{counted(heritability.lines, 'line')} goes with their relatedness at these SNPs"
    )
    sentences = [f"{figures}: {meaning}."]
    if heritability.is_at_end:
        sentences.append(
            "The estimate lies at the end of its range, where the standard error does not say how far the truth may be."
        )
    if report.families is not None and len(set(report.families)) > 1:
        sentences.append(
            "Differences between families count in full, also those that are not due to these SNPs, so that family "
            "structure inflates it: inside a family it may be much lower."
        )
    return " ".join(sentences)


def distance_text(base_pairs: float) -> str:
    """Return a distance on a chromosome in three digits with its unit: ``850 bp``, ``12.3 kb``, ``4.2 Mb``."""
    for unit, factor in (("Mb", 1e6), ("kb", 1e3)):
        # 999.6 kb are 1 Mb in three digits.
        if base_pairs >= 0.9995 * factor:
            return f"{base_pairs / factor:.3g} {unit}"
    return f"{base_pairs:.3g} bp"


def _middle(decay: LinkageDecay) -> float:
    """Return the middle of the axis of distances, as an exponent of 10."""
    return (math.log10(decay.bins[0].mean_distance) + math.log10(decay.bins[-1].mean_distance)) / 2


def _block_names(picture: KinshipPicture) -> list[str]:
    names = [plot_text(label, limit=50) for label in picture.labels]
    if picture.families is None:
        return names
    return [f"{name}, family {plot_text(family)}" for name, family in zip(names, picture.families, strict=True)]


def _component(index: int) -> str:
    return f"PC{index + 1}"


def _axis_title(report: PopulationReport, index: int) -> str:
    if index >= len(report.shares):
        return f"{_component(index)} (no variance left)"
    return f"{_component(index)} ({report.shares[index]:.1%} of the variance)"


def _line_texts(report: PopulationReport) -> list[str]:
    families = ["" for _ in report.lines]
    if report.families is not None:
        families = [f"<br>family {plot_text(family, limit=40)}" for family in report.families]
    trait = plot_text(report.trait, limit=40)
    return [
        f"<b>{plot_text(line, limit=40)}</b>{family}<br>{trait} {number_label(value)}"
        for line, family, value in zip(report.lines, families, report.phenotype, strict=True)
    ]


def _family_groups(families: Any) -> list[tuple[str, Any, dict[str, Any]]]:
    """Return name, rows and marker of each of the largest families, below them all others together."""
    # The largest first; of equally large ones in the order of their names.
    ordered = sorted(Counter(families.tolist()).items(), key=lambda entry: (-entry[1], entry[0]))
    named = [name for name, _ in ordered[: len(COLOURS)]]
    groups = []
    others = np.flatnonzero(~np.isin(families, named))
    if len(others):
        label = counted(len(ordered) - len(named), "other family", "other families")
        groups.append((label, others, {"color": GREY}))
    for name, colour in zip(named, COLOURS, strict=False):
        groups.append((plot_text(name, limit=24), np.flatnonzero(families == name), {"color": colour}))
    return groups


def _points(places: Any, rows: Any, hover: list[str], marker: dict[str, Any], *, name: str, points: int) -> Any:
    # All traces of one kind, or else those of the graphics processor would lie below all others.
    return marker_trace(points)(
        x=places[0][rows],
        y=places[1][rows],
        mode="markers",
        name=name,
        marker={"size": 6 if points <= 2000 else 4, "opacity": 0.7, **marker},
        hovertext=[hover[row] for row in rows.tolist()],
        hoverinfo="text",
    )


def _family_ticks(picture: KinshipPicture) -> tuple[list[int], list[str]]:
    """Return the middle row of each family, and its name; nothing where names would cover each other."""
    if picture.families is None:
        return [], []
    rows: dict[str, list[int]] = {}
    for row, family in enumerate(picture.families):
        rows.setdefault(family, []).append(row)
    if len(rows) > _MOST_NAMED:
        return [], []
    ticks = [(members[0] + members[-1]) // 2 for members in rows.values()]
    return ticks, list(told_apart(plot_text(family, limit=12) for family in rows))
