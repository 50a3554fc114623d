"""Slices: every value at its place on an axis that fits the search space."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.report.slices import log_ticks, parameter_slices, slices_figure, two_lines
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace
from tests.report.example_records import record, searched, trial

SPACE = SearchSpace(
    (
        Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=1e-5, maximum=1e-2, scale=Scale.LOG),
        Parameter(name="layers", kind=ParameterKind.INT, minimum=1, maximum=5),
        Parameter(name="batch", kind=ParameterKind.DISCRETE, choices=(16, 32, 128)),
        Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=("huber", "<b>mse</b>")),
    )
)
TRIALS = (
    trial(0, value=0.6, parameters={"rate": 1e-4, "layers": 2, "batch": 32, "loss": "huber"}),
    trial(1, TrialState.PRUNED, value=0.7, parameters={"rate": 1e-3, "layers": 2, "batch": 128, "loss": "<b>mse</b>"}),
    trial(2, TrialState.FAILED, parameters={"rate": 1e-2, "layers": 3, "batch": 16, "loss": "huber"}),
    trial(3, TrialState.RUNNING, parameters={"rate": 1e-2, "layers": 3, "batch": 16, "loss": "huber"}),
    # Of another version: one value is gone, one is no number, one is missing.
    trial(4, value=90.0, parameters={"rate": "fast", "batch": 16, "loss": "l1"}),
)


def test_values_stand_at_their_places() -> None:
    slices = parameter_slices(record(TRIALS, space=SPACE), parameters=SPACE.names, selected={1})
    rate, layers, batch, loss = slices.panels
    assert rate.points[["number", "x", "shown", "value", "kept"]].values.tolist() == [
        [0, 1e-4, "0.0001", 0.6, False],
        [1, 1e-3, "0.001", 0.7, True],
    ]
    assert (rate.log, rate.limits, rate.choices) == (True, (1e-5, 1e-2), ())
    assert layers.points["x"].tolist() == [2, 2]
    assert (layers.log, layers.limits) == (False, (1, 5))
    assert batch.choices == ("16", "32", "128")
    assert batch.points["x"].round().tolist() == [1, 2, 0]
    assert batch.points["shown"].tolist() == ["32", "128", "16"]
    assert loss.points["x"].round().tolist() == [0, 1]
    assert loss.points["number"].tolist() == [0, 1]
    assert slices.above == 1
    assert slices.limits[1] < 1


def test_only_parameters_that_varied_are_drawn_unless_asked_for() -> None:
    made = record(TRIALS[:2], space=SPACE)
    assert [panel.parameter for panel in parameter_slices(made).panels] == ["rate", "batch", "loss"]
    assert [panel.parameter for panel in parameter_slices(made, parameters=["layers", "gone"]).panels] == ["layers"]


def test_choices_are_scattered_without_touching_their_neighbours() -> None:
    panel = parameter_slices(searched(200), parameters=["batch_size"]).panels[0]
    offsets = panel.points["x"] - panel.points["x"].round()
    assert offsets.abs().max() <= 0.25
    assert offsets.std() > 0.1
    again = parameter_slices(searched(200), parameters=["batch_size"]).panels[0]
    assert again.points.equals(panel.points)


def test_axes_come_from_the_space() -> None:
    figure = slices_figure(parameter_slices(record(TRIALS, space=SPACE), parameters=SPACE.names))
    assert len(figure.data) == 4
    rate, layers, batch, loss = (getattr(figure.layout, f"xaxis{number}") for number in ("", 2, 3, 4))
    assert (rate.type, rate.title.text) == ("log", "rate")
    # The ends of the range are inside the axis.
    assert rate.range[0] < -5 < -2 < rate.range[1]
    assert list(rate.ticktext) == ["1e-5", "1e-4", "1e-3", "0.01"]
    assert (layers.type, layers.range[0] < 1, layers.range[1] > 5) == (None, True, True)
    assert list(batch.ticktext) == ["16", "32", "128"]
    assert list(loss.ticktext) == ["huber", "&lt;b&gt;mse&lt;/b&gt;"]
    assert list(figure.data[0].marker.symbol) == ["circle", "triangle-down"]
    assert "&lt;b&gt;mse" in figure.data[3].hovertext[1]
    assert figure.data[0].customdata.tolist() == [[0], [1]]
    note = figure.layout.annotations[-1].text
    assert "stopped early" in note
    assert "1 higher" in note


def test_there_is_a_figure_of_nothing() -> None:
    slices = parameter_slices(record(space=SPACE))
    assert slices.panels == ()
    assert slices_figure(slices).to_json()
    assert slices_figure(parameter_slices(record(space=SPACE), parameters=["rate", "loss"])).to_json()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("huber", "huber"),
        ("glorot_uniform", "glorot_<br>uniform"),
        ("TruncatedNormal", "Truncated<br>Normal"),
        ("mean_absolute_percentage_error", "mean_<br>absolute_pe…"),
        ("a" * 30, "a" * 10 + "<br>" + "a" * 11 + "…"),
        ("<<<<<<<<<<>>", "&lt;" * 10 + "<br>" + "&gt;" * 2),
    ],
)
def test_long_choices_take_two_lines(text: str, label: str) -> None:
    assert two_lines(text, width=10) == label


def test_of_many_choices_only_some_are_named() -> None:
    space = SearchSpace((Parameter(name="batch", kind=ParameterKind.DISCRETE, choices=tuple(range(1, 101))),))
    figure = slices_figure(parameter_slices(record(TRIALS, space=space), parameters=["batch"]))
    assert list(figure.layout.xaxis.ticktext) == ["1", "14", "27", "40", "53", "66", "79", "92"]


@given(st.floats(-12, 6), st.floats(0.31, 12))
def test_ticks_of_logarithmic_axes_are_few_and_round(low: float, span: float) -> None:
    ticks = log_ticks(10**low, 10 ** (low + span))
    assert 2 <= len(ticks) <= 7
    assert all(10**low * 0.999 <= tick <= 10 ** (low + span) * 1.001 for tick in ticks)
    if ticks == [10**low, 10 ** (low + span)]:
        assert span < 1
        return
    mantissas = {round(tick / 10 ** math.floor(math.log10(tick) + 1e-9)) for tick in ticks}
    assert mantissas <= {1, 2, 5}


@pytest.mark.parametrize("number", [10, 1000])
def test_many_points_are_drawn_by_the_graphics_processor(number: int) -> None:
    figure = slices_figure(parameter_slices(searched(number)))
    assert len(figure.data) == 8
    assert {trace.type for trace in figure.data} == {"scattergl" if number == 1000 else "scatter"}
    assert sum(len(np.asarray(trace.x)) for trace in figure.data) == 8 * number
