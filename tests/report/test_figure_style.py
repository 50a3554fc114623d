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
    assert lower < 0.5
    assert 40 < upper < 50


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
def test_best_value_and_all_baselines_are_inside(values: list[float], levels: list[float]) -> None:
    lower, upper = value_range(values, levels=levels)
    assert lower < min([*values, *levels])
    assert upper > max([min(values), *levels])


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


def test_a_filter_fades_what_it_leaves_out() -> None:
    assert is_kept([1, 2, 3], None) == [True, True, True]
    assert is_kept([1, 2, 3], {2}) == [False, True, False]
    assert opacities([True, False]) == [pytest.approx(0.85), FADED]
