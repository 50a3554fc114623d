"""Manhattan plot: every SNP's p-value along the genome, with the threshold.

Also here: which of very many SNPs are drawn; gaps and names of chromosomes; SNPs without a position; where an infinite
p-value is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from gwas_core.association.thresholds import bonferroni
from gwas_core.genotypes.snp_names import sorted_chromosomes
from gwas_core.messages import counted
from gwas_core.report.figure_style import BLUE, GREY, VERMILION, marker_trace, new_figure
from gwas_core.report.text import p_value_text, plot_text

Floats = NDArray[np.float64]

MOST_POINTS = 20_000
"""SNPs drawn; of more, the lowest are thinned."""

_GAP = 0.012  # of the genome, between two chromosomes
_ALL_GAPS = 0.25  # of the genome: thousands of scaffolds must not be mostly gaps
_ALL_LABELLED = 30  # chromosomes; of more, only the wide ones have their names on the axis
_NARROWEST_LABELLED = 0.012  # of the axis
_HEIGHT = 420


@dataclass(frozen=True, eq=False, kw_only=True)
class Manhattan:
    """Facts of the figure.

    Attributes:
        points: SNPs to draw, along the axis: row (of the associations table), name, chromosome, position, x (place on
            the axis, in base pairs), neg_log10_p (infinite ones replaced by a finite number), p (as text), beta,
            allele_frequency, band (0 or 1, alternating by chromosome).
        chromosomes: in natural order: chromosome, start, end (on the axis), snps.
        tests: number of SNPs that were tested.
        threshold: p-value of the Bonferroni line; None without a test.
        alpha: family-wise error rate of the threshold.
        not_drawn: number of tested SNPs left out to keep the figure quick; all are among the lowest.
        not_tested: number of SNPs without a p-value.
    """

    points: pd.DataFrame
    chromosomes: pd.DataFrame
    tests: int
    threshold: float | None
    alpha: float
    not_drawn: int
    not_tested: int


def manhattan(associations: pd.DataFrame, *, alpha: float = 0.05, most_points: int = MOST_POINTS) -> Manhattan:
    """Lay the SNPs of an associations table along the genome.

    Chromosomes follow each other in natural order, the unknown one last; SNPs without a position keep the order of the
    table.

    Args:
        associations: a row for each SNP (see ``association.regression.associate``).
        alpha: family-wise error rate of the Bonferroni threshold.
        most_points: largest number of SNPs to draw. Of more, the highest ``most_points / 2`` are drawn, and the others
            are thinned evenly along the genome.
    """
    x, chromosomes = _layout(associations)
    p = associations["neg_log10_p_value"].to_numpy(dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    along = tested[np.argsort(x[tested], kind="stable")]
    drawn = along[_thinned(p[along], most_points)]
    rows = associations.iloc[drawn]
    order = {name: index for index, name in enumerate(chromosomes["chromosome"])}
    points = pd.DataFrame(
        {
            "row": drawn,
            "name": rows["name"].to_numpy(),
            "chromosome": rows["chromosome"].to_numpy(),
            "position": rows["base_pair_location"].to_numpy(),
            "x": x[drawn],
            "neg_log10_p": _finite(p[drawn]),
            "p": [p_value_text(value) for value in p[drawn]],
            "beta": rows["beta"].to_numpy(dtype=np.float64),
            "allele_frequency": rows["effect_allele_frequency"].to_numpy(dtype=np.float64),
            "band": np.array([order[name] % 2 for name in rows["chromosome"]], dtype=np.int64),
        }
    )
    return Manhattan(
        points=points,
        chromosomes=chromosomes,
        tests=len(tested),
        threshold=bonferroni(alpha, len(tested)) if len(tested) else None,
        alpha=alpha,
        not_drawn=len(tested) - len(drawn),
        not_tested=len(p) - len(tested),
    )


def manhattan_figure(facts: Manhattan) -> go.Figure:
    """Draw the facts as one trace with the threshold.

    Click data (``customdata``) begin with the row of the associations table.

    Args:
        facts: as ``manhattan`` returns them.
    """
    figure = new_figure(height=_HEIGHT, showlegend=True)
    points = facts.points
    figure.add_trace(
        marker_trace(len(points))(
            x=points["x"].to_numpy(),
            y=points["neg_log10_p"].to_numpy(),
            mode="markers",
            showlegend=False,
            marker={
                "color": points["band"].to_numpy(dtype=np.int8),
                "colorscale": [[0, BLUE], [1, GREY]],
                "cmin": 0,
                "cmax": 1,
                "size": 5,
                "opacity": 0.9,
            },
            customdata=_hover_data(points),
            hovertemplate=(
                "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>p = %{customdata[3]}"
                "<br>beta %{customdata[4]}<br>allele frequency %{customdata[5]}<extra></extra>"
            ),
        )
    )
    _add_threshold(figure, facts)
    _add_chromosome_axis(figure, facts.chromosomes)
    top = 1.08 * max([*points["neg_log10_p"], -math.log10(facts.threshold or 1.0), 1.0])
    # A p of 1 lies on the axis: half a marker's air keeps it whole.
    figure.update_yaxes(title="−log<sub>10</sub> p", range=[-0.015 * top, top])
    notes = []
    if facts.not_drawn:
        notes.append(f"{counted(facts.not_drawn, 'SNP')} of the lowest not drawn")
    if facts.not_tested:
        notes.append(f"{counted(facts.not_tested, 'SNP')} cannot be tested")
    if notes:
        figure.add_annotation(
            text="; ".join(notes), x=1, y=1, xref="paper", yref="paper", yanchor="bottom", yshift=6, showarrow=False
        )
    return figure


def _layout(associations: pd.DataFrame) -> tuple[Floats, pd.DataFrame]:
    """Return the place of every SNP on the axis, (snps,), and the extents of the chromosomes."""
    names = associations["chromosome"].to_numpy()
    positions = associations["base_pair_location"].to_numpy(dtype=np.float64)
    order = sorted_chromosomes(names)
    groups = pd.Series(np.arange(len(names))).groupby(names).indices
    members = [np.asarray(groups[name]) for name in order]
    placed = [rows for rows in members if (positions[rows] > 0).any()]
    known = float(sum(np.ptp(positions[rows]) for rows in placed))
    # SNPs in an order only are as far apart as the others are on average.
    spacing = known / max(1, sum(map(len, placed))) or 1.0
    offsets = [_offsets(positions[rows], spacing) for rows in members]
    total = sum(float(values.max()) for values in offsets)
    gap = (total or 1.0) * min(_GAP, _ALL_GAPS / max(1, len(order)))
    x = np.zeros(len(names))
    extents = []
    start = 0.0
    for name, rows, values in zip(order, members, offsets, strict=True):
        x[rows] = start + values
        extents.append((name, start, start + float(values.max()), len(rows)))
        start = extents[-1][2] + gap
    return x, pd.DataFrame(extents, columns=["chromosome", "start", "end", "snps"])


def _offsets(positions: Floats, spacing: float) -> Floats:
    """Return distances from the chromosome's first SNP; by order if no position is known."""
    if not (positions > 0).any():
        return np.arange(len(positions), dtype=np.float64) * spacing
    known = positions > 0
    offsets: Floats = np.where(known, positions - positions[known].min(), 0.0)
    return offsets


def _thinned(p: Floats, most_points: int) -> NDArray[np.int64]:
    """Return the indices to draw: the highest half of ``most_points``, and evenly spaced ones of the rest."""
    if len(p) <= most_points:
        return np.arange(len(p))
    by_height = np.argsort(-p, kind="stable")
    high, low = by_height[: most_points // 2], np.sort(by_height[most_points // 2 :])
    even = np.linspace(0, len(low) - 1, most_points - len(high)).round().astype(np.int64)
    return np.sort(np.concatenate([high, low[np.unique(even)]]))


def _finite(p: Floats) -> Floats:
    """Return values with infinite ones just above the highest.

    SNPs that explain the trait without a residual have an infinite -log10 p.
    """
    finite = p[np.isfinite(p)]
    return np.where(np.isinf(p), 1.05 * finite.max() + 1 if finite.size else 1.0, p)


def _hover_data(points: pd.DataFrame) -> list[list[Any]]:
    return [
        [row, plot_text(name), _place(chromosome, position), p, f"{beta:.4g}", f"{frequency:.3f}"]
        for row, name, chromosome, position, p, beta, frequency in zip(
            points["row"],
            points["name"],
            points["chromosome"],
            points["position"],
            points["p"],
            points["beta"],
            points["allele_frequency"],
            strict=True,
        )
    ]


def _place(chromosome: str, position: int) -> str:
    if not chromosome:
        return "chromosome unknown"
    return f"{plot_text(chromosome, limit=40)}, {position:,} bp" if position > 0 else plot_text(chromosome, limit=40)


def _add_threshold(figure: go.Figure, facts: Manhattan) -> None:
    if facts.threshold is None:
        return
    height = -math.log10(facts.threshold)
    start, end = _axis_range(facts.chromosomes)
    figure.add_trace(
        go.Scatter(
            x=[start, end],
            y=[height, height],
            mode="lines",
            name=f"Bonferroni {facts.alpha:g}, {counted(facts.tests, 'test')}: p = {p_value_text(height)}",
            line={"color": VERMILION, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )


def _axis_range(chromosomes: pd.DataFrame) -> tuple[float, float]:
    end = float(chromosomes["end"].max()) or 1.0
    return -0.01 * end, 1.01 * end


def _add_chromosome_axis(figure: go.Figure, chromosomes: pd.DataFrame) -> None:
    if chromosomes.empty:
        return
    start, end = _axis_range(chromosomes)
    wide = chromosomes
    if len(chromosomes) > _ALL_LABELLED:
        wide = chromosomes[(chromosomes["end"] - chromosomes["start"]) >= _NARROWEST_LABELLED * end]
    labels = [plot_text(name, limit=14) if name else "unknown" for name in wide["chromosome"]]
    figure.update_xaxes(
        title="Chromosome",
        range=[start, end],
        tickvals=((wide["start"] + wide["end"]) / 2).tolist(),
        ticktext=labels,
        showgrid=False,
    )
