"""Axes that show what matters, and labels that do not cover each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.report.figure_style import FADED, add_levels, is_kept, new_figure, opacities, spread, value_range


def test_what_exploded_does_not_flatten_the_rest() -> None:
    lower, upper = value_range([0.6, 0.7, 0.8, 1e9], levels=[0.5, 0.78])
    assert 0.4 < lower < 0.5
    assert 0.8 < upper < 0.9
    # Without baselines the bulk of the values decides.
    assert value_range([0.6, 0.61, 0.62, 0.63, 0.64, 1e9])[1] < 0.7


def test_the_best_value_is_never_out_of_the_picture() -> None:
    lower, upper = value_range([40.0, 1e6], levels=[0.5, 0.78])
    assert 35 < lower < 40 < upper < 50


def test_the_trials_set_the_range_and_not_a_baseline_far_from_them() -> None:
    errors = [0.50, 0.51, 0.52]
    assert value_range(errors, levels=[0.777]) == value_range(errors)
    assert value_range(errors, levels=[0.1, 0.777]) == value_range(errors)
    lower, upper = value_range(errors, levels=[0.495, 0.528, 0.777])
    assert 0.49 < lower < 0.495
    assert 0.528 < upper < 0.535
    # Before the first trial there is nothing but the baselines.
    lower, upper = value_range([], levels=[0.5, 0.777])
    assert lower < 0.5 < 0.777 < upper


def test_there_is_always_a_range() -> None:
    assert value_range([]) == (0, 1)
    assert value_range([float("nan")]) == (0, 1)
    for single in (0.0, 3.0):
        lower, upper = value_range([single])
        assert lower < single < upper


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    st.lists(st.floats(1e-3, 1e3), max_size=4),
)
def test_the_best_value_is_inside_and_so_are_baselines_among_the_trials(
    values: list[float], levels: list[float]
) -> None:
    lower, upper = value_range(values, levels=levels)
    assert lower < min(values) < upper
    among = [level for level in levels if min(values) <= level <= min(max(values), upper)]
    assert all(lower < level < upper for level in among)


@given(
    st.lists(st.floats(allow_nan=False), max_size=12),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
def test_no_number_is_too_large_or_too_small_to_draw(values: list[float], levels: list[float]) -> None:
    lower, upper = value_range(values, levels=levels)
    assert -1e31 < lower < upper < 1e31


@given(st.lists(st.floats(0, 300), max_size=8), st.floats(1, 40))
def test_labels_keep_their_distance_and_order(positions: list[float], gap: float) -> None:
    placed = spread(sorted(positions), gap=gap)
    assert len(placed) == len(positions)
    assert all(distance >= gap - 1e-6 for distance in np.diff(placed))
    # What has room stays where it is.
    if all(distance >= gap for distance in np.diff(sorted(positions))):
        assert placed == pytest.approx(sorted(positions))


def test_levels_are_lines_with_name_and_value_beside_them() -> None:
    figure = new_figure(height=400)
    add_levels(figure, [("Mean", 0.8), ("GBLUP", 0.5), ("GBLUP + family", 0.501)], limits=(0.4, 0.9), pixels=300)
    assert [shape.y0 for shape in figure.layout.shapes] == [0.5, 0.501, 0.8]
    assert len({shape.line.dash for shape in figure.layout.shapes}) == 3
    notes = figure.layout.annotations
    assert [note.text for note in notes] == ["GBLUP 0.5", "GBLUP + family 0.501", "Mean 0.8"]
    assert notes[1].yshift - notes[0].yshift == pytest.approx(15 - 0.6)
    assert notes[2].yshift == pytest.approx(0)
    assert figure.layout.margin.r > 6 * len("GBLUP + family 0.501")


def test_a_level_beyond_the_axis_stands_at_its_edge_with_an_arrow() -> None:
    figure = new_figure(height=400)
    levels = [("Mean", 0.8), ("Family mean", 0.7), ("GBLUP", 0.5), ("Oracle", 0.1)]
    add_levels(figure, levels, limits=(0.45, 0.55), pixels=300)
    assert [shape.y0 for shape in figure.layout.shapes] == [0.5]
    notes = figure.layout.annotations
    assert [note.text for note in notes] == ["↓ Oracle 0.1", "GBLUP 0.5", "↑ Family mean 0.7", "↑ Mean 0.8"]
    assert [note.y for note in notes] == [0.45, 0.5, 0.55, 0.55]
    # Two at one edge stack up into the plot.
    assert [note.yshift for note in notes] == pytest.approx([0, 0, -15, 0])


def test_a_filter_fades_what_it_leaves_out() -> None:
    assert is_kept([1, 2, 3], None) == [True, True, True]
    assert is_kept([1, 2, 3], {2}) == [False, True, False]
    assert opacities([True, False]) == [pytest.approx(0.85), FADED]
