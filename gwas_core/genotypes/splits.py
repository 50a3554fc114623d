"""Split of the lines into training, validation and test: at random in families, by folds, families left out.

Also here: rounding to whole lines; the fewest lines of a part; random numbers that never change; too few families or
folds; the split stored with an experiment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError
from gwas_core.files import read_json, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import quoted
from gwas_core.serialization import CustomForm

_LARGEST_FILE = 1024**3

SplitMethod = Literal["random_within_families", "folds", "families_left_out"]

MINIMUM_PART_LINES = 5
"""Fewest lines of a part that can be trained on or tested by."""

PARTS = ("train", "validation", "test")
"""Names of the parts of a split."""

SPLIT_FILE = "split.json"
"""Name of the file with the split in an experiment's folder."""


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """Method and sizes of a split.

    Attributes:
        method: ``random_within_families``: every family is divided in the same proportions (all lines at random
            if there are no families). ``folds``: by the values of the dataset's folds.
            ``families_left_out``: no family is in two parts, so a model is tested on families it has not seen.
        validation_fraction: share of the lines that validate. Not used by ``folds``.
        test_fraction: share of the lines that test; the rest trains. Not used by ``folds``.
        validation_folds: values of the folds column. If empty, the smallest value that is not a test fold.
        test_folds: values of the folds column. If empty, the smallest value that is not a validation fold.
        seed: the same seed gives the same split on any machine.

    Raises:
        SettingsError: a setting is refused; ``field`` is its name.
    """

    method: SplitMethod = "random_within_families"
    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    validation_folds: tuple[int, ...] = ()
    test_folds: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(SplitMethod):
            choices = ", ".join(get_args(SplitMethod))
            raise SettingsError(f"the split method must be one of {choices}, not {quoted(self.method)}", field="method")
        for name in ("validation_fraction", "test_fraction"):
            _check_fraction(name, getattr(self, name))
        if self.validation_fraction + self.test_fraction >= 1:
            raise SettingsError(
                f"validation ({self.validation_fraction:g}) and test ({self.test_fraction:g}) together must leave "
                "lines to train on: their sum must be below 1",
                field="validation_fraction",
            )
        for name in ("validation_folds", "test_folds"):
            object.__setattr__(self, name, _check_folds(name, getattr(self, name)))
        if both := set(self.validation_folds) & set(self.test_folds):
            raise SettingsError(f"fold {min(both)} cannot be both validation and test", field="validation_folds")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise SettingsError(f"the seed must be a whole number from 0 up, not {quoted(self.seed)}", field="seed")


@dataclass(frozen=True, eq=False, kw_only=True)
class Split(CustomForm):
    """Rows of a dataset that train, validate and test.

    Attributes:
        train: int64 (lines of the part,), ascending row numbers from 0; likewise the other two.
        validation: see ``train``.
        test: see ``train``.

    Raises:
        InputError: a part is empty or not ascending, or a row is in two parts.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in PARTS:
            rows = getattr(self, name)
            if rows.ndim != 1 or rows.dtype != np.int64 or not len(rows) or rows[0] < 0 or (np.diff(rows) <= 0).any():
                raise InputError(f"the {name} part of a split must hold ascending row numbers (int64, from 0 up)")
        together = np.concatenate([self.train, self.validation, self.test])
        if len(np.unique(together)) != len(together):
            raise InputError("a line is in two parts of the split")

    @property
    def lines(self) -> int:
        """Number of lines of the three parts together."""
        return len(self.train) + len(self.validation) + len(self.test)

    def to_dict(self) -> dict[str, list[int]]:
        """Return the row numbers of each part as JSON values."""
        return {name: getattr(self, name).tolist() for name in PARTS}

    @classmethod
    def from_dict(cls, values: Any) -> Split:
        """Return the split that untrusted JSON values describe.

        Args:
            values: what ``to_dict`` returned, perhaps damaged.

        Raises:
            InputError: a part is missing or not made of row numbers.
        """
        parts: dict[str, NDArray[np.int64]] = {}
        for name in PARTS:
            rows = values.get(name) if isinstance(values, dict) else None
            if not isinstance(rows, list) or not all(type(row) is int and 0 <= row < 2**63 for row in rows):
                raise InputError(f"the {name} part of a stored split must be a list of row numbers")
            parts[name] = np.array(rows, dtype=np.int64)
        return cls(**parts)


def save_split(split: Split, directory: Path) -> None:
    """Write a split into an experiment's folder.

    Args:
        split: of the prepared dataset.
        directory: folder of the experiment.
    """
    write_json(directory / SPLIT_FILE, split.to_dict())


def load_split(directory: Path) -> Split:
    """Return the split that an experiment's folder holds; every trial, baseline and test uses these lines.

    Raises:
        InputError: the file is lost or damaged.
    """
    try:
        return Split.from_dict(read_json(directory / SPLIT_FILE, limit=_LARGEST_FILE))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{directory.name} has lost its split of the lines: rerun the experiment") from error


def make_split(dataset: Dataset, settings: SplitSettings) -> Split:
    """Return a split of a dataset in which every line is in exactly one part.

    Args:
        dataset: of which only families and folds are used.
        settings: method and sizes.

    Raises:
        SettingsError: the dataset lacks what the method needs, a fold is unknown, or a part would get fewer than
            ``MINIMUM_PART_LINES`` lines.
    """
    match settings.method:
        case "random_within_families":
            part = _random_within_families(dataset, settings)
        case "folds":
            part = _by_folds(dataset, settings)
        case "families_left_out":
            part = _families_left_out(dataset, settings)
    _check_sizes(part, settings)
    train, validation, test = (np.flatnonzero(part == number).astype(np.int64) for number in range(3))
    return Split(train=train, validation=validation, test=test)


def apportion(lines: int, fractions: tuple[float, ...]) -> NDArray[np.int64]:
    """Return whole numbers that add up to ``lines``, as near to its fractions as possible (largest remainders).

    Args:
        lines: number to divide.
        fractions: shares, which add up to 1.

    Returns:
        int64 (fractions,).
    """
    exact = lines * np.array(fractions)
    # 20 × 0.15 must count as 3, whatever the last bit of the product says.
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: lines - counts.sum()]] += 1
    return np.asarray(counts, dtype=np.int64)


def _random_within_families(dataset: Dataset, settings: SplitSettings) -> NDArray[np.int64]:
    """Return the part (0 train, 1 validation, 2 test) of each line, int64 (lines,)."""
    random = _RandomOrder(settings.seed)
    family = _family_numbers(dataset)
    sizes = np.bincount(family)
    # Lines in random order, families one after the other.
    order = np.lexsort((random.keys(dataset.lines), family))
    counts = _counts_by_family(sizes, settings, random.order(len(sizes)))
    part = np.empty(dataset.lines, dtype=np.int64)
    part[order] = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
    return part


def _counts_by_family(
    sizes: NDArray[np.int64], settings: SplitSettings, family_order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of lines of each part in each family, int64 (families, 3).

    Every number is within one line of its exact share, and the totals of the parts are exact.

    Each family first gets its shares rounded down. What that leaves over is at most two lines a family; each goes to
    another part, the part that lacks most first. Taken so, row by row, the parts' totals are always met (the
    construction behind the theorem of Gale and Ryser, 1957).
    """
    validation, test = settings.validation_fraction, settings.test_fraction
    fractions = (1 - validation - test, validation, test)
    counts = np.floor(sizes[:, None] * np.array(fractions) + 1e-9).astype(np.int64)
    lacking = apportion(int(sizes.sum()), fractions) - counts.sum(axis=0)
    for number in family_order:
        left_over = sizes[number] - counts[number].sum()
        receivers = np.argsort(-lacking, kind="stable")[:left_over]
        counts[number, receivers] += 1
        lacking[receivers] -= 1
    return np.asarray(counts, dtype=np.int64)


def _by_folds(dataset: Dataset, settings: SplitSettings) -> NDArray[np.int64]:
    if dataset.folds is None:
        raise SettingsError("this dataset has no folds: choose its folds column or another method", field="method")
    present = [int(fold) for fold in np.unique(dataset.folds)]
    for name in ("validation_folds", "test_folds"):
        for fold in getattr(settings, name):
            if fold not in present:
                shown = ", ".join(map(str, present[:20]))
                raise SettingsError(f"there is no fold {fold}: the folds are {shown}", field=name)
    test = settings.test_folds or tuple(f for f in present if f not in settings.validation_folds)[:1]
    validation = settings.validation_folds or tuple(f for f in present if f not in test)[:1]
    if set(test) | set(validation) >= set(present):
        raise SettingsError(
            f"validation and test take all {len(present)} folds: leave at least one to train on",
            field="validation_folds",
        )
    part = np.zeros(dataset.lines, dtype=np.int64)
    part[np.isin(dataset.folds, validation)] = 1
    part[np.isin(dataset.folds, test)] = 2
    return part


def _families_left_out(dataset: Dataset, settings: SplitSettings) -> NDArray[np.int64]:
    if dataset.family is None:
        raise SettingsError("this dataset has no families: choose its family column or another method", field="method")
    family = _family_numbers(dataset)
    sizes = np.bincount(family)
    if len(sizes) < 3:
        raise SettingsError(f"leaving families out needs at least 3 families, not {len(sizes)}", field="method")
    family_part = np.zeros(len(sizes), dtype=np.int64)
    waiting = list(_RandomOrder(settings.seed).order(len(sizes)))
    for number, fraction, reserved in ((2, settings.test_fraction, 2), (1, settings.validation_fraction, 1)):
        wanted = apportion(dataset.lines, (fraction, 1 - fraction))[0]
        taken = 0
        # At least one family for this part and one for each part still to come.
        while len(waiting) > reserved and (not taken or taken < wanted):
            chosen = waiting.pop()
            family_part[chosen] = number
            taken += sizes[chosen]
    return np.asarray(family_part[family], dtype=np.int64)


def _family_numbers(dataset: Dataset) -> NDArray[np.int64]:
    """Return the number of each line's family in the order of their names; 0 for all if there are no families."""
    if dataset.family is None:
        return np.zeros(dataset.lines, dtype=np.int64)
    return np.unique(dataset.family, return_inverse=True)[1].astype(np.int64)


def _check_sizes(part: NDArray[np.int64], settings: SplitSettings) -> None:
    for name, lines in zip(PARTS, np.bincount(part, minlength=3), strict=True):
        if lines < MINIMUM_PART_LINES:
            of = "folds" if settings.method == "folds" else "fraction"
            raise SettingsError(
                f"the {name} part would get {lines} of {len(part)} lines: change the split so that it gets "
                f"at least {MINIMUM_PART_LINES}",
                field=f"{'validation' if name == 'train' else name}_{of}",
            )


def _check_fraction(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise SettingsError(
            f"the {name.replace('_', ' ')} must lie between 0 and 1, both excluded, not {quoted(value)}", field=name
        )


def _check_folds(name: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)) or not all(type(value) is int for value in values):
        raise SettingsError(
            f"the {name.replace('_', ' ')} must be a list of whole numbers, not {quoted(values)}", field=name
        )
    return tuple(sorted(set(values)))


class _RandomOrder:
    """Random orders from the raw stream of PCG64, the only part of numpy's random numbers that never changes."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def keys(self, length: int) -> NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(length), dtype=np.uint64)

    def order(self, length: int) -> NDArray[np.int64]:
        return np.argsort(self.keys(length), kind="stable").astype(np.int64)
