"""Filters on parameters and on the objective that say which trials to look at, and their short form in a URL.

Also here: filters of a link that are ignored, and why; rounding at the ends of a range; ranges that touch.

One set of filters drives every table and chart of an experiment. In a URL they read
``learning_rate~1e-4..1e-3~~batch_size~16~32~~val_mean_absolute_error~..0.31``: only characters
that no browser or server escapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import numpy as np

from gwas_core.errors import GwasError, SettingsError
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.report.labels import number_label, shortened
from gwas_core.tuning.records import TrialRecord
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace

Range = tuple[float | None, float | None]
"""Lowest and highest value, both included; None if that side is open."""

MAXIMUM_RANGES = 100
MAXIMUM_TEXT_LENGTH = 30_000

_BETWEEN_FILTERS = "~~"
_BETWEEN_ITEMS = "~"
_TO = ".."
_TITLE_LENGTH = 40
_SHOWN_ITEMS = 4


@dataclass(frozen=True, kw_only=True)
class TrialFilter:
    """Filter on one parameter: it keeps trials whose value lies in one of the ranges or is one of the choices.

    Attributes:
        parameter: name of a hyperparameter, or of the objective.
        ranges: in ascending order, merged where they touch.
        choices: without repeats, in the order given.

    Raises:
        SettingsError: if there are neither ranges nor choices, or both, or a range is not one.
    """

    parameter: str
    ranges: tuple[Range, ...] = ()
    choices: tuple[HyperparameterValue, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.ranges) == bool(self.choices):
            raise SettingsError(
                f"a filter on {quoted(self.parameter)} needs either ranges or choices", field=self.parameter
            )
        if len(self.ranges) > MAXIMUM_RANGES:
            raise SettingsError(
                f"a filter on {quoted(self.parameter)} has at most {MAXIMUM_RANGES} ranges, not {len(self.ranges)}",
                field=self.parameter,
            )
        ranges = _merged([self._checked(low, high) for low, high in self.ranges])
        if (None, None) in ranges:
            raise SettingsError(
                f"the ranges of {quoted(self.parameter)} together let every trial through", field=self.parameter
            )
        object.__setattr__(self, "ranges", ranges)
        object.__setattr__(self, "choices", tuple(dict.fromkeys(self.choices)))

    def _checked(self, low: float | None, high: float | None) -> Range:
        for end in (low, high):
            if end is not None and not math.isfinite(end):
                raise SettingsError(f"{quoted(self.parameter)} is filtered by finite numbers", field=self.parameter)
        if low is None and high is None:
            raise SettingsError(
                f"a range of {quoted(self.parameter)} needs at least one end: without one it lets every trial through",
                field=self.parameter,
            )
        if low is not None and high is not None and low > high:
            raise SettingsError(
                f"a range of {quoted(self.parameter)} must not begin above its end, but {low} is above {high}",
                field=self.parameter,
            )
        return low, high

    def accepts(self, value: HyperparameterValue | None) -> bool:
        """Return whether a trial with this value passes.

        Args:
            value: of the filter's parameter; a trial without one (None) does not pass.
        """
        if value is None:
            return False
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or math.isnan(value):
            return False
        return any(_within(value, low, high) for low, high in self.ranges)

    def describe(self, title: str | None = None) -> str:
        """Return the filter in short: ``learning_rate 1e-4 … 1e-3``, ``batch_size 16, 32``.

        Args:
            title: in place of the parameter's name.
        """
        items = [_describe_range(entry) for entry in self.ranges] or [
            shortened(choice, limit=_TITLE_LENGTH) if isinstance(choice, str) else _digits(choice)
            for choice in self.choices
        ]
        more = f" and {len(items) - _SHOWN_ITEMS} more" if len(items) > _SHOWN_ITEMS else ""
        return f"{title or self.parameter} {', '.join(items[:_SHOWN_ITEMS])}{more}"


def passes(trial: TrialRecord, filters: Iterable[TrialFilter], *, objective: str) -> bool:
    """Return whether a trial passes every filter.

    Args:
        trial: to look at.
        filters: all of which must accept it.
        objective: name under which filters mean the trial's error.
    """
    return all(
        entry.accepts(trial.value if entry.parameter == objective else trial.parameters.get(entry.parameter))
        for entry in filters
    )


def filter_trials(
    trials: Iterable[TrialRecord], filters: Sequence[TrialFilter], *, objective: str
) -> tuple[TrialRecord, ...]:
    """Return the trials that pass every filter, in their order.

    Args:
        trials: to choose from.
        filters: all are applied.
        objective: name under which filters know the trials' value.
    """
    return tuple(trial for trial in trials if passes(trial, filters, objective=objective))


def with_filter(
    filters: Iterable[TrialFilter], parameter: str, replacement: TrialFilter | None
) -> tuple[TrialFilter, ...]:
    """Return the filters with the one on a parameter changed.

    Args:
        filters: before the change.
        parameter: whose filter is changed.
        replacement: takes the place of the present filter, or is added at the end; None removes the filter.
    """
    filters = tuple(filters)
    if replacement is not None and any(entry.parameter == parameter for entry in filters):
        return tuple(replacement if entry.parameter == parameter else entry for entry in filters)
    kept = tuple(entry for entry in filters if entry.parameter != parameter)
    return kept if replacement is None else (*kept, replacement)


def encode_filters(filters: Iterable[TrialFilter]) -> str:
    """Return the filters as text for a URL; empty if there are none.

    Args:
        filters: as ``decode_filters`` returns them.
    """
    return _BETWEEN_FILTERS.join(
        _BETWEEN_ITEMS.join(
            [
                entry.parameter,
                *(f"{_encode_number(low)}{_TO}{_encode_number(high)}" for low, high in entry.ranges),
                *(_encode_choice(choice) for choice in entry.choices),
            ]
        )
        for entry in filters
    )


def decode_filters(text: str, space: SearchSpace, *, objective: str) -> tuple[tuple[TrialFilter, ...], tuple[str, ...]]:
    """Return the filters that untrusted text describes.

    Args:
        text: from a URL.
        space: only its parameters that vary, and the objective, can be filtered.
        objective: name of the objective.

    Returns:
        The filters, and one sentence for each part of the text that cannot be used.
    """
    if not text:
        return (), ()
    if len(text) > MAXIMUM_TEXT_LENGTH:
        return (), (f"The filters in this link are ignored: they are longer than {MAXIMUM_TEXT_LENGTH:,} characters.",)
    filters: dict[str, TrialFilter] = {}
    problems = []
    parameters = {parameter.name: parameter for parameter in space.parameters}
    for part in text.split(_BETWEEN_FILTERS):
        name, *items = part.split(_BETWEEN_ITEMS)
        try:
            if name in filters:
                raise SettingsError(f"{quoted(name)} is filtered twice", field=name)
            if name == objective:
                filters[name] = TrialFilter(parameter=name, ranges=tuple(_decode_range(item) for item in items))
            elif name in parameters:
                filters[name] = _decode(parameters[name], items)
            else:
                raise SettingsError(f"{quoted(name)} is not a parameter of this search", field="brush")
        except GwasError as error:
            problems.append(f"A filter in this link is ignored: {error}.")
    return tuple(filters.values()), tuple(problems)


def _decode(parameter: Parameter, items: Sequence[str]) -> TrialFilter:
    if not items:
        raise SettingsError(f"there is nothing to filter {parameter.name} by", field=parameter.name)
    if parameter.kind.is_range():
        return TrialFilter(parameter=parameter.name, ranges=tuple(_decode_range(item) for item in items))
    if parameter.kind is ParameterKind.CATEGORICAL:
        return TrialFilter(parameter=parameter.name, choices=tuple(parameter.check(unquote(item)) for item in items))
    return TrialFilter(parameter=parameter.name, choices=tuple(parameter.check(item) for item in items))


def _encode_number(value: float | None) -> str:
    return "" if value is None else _plain(value)


def _encode_choice(choice: HyperparameterValue) -> str:
    # quote() leaves a tilde alone, which here has a meaning of its own.
    return quote(choice, safe="").replace("~", "%7E") if isinstance(choice, str) else _plain(choice)


def _plain(value: float) -> str:
    """Return the shortest text that reads back as the same number."""
    text = repr(value).removesuffix(".0")
    if "e" in text or 0 < abs(value) < 0.01:
        text = np.format_float_scientific(value, trim="-", exp_digits=1).replace("+", "")
    return text


def _decode_range(item: str) -> Range:
    low, separator, high = item.partition(_TO)
    if not separator:
        raise SettingsError(f"{quoted(item)} is not a range such as 0.1..0.5", field="brush")
    return _decode_number(low), _decode_number(high)


def _decode_number(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise SettingsError(f"{quoted(text)} is not a number", field="brush") from error
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _within(value: float, low: float | None, high: float | None) -> bool:
    # A step of a grid is now 0.31 and now 0.31000000000000005: an end includes both.
    return (low is None or low <= value or math.isclose(low, value, rel_tol=1e-9)) and (
        high is None or value <= high or math.isclose(value, high, rel_tol=1e-9)
    )


def _merged(ranges: list[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for low, high in sorted(ranges, key=lambda entry: -math.inf if entry[0] is None else entry[0]):
        end = merged[-1][1] if merged else None
        if merged and (end is None or low is None or low <= end):
            merged[-1] = (merged[-1][0], None if end is None or high is None else max(end, high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _describe_range(entry: Range) -> str:
    low, high = entry
    if low is None:
        return f"≤ {_digits(high or 0)}"
    if high is None:
        return f"≥ {_digits(low)}"
    return f"{_digits(low)} … {_digits(high)}"


def _digits(value: float) -> str:
    return number_label(value, digits=6)
