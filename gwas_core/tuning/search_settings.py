"""From what a person types to the fields of an experiment: the same for the command line and the pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gwas_core.errors import SettingsError
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.messages import quoted
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import MAXIMUM_NAME_LENGTH

NO_EARLY_STOPPING = "none"

# Folds are few; a range such as 1-999999 is a slip of the keyboard.
_MOST_FOLDS_IN_A_RANGE = 10_000
# Room for "-1234" behind a name that is taken.
_LONGEST_STEM = MAXIMUM_NAME_LENGTH - 5


def search_settings(
    *,
    preprocessing: Mapping[str, Any],
    split: Mapping[str, Any],
    algorithm: str | None = None,
    early_stopping: str = NO_EARLY_STOPPING,
    **others: Any,
) -> dict[str, Any]:
    """The settings for ``creation.create_experiment``; what is left out, or None, keeps its default.

    Args:
        preprocessing, split: by the names of their dataclasses' fields; folds may be text such as ``"1,2"``.
        algorithm: its name.
        early_stopping: ``"medianstop"`` or ``"none"``.
        others: fields of ``Experiment`` as they are.

    Raises:
        SettingsError: naming the setting that is refused.
    """
    settings = {
        **_given(others),
        "preprocessing": PreprocessingSettings(**_given(preprocessing)),
        "split": split_settings(split),
        "early_stopping": None
        if early_stopping == NO_EARLY_STOPPING
        else EarlyStoppingSettings(algorithm=early_stopping),
    }
    if algorithm is not None:
        settings["algorithm"] = AlgorithmSettings(name=algorithm)
    return settings


def split_settings(values: Mapping[str, Any]) -> SplitSettings:
    """As in ``search_settings``."""
    given = _given(values)
    for name in ("validation_folds", "test_folds"):
        if isinstance(given.get(name), str):
            given[name] = whole_numbers(given[name], field=name)
    return SplitSettings(**given)


def whole_numbers(text: str, *, field: str) -> tuple[int, ...]:
    """``"1,2"`` or ``"6-10"`` as numbers.

    Raises:
        SettingsError: anything else.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", part)
        if match is None:
            raise SettingsError(f"{field} are whole numbers such as 1,2 or 6-10, not {quoted(text)}", field=field)
        first, last = int(match[1]), int(match[2] or match[1])
        numbers.extend(range(first, min(last, first + _MOST_FOLDS_IN_A_RANGE) + 1))
    return tuple(numbers)


def free_name(file_name: str, *, taken: Collection[str]) -> str:
    """An experiment's name from a file's, with a number where it is taken."""
    stem = file_name.split(".")[0]
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:_LONGEST_STEM].strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"experiment-{plain}".strip("-")[:_LONGEST_STEM].strip("-")
    candidates = (plain if count == 1 else f"{plain}-{count}" for count in range(1, len(taken) + 2))
    return next(name for name in candidates if name not in taken)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
