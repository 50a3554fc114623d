"""A network's attributions along the genome, on the same axis as the p-values and never taken for them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go

from gwas_core.report.manhattan import Manhattan, manhattan, manhattan_figure

CAVEAT = (
    "How much the network's prediction changes with each SNP's allele count, mean absolute value over the validation "
    "lines. It shows what the network looks at; it is no test, and says nothing about significance."
)


def attribution_plot(attributions: pd.DataFrame) -> Manhattan:
    """Lay attributions along the genome.

    Args:
        attributions: as ``pipeline`` writes them: name, chromosome, base_pair_location, effect, magnitude,
            effect_allele_frequency.

    Returns:
        The facts as of a Manhattan plot, with the magnitudes in the place of -log10 p and no threshold.
    """
    facts = manhattan(
        attributions.rename(columns={"effect": "beta"}).assign(neg_log10_p_value=attributions["magnitude"])
    )
    return replace(facts, threshold=None)


def attribution_figure(facts: Manhattan, *, trait: str) -> go.Figure:
    """The figure of ``attribution_plot``; ``trait`` is put on the axis as it is."""
    figure = manhattan_figure(facts)
    figure.update_traces(
        hovertemplate=(
            "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>attribution %{y:.4g}"
            "<br>mean effect %{customdata[4]} a copy<br>allele frequency %{customdata[5]}<extra></extra>"
        )
    )
    top = max([*facts.points["neg_log10_p"], 0.0]) or 1.0
    figure.update_yaxes(title=f"Attribution ({trait} a copy)", range=[-0.015 * top, 1.08 * top])
    return figure
