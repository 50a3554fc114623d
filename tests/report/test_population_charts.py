from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from gwas_core.genotypes.linkage_disequilibrium import DistanceBin, LinkageDecay
from gwas_core.genotypes.relatedness import KinshipPicture
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.model.heritability import SnpHeritability
from gwas_core.model.population_report import PopulationReport, population_report
from gwas_core.report.population_charts import (
    components_figure,
    components_table,
    decay_figure,
    decay_sentence,
    decay_table,
    distance_text,
    heritability_sentence,
    kinship_figure,
    kinship_table,
    shares_figure,
    shares_table,
)

EVIL = "<b>$x$</b>"


@pytest.fixture(scope="module")
def report() -> PopulationReport:
    settings = SimulationSettings(
        families=8, lines_per_family=6, snps=60, chromosomes=3, large_qtl=1, polygenic_qtl=20, seed=1
    )
    return population_report(simulate(settings).dataset)


def texts(figure: go.Figure) -> str:
    return figure.to_json()


def test_the_table_has_a_row_for_each_line(report: PopulationReport) -> None:
    table = components_table(report)
    assert table.columns.tolist() == ["Line", "Family", "height", *(f"PC{n}" for n in range(1, 11))]
    assert table["Line"].tolist() == list(report.lines)
    assert table["PC3"].tolist() == [row[2] for row in report.scores]
    assert "Family" not in components_table(replace(report, families=None))
    # A trait with the name of a column takes nothing away.
    assert len(components_table(replace(report, trait="PC1")).columns) == 13


def test_points_are_coloured_by_the_largest_families_and_others(report: PopulationReport) -> None:
    assert report.families is not None
    families = ["a"] * 10 + [f"f{n}" for n in range(38)]
    figure = components_figure(replace(report, families=tuple(families)), x=0, y=2)
    names = [trace.name for trace in figure.data]
    assert names == ["33 other families", "a", "f0", "f1", "f10", "f11", "f12"]
    assert sum(len(trace.x) for trace in figure.data) == 48
    assert figure.data[1].x.tolist() == [row[0] for row in report.scores[:10]]
    assert figure.data[1].y.tolist() == [row[2] for row in report.scores[:10]]
    assert len({trace.marker.color for trace in figure.data}) == 7
    assert figure.layout.yaxis.title.text == f"PC3 ({report.shares[2]:.1%} of the variance)"


def test_points_are_coloured_by_the_trait(report: PopulationReport) -> None:
    for figure in (
        components_figure(report, colour="trait"),
        components_figure(replace(report, families=None), colour="family"),
    ):
        (trace,) = figure.data
        assert trace.marker.color.tolist() == list(report.phenotype)
        assert trace.marker.colorbar.title.text == "height"


def test_ten_thousand_lines_are_drawn_by_the_graphics_processor(report: PopulationReport) -> None:
    times = 210
    assert report.families is not None
    large = replace(
        report,
        lines=tuple(f"line{n}" for n in range(48 * times)),
        families=report.families * times,
        phenotype=report.phenotype * times,
        scores=report.scores * times,
    )
    figure = components_figure(large)
    assert {trace.type for trace in figure.data} == {"scattergl"}
    assert sum(len(trace.x) for trace in figure.data) == 10_080


def test_texts_from_outside_are_no_markup(report: PopulationReport) -> None:
    hostile = replace(report, trait=EVIL, families=(EVIL,) * 48, lines=tuple(f"{EVIL}{n}" for n in range(48)))
    picture = KinshipPicture(values=((1.0, 0.5), (0.5, 2.0)), labels=(EVIL, "b"), families=(EVIL, "f"), lines=2)
    figures = (components_figure(hostile), components_figure(hostile, colour="trait"), kinship_figure(picture))
    for written in map(texts, figures):
        assert "$x$" not in written
        assert "<b>&#36;" not in written
        assert "\\u003cb\\u003e&#36;" not in written


def test_shares_add_up(report: PopulationReport) -> None:
    table = shares_table(report)
    assert table["Component"].tolist()[:2] == ["PC1", "PC2"]
    assert table["Sum of shares"].iloc[-1] == pytest.approx(sum(report.shares))
    (bars,) = shares_figure(report).data
    assert list(bars.y) == list(report.shares)


def test_kinship_is_drawn_with_its_families(report: PopulationReport) -> None:
    assert report.kinship is not None
    assert report.kinship.families is not None
    figure = kinship_figure(report.kinship)
    (heat,) = figure.data
    np.testing.assert_array_equal(heat.z, report.kinship.values)
    # 8 families of 6 lines: a name in the middle of each.
    assert list(figure.layout.xaxis.tickvals) == [2, 8, 14, 20, 26, 32, 38, 44]
    assert list(figure.layout.xaxis.ticktext) == sorted(set(report.families or ()))
    assert heat.zmax < np.max(report.kinship.values)
    assert heat.x[7] == f"{report.kinship.labels[7]}, family {report.kinship.families[7]}"
    table = kinship_table(report.kinship)
    assert table.shape == (48, 49)
    assert table["Lines"].tolist() == list(report.kinship.labels)
    np.testing.assert_array_equal(table.iloc[:, 1:], report.kinship.values)


def test_without_families_or_with_too_many_no_names_stand_beside_the_matrix() -> None:
    flat = KinshipPicture(values=((0.5,) * 60,) * 60, labels=("a",) * 60, families=None, lines=60)
    many = replace(flat, families=tuple(f"f{n}" for n in range(60)))
    for picture in (flat, many):
        figure = kinship_figure(picture)
        assert not figure.layout.xaxis.ticktext
        assert figure.data[0].zmax > figure.data[0].zmin
        # Equal labels are still different rows.
        assert len(set(figure.data[0].x)) == 60
        assert len(set(kinship_table(picture).columns)) == 61


DECAY = LinkageDecay(
    bins=(
        DistanceBin(shortest=10, longest=900, mean_distance=420.0, mean_r2=0.8, pairs=40),
        DistanceBin(shortest=1000, longest=2_000_000, mean_distance=1_000_000.0, mean_r2=0.1, pairs=1),
    ),
    pairs=41,
    is_sample=True,
    snps=1200,
    chromosomes=1,
    first_r2=0.8,
    half_distance=12_345.0,
)


def test_decay_is_drawn_told_and_tabled() -> None:
    table = decay_table(DECAY)
    assert table.to_numpy().tolist() == [[10, 900, 420, 0.8, 40], [1000, 2_000_000, 1_000_000, 0.1, 1]]
    figure = decay_figure(DECAY)
    assert figure.layout.xaxis.type == "log"
    (name,) = figure.layout.annotations
    assert (name.text, name.x) == ("half at 12.3 kb", pytest.approx(np.log10(12_345)))
    assert figure.layout.shapes[0].x0 == 12_345
    sentence = decay_sentence(DECAY)
    assert "about 0.80 at the shortest distances (420 bp) and has fallen to half of that at 12.3 kb" in sentence
    assert "a random sample of 41 pairs among 1,200 SNPs on 1 chromosome" in sentence
    flat = replace(DECAY, half_distance=None, is_sample=False)
    assert not decay_figure(flat).layout.annotations
    assert "0.10 at 1 Mb: it does not fall to half" in decay_sentence(flat)
    assert "From all 41 pairs" in decay_sentence(flat)


def test_heritability_is_told_with_its_error_and_its_meaning(report: PopulationReport) -> None:
    heritability = SnpHeritability(
        estimate=0.448, standard_error=0.0612, lines=48, genetic_variance=4.48, residual_variance=5.52
    )
    known = replace(report, heritability=heritability)
    text = heritability_sentence(known)
    assert text.startswith(
        "SNP heritability 0.45 ± 0.06 (standard error): about 45% of the variance of height among 48"
    )
    assert "family structure inflates it" in text
    assert "end of its range" not in text
    assert "family" not in heritability_sentence(replace(known, families=None))
    assert "end of its range" in heritability_sentence(replace(known, heritability=replace(heritability, estimate=0.0)))
    missing = replace(report, heritability=None, heritability_refusal="too few")
    assert heritability_sentence(missing) == "too few"


@pytest.mark.parametrize(
    ("base_pairs", "text"),
    [(1, "1 bp"), (850.4, "850 bp"), (999.6, "1 kb"), (12_345, "12.3 kb"), (999_600, "1 Mb"), (41_900_000, "41.9 Mb")],
)
def test_distances_have_three_digits(base_pairs: float, text: str) -> None:
    assert distance_text(base_pairs) == text
