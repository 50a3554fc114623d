"""Families from line names: which characters of the names say the family.

Also here: how large families are and how much of the genotypes they explain before a guess is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from gwas_core.genotypes.dataset import MISSING

MINIMUM_FAMILY_SIZE = 8
"""Fewest lines (median over families) of guessed families, and of a family in which a correlation is computed."""

# In SoyNAM the families explain 17 % of the variance of imputed genotypes and 37 % where missing ones
# follow the family; serial numbers, years and plots explain none, origins in a diversity panel little.
_LEAST_EXPLAINED = 0.05
# A slice counts as equally good if it explains this share of what the best one does, since only few SNPs are used.
_EQUALLY_GOOD = 0.9
# Enough to tell families from serial numbers, and few enough to take no time.
_SNPS_TO_JUDGE = 32
_LINES_TO_JUDGE = 10_000
_LONGEST_NAME = 32
_LONGEST_SLICE = 8


def family_in_name(line_name: str, characters: tuple[int, int]) -> str:
    """Return the family in a line's name.

    Args:
        line_name: such as ``DS11-23045``.
        characters: first and last character, counted from 1, both included: (6, 7) gives ``23``.
    """
    first, last = characters
    return line_name[first - 1 : last]


def guess_family_characters(line_names: Sequence[str], genotypes: NDArray[np.int8]) -> tuple[int, int] | None:
    """Return the characters of the line names that group lines into families, or None if none do.

    A slice of the names is considered if all names are equally long, it forms at least two groups, and the median
    group has ``MINIMUM_FAMILY_SIZE`` lines or more. Many slices pass (line 23045 could be number 045 of family 23 or
    number 5 of family 2304), so the genotypes decide: families explain how lines differ (analysis of variance,
    adjusted for the number of groups). Of the slices that explain it equally well, the one with the fewest groups and
    then the fewest characters is taken.

    Args:
        line_names: names of the lines.
        genotypes: int8 (lines, SNPs), negative where missing; a sample of the SNPs is used.

    Returns:
        First and last character, counted from 1, both included.
    """
    names = line_names[:_LINES_TO_JUDGE]
    length = len(names[0]) if names else 0
    if not 0 < length <= _LONGEST_NAME or any(len(name) != length for name in line_names):
        return None
    letters = np.array([list(name) for name in names])
    varying = np.flatnonzero((letters != letters[0]).any(axis=0)).tolist()
    sample = _centred_sample(genotypes[: len(names)])
    candidates: list[tuple[float, int, int, tuple[int, int]]] = []
    for first, last in combinations_with_replacement(varying, 2):
        if last - first >= _LONGEST_SLICE:
            continue
        _, groups, sizes = np.unique(_joined(letters[:, first : last + 1]), return_inverse=True, return_counts=True)
        if len(sizes) >= 2 and np.median(sizes) >= MINIMUM_FAMILY_SIZE:
            explained = explained_by_groups(sample, groups, sizes)
            candidates.append((explained, len(sizes), last - first, (first, last)))
    best = max((explained for explained, *_ in candidates), default=0.0)
    if best < _LEAST_EXPLAINED:
        return None
    *_, (first, last) = min(candidate[1:] for candidate in candidates if candidate[0] >= _EQUALLY_GOOD * best)
    return _with_leading_digits(letters, first, last) + 1, last + 1


def _with_leading_digits(letters: NDArray[np.str_], first: int, last: int) -> int:
    """Return where the number starts of which ``first`` is a digit, so that family 23 is not called 3."""
    groups = len(np.unique(_joined(letters[:, first : last + 1])))
    while first > 0 and np.char.isdigit(letters[:, first - 1 : first + 1]).all():
        if len(np.unique(_joined(letters[:, first - 1 : last + 1]))) > groups:
            break
        first -= 1
    return first


def explained_by_groups(sample: NDArray[np.float64], groups: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    """Return the share of the variance that lies between groups, adjusted for their number.

    This is the adjusted R squared of a one-way analysis of variance, summed over the columns; about 0 for random
    groups, however many they are.

    Args:
        sample: centred columns (lines, columns).
        groups: int64 (lines,), number of each line's group, from 0.
        sizes: int64 (groups,), lines of each group.
    """
    lines, number = len(groups), len(sizes)
    total = float((sample**2).sum())
    if total == 0 or lines <= number:
        return 0.0
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.add.reduceat(sample[order], starts, axis=0)
    within = total - float((sums**2 / sizes[:, None]).sum())
    return 1 - (within / (lines - number)) / (total / (lines - 1))


def _centred_sample(genotypes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return indicators (lines, 4 × SNPs) of the states 0, 1, 2 and missing of evenly spaced SNPs, less their means.

    Missing is a state of its own: where only the SNPs that segregate in a family are called, families
    hardly differ in the alleles that are seen, but in where they are missing.
    """
    chosen = np.unique(np.linspace(0, genotypes.shape[1] - 1, _SNPS_TO_JUDGE).astype(np.int64))
    genotype_sample = genotypes[:, chosen]
    indicators = np.hstack([genotype_sample == state for state in (MISSING, 0, 1, 2)]).astype(np.float64)
    centred: NDArray[np.float64] = indicators - indicators.mean(axis=0)
    return centred


def _joined(letters: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return one text for each line from single characters (lines, characters)."""
    joined: NDArray[np.str_] = np.ascontiguousarray(letters).view(f"<U{letters.shape[1]}").reshape(-1)
    return joined
