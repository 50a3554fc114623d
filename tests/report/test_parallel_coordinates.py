from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.model.training import OBJECTIVE
from gwas_core.report.parallel_coordinates import (
    AXES_SHOWN,
    MOST_IN_COLOUR,
    Axis,
    AxisScale,
    default_axes,
    parallel_coordinates,
    parallel_coordinates_figure,
)
from gwas_core.report.trial_filters import TrialFilter
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import TrialRecord
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from tests.report.made_records import made_record, made_trial, searched_record

RATE = Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=1e-5, maximum=3e-2, scale="log")
SHARE = Parameter(name="share", kind=ParameterKind.DOUBLE, minimum=0.0, maximum=0.7)
STEPPED = Parameter(name="stepped", kind=ParameterKind.DOUBLE, minimum=0.01, maximum=0.95, step=0.1)
UNITS = Parameter(name="units", kind=ParameterKind.INT, minimum=2, maximum=64, scale="log")
LAYERS = Parameter(name="layers", kind=ParameterKind.INT, minimum=1, maximum=5)
BATCH = Parameter(name="batch", kind=ParameterKind.DISCRETE, choices=(16, 32, 64, 128))
LOSS = Parameter(name="loss", kind=ParameterKind.CATEGORICAL, choices=("<b>huber</b>", "squared", "absolute"))
ONLY = Parameter(name="only", kind=ParameterKind.CATEGORICAL, choices=("one",))
SPACE = SearchSpace((RATE, SHARE, STEPPED, UNITS, LAYERS, BATCH, LOSS, ONLY), {"epochs": 30})

VALUES: dict[str, Any] = {
    "rate": 1e-3, "share": 0.35, "stepped": 0.31, "units": 8, "layers": 3, "batch": 32, "loss": "squared", "only": "one"
}  # fmt: skip
OTHERS: dict[str, Any] = {
    "rate": 1e-4, "share": 0.1, "stepped": 0.11, "units": 64, "layers": 1, "batch": 16, "loss": "absolute"
}  # fmt: skip


def trial(
    number: int, value: float | None = 0.3, state: TrialState = TrialState.SUCCEEDED, **values: Any
) -> TrialRecord:
    return made_trial(number, parameters={**VALUES, **values}, value=value, state=state)


def axis_of(name: str) -> Axis:
    facts = parallel_coordinates(made_record([trial(0), trial(1, 0.4, **OTHERS)], space=SPACE))
    axis = facts.axis(name)
    assert axis is not None
    return axis


def test_every_parameter_that_varies_is_an_axis_and_the_objective_the_last() -> None:
    facts = parallel_coordinates(made_record([trial(0), trial(1, 0.4, **OTHERS)], space=SPACE))
    names = ["rate", "share", "stepped", "units", "layers", "batch", "loss"]
    assert [axis.name for axis in facts.axes] == [*names, OBJECTIVE]
    assert facts.varying == tuple(names)
    assert facts.constants == (("only", "one"), ("epochs", 30))
    assert facts.trials == (0, 1)
    assert facts.positions.shape == (8, 2)
    assert np.allclose(facts.positions[:, 0], [-3, 0.35, 3, math.log10(8), 2, 1, 1, 0.3])


@pytest.mark.parametrize(
    ("name", "scale", "ticks"),
    [
        ("rate", AxisScale.LOG, ["1e-5", "1e-4", "1e-3", "0.01", "0.03"]),
        ("share", AxisScale.LINEAR, ["0", "0.2", "0.4", "0.6", "0.7"]),
        ("stepped", AxisScale.STEPS, ["0.01", "0.11", "0.21", "0.31", "0.41", "0.51", "0.61", "0.71", "0.81", "0.91"]),
        ("units", AxisScale.LOG, ["2", "5", "10", "20", "50", "64"]),
        ("layers", AxisScale.STEPS, ["1", "2", "3", "4", "5"]),
        ("batch", AxisScale.STEPS, ["16", "32", "64", "128"]),
        ("loss", AxisScale.STEPS, ["<b>huber</b>", "squared", "absolute"]),
    ],
)
def test_axes_have_the_scale_of_the_search_and_ticks_at_both_ends(
    name: str, scale: AxisScale, ticks: list[str]
) -> None:
    axis = axis_of(name)
    assert axis.scale is scale
    assert [text for _, text in axis.ticks] == ticks
    positions = [position for position, _ in axis.ticks]
    assert (positions[0], positions[-1]) == (axis.low, axis.high)
    assert positions == sorted(positions)


@pytest.mark.parametrize("parameter", [RATE, SHARE, STEPPED, UNITS, LAYERS, BATCH, LOSS])
@given(data=st.data())
def test_a_brush_around_values_lets_exactly_those_pass(parameter: Parameter, data: st.DataObject) -> None:
    axis = axis_of(parameter.name)
    if parameter.kind.is_range():
        value = st.floats(0, 1).map(parameter.at_position)
    else:
        value = st.sampled_from(parameter.choices)
    low, high = sorted(axis.position(data.draw(value)) for _ in range(2))
    margin = 0.0 if axis.scale is not AxisScale.STEPS else 0.25
    brush = [[low - margin, high + margin]]
    trial_filter = axis.filter_of(brush)
    tried = data.draw(value)
    position = axis.position(tried)
    accepted = trial_filter is None or trial_filter.accepts(tried)
    unclear = 0.01 * (axis.high - axis.low)  # rounding to what an eye can see, and the pull of the ends
    if min(abs(position - low), abs(position - high)) > unclear:
        assert accepted == (low <= position <= high)
    if trial_filter is not None:
        # Drawn again, the brush is where it was.
        assert np.allclose(axis.ranges_of(trial_filter), brush, atol=max(unclear, 0.5 if axis.whole else 0))


def test_a_brush_that_touches_an_end_includes_it_and_all_beyond() -> None:
    axis = axis_of("rate")
    length = axis.high - axis.low
    low = axis.filter_of([[axis.low - 0.02 * length, -4.0]])
    assert low == TrialFilter(parameter="rate", ranges=((None, 1e-4),))
    assert low.accepts(1e-5)
    high = axis.filter_of([[-3.0, axis.high - 0.004 * length]])
    assert high == TrialFilter(parameter="rate", ranges=((1e-3, None),))
    assert high.accepts(3e-2)
    assert axis.filter_of([[axis.low, axis.high]]) is None
    assert axis.filter_of([]) is None


def test_several_brushes_on_one_axis_are_one_filter() -> None:
    assert axis_of("share").filter_of([[0.1, 0.2], [0.5, 0.9]]) == TrialFilter(
        parameter="share", ranges=((0.1, 0.2), (0.5, None))
    )
    assert axis_of("batch").filter_of([[-0.25, 0.25], [2.75, 3.25]]) == TrialFilter(
        parameter="batch", choices=(16, 128)
    )
    assert axis_of("layers").filter_of([[0.75, 2.25]]) == TrialFilter(parameter="layers", ranges=((2, 3),))


def test_whole_numbers_are_filtered_by_whole_numbers() -> None:
    axis = axis_of("units")
    assert axis.filter_of([[math.log10(4.4), math.log10(20.3)]]) == TrialFilter(parameter="units", ranges=((5, 20),))
    nothing = axis.filter_of([[math.log10(4.3), math.log10(4.7)]])
    assert nothing is not None
    assert not any(nothing.accepts(units) for units in range(2, 65))


def test_a_filter_beside_the_axis_is_a_brush_of_no_height() -> None:
    share = axis_of("share").ranges_of(TrialFilter(parameter="share", ranges=((3, 4),)))
    assert share == [[0.0, 0.0]]
    steps = axis_of("layers").ranges_of(TrialFilter(parameter="layers", ranges=((2.2, 2.8),)))
    assert steps == [[-0.5, -0.5]]


def test_constants_are_hidden_until_they_vary_or_are_filtered() -> None:
    trials = [trial(0), trial(1, rate=1e-4)]
    facts = parallel_coordinates(made_record(trials, space=SPACE))
    assert [axis.name for axis in facts.axes] == ["rate", OBJECTIVE]
    assert dict(facts.constants)["batch"] == 32
    one = parallel_coordinates(made_record(trials[:1], space=SPACE))
    assert len(one.axes) == 8  # a single trial says nothing about what varies
    filtered = parallel_coordinates(
        made_record(trials, space=SPACE),
        axes=[OBJECTIVE, "no_such", "rate"],
        filters=[TrialFilter(parameter="batch", choices=(64,))],
    )
    assert [axis.name for axis in filtered.axes] == [OBJECTIVE, "rate", "batch"]


def test_what_is_not_drawn_is_counted_by_reason() -> None:
    trials = [
        trial(0),
        trial(1, state=TrialState.PRUNED, **OTHERS),
        trial(2, None, TrialState.FAILED),
        trial(3, None, TrialState.RUNNING),
        trial(4, math.inf),
        trial(5, rate=5.0),
        trial(6, loss="of an older version"),
        made_trial(7, parameters={}, value=0.3),
    ]
    record = made_record(trials, space=SPACE)
    facts = parallel_coordinates(record)
    assert facts.trials == (0,)
    assert facts.not_drawn == {
        "stopped early": 1,
        "failed": 1,
        "not finished": 1,
        "without a finite result": 1,
        "with parameters outside the search space": 3,
    }
    assert np.isfinite(facts.positions).all()
    assert parallel_coordinates(record, include_pruned=True).trials == (0, 1)


@pytest.mark.parametrize("count", [0, 1])
def test_no_and_one_trial_can_be_drawn(count: int) -> None:
    facts = parallel_coordinates(made_record([trial(number) for number in range(count)], space=SPACE))
    figure = parallel_coordinates_figure(facts)
    assert len(figure.data[0].dimensions) == 8
    assert np.isfinite(facts.colours).all()


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_the_best_is_the_strongest_colour(lower_is_better: bool) -> None:
    trials = [trial(number, value, **OTHERS) for number, value in enumerate((0.2, 0.3, 0.25))]
    facts = parallel_coordinates(made_record(trials, space=SPACE), lower_is_better=lower_is_better)
    expected = [1, 0, 0.5] if lower_is_better else [0, 1, 0.5]
    assert np.allclose(facts.colours, expected)
    assert facts.axes[-1].title == f"validation error {'↓' if lower_is_better else '↑'}"


def test_of_very_many_trials_the_best_that_pass_are_in_colour() -> None:
    record = searched_record(120)
    facts = parallel_coordinates(record)
    assert facts.in_colour == MOST_IN_COLOUR == (facts.colours > 0.5).sum()
    assert facts.trials[int(facts.colours.argmax())] == record.best.number
    values = np.array([trial.value for trial in record.trials])
    assert values[facts.colours > 0.5].max() <= values[facts.colours <= 0.5].min()
    (trace,) = parallel_coordinates_figure(facts).data
    assert trace.meta["faint"] == 0.5
    assert trace.line.colorscale[0][1] == trace.line.colorscale[1][1]
    # Under a filter, those that pass share the colours.
    kept = TrialFilter(parameter="batch_size", choices=(16,))
    filtered = parallel_coordinates(record, filters=[kept])
    passing = {trial.number for trial in record.trials if trial.parameters["batch_size"] == 16}
    coloured = {number for number, colour in zip(filtered.trials, filtered.colours, strict=True) if colour > 0.5}
    assert coloured == passing
    assert filtered.in_colour == len(passing)


def test_a_few_outliers_do_not_press_the_rest_together() -> None:
    values = [0.30 + 0.001 * number for number in range(40)] + [5.0, 1e9]
    facts = parallel_coordinates(made_record([trial(n, value) for n, value in enumerate(values)], space=SPACE))
    axis = facts.axes[-1]
    assert axis.high < 0.4
    assert axis.ticks[-1][1].startswith("≥ ")
    assert axis.position(1e9) == axis.high
    assert facts.colours[-1] == 0
    # A brush up to that end holds them too, and so does one up to the best for those yet to come.
    assert axis.filter_of([[0.32, axis.high]]) == TrialFilter(parameter=OBJECTIVE, ranges=((0.32, None),))
    best = axis.filter_of([[axis.low, 0.32]])
    assert best is not None
    assert best.accepts(0.1)


def test_an_objective_over_many_powers_of_ten_is_drawn_on_a_log_scale() -> None:
    values = [10.0**power for power in range(-1, 9)]
    axis = parallel_coordinates(made_record([trial(n, v) for n, v in enumerate(values)], space=SPACE)).axes[-1]
    assert axis.scale is AxisScale.LOG
    assert [text for _, text in axis.ticks][:2] == ["0.1", "10"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_no_objective_is_too_large_or_too_small_to_draw(values: list[float]) -> None:
    facts = parallel_coordinates(
        made_record([trial(number, value) for number, value in enumerate(values)], space=SPACE), axes=[OBJECTIVE]
    )
    (axis,) = facts.axes
    assert -1e31 < axis.low < axis.high < 1e31
    assert np.isfinite(facts.positions.astype(np.float32)).all()
    assert np.isfinite(facts.colours).all()
    positions = [position for position, _ in axis.ticks]
    assert positions == sorted(positions)
    middle = [axis.low + share * (axis.high - axis.low) for share in (0.3, 0.7)]
    assert axis.filter_of([middle]) is not None


def test_default_axes_are_all_or_the_most_important_in_their_order() -> None:
    names = tuple("abcdef")
    assert default_axes(names) == names
    assert default_axes(names, limit=3) == ("a", "b", "c")
    assert default_axes(names, {"f": 0.5, "b": 0.3, "d": 0.1, "a": 0.0}, limit=3) == ("b", "d", "f")
    assert default_axes(names, {"f": 0.5}, limit=2) == ("a", "f")


def test_the_figure_holds_axes_brushes_and_escaped_titles() -> None:
    record = made_record([trial(0), trial(1, 0.4, **OTHERS)], space=SPACE)
    filters = (
        TrialFilter(parameter="batch", choices=(16, 32, 128)),
        TrialFilter(parameter="rate", ranges=((1e-4, 1e-3),)),
    )
    facts = parallel_coordinates(record, filters=filters, objective_title="<i>error</i>")
    figure = parallel_coordinates_figure(facts, filters=filters)
    dimensions = {dimension.name: dimension for dimension in figure.data[0].dimensions}
    assert np.allclose(dimensions["batch"].constraintrange, [[-0.25, 1.25], [2.75, 3.25]])
    assert np.allclose(dimensions["rate"].constraintrange, [[-4, -3]])
    assert dimensions["share"].constraintrange is None
    assert dimensions[OBJECTIVE].label == "&lt;i&gt;error&lt;/i&gt; ↓"
    assert dimensions["loss"].ticktext[0] == "<b>huber</b>"  # tick texts are drawn as they are
    assert figure.data[0].meta == {"better": "high", "continuous": ["rate", "share", "units", OBJECTIVE]}


def test_a_large_experiment_of_29_parameters_shows_a_few() -> None:
    facts = parallel_coordinates(searched_record(1000, preset="tutorial"))
    assert len(facts.varying) == 29
    assert len(facts.axes) == AXES_SHOWN + 1
    assert len(facts.trials) == 1000
    assert max(len(axis.ticks) for axis in facts.axes) <= 12
