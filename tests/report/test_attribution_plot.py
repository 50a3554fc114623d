"""Attributions along the genome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gwas_core.report.attribution_plot import attribution_figure, attribution_plot


def table(magnitude: list[float]) -> pd.DataFrame:
    count = len(magnitude)
    return pd.DataFrame(
        {
            "name": [f"Gm{index % 2 + 1:02}_{index + 1}00" for index in range(count)],
            "chromosome": [f"Gm{index % 2 + 1:02}" for index in range(count)],
            "base_pair_location": [(index + 1) * 100 for index in range(count)],
            "effect": -np.array(magnitude),
            "magnitude": magnitude,
            "effect_allele_frequency": [0.25] * count,
        }
    )


def test_magnitudes_stand_where_their_snps_are() -> None:
    given = table([0.01, 0.03, 0.002, 0.0])
    facts = attribution_plot(given)
    assert facts.threshold is None
    assert facts.chromosomes["chromosome"].tolist() == ["Gm01", "Gm02"]
    points = facts.points.set_index("name")
    for name, magnitude, effect in zip(given["name"], given["magnitude"], given["effect"], strict=True):
        assert points.loc[name, "neg_log10_p"] == magnitude
        assert points.loc[name, "beta"] == effect


def test_the_figure_speaks_of_attribution_and_never_of_p_values() -> None:
    figure = attribution_figure(attribution_plot(table([0.01, 0.03, 0.002])), trait="height")
    assert figure.layout.yaxis.title.text == "Attribution (height a copy)"
    low, high = figure.layout.yaxis.range
    assert low < 0 < 0.03 < high < 0.05
    assert len(figure.data) == 1
    assert "p =" not in figure.data[0].hovertemplate
    assert "attribution %{y" in figure.data[0].hovertemplate


def test_a_network_that_looks_at_nothing() -> None:
    figure = attribution_figure(attribution_plot(table([0.0, 0.0])), trait="height")
    assert figure.layout.yaxis.range[1] > 0
