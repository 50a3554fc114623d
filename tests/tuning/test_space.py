"""Search spaces: what is refused, what is allowed, what survives being written and read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from keyword import iskeyword
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gwas_core.errors import GwasError, InputError, SettingsError
from gwas_core.model.networks import parse_network
from gwas_core.tuning.space import (
    MAXIMUM_FILE_BYTES,
    PRESETS,
    Parameter,
    ParameterKind,
    Scale,
    SearchSpace,
)

RATE = {"name": "rate", "kind": "double", "minimum": 0.001, "maximum": 0.1}
UNITS = {"name": "units", "kind": "int", "minimum": 1, "maximum": 20}
SIZES = {"name": "sizes", "kind": "discrete", "choices": [8, 16, 32]}
LOSS = {"name": "loss", "kind": "categorical", "choices": ["huber", "mse"]}


def parameter(**changes: Any) -> Parameter:
    base = {"units": UNITS, "sizes": SIZES, "loss": LOSS}.get(changes.pop("of", ""), RATE)
    return Parameter(**{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "2fast"}, "name"),
        ({"name": "a-b"}, "name"),
        ({"name": "lambda"}, "name"),
        ({"name": "é"}, "name"),
        ({"name": "a" * 61}, "name"),
        ({"name": 7}, "name"),
        ({"kind": "float"}, "rate.kind"),
        ({"scale": "cubic"}, "rate.scale"),
        ({"minimum": None}, "rate.minimum"),
        ({"maximum": None}, "rate.maximum"),
        ({"minimum": 0.1}, "rate.minimum"),
        ({"minimum": 0.2}, "rate.minimum"),
        ({"minimum": math.nan}, "rate.minimum"),
        ({"maximum": math.inf}, "rate.maximum"),
        ({"minimum": "abc"}, "rate.minimum"),
        ({"minimum": True}, "rate.minimum"),
        ({"minimum": [1]}, "rate.minimum"),
        ({"minimum": 10**400}, "rate.minimum"),
        ({"minimum": -1.7e308, "maximum": 1.7e308}, "rate.maximum"),
        ({"minimum": 1.0, "maximum": math.nextafter(1.0, 2.0)}, "rate.maximum"),
        ({"minimum": 0.0, "scale": "log"}, "rate.minimum"),
        ({"minimum": -0.5, "scale": "log"}, "rate.minimum"),
        ({"step": 0.0}, "rate.step"),
        ({"step": -0.01}, "rate.step"),
        ({"step": 0.2}, "rate.step"),
        ({"step": math.nan}, "rate.step"),
        ({"step": 1e-12}, "rate.step"),
        ({"minimum": 1, "maximum": 2, "step": 2 / 3}, "rate.step"),
        ({"step": 0.01, "scale": "log"}, "rate.step"),
        ({"choices": (1, 2)}, "rate.choices"),
        ({"default": 0.5}, "rate.default"),
        ({"default": math.nan}, "rate.default"),
        ({"default": "high"}, "rate.default"),
        ({"of": "units", "minimum": 0.5}, "units.minimum"),
        ({"of": "units", "maximum": 20.5}, "units.maximum"),
        ({"of": "units", "step": 1.5}, "units.step"),
        ({"of": "units", "step": 20}, "units.step"),
        ({"of": "units", "default": 3.5}, "units.default"),
        ({"of": "units", "default": 21}, "units.default"),
        ({"of": "units", "maximum": 2**53 + 2}, "units.maximum"),
        ({"of": "sizes", "choices": ()}, "sizes.choices"),
        ({"of": "sizes", "choices": (8, 8.0)}, "sizes.choices"),
        ({"of": "sizes", "choices": (8, math.inf)}, "sizes.choices"),
        ({"of": "sizes", "choices": (8, "many")}, "sizes.choices"),
        ({"of": "sizes", "choices": (8, True)}, "sizes.choices"),
        ({"of": "sizes", "choices": 8}, "sizes.choices"),
        ({"of": "sizes", "choices": range(1001)}, "sizes.choices"),
        ({"of": "sizes", "minimum": 1}, "sizes.minimum"),
        ({"of": "sizes", "step": 1}, "sizes.step"),
        ({"of": "sizes", "scale": "log"}, "sizes.scale"),
        ({"of": "sizes", "default": 9}, "sizes.default"),
        ({"of": "loss", "choices": ()}, "loss.choices"),
        ({"of": "loss", "choices": "huber"}, "loss.choices"),
        ({"of": "loss", "choices": ("mse", "mse")}, "loss.choices"),
        ({"of": "loss", "choices": ("mse", "")}, "loss.choices"),
        ({"of": "loss", "choices": ("mse", "\x1b[31m")}, "loss.choices"),
        ({"of": "loss", "choices": ("mse", "x" * 201)}, "loss.choices"),
        ({"of": "loss", "choices": (True, False)}, "loss.choices"),
        ({"of": "loss", "default": "mae"}, "loss.default"),
        ({"of": "loss", "default": 1}, "loss.default"),
    ],
)
def test_bad_parameters_are_refused_beside_their_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        parameter(**changes)
    assert refusal.value.field == field
    assert "\n" not in str(refusal.value)
    assert "\x1b" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_values_take_the_type_of_their_kind() -> None:
    assert isinstance(parameter(minimum=0, maximum=1).minimum, float)
    units = parameter(of="units", minimum=1.0, maximum="20", default="3")
    assert (units.minimum, units.maximum, units.default) == (1, 20, 3)
    assert all(isinstance(value, int) for value in (units.minimum, units.maximum, units.default))
    assert parameter(of="sizes", choices=[32, "8", 16]).choices == (8, 16, 32)
    assert parameter(of="sizes", choices=[1, 0.5]).choices == (0.5, 1.0)
    assert parameter().kind is ParameterKind.DOUBLE
    assert parameter(scale="log").scale is Scale.LOG


def test_steps_count_from_the_minimum_in_decimals() -> None:
    dropout = parameter(minimum=0.01, maximum=0.95, step=0.1, default=0.151)
    assert [dropout.at(index) for index in range(10)] == [0.01, 0.11, 0.21, 0.31, 0.41, 0.51, 0.61, 0.71, 0.81, 0.91]
    assert dropout.size == 10
    assert dropout.last == 0.91
    assert dropout.default == 0.151
    assert dropout.nearest(0.151) == 0.11
    assert dropout.nearest(2) == 0.91
    assert dropout.check(0.01 + 3 * 0.1) == 0.31
    with pytest.raises(SettingsError, match=r"nearest such value is 0\.11"):
        dropout.check(0.151)
    with pytest.raises(IndexError):
        dropout.at(10)
    assert parameter(minimum=0.0, maximum=0.3, step=0.1).last == 0.3  # 0.3 / 0.1 is 2.9999999999999996
    assert parameter(of="units", minimum=1, maximum=20, step=4).last == 17


@pytest.mark.parametrize(
    ("changes", "value", "expected"),
    [
        ({}, "0.05", 0.05),
        ({}, 0.001, 0.001),
        ({"minimum": 0, "maximum": 1}, 1, 1.0),
        ({"of": "units"}, "7", 7),
        ({"of": "units"}, 7.0, 7),
        ({"of": "sizes"}, "16", 16),
        ({"of": "sizes", "choices": (0.5, 1.0)}, 1, 1.0),
        ({"of": "loss"}, "mse", "mse"),
    ],
)
def test_check_takes_what_the_search_could_suggest(changes: dict[str, Any], value: Any, expected: Any) -> None:
    checked = parameter(**changes).check(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("changes", "value"),
    [({}, 0.2), ({}, "much"), ({}, None), ({"of": "units"}, 2.5), ({"of": "sizes"}, 9), ({"of": "loss"}, "mae")],
)
def test_check_refuses_what_it_could_not(changes: dict[str, Any], value: Any) -> None:
    chosen = parameter(**changes)
    with pytest.raises(SettingsError) as refusal:
        chosen.check(value)
    assert refusal.value.field == chosen.name


def test_a_space_refuses_what_does_not_go_together() -> None:
    for parameters, fixed, field in (
        ([], {}, "parameters"),
        ([parameter(name=f"p{number}") for number in range(101)], {}, "parameters"),
        ([parameter(), parameter()], {}, "rate.name"),
        ([parameter()], {"rate": 0.1}, "fixed.rate"),
        ([parameter()], {"not a name": 0.1}, "fixed"),
        ([parameter()], {"epochs": math.nan}, "fixed.epochs"),
        ([parameter()], {"epochs": [1]}, "fixed.epochs"),
        ([parameter()], {"epochs": None}, "fixed.epochs"),
        ([parameter()], {f"p{number}": 1 for number in range(101)}, "fixed"),
    ):
        with pytest.raises(SettingsError) as refusal:
            SearchSpace(tuple(parameters), fixed)
        assert refusal.value.field == field
    assert len(SearchSpace(tuple(parameter(name=f"p{number}") for number in range(100))).names) == 100


def test_check_makes_a_complete_assignment() -> None:
    space = SearchSpace((parameter(), parameter(of="units")), {"network": "hybrid"})
    complete = space.check({"units": "3", "rate": "0.01"})
    assert complete == {"rate": 0.01, "units": 3, "network": "hybrid"}
    assert list(complete) == ["rate", "units", "network"]
    assert space.check(complete) == complete
    for values, field in (
        ({"rate": 0.01}, "units"),
        ({"rate": 0.01, "units": 3, "depth": 1}, "depth"),
        ({"rate": 0.01, "units": 3, "network": "tutorial"}, "network"),
    ):
        with pytest.raises(SettingsError) as refusal:
            space.check(values)
        assert refusal.value.field == field


def test_defaults_are_allowed_values_or_absent() -> None:
    stepped = parameter(step=0.01, default=0.05)
    assert SearchSpace((stepped, parameter(of="units", default=3))).defaults == {"rate": 0.051, "units": 3}
    assert SearchSpace((stepped, parameter(of="units"))).defaults is None


def test_sizes_multiply() -> None:
    finite = (parameter(step=0.033), parameter(of="units"), parameter(of="sizes"), parameter(of="loss"))
    assert SearchSpace(finite).size == 4 * 20 * 3 * 2
    assert SearchSpace((*finite, parameter(name="other"))).size is None


# Round trips and numbering, for any space there is.

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(lambda name: not iskeyword(name))
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e12, max_value=1e12)
texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Parameter:
    kind = draw(st.sampled_from(ParameterKind))
    values: dict[str, Any] = {"name": name, "kind": kind}
    if kind is ParameterKind.CATEGORICAL:
        values["choices"] = tuple(draw(st.lists(texts, min_size=1, max_size=6, unique=True)))
        values["default"] = draw(st.none() | st.sampled_from(values["choices"]))
    elif kind is ParameterKind.DISCRETE:
        values["choices"] = tuple(draw(st.lists(numbers, min_size=1, max_size=6, unique=True)))
        values["default"] = draw(st.none() | st.sampled_from(values["choices"]))
    elif kind is ParameterKind.INT:
        values["minimum"] = draw(st.integers(-(10**6), 10**6))
        values["maximum"] = values["minimum"] + draw(st.integers(1, 10**5))
        values["default"] = draw(st.none() | st.integers(values["minimum"], values["maximum"]))
    else:
        minimum = draw(numbers)
        values["minimum"], values["maximum"] = minimum, minimum + max(abs(minimum), 1e-300) * draw(st.floats(1e-6, 1e6))
        values["default"] = draw(st.none() | st.floats(values["minimum"], values["maximum"]))
    if kind.is_range():
        way = draw(st.sampled_from(["plain", "step", "log"]))
        if way == "step" and kind is ParameterKind.DOUBLE:  # on a grid, ends have few digits
            values["minimum"] = draw(st.integers(-1000, 1000)) / 1000
            values["maximum"] = values["minimum"] + draw(st.integers(1, 10**6)) / 1000
            values["default"] = values["minimum"]
        width = values["maximum"] - values["minimum"]
        if way == "step":
            steps = draw(st.integers(1, 1000))
            values["step"] = (
                max(1, width // steps) if kind is ParameterKind.INT else float(f"{width / (steps + 0.5):.3g}")
            )
        elif way == "log" and values["minimum"] > 0:
            values["scale"] = "log"
    return Parameter(**values)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    chosen = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    fixed_values = st.booleans() | st.integers(-(2**40), 2**40) | numbers | texts
    fixed = {f"{name}_fixed": draw(fixed_values) for name in chosen[: draw(st.integers(0, 2))]}
    taken = [name for name in chosen if name not in fixed]
    return SearchSpace(tuple(draw(parameters(name)) for name in taken), fixed)


@settings(deadline=None)  # the machine may be busy
@given(spaces())
def test_round_trip(space: SearchSpace) -> None:
    assert SearchSpace.from_dict(space.to_dict()) == space
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict(), allow_nan=False))) == space
    assert SearchSpace.from_dict(yaml.safe_load(yaml.safe_dump(space.to_dict()))) == space


@pytest.mark.parametrize("name", ["space.json", "space.yaml", "space.YML"])
def test_files_round_trip(tmp_path: Path, name: str) -> None:
    for preset in PRESETS:
        space = SearchSpace.preset(preset)
        space.save(tmp_path / name)
        assert SearchSpace.load(tmp_path / name) == space


@settings(deadline=None)  # the machine may be busy
@given(spaces(), st.floats(0, 1), st.integers(0, 2**31))
def test_every_reachable_value_is_allowed_and_optuna_agrees(space: SearchSpace, position: float, seed: int) -> None:
    for chosen in space.parameters:
        distribution = chosen.to_distribution()
        values = []
        if chosen.size is not None:
            index = seed % chosen.size
            values += [chosen.at(0), chosen.at(index), chosen.at(chosen.size - 1)]
            assert chosen.index(chosen.at(index)) == index
        if chosen.kind.is_range():
            values += [chosen.at_position(0.0), chosen.at_position(position), chosen.at_position(1.0)]
            assert chosen.at_position(0.0) == chosen.minimum
            assert chosen.at_position(1.0) == chosen.last
            assert 0 <= chosen.position(chosen.at_position(position)) <= 1
        for value in values:
            assert chosen.check(value) == value
            assert chosen.nearest(value) == value
            assert distribution._contains(distribution.to_internal_repr(value))


@settings(deadline=None)  # the machine may be busy
@given(st.floats(1e-12, 1e12), st.floats(1.001, 1e12), st.floats(0, 1))
def test_log_positions_are_even_in_the_logarithm(minimum: float, ratio: float, position: float) -> None:
    chosen = parameter(minimum=minimum, maximum=minimum * ratio, scale="log")
    value = float(chosen.at_position(position))
    assert math.log(value / minimum) == pytest.approx(position * math.log(ratio), rel=1e-6, abs=1e-9)
    assert chosen.position(value) == pytest.approx(position, abs=1e-6)


# Input from anywhere.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=20,
)
parameter_like = st.fixed_dictionaries(
    {},
    optional={
        "name": json_values | names,
        "kind": json_values | st.sampled_from(["double", "int", "discrete", "categorical"]),
        "minimum": json_values | numbers,
        "maximum": json_values | numbers,
        "step": json_values | numbers,
        "choices": json_values | st.lists(numbers | texts),
        "scale": json_values | st.sampled_from(["uniform", "log"]),
        "default": json_values | numbers,
        "unknown": json_values,
    },
)
space_like = json_values | st.fixed_dictionaries(
    {"parameters": st.lists(parameter_like, max_size=3) | json_values},
    optional={"fixed": json_values, "format": json_values, "x": json_values},
)


@settings(deadline=None)  # the machine may be busy
@given(space_like)
def test_anything_is_a_space_or_a_refusal(values: Any) -> None:
    refusal = None
    try:
        space = SearchSpace.from_dict(values)
    except SettingsError as error:
        refusal = error
    if refusal is None:
        assert SearchSpace.from_dict(space.to_dict()) == space
    else:
        assert refusal.field
        assert len(str(refusal)) < 500
        assert str(refusal).isprintable()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "space"),
        ({"parameter": []}, "space"),
        ({"format": 2, "parameters": [RATE]}, "format"),
        ({}, "parameters"),
        ({"parameters": {"rate": RATE}}, "parameters"),
        ({"parameters": [RATE] * 101}, "parameters"),
        ({"parameters": [7]}, "parameters[0]"),
        ({"parameters": [RATE, {"kind": "int"}]}, "parameters[1].name"),
        ({"parameters": [RATE, {"name": "x\n"}]}, "parameters[1].name"),
        ({"parameters": [{"name": "x"}]}, "x.kind"),
        ({"parameters": [{**RATE, "min": 1}]}, "rate"),
        ({"parameters": [{**LOSS, "choices": {"a": 1}}]}, "loss.choices"),
        ({"parameters": [RATE], "fixed": [1]}, "fixed"),
    ],
)
def test_dictionaries_of_the_wrong_shape_are_refused(values: Any, field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        SearchSpace.from_dict(values)
    assert refusal.value.field == field


def test_yaml_that_means_something_else_than_it_says_is_explained() -> None:
    text = "parameters:\n- {name: rate, kind: double, minimum: 1e-7, maximum: 0.9}\n"
    assert SearchSpace.from_dict(yaml.safe_load(text)).parameters[0].minimum == 1e-7  # a text, in YAML
    with pytest.raises(SettingsError, match="quotes") as refusal:
        SearchSpace.from_dict(yaml.safe_load("parameters:\n- {name: gate, kind: categorical, choices: [on, off]}\n"))
    assert refusal.value.field == "gate.choices"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("space.yaml", b""),
        ("space.yaml", b"\x1f\x8b\x08\x00binary\x00\xff"),
        ("space.yaml", "parameters: []".encode("utf-16")),
        ("space.yaml", b"parameters: [\n"),
        ("space.yaml", b"!!python/object/apply:os.system ['true']"),
        ("space.yaml", BOMB.encode() + b"parameters: *i\n"),
        ("space.yaml", BOMB.encode() + b"parameters: [*i]\n"),
        ("space.yaml", BOMB.encode() + b"parameters: [{name: x, kind: *i}]\n"),
        ("space.yaml", BOMB.encode() + b"parameters: [{name: x, kind: discrete, choices: *i}]\n"),
        ("space.yaml", b"a: &a [*a]\nparameters: *a\n"),
        ("space.yaml", b"[" * 5000),
        ("space.yaml", b"parameters: [{name: x, kind: int, minimum: 1, maximum: " + b"9" * 5000 + b"}]"),
        ("space.yaml", b"parameters: [{name: x, kind: int, minimum: 1, maximum: 0x" + b"f" * 9000 + b"}]"),
        ("space.yaml", b"parameters: [{name: x, kind: 0x" + b"f" * 9000 + b"}]"),
        ("space.yaml", b"parameters: [{name: x, kind: discrete, choices: [2020-13-45]}]"),
        ("space.json", b"{"),
        ("space.json", b"[" * 100_000),
        ("space.json", b'{"parameters": [{"name": "x", "kind": "double", "minimum": NaN, "maximum": 1}]}'),
        (
            "space.json",
            b'{"parameters": [{"name": "x", "kind": "int", "minimum": ' + b"9" * 5000 + b', "maximum": 1}]}',
        ),
        ("space.json", b" " * (MAXIMUM_FILE_BYTES + 1)),
        ("space.txt", b"parameters: []"),
    ],
)
def test_hostile_files_are_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GwasError) as refusal:
        SearchSpace.load(tmp_path / name)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    for name in ("absent.yaml", "folder.yaml"):
        with pytest.raises(InputError, match=name):
            SearchSpace.load(tmp_path / name)
    with pytest.raises(SettingsError, match="neither"):
        SearchSpace.preset("focused").save(tmp_path / "space.toml")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    space = SearchSpace.preset("focused")
    for name, text in (("a.json", json.dumps(space.to_dict())), ("a.yaml", yaml.safe_dump(space.to_dict()))):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert SearchSpace.load(tmp_path / name) == space


# The spaces that come with the project.

PENALTY_DEFAULTS = {  # kernel L1, kernel L2, bias L2, activity L2
    "conv_1": (0.2, 0.6, 0.6, 1e-5),
    "conv_x": (0.3, 0.3, 0.6, 1e-4),
    "dense_x": (0.3, 0.6, 1e-4, 1e-4),
    "dense_out": (0.1, 0.6, 0.6, 1e-5),
}
TUTORIAL_RANGES = {
    "learning_rate": ("double", 0.0001, 0.3, 0.001, 0.001),
    "conv_1_dropout_rate": ("double", 0.01, 0.95, 0.1, 0.5),
    "dropout_rate": ("double", 0.01, 0.95, 0.1, 0.151),
    "num_dense_layers": ("int", 1, 5, None, 3),
    "num_dense_units": ("int", 1, 20, None, 20),
    "final_activation_scale_factor": ("double", 1, 5, None, 3.5),
    "batch_size": ("int", 5, 35, None, 30),
    "epochs": ("int", 1, 15, None, 2),
} | {
    f"{layer}_{penalty}": ("double", 1e-7, 0.9, None, default)
    for layer, defaults in PENALTY_DEFAULTS.items()
    for penalty, default in zip(("kernel_l1", "kernel_l2", "bias_l2", "activity_l2"), defaults, strict=True)
}
ACTIVATIONS = ("elu", "relu", "gelu", "linear")
INITIALIZERS = ("TruncatedNormal", "glorot_uniform", "GlorotNormal", "HeNormal", "random_normal")
TUTORIAL_CHOICES = {
    "conv_activation": (ACTIVATIONS, "elu"),
    "activation": (ACTIVATIONS, "elu"),
    "conv_initializer": (INITIALIZERS, "TruncatedNormal"),
    "dense_initializer": (INITIALIZERS, "GlorotNormal"),
    "loss": (("huber", "mean_squared_error", "mean_absolute_error"), "huber"),
}


def test_the_tutorial_preset_is_the_published_table() -> None:
    space = SearchSpace.preset("tutorial")
    ranges = {
        p.name: (p.kind.value, p.minimum, p.maximum, p.step, p.default) for p in space.parameters if p.kind.is_range()
    }
    choices = {p.name: (p.choices, p.default) for p in space.parameters if not p.kind.is_range()}
    assert ranges == TUTORIAL_RANGES
    assert choices == TUTORIAL_CHOICES
    assert len(space.parameters) == 29
    assert {p.name for p in space.parameters if p.scale is Scale.LOG} == {
        name for name, values in TUTORIAL_RANGES.items() if values[1] == 1e-7
    }


def test_the_focused_preset_is_small_enough_to_search() -> None:
    space = SearchSpace.preset(PRESETS[0])
    assert PRESETS[0] == "focused"
    assert len(space.parameters) <= 10
    assert space.defaults is not None
    # The first trial is the network as it is without any search.
    assert parse_network(space.check(space.defaults)) == parse_network({"network": "hybrid"})


@pytest.mark.parametrize("name", PRESETS)
def test_the_networks_take_every_value_of_the_presets(name: str) -> None:
    space = SearchSpace.preset(name)
    assert space.defaults is not None
    parse_network(space.check(space.defaults))
    for chosen in space.parameters:
        ends = [chosen.minimum, chosen.maximum] if chosen.kind.is_range() else chosen.choices
        for value in ends:
            parse_network({**space.fixed, **space.defaults, chosen.name: value})


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(SettingsError, match="focused, tutorial"):
        SearchSpace.preset("../secret")


def test_spaces_do_without_optuna() -> None:
    code = (
        "import sys; from gwas_core.tuning.space import SearchSpace; SearchSpace.preset('focused');"
        "print([m for m in ('optuna', 'skopt', 'tensorflow') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
