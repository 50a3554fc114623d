"""Attributions of a network along the genome, laid out like a Manhattan plot but without p-values or a threshold."""

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
        attributions: a row for each SNP, as the pipeline writes them: name, chromosome, base_pair_location, effect,
            magnitude, effect_allele_frequency.

    Returns:
        Facts as of a Manhattan plot, with the magnitudes in place of -log10 p and no threshold.
    """
    facts = manhattan(
        attributions.rename(columns={"effect": "beta"}).assign(neg_log10_p_value=attributions["magnitude"])
    )
    return replace(facts, threshold=None)


def attribution_figure(facts: Manhattan, *, trait: str) -> go.Figure:
    """Draw attributions along the genome.

    Args:
        facts: of ``attribution_plot``.
        trait: name on the axis; text from outside must have gone through ``plot_text``.
    """
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
