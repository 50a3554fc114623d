"""SNPs along the genome, and against what chance would give."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gwas_core.report.manhattan import manhattan, manhattan_figure
from gwas_core.report.quantile_plot import quantile_figure, quantile_plot


def associations(
    chromosomes: list[str], positions: list[int], p: list[float], names: list[str] | None = None
) -> pd.DataFrame:
    number = len(p)
    return pd.DataFrame(
        {
            "name": names or [f"snp{index}" for index in range(number)],
            "chromosome": pd.Series(chromosomes, dtype="str"),
            "base_pair_location": np.array(positions, dtype=np.int64),
            "beta": np.arange(number, dtype=np.float64),
            "effect_allele_frequency": np.full(number, 0.25),
            "neg_log10_p_value": np.array(p, dtype=np.float64),
        }
    )


def random_associations(number: int, *, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    chromosomes = [f"Gm{index * 20 // number + 1:02d}" for index in range(number)]
    return associations(
        chromosomes,
        (1 + np.arange(number) % (number // 20) * 1000).tolist(),
        (-np.log10(random.random(number))).tolist(),
    )


def test_chromosomes_follow_each_other_as_a_person_lists_them() -> None:
    table = associations(
        ["Gm10", "Gm2", "", "Gm2", "scaffold_3", "Gm10", "X"], [500, 900, 0, 100, 50, 1500, 7], [1, 2, 3, 4, 5, 6, 7]
    )
    facts = manhattan(table)
    assert facts.chromosomes["chromosome"].tolist() == ["Gm2", "Gm10", "X", "scaffold_3", ""]
    assert facts.chromosomes["snps"].tolist() == [2, 2, 1, 1, 1]
    starts, ends = facts.chromosomes["start"], facts.chromosomes["end"]
    assert (starts.to_numpy()[1:] > ends.to_numpy()[:-1]).all()
    assert facts.points["row"].tolist() == [3, 1, 0, 5, 6, 4, 2]
    assert facts.points["x"].is_monotonic_increasing
    # Distances on a chromosome are base pairs.
    assert facts.points["x"].iloc[1] - facts.points["x"].iloc[0] == 800
    assert facts.points["band"].tolist() == [0, 0, 1, 1, 0, 1, 0]
    figure = manhattan_figure(facts)
    assert list(figure.layout.xaxis.ticktext) == ["Gm2", "Gm10", "X", "scaffold_3", "unknown"]


def test_snps_without_a_place_stand_in_order() -> None:
    facts = manhattan(associations(["", "", ""], [0, 0, 0], [1, 2, 3]))
    assert facts.points["row"].tolist() == [0, 1, 2]
    assert len(set(facts.points["x"])) == 3
    manhattan_figure(facts)


def test_threshold_counts_tested_snps_only() -> None:
    facts = manhattan(associations(["1"] * 4, [1, 2, 3, 4], [1, 2, math.nan, 7]), alpha=0.01)
    assert (facts.tests, facts.not_tested, facts.not_drawn) == (3, 1, 0)
    assert facts.threshold == pytest.approx(0.01 / 3)
    points, line = manhattan_figure(facts).data
    assert line.name == "Bonferroni 0.01, 3 tests: p = 0.0033"
    assert list(line.y) == pytest.approx([-math.log10(0.01 / 3)] * 2)
    assert len(points.x) == 3
    figure = manhattan_figure(manhattan(associations(["1"], [1], [math.nan])))
    assert "1 SNP cannot be tested" in figure.layout.annotations[0].text
    assert manhattan_figure(manhattan(associations([], [], []))).to_json()


def test_hovering_tells_the_snp() -> None:
    table = associations(["Gm19", "Gm19"], [1589676, 1700000], [412.0, math.inf], ["Gm19_<b>1589676", "rs{1}"])
    facts = manhattan(table)
    figure = manhattan_figure(facts)
    first, second = figure.data[0].customdata
    assert list(first) == [0, "Gm19_&lt;b&gt;1589676", "Gm19, 1,589,676 bp", "1.0e-412", "0", "0.250"]
    assert second[1] == "rs&#123;1}"
    assert second[3] == "0"
    # What fits without any rest stands above the highest finite one.
    assert 412 < facts.points["neg_log10_p"].iloc[1] < figure.layout.yaxis.range[1]


def test_of_very_many_snps_the_lowest_are_thinned_and_counted() -> None:
    table = random_associations(40_000)
    facts = manhattan(table, most_points=5000)
    assert facts.tests == 40_000
    assert len(facts.points) + facts.not_drawn == 40_000
    assert 4900 <= len(facts.points) <= 5000
    # All of the highest are there, and every chromosome still has low ones.
    highest = np.argsort(-table["neg_log10_p_value"].to_numpy())[:2500]
    assert set(highest) <= set(facts.points["row"])
    low = facts.points[facts.points["neg_log10_p"] < 1]
    assert low["chromosome"].nunique() == 20
    assert low.groupby("chromosome").size().std() < 15
    figure = manhattan_figure(facts)
    assert figure.data[0].type == "scattergl"
    assert f"{facts.not_drawn:,} SNPs of the lowest not drawn" in figure.layout.annotations[0].text


def test_thousands_of_scaffolds_are_not_mostly_gaps() -> None:
    number = 3000
    facts = manhattan(
        associations(
            [f"scaffold_{index // 2}" for index in range(number)],
            [1 + 999 * (index % 2) for index in range(number)],
            [1] * number,
        )
    )
    covered = (facts.chromosomes["end"] - facts.chromosomes["start"]).sum()
    assert covered / facts.chromosomes["end"].max() > 0.75
    assert len(manhattan_figure(facts).layout.xaxis.ticktext or ()) == 0


def test_quantiles_of_nothing_lie_in_their_band() -> None:
    table = random_associations(4000)
    facts = quantile_plot(table)
    assert facts.tests == 4000
    assert facts.inflation == pytest.approx(1, abs=0.1)
    inside = np.interp(facts.points["expected"], facts.band["expected"][::-1], facts.band["lower"][::-1])
    outside = np.interp(facts.points["expected"], facts.band["expected"][::-1], facts.band["upper"][::-1])
    share = ((facts.points["observed"] >= inside) & (facts.points["observed"] <= outside)).mean()
    assert share > 0.8
    # The smallest p-value is there, and the rest in order.
    assert facts.points["row"].iloc[0] == table["neg_log10_p_value"].idxmax()
    assert facts.points["observed"].is_monotonic_decreasing
    assert facts.points["expected"].is_monotonic_decreasing


@pytest.mark.parametrize("number", [1, 7, 1200])
def test_the_band_is_that_of_the_order_statistics(number: int) -> None:
    facts = quantile_plot(associations(["1"] * number, [1] * number, np.linspace(0.1, 3, number).tolist()))
    last = facts.band.iloc[0]
    assert last["expected"] == pytest.approx(-math.log10(1 / (number + 1)))
    assert 10 ** -last["lower"] == pytest.approx(stats.beta.ppf(0.975, 1, number))
    assert 10 ** -last["upper"] == pytest.approx(stats.beta.ppf(0.025, 1, number))


def test_very_many_quantiles_are_thinned_where_nothing_is_lost() -> None:
    facts = quantile_plot(random_associations(40_000))
    assert len(facts.points) < 1300
    ranks = 40_001 * 10 ** -facts.points["expected"]
    assert ranks.round().tolist()[:300] == list(range(1, 301))
    assert round(ranks.iloc[-1]) == 40_000
    figure = quantile_figure(facts)
    assert figure.layout.annotations[0].text == f"λ = {facts.inflation:.2f}"


def test_quantiles_without_a_test() -> None:
    for table in (associations([], [], []), associations(["1"], [1], [math.nan])):
        facts = quantile_plot(table)
        assert (facts.tests, facts.inflation) == (0, None)
        assert quantile_figure(facts).to_json()
    infinite = quantile_plot(associations(["1"] * 2, [1, 2], [math.inf, 3.0]))
    assert np.isfinite(infinite.points["observed"]).all()
