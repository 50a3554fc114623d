"""QQ plot: observed p-values against those of SNPs without an effect on the trait, with a 95 % band.

Also here: which of very many points are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.special import betaincinv

from gwas_core.association.thresholds import genomic_inflation
from gwas_core.report.figure_style import BLUE, GREY, new_figure
from gwas_core.report.text import p_value_text, plot_text

Floats = NDArray[np.float64]

_ALL_OF_THE_LOWEST = 300
_MOST_POINTS = 1200
_CONFIDENCE = 0.95
_HEIGHT = 420
# Far out the band of many tests is as good as its value here, and the picture needs no more.
_BAND_POINTS = 200


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantilePlot:
    """Facts of the figure.

    Attributes:
        points: row (of the associations table), name, expected and observed (-log10 p), p (as text); all of the 300
            lowest p-values, and evenly many of the others on the logarithmic axis.
        band: expected, lower, upper: the range of 95 % of the values of each rank if no SNP has an effect.
        inflation: genomic inflation (lambda); None without a test.
        tests: number of SNPs that were tested.
    """

    points: pd.DataFrame
    band: pd.DataFrame
    inflation: float | None
    tests: int


def quantile_plot(associations: pd.DataFrame) -> QuantilePlot:
    """Return the facts of the QQ plot of an associations table.

    The i-th smallest of n independent uniform p-values follows Beta(i, n - i + 1): i / (n + 1) is its mean, and its
    quantiles are the band. SNPs in linkage scatter more.

    Args:
        associations: a row for each SNP (see ``association.regression.associate``).
    """
    values = associations["neg_log10_p_value"].to_numpy(dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    tests = len(tested)
    ordered = tested[np.argsort(-values[tested], kind="stable")]
    ranks = _ranks(tests, all_of=_ALL_OF_THE_LOWEST, most=_MOST_POINTS)
    rows = ordered[ranks - 1]
    observed = values[rows]
    finite = observed[np.isfinite(observed)]
    points = pd.DataFrame(
        {
            "row": rows,
            "name": associations["name"].to_numpy()[rows],
            "expected": _expected(ranks, tests),
            "observed": np.where(np.isinf(observed), 1.05 * finite.max() + 1 if finite.size else 1.0, observed),
            "p": [p_value_text(value) for value in observed],
        }
    )
    band_ranks = _ranks(tests, all_of=10, most=_BAND_POINTS)
    tail = (1 - _CONFIDENCE) / 2
    band = pd.DataFrame(
        {
            "expected": _expected(band_ranks, tests),
            # The quantile is a p-value: the high one is the low end of -log10 p.
            "lower": _neg_log10_quantile(1 - tail, band_ranks, tests),
            "upper": _neg_log10_quantile(tail, band_ranks, tests),
        }
    )
    return QuantilePlot(points=points, band=band, inflation=genomic_inflation(values), tests=tests)


def quantile_figure(facts: QuantilePlot) -> go.Figure:
    """Draw points, the identity line and the band; click data begin with the row of the associations table.

    Args:
        facts: as ``quantile_plot`` returns them.
    """
    figure = new_figure(height=_HEIGHT, showlegend=True)
    band, points = facts.band, facts.points
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([band["expected"], band["expected"][::-1]]),
            y=np.concatenate([band["upper"], band["lower"][::-1]]),
            mode="lines",
            fill="toself",
            fillcolor="rgba(127,127,127,0.25)",
            line={"width": 0},
            name="95 % of independent SNPs without effect",
            hoverinfo="skip",
        )
    )
    end = float(band["expected"].max()) if len(band) else 1.0
    figure.add_trace(
        go.Scatter(
            x=[0, end],
            y=[0, end],
            mode="lines",
            name="expected",
            line={"color": GREY, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=points["expected"].to_numpy(),
            y=points["observed"].to_numpy(),
            mode="markers",
            name="observed",
            marker={"color": BLUE, "size": 5},
            customdata=[
                [row, plot_text(name), p]
                for row, name, p in zip(points["row"], points["name"], points["p"], strict=True)
            ],
            hovertemplate="<b>%{customdata[1]}</b><br>p = %{customdata[2]}<extra></extra>",
        )
    )
    if facts.inflation is not None:
        figure.add_annotation(
            text=f"λ = {facts.inflation:.2f}",
            x=0.03,
            y=0.97,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="top",
            showarrow=False,
            font={"size": 15},
        )
    figure.update_xaxes(title="Expected −log<sub>10</sub> p", rangemode="tozero")
    figure.update_yaxes(title="Observed −log<sub>10</sub> p", rangemode="tozero")
    return figure


def _ranks(tests: int, *, all_of: int, most: int) -> NDArray[np.int64]:
    """Return ranks from 1: all of the first, evenly many of the others on a logarithmic axis, and the last."""
    if tests <= most:
        return np.arange(1, tests + 1)
    spaced = np.geomspace(all_of, tests, most - all_of).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, all_of + 1), spaced]))


def _expected(ranks: NDArray[np.int64], tests: int) -> Floats:
    expected: Floats = -np.log10(ranks / (tests + 1))
    return expected


def _neg_log10_quantile(quantile: float, ranks: NDArray[np.int64], tests: int) -> Floats:
    values: Floats = -np.log10(betaincinv(ranks, tests - ranks + 1, quantile))
    return values
