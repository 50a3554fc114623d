"""Error over two hyperparameters: the surface is where trials are, and shows what they show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gwas_core.report.contour import contour_figure, error_surface, rank_figure, smoothed, surface_parameters
from gwas_core.report.parallel_coordinates import AxisScale
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from tests.report.example_records import record, searched, trial

SPACE = SearchSpace(
    (
        Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=1e-5, maximum=1e-1, scale="log"),
        Parameter(name="share", kind=ParameterKind.DOUBLE, minimum=0.0, maximum=1.0),
        Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=("<b>mse</b>", "huber")),
        Parameter(name="layers", kind=ParameterKind.INT, minimum=1, maximum=3),
    )
)


def at(number: int, value: float, state: TrialState = TrialState.SUCCEEDED, **parameters: object) -> object:
    whole = {"rate": 1e-3, "share": 0.5, "loss": "huber", "layers": 2}
    return trial(number, state, value=value, parameters=whole | parameters)


TRIALS = (
    at(0, 0.6, rate=1e-5, share=0.0),
    at(1, 0.5, rate=1e-1, share=1.0, loss="<b>mse</b>"),
    at(2, 0.6, TrialState.PRUNED, share=0.5),
    trial(3, TrialState.FAILED, parameters={"rate": 1e-2}),
    at(4, 0.7, share=7.0),  # of another space
    at(5, 0.8, rate=1e-3, share=0.6, loss="<b>mse</b>"),
)


def test_trials_stand_at_their_places_with_their_rank() -> None:
    facts = error_surface(record(TRIALS, space=SPACE), "rate", "share", selected={1})
    assert facts.points["number"].tolist() == [0, 1, 2, 5]
    assert facts.points["x"].tolist() == pytest.approx([-5, -1, -3, -3])
    assert facts.points["y"].tolist() == pytest.approx([0, 1, 0.5, 0.6])
    assert facts.points["rank"].tolist() == [2, 1, 2, 4]
    assert facts.points["kept"].tolist() == [False, True, False, False]
    assert (facts.x.scale, facts.y.scale) == (AxisScale.LOG, AxisScale.LINEAR)
    # Near a trial its error stands alone; in the two corners without one the surface is empty.
    assert facts.surface[0, 0] == pytest.approx(0.6, abs=0.01)
    assert facts.surface[-1, -1] == pytest.approx(0.5, abs=0.01)
    assert np.isnan([facts.surface[0, -1], facts.surface[-1, 0]]).all()


def test_choices_are_steps_and_each_is_smoothed_by_itself() -> None:
    facts = error_surface(record(TRIALS, space=SPACE), "loss", "layers")
    assert facts.surface.shape == (3, 2)
    assert facts.surface[1].tolist() == pytest.approx([(0.5 + 0.8) / 2, 0.6], abs=0.06)
    assert facts.points["x"].round().tolist() == [1, 0, 1, 1, 0]
    figure = contour_figure(facts)
    assert figure.data[0].type == "heatmap"
    assert list(figure.layout.xaxis.ticktext) == ["&lt;b&gt;mse&lt;/b&gt;", "huber"]
    assert "&lt;b&gt;mse" in figure.data[1].hovertext[1]


def test_smoothing_is_the_weighted_mean() -> None:
    random = np.random.default_rng(0)
    x, y, values = random.random((3, 50))
    grid = np.array([0.2, 0.5])
    found = smoothed(x, y, values, grid_x=grid, grid_y=np.array([0.4]))
    width = 50 ** (-1 / 6) / math.sqrt(12)
    for column, place in enumerate(grid):
        weights = np.exp(-((x - place) ** 2 + (y - 0.4) ** 2) / (2 * width**2))
        assert found[0, column] == pytest.approx((weights * values).sum() / weights.sum())
    assert np.isnan(smoothed(x, y, values, grid_x=np.array([5.0]), grid_y=np.array([0.5]))).all()


def test_the_lowest_part_of_the_surface_is_where_the_errors_are_low() -> None:
    made = searched(400, errors=lambda parameters, noise: 0.5 + abs(math.log10(parameters["learning_rate"]) + 4))
    facts = error_surface(made, "learning_rate", "dropout_rate")
    across = np.nanmean(facts.surface, axis=0)
    assert facts.grid_x[int(across.argmin())] == pytest.approx(-4, abs=0.35)


def test_parameters_that_varied_come_the_most_important_first() -> None:
    made = record(TRIALS, space=SPACE)
    assert surface_parameters(made) == ["rate", "share", "loss"]
    assert surface_parameters(made, importance=["loss", "gone", "share"]) == ["loss", "share", "rate"]


def test_ranks_are_colours_and_the_best_a_star() -> None:
    facts = error_surface(record(TRIALS, space=SPACE), "rate", "share")
    figure = rank_figure(facts)
    assert [trace.name for trace in figure.data] == ["succeeded (3)", "stopped early (1)", "best, trial 1"]
    assert list(figure.data[0].marker.color) == [2, 1, 4]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (1, 4)
    assert figure.data[0].customdata.tolist() == [[0], [1], [5]]
    contour = contour_figure(facts)
    assert [trace.type for trace in contour.data] == ["contour", "scatter", "scatter", "scatter"]
    assert contour.data[-1].marker.symbol == "star"


def test_there_is_a_figure_of_nothing() -> None:
    facts = error_surface(record(space=SPACE), "rate", "loss")
    assert facts.points.empty
    assert contour_figure(facts).to_json()
    assert rank_figure(facts).to_json()
