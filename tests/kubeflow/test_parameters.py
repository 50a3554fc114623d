"""Hyperparameters on their way to Katib and back."""

from __future__ import annotations

import math
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.parameters import EVEN_VALUES, as_text, from_assignments, to_katib
from gwas_core.tuning.space import MAXIMUM_CHOICES, PRESETS, Parameter, ParameterKind, Scale, SearchSpace
from gwas_core.tuning.suggest import ALGORITHMS

DOUBLE = Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=1e-7, maximum=0.9, scale=Scale.LOG)
STEPPED = Parameter(name="drop", kind=ParameterKind.DOUBLE, minimum=0.01, maximum=0.95, step=0.1)
WITH_ZERO = Parameter(name="drop", kind=ParameterKind.DOUBLE, minimum=0.0, maximum=0.7)
EVEN = Parameter(name="units", kind=ParameterKind.INT, minimum=2, maximum=64, step=2)

numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    """Of every kind and scale."""
    kind = draw(st.sampled_from(list(ParameterKind)))
    name = draw(st.sampled_from(("a", "learning_rate", "_x1")))
    if kind is ParameterKind.CATEGORICAL:
        text = st.text("abcXYZ019_@%+:,./-", min_size=1, max_size=8)
        return Parameter(name=name, kind=kind, choices=draw(st.lists(text, min_size=1, max_size=6, unique=True)))
    if kind is ParameterKind.DISCRETE:
        values = st.one_of(st.integers(-1000, 1000), numbers)
        choices = draw(st.lists(values, min_size=1, max_size=6, unique_by=float))
        return Parameter(name=name, kind=kind, choices=tuple(choices))
    if draw(st.booleans()):
        low = draw(st.floats(min_value=1e-9, max_value=10.0))
        high = low * draw(st.floats(min_value=2.0, max_value=1e6))
        if kind is ParameterKind.DOUBLE:
            return Parameter(name=name, kind=kind, minimum=low, maximum=high, scale=Scale.LOG)
        return Parameter(name=name, kind=kind, minimum=1 + int(low), maximum=3 + int(high), scale=Scale.LOG)
    if kind is ParameterKind.INT:
        low = draw(st.integers(-1000, 1000))
        return Parameter(
            name=name, kind=kind, minimum=low, maximum=low + draw(st.integers(5, 400)), step=draw(st.integers(1, 5))
        )
    low = draw(st.integers(-1000, 1000)) / 100
    width = draw(st.integers(10, 500)) / 100
    step = draw(st.sampled_from((None, 0.1, 0.05, 0.01)))
    return Parameter(name=name, kind=kind, minimum=low, maximum=round(low + width, 2), step=step)


def some_values(parameter: Parameter) -> list[object]:
    if parameter.size is not None:
        return [parameter.at(index) for index in range(0, parameter.size, max(1, parameter.size // 50))]
    return [parameter.at_position(index / 10) for index in range(11)]


@given(parameters())
def test_every_value_comes_back_as_it_was(parameter: Parameter) -> None:
    space = SearchSpace((parameter,))
    for value in some_values(parameter):
        back = from_assignments(space, {parameter.name: as_text(value)})[parameter.name]
        assert back == value
        assert type(back) is type(value)


@given(parameters(), st.sampled_from(ALGORITHMS))
def test_everything_katib_can_suggest_is_in_the_space_and_shell_safe(parameter: Parameter, algorithm: str) -> None:
    space = SearchSpace((parameter,))
    if algorithm == "grid" and (parameter.size is None or parameter.size > MAXIMUM_CHOICES):
        with pytest.raises(SettingsError, match="larger step"):
            to_katib(parameter, algorithm=algorithm)
        return
    feasible = to_katib(parameter, algorithm=algorithm).feasible_space
    texts = feasible.list or [feasible.min, feasible.max]
    for text in texts:
        assert shlex.split(f"--set={parameter.name}={text}") == [f"--set={parameter.name}={text}"]
        from_assignments(space, {parameter.name: text})


@pytest.mark.parametrize(
    ("parameter", "algorithm", "kind", "space"),
    [
        (DOUBLE, "bayesianoptimization", "double", {"min": "1e-07", "max": "0.9", "distribution": "logUniform"}),
        (EVEN, "sobol", "int", {"min": "2", "max": "64", "step": "2", "distribution": "uniform"}),
        (STEPPED, "cmaes", "double", {"min": "0.01", "max": "0.91", "step": "0.1", "distribution": "uniform"}),
        (WITH_ZERO, "random", "double", {"min": "0.0", "max": "0.7", "distribution": "uniform"}),
    ],
)
def test_ranges(parameter: Parameter, algorithm: str, kind: str, space: dict[str, str]) -> None:
    made = to_katib(parameter, algorithm=algorithm).to_dict()
    assert made == {"name": parameter.name, "parameterType": kind, "feasibleSpace": space}


@pytest.mark.parametrize("algorithm", ["bayesianoptimization", "random", "tpe", "multivariate-tpe", "grid"])
def test_steps_that_katib_would_ignore_become_lists(algorithm: str) -> None:
    made = to_katib(STEPPED, algorithm=algorithm).to_dict()
    assert made["parameterType"] == "discrete"
    assert made["feasibleSpace"] == {
        "list": ["0.01", "0.11", "0.21", "0.31", "0.41", "0.51", "0.61", "0.71", "0.81", "0.91"]
    }


def test_zero_under_bayesian_search_becomes_a_list() -> None:
    values = to_katib(WITH_ZERO, algorithm="bayesianoptimization").feasible_space.list
    assert len(values) == EVEN_VALUES
    assert (values[0], values[2], values[-1]) == ("0.0", "0.07", "0.7")
    assert max(map(len, values)) <= 5


def test_more_values_than_a_list_takes() -> None:
    fine = Parameter(name="fine", kind=ParameterKind.DOUBLE, minimum=0, maximum=1, step=0.0001)
    with pytest.raises(SettingsError, match="10,001 values") as refusal:
        to_katib(fine, algorithm="bayesianoptimization")
    assert refusal.value.field == "fine.step"
    assert to_katib(fine, algorithm="sobol").feasible_space.step == "0.0001"


@pytest.mark.parametrize("choice", ["a b", "$(id)", "a;b", "'", '"', "a|b", "*", "a=b&c", "~", "größe", "\\", "=x"])
def test_refuses_what_a_shell_would_change(choice: str) -> None:
    parameter = Parameter(name="kind", kind=ParameterKind.CATEGORICAL, choices=("good", choice))
    with pytest.raises(SettingsError, match="shell unquoted") as refusal:
        to_katib(parameter, algorithm="random")
    assert refusal.value.field == "kind.choices"


def test_the_rounding_of_a_log_scale_is_forgiven_and_nothing_more() -> None:
    space = SearchSpace((DOUBLE,), {"epochs": 3})
    below = math.nextafter(1e-7, 0)
    assert from_assignments(space, {"rate": repr(below)}) == {"rate": 1e-7, "epochs": 3}
    for value in ("9.9e-08", "0.91", "nan", "", "one"):
        with pytest.raises(SettingsError, match="rate"):
            from_assignments(space, {"rate": value})
    with pytest.raises(SettingsError, match="rate has no value"):
        from_assignments(space, {})
    with pytest.raises(SettingsError, match="not in the search space"):
        from_assignments(space, {"rate": "0.1", "other": "1"})


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("algorithm", ["bayesianoptimization", "random", "tpe", "multivariate-tpe", "cmaes", "sobol"])
def test_presets_travel(preset: str, algorithm: str) -> None:
    space = SearchSpace.preset(preset)
    made = [to_katib(parameter, algorithm=algorithm) for parameter in space.parameters]
    assert [entry.name for entry in made] == list(space.names)
    assert space.defaults is not None
    texts = {name: as_text(value) for name, value in space.defaults.items()}
    assert from_assignments(space, texts) == {**space.defaults, **space.fixed}
