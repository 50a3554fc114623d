"""The network beside the baselines."""

from __future__ import annotations

import math

from gwas_core.report.judgements import judgements_figure, judgements_table
from tests.report.example_records import judgement, record

RESULT = {"trial": 3, "validation": judgement(0.53, 0.74, 0.55), "test": judgement(0.516, 0.738, 0.551)}


def test_the_table_is_sorted_by_error_and_marks_the_network() -> None:
    table = judgements_table(record(result=RESULT))
    assert table["title"].tolist()[:3] == ["GBLUP + family (REML)", "This network", "GBLUP (REML)"]
    assert table["is_network"].tolist() == [False, True, False, False, False]
    assert table["mean_absolute_error"].tolist() == [0.514, 0.516, 0.518, 0.640, 0.777]
    assert math.isnan(table["pearson"].iloc[-1])
    assert judgements_table(record(result=RESULT), "validation")["mean_absolute_error"].iloc[2] == 0.53


def test_the_figure_shows_values_and_says_where_there_is_none() -> None:
    figure = judgements_figure(judgements_table(record(result=RESULT)))
    error, correlation, within = figure.data
    assert list(error.y) == [
        "Training mean",
        "Family mean, no SNP",
        "GBLUP (REML)",
        "<b>This network</b>",
        "GBLUP + family (REML)",
    ]
    assert error.text[3] == "0.516"
    assert error.marker.symbol[3] == "diamond"
    assert len(correlation.x) == 4
    assert len(within.x) == 3
    assert [note.text for note in figure.layout.annotations] == ["none", "none", "none"]


def test_without_families_there_is_no_panel_for_them() -> None:
    baselines = {"mean": {"test": judgement(0.8, None), "validation": judgement(0.8, None)}}
    made = record(result={"trial": 0, "validation": judgement(0.5, 0.7), "test": judgement(0.5, 0.7)})
    object.__setattr__(made, "baselines", baselines)
    assert len(judgements_figure(judgements_table(made)).data) == 2


def test_before_anything_is_judged() -> None:
    made = record(with_baselines=False)
    table = judgements_table(made)
    assert table.empty
    assert judgements_figure(table).to_json()
