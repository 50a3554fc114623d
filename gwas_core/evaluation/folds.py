"""Which lines are trained on and which are predicted, and genotypes prepared without a look at the latter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.quality import missing_per_line
from gwas_core.genotypes.splits import MINIMUM_PART_LINES, Split
from gwas_core.messages import counted, listed
from gwas_core.model.metrics import MINIMUM_FAMILY_LINES

Rows = NDArray[np.int64]

MADE_FOLDS = 10
"""Folds that are made where the data bring none."""

VALIDATION_FOLDS = 10
"""Into so many parts training lines are divided; a network stops early by one of them, and learns from the others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutSet:
    """Lines that are predicted together by models trained on all others.

    Attributes:
        name: its folder: ``fold-6``, ``family-003``.
        title: for people: ``fold 6``, ``family 23``.
        train, test: rows of the dataset, ascending.
    """

    name: str
    title: str
    train: Rows
    test: Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedHeldOutSet:
    """A part's lines with complete genotypes; filters and imputation were fitted to its training lines alone.

    The phenotypes of its test lines are not in it: no model can look at them, whatever it does.

    Attributes:
        dataset: training lines first, then test lines, each in the part's order. The phenotype of test lines is the
            training lines' mean.
        train, test: rows of ``dataset``.
        missing_pattern: the same lines and SNPs, 2 where a genotype was missing and 0 elsewhere; None where none was.
        sentences: what preparing changed among the training lines.
    """

    dataset: Dataset
    train: Rows
    test: Rows
    missing_pattern: Dataset | None
    sentences: tuple[str, ...]

    def split(self, number: int) -> Split:
        """Training lines, less the ``number``-th of their validation parts (counted round), and the test lines."""
        family = None if self.dataset.family is None else self.dataset.family[self.train]
        folds = stratified_folds(len(self.train), family=family, folds=VALIDATION_FOLDS, seed=0)
        validation = folds == 1 + number % VALIDATION_FOLDS
        return Split(train=self.train[~validation], validation=self.train[validation], test=self.test)


def stratified_folds(lines: int, *, family: NDArray[np.str_] | None, folds: int, seed: int) -> NDArray[np.int64]:
    """Fold (from 1) of each line, at random; folds differ by at most one line, in all and in every family."""
    # Raw bits, unlike numpy's distributions, stay the same in every version.
    order = np.random.PCG64(seed).random_raw(lines)
    stratum = np.zeros(lines) if family is None else np.unique(family, return_inverse=True)[1]
    numbers = np.empty(lines, dtype=np.int64)
    # Dealt out like cards, family by family, without starting over at the first fold.
    numbers[np.lexsort((order, stratum))] = np.arange(lines) % folds + 1
    return numbers


def with_folds(dataset: Dataset, *, seed: int) -> Dataset:
    """The dataset with the folds it brings, or with ``MADE_FOLDS`` made ones where it brings none."""
    if dataset.folds is not None:
        return dataset
    return replace(dataset, folds=stratified_folds(dataset.lines, family=dataset.family, folds=MADE_FOLDS, seed=seed))


def usable_lines(dataset: Dataset, settings: PreprocessingSettings) -> tuple[Dataset, tuple[str, ...]]:
    """The dataset without the lines that miss too many genotypes, and a sentence where there are such lines.

    The one filter that needs no other line, and so can come before lines are divided.
    """
    too_empty = missing_per_line(dataset.genotypes) > settings.maximum_missing_per_line
    if not too_empty.any():
        return dataset, ()
    names = [dataset.line_names[row] for row in np.flatnonzero(too_empty)]
    sentence = (
        f"Left out {counted(len(names), 'line')} with more than {settings.maximum_missing_per_line:.3g} of the "
        f"genotypes missing: {listed(names, limit=3)}."
    )
    return dataset.take(lines=~too_empty), (sentence,)


def held_out_folds(dataset: Dataset, test_folds: Sequence[int]) -> tuple[HeldOutSet, ...]:
    """A part for each test fold.

    Raises:
        SettingsError: a fold that is not there, or that is too small to be judged by.
    """
    assert dataset.folds is not None
    check_folds(dataset, test_folds, field="test_folds")
    return tuple(_part(dataset.folds == fold, f"fold-{fold}", f"fold {fold}") for fold in test_folds)


def held_out_families(dataset: Dataset, families: Sequence[str] = ()) -> tuple[HeldOutSet, ...]:
    """A part for each family that is large enough to be judged by, or for each of the named ones.

    Raises:
        SettingsError: there are no families, or not these.
    """
    if dataset.family is None:
        raise SettingsError(
            "these lines have no families to leave out: say where families are, or evaluate folds",
            field="leave_family_out",
        )
    names: list[str] = np.unique(dataset.family).tolist()
    if unknown := [name for name in families if name not in names]:
        raise SettingsError(
            f"there is no family {listed(unknown)}; there are {listed(names, limit=50)}", field="families"
        )
    return tuple(
        # By number: a family's name may be anything, a folder's may not.
        _part(dataset.family == name, f"family-{number:03d}", f"family {name}")
        for number, name in enumerate(names)
        if name in families or (not families and (dataset.family == name).sum() >= MINIMUM_FAMILY_LINES)
    )


def check_folds(dataset: Dataset, folds: Sequence[int], *, field: str) -> None:
    """See that there are these folds.

    Raises:
        SettingsError: there are not.
    """
    assert dataset.folds is not None
    present = np.unique(dataset.folds).tolist()
    if not folds:
        raise SettingsError("name at least one fold", field=field)
    for fold in folds:
        if fold not in present:
            raise SettingsError(
                f"there is no fold {fold}: the folds are {', '.join(map(str, present[:30]))}", field=field
            )


def _part(is_test: NDArray[np.bool_], name: str, title: str) -> HeldOutSet:
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if len(test) < MINIMUM_PART_LINES or len(train) < VALIDATION_FOLDS * MINIMUM_PART_LINES:
        raise SettingsError(
            f"{title} has {counted(len(test), 'line')}, which leaves {len(train)} to train on: at least "
            f"{MINIMUM_PART_LINES} and {VALIDATION_FOLDS * MINIMUM_PART_LINES} are needed",
            field="families" if name.startswith("family") else "test_folds",
        )
    return HeldOutSet(name=name, title=title, train=train, test=test)


def prepare_held_out_set(dataset: Dataset, part: HeldOutSet, settings: PreprocessingSettings) -> PreparedHeldOutSet:
    """Filter and impute by the training lines, and treat the test lines alike.

    Raises:
        InputError: no SNP is left.
    """
    prepared = preprocess(dataset.take(lines=part.train), settings)
    if prepared.dataset.lines != len(part.train):
        raise InputError("lines with too many missing genotypes must be left out before lines are divided")
    snps = pd.Index(dataset.snps["name"]).get_indexer(pd.Index(prepared.dataset.snps["name"]))
    as_called = dataset.take(lines=np.concatenate([part.train, part.test]), snps=snps)
    border = len(part.train)
    phenotype = as_called.phenotype.copy()
    phenotype[border:] = phenotype[:border].mean()
    as_called = replace(as_called, phenotype=phenotype)
    complete = replace(as_called, genotypes=prepared.imputation.apply(as_called.genotypes, as_called.family))
    pattern = None
    if as_called.has_missing:
        pattern = replace(as_called, genotypes=np.where(as_called.genotypes < 0, 2, 0).astype(np.int8), family=None)
    return PreparedHeldOutSet(
        dataset=complete,
        train=np.arange(border),
        test=np.arange(border, complete.lines),
        missing_pattern=pattern,
        sentences=tuple(prepared.report.sentences()),
    )
