"""Search spaces: parameters with ranges, steps and choices, fixed values, presets, files in YAML or JSON.

Also here: what a parameter may be and the message if it is refused; the allowed value nearest to a number; rounding to
a grid; values by Optuna's distributions; decimals as a person wrote them; the size of a space.

Nothing here imports Optuna at import time: forms, the command line and the Kubeflow
driver use spaces without searching.
"""

from __future__ import annotations

import json
import keyword
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gwas_core.errors import InputError, SettingsError
from gwas_core.files import open_regular_file, write_text
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.serialization import CustomForm, JsonObject

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

PRESETS = ("focused", "tutorial")
"""Names of the spaces that come with the project; the first is the default."""

MAXIMUM_PARAMETERS = 100
MAXIMUM_CHOICES = 1000
MAXIMUM_GRID = 1_000_000
MAXIMUM_NAME_LENGTH = 60
MAXIMUM_TEXT_LENGTH = 200
MAXIMUM_FILE_BYTES = 1_000_000

_LARGEST_EXACT_INTEGER = 2**53  # beyond it a float, and so JSON in a browser, skips integers
_NARROWEST_RANGE = 1e-9  # relative; below it a search sees one point and the scaling to 0..1 loses its digits
_GRID_TOLERANCE = 1e-6  # of a step: what 0.1 + 0.2 style sums may be off by and still mean the grid point
_FORMAT = 1
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER_KEYS = ("name", "kind", "minimum", "maximum", "step", "choices", "scale", "default")


class ParameterKind(StrEnum):
    """Kinds of parameters, as Katib has them."""

    DOUBLE = "double"
    INT = "int"
    DISCRETE = "discrete"
    CATEGORICAL = "categorical"

    def is_range(self) -> bool:
        """Return whether values come from a range (minimum, maximum) rather than from a list of choices."""
        return self in (ParameterKind.DOUBLE, ParameterKind.INT)


class Scale(StrEnum):
    """Scale on which a range is searched: evenly in the value, or evenly in its logarithm."""

    UNIFORM = "uniform"
    LOG = "log"


@dataclass(frozen=True, kw_only=True)
class Parameter(CustomForm):
    """Hyperparameter to search.

    Attributes:
        name: a Python identifier of at most 60 characters.
        kind: ``double`` and ``int`` have a range, ``discrete`` and ``categorical`` a list.
        minimum, maximum: both ends belong to the range.
        step: allowed values are ``minimum + k * step``; the last may lie below ``maximum``. None: every value.
        choices: numbers (kept in ascending order) for ``discrete``, texts for ``categorical``.
        scale: how a range is searched; a step goes only with ``uniform``.
        default: a value inside the range or list, or None. It may lie between two steps, as
            some published ones do; ``nearest`` says which allowed value stands for it.

    Raises:
        SettingsError: with ``field`` such as ``"learning_rate.minimum"``.
    """

    name: str
    kind: ParameterKind
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str | int | float, ...] = ()
    scale: Scale = Scale.UNIFORM
    default: str | int | float | None = None

    def __post_init__(self) -> None:
        _check_name(self.name, field="name")
        self._set("kind", self._member(ParameterKind, self.kind, "kind"))
        self._set("scale", self._member(Scale, self.scale, "scale"))
        if self.kind.is_range():
            self._check_range()
        else:
            self._check_choices()
        if self.default is not None:
            self._set("default", self._within(self.default, field=f"{self.name}.default", what="the default"))

    def _set(self, attribute: str, value: Any) -> None:
        object.__setattr__(self, attribute, value)

    def _member(self, options: type[ParameterKind] | type[Scale], value: Any, attribute: str) -> Any:
        try:
            return options(value)
        except ValueError as error:
            allowed = ", ".join(option.value for option in options)
            raise self._refusal(attribute, f"must be one of {allowed}, not {quoted(value)}") from error

    def _refusal(self, attribute: str, reason: str) -> SettingsError:
        return SettingsError(f"{attribute} of {self.name} {reason}", field=f"{self.name}.{attribute}")

    def _number(self, value: Any, attribute: str) -> int | float:
        whole = self.kind is ParameterKind.INT
        return _number(value, whole=whole, field=f"{self.name}.{attribute}", what=f"{attribute} of {self.name}")

    def _check_range(self) -> None:
        if self.choices:
            raise self._refusal("choices", f"does not go with kind {self.kind}: give minimum and maximum")
        for attribute in ("minimum", "maximum"):
            if getattr(self, attribute) is None:
                raise self._refusal(attribute, "is missing: give a number")
            self._set(attribute, self._number(getattr(self, attribute), attribute))
        minimum, maximum = self.bounds
        if minimum >= maximum:
            raise self._refusal("minimum", f"must be below maximum, but {minimum} is not below {maximum}")
        if not math.isfinite(maximum - minimum) or (
            maximum - minimum <= _NARROWEST_RANGE * max(abs(minimum), abs(maximum))
        ):
            raise self._refusal("maximum", f"must make a range a search can divide; {minimum} to {maximum} is not one")
        if self.scale is Scale.LOG and minimum <= 0:
            raise self._refusal("minimum", f"must be above 0 on a log scale, but is {minimum}; raise it or use uniform")
        if self.step is not None:
            self._check_step(self._number(self.step, "step"))

    def _check_step(self, step: int | float) -> None:
        minimum, maximum = self.bounds
        if step <= 0:
            raise self._refusal("step", f"must be above 0, but is {step}")
        if self.scale is Scale.LOG:
            raise self._refusal("step", "does not go with a log scale: leave the step out or use the uniform scale")
        if step > maximum - minimum and _decimal(step) > _decimal(maximum) - _decimal(minimum):
            raise self._refusal("step", f"must not be larger than the range ({minimum} to {maximum}), but is {step}")
        # An int's step of 1 names every value of the range, so only real grids are bounded.
        if (step != 1 or self.kind is ParameterKind.DOUBLE) and (maximum - minimum) / step >= MAXIMUM_GRID:
            raise self._refusal("step", f"of {step} makes over {MAXIMUM_GRID} values: leave it out or make it larger")
        last = self._grid_point(step, self._steps(step))
        if _decimal(float(last)) != last:
            raise self._refusal(
                "step", f"of {step} has more digits than a grid can be counted in: round it, to {step:.6g} say"
            )
        self._set("step", step)

    def _steps(self, step: int | float) -> int:
        """Return how often a step fits into the range."""
        minimum, maximum = self.bounds
        return int((_decimal(maximum) - _decimal(minimum)) // _decimal(step))

    def _grid_point(self, step: int | float, index: int) -> Decimal:
        # In decimals, as a person would count: 0.01 + 3 * 0.1 is 0.31, not 0.31000000000000005.
        return _decimal(self.bounds[0]) + index * _decimal(step)

    def _check_choices(self) -> None:
        for attribute in ("minimum", "maximum", "step"):
            if getattr(self, attribute) is not None:
                raise self._refusal(attribute, f"does not go with kind {self.kind}: give choices")
        if self.scale is not Scale.UNIFORM:
            raise self._refusal("scale", f"does not go with kind {self.kind}: leave it out")
        if isinstance(self.choices, str | bytes | Mapping) or not isinstance(self.choices, Iterable):
            raise self._refusal("choices", f"must be a list, not {quoted(self.choices)}")
        choices = tuple(self.choices)
        if not choices:
            raise self._refusal("choices", "must hold at least one value, but the list is empty")
        if len(choices) > MAXIMUM_CHOICES:
            raise self._refusal("choices", f"must hold at most {MAXIMUM_CHOICES} values, not {len(choices)}")
        choices = self._texts(choices) if self.kind is ParameterKind.CATEGORICAL else self._numbers(choices)
        if len(set(choices)) < len(choices):
            repeated = next(value for value in choices if choices.count(value) > 1)
            raise self._refusal("choices", f"must not repeat a value, but {quoted(repeated)} comes twice")
        self._set("choices", choices)

    def _texts(self, choices: tuple[Any, ...]) -> tuple[str | int | float, ...]:
        field = f"{self.name}.choices"
        return tuple(_text(value, field=field, what=f"a choice of {self.name}") for value in choices)

    def _numbers(self, choices: tuple[Any, ...]) -> tuple[str | int | float, ...]:
        what, field = f"a choice of {self.name}", f"{self.name}.choices"
        numbers = [float(_number(value, whole=False, field=field, what=what)) for value in choices]
        # All integers or all floats: 1 and 1.0 would otherwise be written differently by different readers.
        if all(
            number.is_integer() and not isinstance(value, float) for number, value in zip(numbers, choices, strict=True)
        ):
            return tuple(sorted(int(value) for value in numbers))
        return tuple(sorted(numbers))

    @property
    def bounds(self) -> tuple[int | float, int | float]:
        """Minimum and maximum of a range as given.

        Raises:
            TypeError: when the parameter has a list instead.
        """
        if self.minimum is None or self.maximum is None:
            raise TypeError(f"{self.name} has choices, not a range")
        return self.minimum, self.maximum

    @cached_property
    def last(self) -> int | float:
        """Largest value that the search can reach: ``maximum``, or the last step at or below it."""
        if self.step is None:
            return self.bounds[1]
        return self._on_grid(self._steps(self.step))

    @cached_property
    def size(self) -> int | None:
        """Number of allowed values; None when there is a value between any two."""
        if not self.kind.is_range():
            return len(self.choices)
        minimum, _ = self.bounds
        if self.kind is ParameterKind.INT and self.step is None:
            return int(self.last - minimum) + 1
        if self.step is None:
            return None
        return round((self.last - minimum) / self.step) + 1

    def at(self, index: int) -> str | int | float:
        """Return the allowed value with a number (0 to ``size`` - 1), in ascending order for numbers.

        Raises:
            IndexError: outside that range, or when the values cannot be numbered.
        """
        if self.size is None or not 0 <= index < self.size:
            raise IndexError(f"{self.name} has no value number {index}")
        return self._on_grid(index) if self.kind.is_range() else self.choices[index]

    def index(self, value: Any) -> int:
        """Return the number of an allowed value, so that ``at(index(value)) == value``.

        Args:
            value: as ``check`` takes it.

        Raises:
            SettingsError: when the value is not allowed.
            IndexError: when the values cannot be numbered.
        """
        if self.size is None:
            raise IndexError(f"the values of {self.name} cannot be numbered")
        checked = self.check(value)
        if not self.kind.is_range():
            return self.choices.index(checked)
        return round((float(checked) - self.bounds[0]) / (self.step or 1))

    def _on_grid(self, index: int) -> int | float:
        if self.kind is ParameterKind.INT:
            return int(self.bounds[0]) + index * int(self.step or 1)
        return float(self._grid_point(self.step or 1, index))

    def check(self, value: Any) -> str | int | float:
        """Return a value that the search could suggest, in this parameter's type; numbers may be text, as in Katib.

        Args:
            value: of any type, from outside.

        Returns:
            Number or text as the search suggests it.

        Raises:
            SettingsError: wrong type, outside the range or list, or between two steps.
        """
        if self.step is not None:
            nearest = self.nearest(value)
            number = self._number(value, "value")
            if abs(number - float(nearest)) <= _GRID_TOLERANCE * self.step:
                return nearest
            checked = self._within(value, field=self.name, what=self.name)
            raise SettingsError(
                f"{self.name} must be {self.minimum} plus a multiple of {self.step}, but is {checked}; "
                f"the nearest such value is {nearest}",
                field=self.name,
            )
        return self._within(value, field=self.name, what=self.name)

    def nearest(self, value: Any) -> str | int | float:
        """Return the allowed value nearest to a number; a text must be one of the choices.

        Args:
            value: a number, also as text. One outside the range counts as the end that is nearer.

        Raises:
            SettingsError: not a number, or not one of the texts.
        """
        if self.kind is ParameterKind.CATEGORICAL:
            return self._within(value, field=self.name, what=self.name)
        number = _number(value, whole=False, field=self.name, what=self.name)
        if self.kind is ParameterKind.DISCRETE:
            return min(self.choices, key=lambda choice: abs(float(choice) - number))
        minimum, _ = self.bounds
        number = min(max(number, minimum), self.last)
        if self.size is None:
            return float(number)
        return self._on_grid(round((number - minimum) / (self.step or 1)))

    def position(self, value: Any) -> float:
        """Return where in its range a value lies: 0 at the minimum, 1 at the maximum, on the scale it is searched on.

        Args:
            value: inside the range; it may lie between two steps.

        Returns:
            From 0 to 1.

        Raises:
            TypeError: when the parameter has a list.
            SettingsError: when the value is not in the range.
        """
        minimum, maximum = self.bounds
        number = float(self._within(value, field=self.name, what=self.name))
        if self.scale is Scale.LOG:
            minimum, maximum, number = math.log(minimum), math.log(maximum), math.log(number)
        return min(max((number - minimum) / (maximum - minimum), 0.0), 1.0)

    def at_position(self, position: float) -> str | int | float:
        """Return the allowed value nearest to a position from 0 to 1; rounding never leaves the range.

        Args:
            position: below 0 counts as 0, above 1 as 1.

        Raises:
            TypeError: when the parameter has a list.
        """
        minimum, maximum = self.bounds
        if not 0 < position < 1:
            # The exponential of a logarithm is not always the number itself.
            return self.nearest(minimum if position <= 0 else maximum)
        if self.scale is Scale.LOG:
            low, high = math.log(minimum), math.log(maximum)
            return self.nearest(math.exp(low + position * (high - low)))
        return self.nearest(minimum + position * (maximum - minimum))

    def _within(self, value: Any, *, field: str, what: str) -> str | int | float:
        """Return a value of the range or list in this parameter's type; steps are not looked at."""
        if self.kind is ParameterKind.CATEGORICAL:
            if value not in self.choices or not isinstance(value, str):
                allowed = ", ".join(quoted(choice) for choice in self.choices[:10])
                raise SettingsError(f"{what} must be one of {allowed}, not {quoted(value)}", field=field)
            return value
        number = _number(value, whole=self.kind is ParameterKind.INT, field=field, what=what)
        if self.kind is ParameterKind.DISCRETE:
            for choice in self.choices:
                if choice == number:
                    return choice
            allowed = ", ".join(quoted(choice) for choice in self.choices[:10])
            raise SettingsError(f"{what} must be one of {allowed}, not {quoted(value)}", field=field)
        minimum, maximum = self.bounds
        if not minimum <= number <= maximum:
            raise SettingsError(f"{what} must lie within {minimum} to {maximum}, but is {number}", field=field)
        return number

    def to_distribution(self) -> BaseDistribution:
        """Return Optuna's distribution with exactly the allowed values of this parameter.

        ``discrete`` becomes categorical: no numeric distribution of Optuna's holds an uneven list
        of numbers, and trials must store the values themselves, not their ranks.
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.kind.is_range():
            return CategoricalDistribution(self.choices)
        # `last`, since Optuna warns about a maximum that is no multiple of the step away.
        low, high, log = self.bounds[0], self.last, self.scale is Scale.LOG
        if self.kind is ParameterKind.INT:
            return IntDistribution(int(low), int(high), log=log, step=int(self.step or 1))
        return FloatDistribution(float(low), float(high), log=log, step=self.step)

    def to_dict(self) -> JsonObject:
        """Return JSON values: only entries that the kind uses, and for a range always its scale."""
        values = {"name": self.name, "kind": self.kind.value}
        optional: JsonObject = {"minimum": self.minimum, "maximum": self.maximum, "step": self.step}
        optional["choices"] = list(self.choices) or None
        optional["scale"] = self.scale.value if self.kind.is_range() else None
        optional["default"] = self.default
        return values | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Any, *, where: str = "parameter") -> Parameter:
        """Return the parameter that untrusted JSON or YAML values describe; numbers may be text.

        Args:
            values: entries by name.
            where: location of the values, for refusals until the parameter's name is known.

        Raises:
            SettingsError: naming the field.
        """
        entries = _mapping(values, where)
        name = entries.get("name")
        _check_name(name, field=f"{where}.name")
        for key in entries:
            if key not in _PARAMETER_KEYS:
                raise SettingsError(
                    f"{name} has an unknown entry {quoted(key)}; known are {', '.join(_PARAMETER_KEYS)}",
                    field=str(name),
                )
        if entries.get("kind") is None:
            raise SettingsError(f"{name} needs a kind: double, int, discrete or categorical", field=f"{name}.kind")
        return cls(**{key: value for key, value in entries.items() if value is not None})


@dataclass(frozen=True)
class SearchSpace(CustomForm):
    """Parameters to search, in order, and the hyperparameters that stay as they are.

    Raises:
        SettingsError: no parameter, more than 100, a name used twice, or an unusable fixed value.
    """

    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, HyperparameterValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        if not self.parameters:
            raise SettingsError("a search space needs at least one parameter to vary", field="parameters")
        if len(self.parameters) > MAXIMUM_PARAMETERS:
            raise SettingsError(
                f"a search space has at most {MAXIMUM_PARAMETERS} parameters, not {len(self.parameters)}",
                field="parameters",
            )
        seen: set[str] = set()
        for name in self.names:
            if name in seen:
                raise SettingsError(f"{name} is there twice: keep one of the two", field=f"{name}.name")
            seen.add(name)
        object.__setattr__(self, "fixed", self._checked_fixed())

    def _checked_fixed(self) -> dict[str, HyperparameterValue]:
        if len(self.fixed) > MAXIMUM_PARAMETERS:
            raise SettingsError(
                f"at most {MAXIMUM_PARAMETERS} values can be fixed, not {len(self.fixed)}", field="fixed"
            )
        checked: dict[str, HyperparameterValue] = {}
        for name, value in self.fixed.items():
            _check_name(name, field="fixed")
            if name in self.names:
                raise SettingsError(
                    f"{name} is both searched and fixed: take it out of one of the two", field=f"fixed.{name}"
                )
            checked[name] = _fixed_value(value, name)
        return checked

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the searched parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def size(self) -> int | None:
        """Number of different points; None when there is no end to them."""
        total = 1
        for parameter in self.parameters:
            if parameter.size is None:
                return None
            total *= parameter.size
        return total

    @property
    def defaults(self) -> dict[str, str | int | float] | None:
        """Point made of all defaults (each the nearest allowed value); None if a parameter has none."""
        values = {
            parameter.name: parameter.nearest(parameter.default)
            for parameter in self.parameters
            if parameter.default is not None
        }
        return values if len(values) == len(self.parameters) else None

    def check(self, values: Mapping[str, object]) -> dict[str, HyperparameterValue]:
        """Return a complete assignment: every searched value checked and in its type, then the fixed ones.

        Fixed values need not be given; if they are, they must agree. Checking twice changes nothing.

        Args:
            values: by name of the hyperparameter.

        Returns:
            Values by name: searched ones in the order of the space, then fixed ones.

        Raises:
            SettingsError: a name that is unknown or missing, or a value the search could not suggest.
        """
        for name in values:
            if name not in self.names and name not in self.fixed:
                raise SettingsError(f"{quoted(name)} is not in the search space", field=str(name)[:MAXIMUM_NAME_LENGTH])
        checked: dict[str, HyperparameterValue] = {}
        for parameter in self.parameters:
            if parameter.name not in values:
                raise SettingsError(f"{parameter.name} has no value", field=parameter.name)
            checked[parameter.name] = parameter.check(values[parameter.name])
        for name, value in self.fixed.items():
            if name in values and values[name] != value:
                raise SettingsError(f"{name} is fixed at {quoted(value)}, not {quoted(values[name])}", field=name)
            checked[name] = value
        return checked

    def to_distributions(self) -> dict[str, BaseDistribution]:
        """Return Optuna's distributions, for ``study.ask(fixed_distributions=...)``.

        Returns:
            Distribution of each searched parameter by name.
        """
        return {parameter.name: parameter.to_distribution() for parameter in self.parameters}

    def to_dict(self) -> JsonObject:
        """Return the space as JSON values with the number of their format."""
        return {
            "format": _FORMAT,
            "parameters": [parameter.to_dict() for parameter in self.parameters],
            "fixed": dict(self.fixed),
        }

    @classmethod
    def from_dict(cls, values: Any) -> SearchSpace:
        """Return the space that untrusted JSON or YAML values describe.

        Args:
            values: ``parameters``, a list, and if there are any ``fixed`` values by name; ``format`` may be absent.

        Raises:
            SettingsError: naming the field.
        """
        entries = _mapping(values, "space")
        for key in entries:
            if key not in ("format", "parameters", "fixed"):
                raise SettingsError(
                    f"a search space has no entry {quoted(key)}; it has parameters and fixed", field="space"
                )
        version = entries.get("format", _FORMAT)
        if isinstance(version, bool) or version != _FORMAT:
            raise SettingsError(
                f"this search space has format {quoted(version)}; {_FORMAT} is known here", field="format"
            )
        parameters = entries.get("parameters")
        if not isinstance(parameters, list):
            raise SettingsError(f"parameters must be a list, not {quoted(parameters)}", field="parameters")
        if len(parameters) > MAXIMUM_PARAMETERS:
            raise SettingsError(
                f"a search space has at most {MAXIMUM_PARAMETERS} parameters, not {len(parameters)}",
                field="parameters",
            )
        return cls(
            tuple(Parameter.from_dict(entry, where=f"parameters[{number}]") for number, entry in enumerate(parameters)),
            _mapping(entries.get("fixed") or {}, "fixed"),
        )

    def save(self, path: Path) -> None:
        """Write the space as JSON or YAML, as the ending of the name says.

        Args:
            path: ends in ``.json``, ``.yaml`` or ``.yml``.

        Raises:
            SettingsError: another ending.
        """
        if _is_yaml(path):
            text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=100)
        else:
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        write_text(path, text)

    @classmethod
    def load(cls, path: Path) -> SearchSpace:
        """Return the space in a JSON or YAML file, which may come from anywhere.

        Args:
            path: ends in ``.json``, ``.yaml`` or ``.yml``.

        Raises:
            InputError: the file cannot be read, is too large, or is not JSON or YAML.
            SettingsError: it is, but does not describe a space; names the field.
        """
        is_yaml = _is_yaml(path)
        try:
            with open_regular_file(path) as file:
                content = file.read(MAXIMUM_FILE_BYTES + 1)
        except OSError as error:
            raise InputError(f"{quoted(path.name)} cannot be read: {error.strerror or 'unknown reason'}") from error
        if len(content) > MAXIMUM_FILE_BYTES:
            raise InputError(
                f"{quoted(path.name)} is larger than {MAXIMUM_FILE_BYTES // 1000} kB, which no search space is"
            )
        return cls.from_dict(_parse(content, path.name, is_yaml=is_yaml))

    @classmethod
    def preset(cls, name: str) -> SearchSpace:
        """Return a space that comes with the project: ``"focused"`` (the default) or ``"tutorial"``.

        Args:
            name: one of ``PRESETS``.

        Raises:
            SettingsError: no preset of that name.
        """
        if name not in PRESETS:
            raise SettingsError(f"there is no preset {quoted(name)}; there are {', '.join(PRESETS)}", field="space")
        return cls.load(Path(__file__).parent / "presets" / f"{name}.yaml")


def _decimal(value: float) -> Decimal:
    """Return the decimal number that a person wrote to get this float (the shortest one that reads back as it)."""
    return Decimal(repr(value))


def _is_yaml(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise SettingsError(
            f"a search space is kept in a .json or .yaml file; {quoted(path.name)} is neither", field="space"
        )
    return suffix != ".json"


def _parse(content: bytes, name: str, *, is_yaml: bool) -> Any:
    kind = "YAML" if is_yaml else "JSON"
    try:
        text = content.decode("utf-8-sig")
        return yaml.safe_load(text) if is_yaml else json.loads(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise InputError(f"{quoted(name)} is not readable as YAML{place}: correct it there") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{quoted(name)} is not readable as JSON (line {error.lineno}, column {error.colno}): correct it there"
        ) from error
    # ValueError: not UTF-8, or an integer or date no reader accepts; RecursionError: thousands of brackets.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{quoted(name)} is not readable as {kind} text in UTF-8") from error


def _mapping(value: Any, where: str) -> JsonObject:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"{where} must hold named entries, not {quoted(value)}", field=where)
    return dict(value)


def _check_name(name: Any, *, field: str) -> None:
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        raise SettingsError(
            f"a parameter's name holds letters, digits and underscores and starts with no digit; "
            f"{quoted(name)} does not",
            field=field,
        )
    if len(name) > MAXIMUM_NAME_LENGTH:
        raise SettingsError(
            f"a parameter's name has at most {MAXIMUM_NAME_LENGTH} characters, not {len(name)}", field=field
        )


def _number(value: Any, *, whole: bool, field: str, what: str) -> int | float:
    """Return a value as a finite float, or as an int if ``whole``; text is read, as YAML leaves 1e-7 a text."""
    if isinstance(value, str):
        try:
            value = int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", value) else float(value)
        except ValueError as error:
            raise SettingsError(f"{what} must be a number, not {quoted(value)}", field=field) from error
    if isinstance(value, bool) or not isinstance(value, Real):
        raise SettingsError(f"{what} must be a number, not {quoted(value)}", field=field)
    try:
        number = float(value)
    except OverflowError as error:
        raise SettingsError(f"{what} is too large: {quoted(value)}", field=field) from error
    if not math.isfinite(number):
        raise SettingsError(f"{what} must be a finite number, not {number}", field=field)
    if not whole:
        return number
    if not number.is_integer():
        raise SettingsError(f"{what} must be a whole number, not {number}", field=field)
    if abs(number) > _LARGEST_EXACT_INTEGER:
        raise SettingsError(f"{what} must lie within ±{_LARGEST_EXACT_INTEGER}, but is {number:.3g}", field=field)
    return int(value) if isinstance(value, Integral) else int(number)


def _text(value: Any, *, field: str, what: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{what} must be text; put quotes around {quoted(value)}", field=field)
    if not 0 < len(value) <= MAXIMUM_TEXT_LENGTH or not value.isprintable():
        raise SettingsError(
            f"{what} must have 1 to {MAXIMUM_TEXT_LENGTH} printable characters; {quoted(value)} does not", field=field
        )
    return value


def _fixed_value(value: Any, name: str) -> HyperparameterValue:
    field = f"fixed.{name}"
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, field=field, what=name)
    whole = isinstance(value, Integral)
    return _number(value, whole=whole, field=field, what=name)
