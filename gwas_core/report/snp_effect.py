"""Effect of one SNP: box plots of the phenotype of the lines with 0, 1 and 2 copies of the counted allele."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.report.figure_style import BLUE, new_figure
from gwas_core.report.text import plot_text

_QUANTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


def snp_effect(genotypes: NDArray[np.int8], phenotype: NDArray[np.float64]) -> pd.DataFrame:
    """Return the distribution of the phenotype for each genotype of a SNP.

    Args:
        genotypes: copies of the counted allele of one SNP, int8 `(lines,)`, none missing.
        phenotype: float64 `(lines,)`.

    Returns:
        A row for each genotype that occurs: copies, lines, mean, minimum, lower_quartile, median, upper_quartile,
        maximum, in the phenotype's unit.

    Raises:
        InputError: if the two arrays do not belong together.
    """
    if genotypes.shape != phenotype.shape or genotypes.ndim != 1:
        raise InputError(f"one genotype a line is needed, not {genotypes.shape} for {phenotype.shape} phenotypes")
    rows = []
    for copies in (0, 1, 2):
        values = phenotype[genotypes == copies]
        if not len(values):
            continue
        quartiles = dict(zip(_QUANTILES, np.quantile(values, list(_QUANTILES.values())).tolist(), strict=True))
        rows.append(
            {
                "copies": copies,
                "lines": len(values),
                "mean": float(values.mean()),
                "minimum": float(values.min()),
                **quartiles,
                "maximum": float(values.max()),
            }
        )
    return pd.DataFrame(rows)


def snp_effect_figure(facts: pd.DataFrame, *, trait: str) -> go.Figure:
    """Draw box plots of the trait by genotype, from minimum to maximum, with the means.

    Args:
        facts: as ``snp_effect`` returns them.
        trait: name of the trait; it is escaped here.
    """
    figure = new_figure(height=340, showlegend=False)
    figure.add_trace(
        go.Box(
            x=[f"{copies} ({lines:,} lines)" for copies, lines in zip(facts["copies"], facts["lines"], strict=True)],
            lowerfence=facts["minimum"],
            q1=facts["lower_quartile"],
            median=facts["median"],
            mean=facts["mean"],
            q3=facts["upper_quartile"],
            upperfence=facts["maximum"],
            marker={"color": BLUE},
            boxmean=True,
            width=0.4 if len(facts) > 1 else 0.2,
        )
    )
    figure.update_xaxes(title="copies of the counted allele", type="category")
    figure.update_yaxes(title=plot_text(trait))
    return figure
