"""Search settings read from what a person typed, the same for the command line and the pages.

Also here: folds as ``1,2`` or ``6-10``; a free name for an experiment, made from the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypedDict, cast

from gwas_core.errors import SettingsError
from gwas_core.genotypes.preprocessing import Imputation, PreprocessingSettings
from gwas_core.genotypes.splits import SplitMethod, SplitSettings
from gwas_core.messages import quoted
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import EngineName, Xla
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import MAXIMUM_NAME_LENGTH

NO_EARLY_STOPPING = "none"

# Folds are few; a range such as 1-999999 is a slip of the keyboard.
_MOST_FOLDS_IN_A_RANGE = 10_000
# Room for "-1234" behind a name that is taken.
_LONGEST_STEM = MAXIMUM_NAME_LENGTH - 5


class SearchOptions(TypedDict, total=False):
    """Fields of an ``Experiment`` that can be set when a search is started; fields left out keep their default."""

    space: SearchSpace
    preprocessing: PreprocessingSettings
    split: SplitSettings
    algorithm: AlgorithmSettings
    early_stopping: EarlyStoppingSettings | None
    max_trials: int
    parallel_trials: int
    max_failed_trials: int
    seed: int
    xla: Xla
    engine: EngineName


class PreprocessingOptions(TypedDict, total=False):
    """Fields of ``PreprocessingSettings``; those left out, or None, keep their default."""

    minimum_allele_frequency: float | None
    maximum_missing_per_snp: float | None
    maximum_missing_per_line: float | None
    imputation: Imputation | None


class SplitOptions(TypedDict, total=False):
    """Fields of ``SplitSettings``; those left out, or None, keep their default."""

    method: SplitMethod | None
    validation_fraction: float | None
    test_fraction: float | None
    validation_folds: str | tuple[int, ...] | None
    test_folds: str | tuple[int, ...] | None
    seed: int | None


def search_settings(
    *,
    preprocessing: PreprocessingOptions,
    split: SplitOptions,
    space: SearchSpace | None = None,
    algorithm: str | None = None,
    early_stopping: str = NO_EARLY_STOPPING,
    max_trials: int | None = None,
    parallel_trials: int | None = None,
    max_failed_trials: int | None = None,
    seed: int | None = None,
    xla: Xla | None = None,
    engine: EngineName | None = None,
) -> SearchOptions:
    """Return the options for ``creation.create_experiment``; what is left out, or None, keeps its default.

    Args:
        preprocessing: filters and imputation.
        split: division of the lines; folds may be text such as ``"1,2"``.
        algorithm: name of the algorithm.
        early_stopping: ``"medianstop"`` or ``"none"``.

    Raises:
        SettingsError: a value is refused; ``field`` names its setting.
    """
    plain = {
        "space": space,
        "max_trials": max_trials,
        "parallel_trials": parallel_trials,
        "max_failed_trials": max_failed_trials,
        "seed": seed,
        "xla": xla,
        "engine": engine,
    }
    options = cast(SearchOptions, _given(plain))
    options["preprocessing"] = PreprocessingSettings(**_given(preprocessing))
    options["split"] = split_settings(split)
    options["early_stopping"] = (
        None if early_stopping == NO_EARLY_STOPPING else EarlyStoppingSettings(algorithm=early_stopping)
    )
    if algorithm is not None:
        options["algorithm"] = AlgorithmSettings(name=algorithm)
    return options


def split_settings(values: SplitOptions) -> SplitSettings:
    """Return how lines are divided.

    Args:
        values: as for ``search_settings``.

    Raises:
        SettingsError: a value is refused; ``field`` names its setting.
    """
    given = _given(values)
    for name in ("validation_folds", "test_folds"):
        if isinstance(given.get(name), str):
            given[name] = whole_numbers(given[name], field=name)
    return SplitSettings(**given)


def whole_numbers(text: str, *, field: str) -> tuple[int, ...]:
    """Return the numbers that a text such as ``"1,2"`` or ``"6-10"`` lists.

    Args:
        text: numbers and ranges with commas between them.
        field: setting to name in a refusal.

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
    """Return a name for an experiment, made from a file's name, with a number behind it if that is taken.

    Args:
        file_name: whose part before the first dot is used.
        taken: names of the experiments there are.

    Returns:
        Lower-case letters, digits and dashes, at most 40 characters.
    """
    stem = file_name.split(".")[0]
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:_LONGEST_STEM].strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"experiment-{plain}".strip("-")[:_LONGEST_STEM].strip("-")
    candidates = (plain if count == 1 else f"{plain}-{count}" for count in range(1, len(taken) + 2))
    return next(name for name in candidates if name not in taken)


# Any, since the result serves as keyword arguments: mypy takes no TypedDict where a field must not be None.
def _given(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
