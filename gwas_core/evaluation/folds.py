"""Held-out sets: folds or families predicted by models of all other lines, prepared without using them.

Also here: folds that are made where the data have none; lines with too many missing genotypes; which validation lines
each of several networks gets; ten folds, equal in size within every family; filters and imputation fitted to training
lines alone; too few lines.
"""

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
"""Number of folds to make if the data bring none."""

VALIDATION_FOLDS = 10
"""Number of folds of the training lines; a network stops early by its error on one, and learns from the others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutSet:
    """Lines that are predicted together by models trained on all others.

    Attributes:
        name: of its folder, such as ``fold-6`` or ``family-003``.
        title: for people, such as ``fold 6`` or ``family 23``.
        train: rows of the dataset to train on, ascending.
        test: rows to predict, ascending.
    """

    name: str
    title: str
    train: Rows
    test: Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedHeldOutSet:
    """Lines of a held-out set with complete genotypes, filtered and imputed by its training lines alone.

    The phenotypes of the test lines are not in it, so that no model can use them.

    Attributes:
        dataset: training lines first, then test lines, each in the order of the held-out set. The phenotype of all
            test lines is the mean of the training lines.
        train: rows of ``dataset`` to train on.
        test: rows of ``dataset`` to predict.
        missing_pattern: the same lines and SNPs, 2 for a genotype that was missing and 0 otherwise; None if none was.
        sentences: what preparing changed among the training lines.
    """

    dataset: Dataset
    train: Rows
    test: Rows
    missing_pattern: Dataset | None
    sentences: tuple[str, ...]

    def split(self, number: int) -> Split:
        """Return the split for one network of several.

        Args:
            number: of the network; one of the ``VALIDATION_FOLDS`` folds of the training lines is its validation
                part, and networks with other numbers take other folds, beginning again after the last.

        Returns:
            Rows of ``dataset``; the test lines are all of the held-out set.
        """
        family = None if self.dataset.family is None else self.dataset.family[self.train]
        folds = stratified_folds(len(self.train), family=family, folds=VALIDATION_FOLDS, seed=0)
        validation = folds == 1 + number % VALIDATION_FOLDS
        return Split(train=self.train[~validation], validation=self.train[validation], test=self.test)


def stratified_folds(lines: int, *, family: NDArray[np.str_] | None, folds: int, seed: int) -> NDArray[np.int64]:
    """Divide lines at random into folds that differ by at most one line, over all lines and within every family.

    Args:
        lines: number of lines.
        family: name of each line's family, `(lines,)`; None if lines have none.
        folds: number of folds.
        seed: the same seed gives the same folds in every version of numpy.

    Returns:
        Number of each line's fold, from 1, `(lines,)`.
    """
    # Raw bits, unlike numpy's distributions, stay the same in every version.
    order = np.random.PCG64(seed).random_raw(lines)
    stratum = np.zeros(lines) if family is None else np.unique(family, return_inverse=True)[1]
    numbers = np.empty(lines, dtype=np.int64)
    # Dealt out like cards, family by family, without starting over at the first fold.
    numbers[np.lexsort((order, stratum))] = np.arange(lines) % folds + 1
    return numbers


def with_folds(dataset: Dataset, *, seed: int) -> Dataset:
    """Return the dataset with its own folds, or with folds made by families if it has none.

    Args:
        dataset: as read.
        seed: of made folds, of which there are ``MADE_FOLDS``.
    """
    if dataset.folds is not None:
        return dataset
    return replace(dataset, folds=stratified_folds(dataset.lines, family=dataset.family, folds=MADE_FOLDS, seed=seed))


def usable_lines(dataset: Dataset, settings: PreprocessingSettings) -> tuple[Dataset, tuple[str, ...]]:
    """Leave out lines that miss too many genotypes.

    This filter needs no other line, so it is the only one that may come before lines are divided.

    Args:
        dataset: as read.
        settings: of which only ``maximum_missing_per_line`` counts here.

    Returns:
        The dataset, and one sentence if lines were left out.
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
    """Return a held-out set for each test fold.

    Args:
        dataset: with folds.
        test_folds: numbers of the folds to hold out, one after the other.

    Returns:
        In the order of ``test_folds``; each is trained on all other folds, the other test folds among them.

    Raises:
        SettingsError: if a fold does not exist or has too few lines.
    """
    assert dataset.folds is not None
    check_folds(dataset, test_folds, field="test_folds")
    return tuple(_held_out_set(dataset.folds == fold, f"fold-{fold}", f"fold {fold}") for fold in test_folds)


def held_out_families(dataset: Dataset, families: Sequence[str] = ()) -> tuple[HeldOutSet, ...]:
    """Return a held-out set for each family.

    Args:
        dataset: with families.
        families: names of the families to hold out; by default all of at least ``MINIMUM_FAMILY_LINES`` lines.

    Returns:
        By the families' names in alphabetical order; each is trained on all other families.

    Raises:
        SettingsError: if lines have no families, or a family does not exist or has too few lines.
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
        _held_out_set(dataset.family == name, f"family-{number:03d}", f"family {name}")
        for number, name in enumerate(names)
        if name in families or (not families and (dataset.family == name).sum() >= MINIMUM_FAMILY_LINES)
    )


def check_folds(dataset: Dataset, folds: Sequence[int], *, field: str) -> None:
    """Check that the dataset has these folds.

    Args:
        dataset: with folds.
        folds: their numbers, at least one.
        field: name of the setting, which the error carries.

    Raises:
        SettingsError: if a fold does not exist.
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


def _held_out_set(is_test: NDArray[np.bool_], name: str, title: str) -> HeldOutSet:
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if len(test) < MINIMUM_PART_LINES or len(train) < VALIDATION_FOLDS * MINIMUM_PART_LINES:
        raise SettingsError(
            f"{title} has {counted(len(test), 'line')}, which leaves {len(train)} to train on: at least "
            f"{MINIMUM_PART_LINES} and {VALIDATION_FOLDS * MINIMUM_PART_LINES} are needed",
            field="families" if name.startswith("family") else "test_folds",
        )
    return HeldOutSet(name=name, title=title, train=train, test=test)


def prepare_held_out_set(dataset: Dataset, held_out: HeldOutSet, settings: PreprocessingSettings) -> PreparedHeldOutSet:
    """Filter SNPs and impute genotypes by the training lines, and treat the test lines alike.

    Args:
        dataset: without lines that miss too many genotypes (see ``usable_lines``).
        held_out: rows of ``dataset``.
        settings: of filters and imputation.

    Returns:
        A copy of the genotypes of all lines, with the SNPs that the training lines keep.

    Raises:
        InputError: if no SNP is left after the filters.
    """
    prepared = preprocess(dataset.take(lines=held_out.train), settings)
    if prepared.dataset.lines != len(held_out.train):
        raise InputError("lines with too many missing genotypes must be left out before lines are divided")
    snps = pd.Index(dataset.snps["name"]).get_indexer(pd.Index(prepared.dataset.snps["name"]))
    as_called = dataset.take(lines=np.concatenate([held_out.train, held_out.test]), snps=snps)
    border = len(held_out.train)
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
