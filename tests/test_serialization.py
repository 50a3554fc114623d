"""Records to and from JSON values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import GwasError, InputError, SettingsError
from gwas_core.serialization import CustomForm, from_json_values, to_json_values


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    number: int
    colour: Colour = Colour.RED

    def __post_init__(self) -> None:
        if self.number < 0:
            raise SettingsError(f"number must not be negative, but is {self.number}", field="inner.number")
        if self.number > 1000:
            raise InputError(f"number is too large: {self.number}")


@dataclass(frozen=True)
class Pair(CustomForm):
    left: int
    right: int

    def to_dict(self) -> dict[str, Any]:
        return {"both": f"{self.left}-{self.right}"}

    @classmethod
    def from_dict(cls, values: Any) -> Pair:
        try:
            left, right = values["both"].split("-")
            return cls(int(left), int(right))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise SettingsError(f"this is no pair: {error}", field="both") from error


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner
    fraction: float = 0.5
    whole: tuple[int, ...] = ()
    mixed: str | int | float = 1
    option: Literal["on", "off"] = "on"
    maybe: Inner | None = None
    anything: Mapping[str, Any] = field(default_factory=dict)
    numbered: Mapping[int, Inner] = field(default_factory=dict)
    flag: bool = False
    pair: Pair | None = None


FULL = Outer(
    inner=Inner(number=1, colour=Colour.BLUE),
    fraction=0.25,
    whole=(3, 4),
    mixed="1",
    option="off",
    maybe=Inner(number=2),
    anything={"a": [1, None, {"b": "c"}]},
    numbered={32: Inner(number=5)},
    flag=True,
    pair=Pair(7, 8),
)


def test_a_record_survives_json() -> None:
    values = to_json_values(FULL)
    assert values == {
        "inner": {"number": 1, "colour": "blue"},
        "fraction": 0.25,
        "whole": [3, 4],
        "mixed": "1",
        "option": "off",
        "maybe": {"number": 2, "colour": "red"},
        "anything": {"a": [1, None, {"b": "c"}]},
        "numbered": {"32": {"number": 5, "colour": "red"}},
        "flag": True,
        "pair": {"both": "7-8"},
    }
    assert from_json_values(Outer, json.loads(json.dumps(values)), name="outer") == FULL
    assert from_json_values(Outer, {"inner": {"number": 1}}, name="outer") == Outer(inner=Inner(number=1))


def test_a_list_is_written_like_a_tuple() -> None:
    record = Outer(inner=Inner(number=1), whole=[3, 4], fraction=1)  # type: ignore[arg-type]
    values = to_json_values(record)
    assert (values["whole"], values["fraction"]) == ([3, 4], 1.0)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"inner": {}}, "inner.number", "outer.inner needs number"),
        ({"inner": {"number": 1, "more": 2}}, "inner.more", "outer.inner has no entry 'more'"),
        ({"surprise": 1}, "surprise", "outer has no entry 'surprise'"),
        ({"inner": {"number": 1.5}}, "inner.number", "inner.number must be a whole number, not 1.5"),
        ({"inner": {"number": True}}, "inner.number", "inner.number must be a whole number, not True"),
        ({"inner": {"number": "1"}}, "inner.number", "inner.number must be a whole number, not '1'"),
        (
            {"inner": {"number": 1, "colour": "green"}},
            "inner.colour",
            "inner.colour must be one of red or blue, not 'green'",
        ),
        ({"inner": []}, "inner", "inner must be named entries, not []"),
        ({"fraction": "0.5"}, "fraction", "fraction must be a number, not '0.5'"),
        ({"whole": [1, "2"]}, "whole.1", "whole.1 must be a whole number, not '2'"),
        ({"whole": 3}, "whole", "whole must be a list, not 3"),
        ({"mixed": None}, "mixed", "mixed must be text, not None"),
        ({"option": "maybe"}, "option", "option must be one of on or off, not 'maybe'"),
        ({"anything": 3}, "anything", "anything must be named entries, not 3"),
        ({"numbered": {"x": {"number": 1}}}, "numbered.x", "numbered.x must be a whole number, not 'x'"),
        ({"flag": 1}, "flag", "flag must be true or false, not 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_location(changes: dict[str, Any], field: str, sentence: str) -> None:
    values = to_json_values(FULL) | changes
    with pytest.raises(SettingsError) as refusal:
        from_json_values(Outer, values, name="outer")
    assert (refusal.value.field, str(refusal.value)) == (field, sentence)
    with pytest.raises(InputError) as damage:
        from_json_values(Outer, values, name="outer", error=InputError)
    assert str(damage.value) == (sentence if sentence.startswith("outer") else f"outer: {sentence}")


def test_what_the_record_itself_refuses_arrives_unchanged() -> None:
    for error in (SettingsError, InputError):
        with pytest.raises(SettingsError, match=r"^number must not be negative, but is -1$") as refusal:
            from_json_values(Outer, {"inner": {"number": -1}}, name="outer", error=error)
        assert refusal.value.field == "inner.number"
        with pytest.raises(InputError, match=r"^number is too large: 2000$"):
            from_json_values(Outer, {"inner": {"number": 2000}}, name="outer", error=error)
    with pytest.raises(SettingsError, match="this is no pair") as refusal:
        from_json_values(Outer, {"inner": {"number": 1}, "pair": 5}, name="outer")
    assert refusal.value.field == "both"


def test_where_the_values_stand_is_part_of_the_location() -> None:
    with pytest.raises(SettingsError) as refusal:
        from_json_values(Inner, {"number": "x"}, name="entry", field="rows.3")
    assert (refusal.value.field, str(refusal.value)) == (
        "rows.3.number",
        "rows.3.number must be a whole number, not 'x'",
    )
    with pytest.raises(SettingsError, match="entry must be named entries") as refusal:
        from_json_values(Inner, None, name="entry")
    assert refusal.value.field == "entry"


def test_unknown_entries_can_be_left_out() -> None:
    values = {"inner": {"number": 1, "later": 2}, "later": 3}
    assert from_json_values(Outer, values, name="outer", ignore_unknown=True) == Outer(inner=Inner(number=1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["inner", "number", "whole", "mixed", "a"]) | st.integers(), inner)
        ),
        max_leaves=6,
    )
)
def test_any_value_is_refused_in_words_or_fits(value: Any) -> None:
    for values in (value, {"inner": value}, {"inner": {"number": 1}, "numbered": value, "mixed": value}):
        refusal = ""
        try:
            record = from_json_values(Outer, values, name="outer")
        except GwasError as error:
            refusal = str(error)
            record = FULL
        assert len(refusal) < 300
        assert "\n" not in refusal
        assert from_json_values(Outer, to_json_values(record), name="outer") == record


@pytest.mark.parametrize("value", [10**5000, {1, 2}, object(), "\ud800", {"a": float("nan")}], ids=range(5))
def test_what_json_cannot_express_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError) as refusal:
        from_json_values(Outer, {"inner": {"number": value}}, name="outer")
    assert len(str(refusal.value)) < 200


def test_importing_costs_no_pydantic() -> None:
    code = "import sys, gwas_core.serialization, gwas_core.tuning.experiment; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
