"""Who trains and who is predicted, and that nothing of the latter reaches the former."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import InputError, SettingsError
from gwas_core.evaluation.folds import (
    VALIDATION_FOLDS,
    HeldOutSet,
    held_out_families,
    held_out_folds,
    prepare_held_out_set,
    stratified_folds,
    usable_lines,
    with_folds,
)
from gwas_core.evaluation.models import MISSING_PATTERN, predict_with_baselines
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.model.metrics import pearson

SETTINGS = PreprocessingSettings()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """180 lines of 3 families, 60 SNPs, a fifth of them missing family by family."""
    settings = SimulationSettings(families=3, lines_per_family=60, snps=60, missing_fraction=0.2, seed=2)
    made = simulate(settings).dataset
    assert made.has_missing
    assert made.folds is not None
    return made


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(1, 12), st.integers(0, 9))
def test_made_folds_are_even_in_all_and_in_every_family(families: list[int], folds: int, seed: int) -> None:
    family = np.array([str(number) for number in families])
    numbers = stratified_folds(len(family), family=family, folds=folds, seed=seed)
    for members in (np.ones(len(family), dtype=bool), *(family == name for name in np.unique(family))):
        sizes = np.bincount(numbers[members], minlength=folds + 1)[1:]
        assert sizes.max() - sizes.min() <= 1
        assert sizes.sum() == members.sum()
    assert (numbers == stratified_folds(len(family), family=family, folds=folds, seed=seed)).all()


def test_folds_are_kept_where_there_are_some_and_made_where_not(dataset: Dataset) -> None:
    assert with_folds(dataset, seed=0) is dataset
    made = with_folds(replace(dataset, folds=None), seed=0).folds
    assert made is not None
    assert np.bincount(made).tolist() == [0, *[18] * 10]
    other = with_folds(replace(dataset, folds=None), seed=1).folds
    assert other is not None
    assert (made != other).any()


def test_held_out_sets_hold_every_line_once(dataset: Dataset) -> None:
    assert dataset.folds is not None
    assert dataset.family is not None
    for held_out, fold in zip(held_out_folds(dataset, (6, 10)), (6, 10), strict=True):
        assert (held_out.name, held_out.title) == (f"fold-{fold}", f"fold {fold}")
        assert sorted([*held_out.train, *held_out.test]) == list(range(dataset.lines))
        assert set(dataset.folds[held_out.test]) == {fold}
        assert fold not in dataset.folds[held_out.train]
    names = np.unique(dataset.family).tolist()
    for held_out, name in zip(held_out_families(dataset), names, strict=True):
        assert set(dataset.family[held_out.test]) == {name}
        assert name not in dataset.family[held_out.train]
    assert [held_out.title for held_out in held_out_families(dataset, names[1:2])] == [f"family {names[1]}"]


def test_families_too_small_to_be_judged_by_are_left_out_unless_named(dataset: Dataset) -> None:
    assert dataset.family is not None
    family = dataset.family.astype("<U9")
    family[:6] = "../small"
    odd = replace(dataset, family=family)
    assert len(held_out_families(odd)) == 3
    (held_out,) = held_out_families(odd, ("../small",))
    assert (held_out.name, held_out.title, held_out.test.tolist()) == ("family-000", "family ../small", list(range(6)))


def test_a_network_stops_by_training_lines_that_differ_from_seed_to_seed(dataset: Dataset) -> None:
    (held_out,) = held_out_folds(dataset, (6,))
    prepared = prepare_held_out_set(dataset, held_out, SETTINGS)
    splits = [prepared.split(number) for number in range(VALIDATION_FOLDS + 1)]
    for split in splits:
        assert sorted([*split.train, *split.validation]) == prepared.train.tolist()
        assert split.test.tolist() == prepared.test.tolist()
    # Ten of them leave out every training line once, and the eleventh is the first again.
    left_out = np.concatenate([split.validation for split in splits[:VALIDATION_FOLDS]])
    assert sorted(left_out) == prepared.train.tolist()
    assert splits[0].validation.tolist() == splits[VALIDATION_FOLDS].validation.tolist()


def test_nothing_of_the_test_lines_reaches_the_training_lines(dataset: Dataset) -> None:
    """Whatever test lines hold, training lines are filtered and imputed alike, and no model sees their phenotype."""
    (held_out,) = held_out_folds(dataset, (7,))
    random = np.random.default_rng(0)
    genotypes, phenotype = dataset.genotypes.copy(), dataset.phenotype.copy()
    genotypes[held_out.test] = random.integers(-1, 3, (len(held_out.test), genotypes.shape[1]))
    phenotype[held_out.test] = random.normal(50, 10, len(held_out.test))
    changed = replace(dataset, genotypes=genotypes, phenotype=phenotype)
    for imputation in ("mode", "mean", "within_family_mode"):
        settings = PreprocessingSettings(imputation=imputation)  # type: ignore[arg-type]
        before, after = (prepare_held_out_set(each, held_out, settings) for each in (dataset, changed))
        assert before.dataset.snps.equals(after.dataset.snps)
        rows = before.train
        assert (before.dataset.genotypes[rows] == after.dataset.genotypes[rows]).all()
        assert (before.dataset.phenotype == after.dataset.phenotype).all()
        assert (before.dataset.phenotype[before.test] == dataset.phenotype[held_out.train].mean()).all()
        assert before.sentences == after.sentences


def test_test_lines_are_imputed_by_the_training_lines(dataset: Dataset) -> None:
    """A SNP that is 0 in all but a few training lines is filled in with 0, though all called test lines have 2."""
    (held_out,) = held_out_folds(dataset, (7,))
    genotypes = dataset.genotypes.copy()
    genotypes[:, 0] = 0
    genotypes[held_out.train[:9], 0] = 2
    genotypes[held_out.test, 0] = 2
    genotypes[held_out.test[0], 0] = MISSING
    prepared = prepare_held_out_set(replace(dataset, genotypes=genotypes), held_out, SETTINGS)
    assert prepared.dataset.genotypes[prepared.test, 0].tolist() == [0, *[2] * (len(held_out.test) - 1)]


def test_the_missing_pattern_alone_is_a_control(dataset: Dataset) -> None:
    """Where missing genotypes follow families it predicts as their means do, without a single allele."""
    assert dataset.family is not None
    effect = 30.0 * np.unique(dataset.family, return_inverse=True)[1]
    structured = replace(dataset, phenotype=dataset.phenotype + effect)
    (held_out,) = held_out_folds(structured, (6,))
    predictions = predict_with_baselines(prepare_held_out_set(structured, held_out, SETTINGS), threads=1)
    assert list(predictions) == ["mean", "family_mean", "gblup", "gblup_family", MISSING_PATTERN]
    likeness = pearson(predictions[MISSING_PATTERN], predictions["family_mean"])
    assert likeness is not None
    assert likeness > 0.95
    assert (predictions[MISSING_PATTERN] != predictions["gblup"]).all()


def test_a_pattern_that_says_nothing_predicts_the_mean(dataset: Dataset) -> None:
    """A genotype is missing in a test line only: no training line can teach what that means."""
    complete = replace(dataset, genotypes=np.maximum(dataset.genotypes, 0))
    (held_out,) = held_out_folds(complete, (6,))
    assert prepare_held_out_set(complete, held_out, SETTINGS).missing_pattern is None
    genotypes = complete.genotypes.copy()
    # A SNP that the filters keep.
    genotypes[held_out.test[0], int(np.argmax(complete.genotypes[held_out.train].std(axis=0)))] = MISSING
    predictions = predict_with_baselines(
        prepare_held_out_set(replace(complete, genotypes=genotypes), held_out, SETTINGS), threads=1
    )
    assert (predictions[MISSING_PATTERN] == predictions["mean"]).all()


def test_lines_that_miss_too_much_go_before_lines_are_divided(dataset: Dataset) -> None:
    genotypes = dataset.genotypes.copy()
    genotypes[3] = MISSING
    emptier = replace(dataset, genotypes=genotypes)
    usable, sentences = usable_lines(emptier, SETTINGS)
    assert usable.lines == dataset.lines - 1
    assert dataset.line_names[3] in sentences[0]
    assert usable_lines(dataset, SETTINGS) == (dataset, ())
    (held_out,) = (
        held_out_folds(emptier, (6,))
        if dataset.folds is None or dataset.folds[3] != 6
        else held_out_folds(emptier, (7,))
    )
    with pytest.raises(InputError, match="before lines are divided"):
        prepare_held_out_set(emptier, held_out, SETTINGS)


def test_what_is_not_there_cannot_be_left_out(dataset: Dataset) -> None:
    with pytest.raises(SettingsError, match="there is no fold 12: the folds are 1, 2"):
        held_out_folds(dataset, (12,))
    with pytest.raises(SettingsError, match="no families to leave out"):
        held_out_families(replace(dataset, family=None))
    with pytest.raises(SettingsError, match="there is no family 'x'"):
        held_out_families(dataset, ("x",))
    folds = np.ones(dataset.lines, dtype=np.int64)
    folds[:40] = 2
    with pytest.raises(SettingsError, match="leaves 40 to train on: at least 5 and 50"):
        held_out_folds(replace(dataset, folds=folds), (1,))


def test_a_held_out_set_is_of_rows(dataset: Dataset) -> None:
    (held_out,) = held_out_folds(dataset, (6,))
    assert isinstance(held_out, HeldOutSet)
    assert held_out.train.dtype == np.int64
