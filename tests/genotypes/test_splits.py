"""Every split: all lines once, no leak between families, the same for the same seed anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import MINIMUM_PART_LINES, PARTS, Split, SplitSettings, apportion, make_split
from gwas_core.serialization import from_json_values, to_json_values


def dataset_of(families: list[int] | None, *, lines: int | None = None, folds: list[int] | None = None) -> Dataset:
    """A dataset with families of these sizes, their lines mixed; one SNP, since splits look at none."""
    family = None
    if families is not None:
        family = np.repeat([f"{number:02d}" for number in range(len(families))], families)
        family = family[np.random.default_rng(0).permutation(len(family))]
    count = lines or len(family if family is not None else folds or [])
    return Dataset(
        genotypes=np.zeros((count, 1), dtype=np.int8),
        phenotype=np.arange(count, dtype=np.float64),
        line_names=tuple(f"line-{number}" for number in range(count)),
        snps=pd.DataFrame({"name": ["s"], "chromosome": [""], "position": [0]}),
        trait="height",
        family=family,
        folds=None if folds is None else np.array(folds, dtype=np.int64),
    )


def assert_valid(split: Split, dataset: Dataset) -> None:
    rows = np.concatenate([split.train, split.validation, split.test])
    assert sorted(rows.tolist()) == list(range(dataset.lines))
    for name in PARTS:
        part = getattr(split, name)
        assert len(part) >= MINIMUM_PART_LINES
        assert (np.diff(part) > 0).all()


def split_unless_too_small(dataset: Dataset, chosen: SplitSettings) -> Split:
    try:
        return make_split(dataset, chosen)
    except SettingsError as refused:
        if "would get" not in str(refused):
            raise
        reject()


# A busy machine must not fail a test of what is right.
relaxed = settings(deadline=None)
fractions = st.floats(0.02, 0.6)
family_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=12)
seeds = st.integers(0, 2**64)


@relaxed
@given(family_sizes, fractions, fractions, seeds)
def test_random_within_families(sizes: list[int], validation: float, test: float, seed: int) -> None:
    dataset = dataset_of(sizes)
    assert dataset.family is not None
    assume(validation + test < 1)
    chosen = SplitSettings(validation_fraction=validation, test_fraction=test, seed=seed)
    fractions = (1 - validation - test, validation, test)
    totals = apportion(dataset.lines, fractions)
    if totals.min() < MINIMUM_PART_LINES:
        with pytest.raises(SettingsError, match="would get"):
            make_split(dataset, chosen)
        return
    split = make_split(dataset, chosen)
    assert_valid(split, dataset)
    for name, total, fraction in zip(PARTS, totals, fractions, strict=True):
        part = getattr(split, name)
        assert len(part) == total
        assert abs(total - dataset.lines * fraction) < 1 + 1e-6
        for number, size in enumerate(sizes):
            lines = (dataset.family[part] == f"{number:02d}").sum()
            assert abs(lines - size * fraction) <= 1 + 1e-6
    assert make_split(dataset, chosen).to_dict() == split.to_dict()


@relaxed
@given(st.lists(st.integers(1, 40), min_size=3, max_size=12), fractions, fractions, seeds)
def test_families_left_out(sizes: list[int], validation: float, test: float, seed: int) -> None:
    dataset = dataset_of(sizes)
    assert dataset.family is not None
    assume(validation + test < 1)
    chosen = SplitSettings(method="families_left_out", validation_fraction=validation, test_fraction=test, seed=seed)
    split = split_unless_too_small(dataset, chosen)
    assert_valid(split, dataset)
    seen = [set(dataset.family[getattr(split, name)]) for name in PARTS]
    assert sum(map(len, seen)) == len(set.union(*seen)) == len(sizes)
    # A part passes its fraction by less than the family that was added last, unless families ran out.
    for families, rows, fraction in ((seen[2], split.test, test), (seen[1], split.validation, validation)):
        largest = max(size for number, size in enumerate(sizes) if f"{number:02d}" in families)
        assert len(families) == 1 or len(rows) - largest < dataset.lines * fraction + 1
    assert make_split(dataset, chosen).to_dict() == split.to_dict()


@relaxed
@given(st.lists(st.integers(-2, 6), min_size=5, max_size=80), st.data())
def test_folds(folds: list[int], data: st.DataObject) -> None:
    dataset = dataset_of(None, folds=folds)
    named = st.sets(st.sampled_from(sorted(set(folds))), max_size=3)
    validation = data.draw(named)
    test = data.draw(named) - validation
    chosen = SplitSettings(method="folds", validation_folds=tuple(validation), test_folds=tuple(test))
    # A part for which no fold is named takes one.
    if max(len(validation), 1) + max(len(test), 1) >= len(set(folds)):
        with pytest.raises(SettingsError, match="leave at least one"):
            make_split(dataset, chosen)
        return
    split = split_unless_too_small(dataset, chosen)
    assert_valid(split, dataset)
    values = np.array(folds)
    assert not test or set(values[split.test]) == test
    assert not validation or set(values[split.validation]) == validation
    assert not set(values[split.train]) & (set(values[split.test]) | set(values[split.validation]))


def test_without_naming_folds_the_smallest_is_test_and_the_next_validation() -> None:
    dataset = dataset_of(None, folds=[3, 7, 9, 8] * 6)
    assert dataset.folds is not None
    split = make_split(dataset, SplitSettings(method="folds"))
    assert set(dataset.folds[split.test]) == {3}
    assert set(dataset.folds[split.validation]) == {7}
    split = make_split(dataset, SplitSettings(method="folds", validation_folds=(3,)))
    assert set(dataset.folds[split.test]) == {7}


def test_seeds_give_different_splits() -> None:
    dataset = dataset_of([20, 20, 20, 20])
    for method in ("random_within_families", "families_left_out"):
        tests = {tuple(make_split(dataset, SplitSettings(method=method, seed=seed)).test.tolist()) for seed in range(6)}
        assert len(tests) > 1


def test_every_line_can_be_in_every_part() -> None:
    dataset = dataset_of([10, 15])
    counts = np.zeros((3, dataset.lines))
    for seed in range(200):
        split = make_split(dataset, SplitSettings(validation_fraction=0.3, test_fraction=0.3, seed=seed))
        for number, name in enumerate(PARTS):
            counts[number, getattr(split, name)] += 1
    # Expected 80, 60, 60 of 200; standard deviation about 7.
    assert np.abs(counts - np.array([[80], [60], [60]])).max() < 35


def test_the_split_is_pinned_so_that_stored_experiments_keep_theirs() -> None:
    split = make_split(dataset_of([12, 13]), SplitSettings(validation_fraction=0.2, test_fraction=0.24, seed=5))
    assert split.validation.tolist() == [0, 2, 10, 18, 24]
    assert split.test.tolist() == [1, 9, 13, 14, 15, 22]


def test_the_split_does_not_depend_on_the_salt_of_hashes() -> None:
    program = (
        "import numpy as np, pandas as pd, json\n"
        "from gwas_core.genotypes.dataset import Dataset\n"
        "from gwas_core.genotypes.splits import SplitSettings, make_split\n"
        "family = np.array([f'family-{i % 4}' for i in range(60)])\n"
        "d = Dataset(genotypes=np.zeros((60, 1), np.int8), phenotype=np.arange(60.0),\n"
        "  line_names=tuple(map(str, range(60))), trait='t', family=family,\n"
        "  snps=pd.DataFrame({'name': ['s'], 'chromosome': [''], 'position': [0]}))\n"
        "for m in ('random_within_families', 'families_left_out'):\n"
        "  print(json.dumps(make_split(d, SplitSettings(method=m, seed=3)).to_dict()))\n"
    )
    root = Path(__file__).resolve().parents[2]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 100


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"method": "hash"}, "method"),
        ({"validation_fraction": 0.0}, "validation_fraction"),
        ({"validation_fraction": "0.2"}, "validation_fraction"),
        ({"test_fraction": 1.0}, "test_fraction"),
        ({"test_fraction": float("nan")}, "test_fraction"),
        ({"test_fraction": True}, "test_fraction"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "validation_fraction"),
        ({"validation_folds": (1,), "test_folds": (1, 2)}, "validation_folds"),
        ({"test_folds": "12"}, "test_folds"),
        ({"validation_folds": [1.5]}, "validation_folds.0"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.0}, "seed"),
        ({"fraction": 0.1}, "fraction"),
    ],
)
def test_refused_settings_name_their_field(change, field) -> None:
    with pytest.raises(SettingsError) as refused:
        from_json_values(SplitSettings, change, name="split")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("dataset", "options", "field", "message"),
    [
        (dataset_of([20]), {"validation_fraction": 0.2, "test_fraction": 0.2}, "validation_fraction", "would get 4"),
        (dataset_of([20]), {"validation_fraction": 0.4, "test_fraction": 0.4}, "validation_fraction", "the train part"),
        (dataset_of([20]), {"validation_fraction": 0.3, "test_fraction": 0.2}, "test_fraction", "the test part"),
        (dataset_of([30]), {"method": "folds"}, "method", "no folds"),
        (dataset_of(None, folds=[1, 2, 3] * 8), {"method": "folds", "test_folds": (4,)}, "test_folds", "1, 2, 3"),
        (dataset_of(None, folds=[1, 2] * 8), {"method": "folds"}, "validation_folds", "take all 2 folds"),
        (dataset_of(None, folds=[1] * 30 + [2] * 2 + [3] * 30), {"method": "folds"}, "validation_folds", "would get 2"),
        (dataset_of(None, lines=40), {"method": "families_left_out"}, "method", "no families"),
        (dataset_of([20, 20]), {"method": "families_left_out"}, "method", "at least 3"),
    ],
)
def test_a_split_that_cannot_be_made_says_why(dataset, options, field, message) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        make_split(dataset, SplitSettings(**options))
    assert refused.value.field == field


def test_settings_and_split_survive_json() -> None:
    chosen = SplitSettings(method="folds", validation_folds=(9, 2, 2), seed=4)
    assert chosen.validation_folds == (2, 9)
    assert from_json_values(SplitSettings, json.loads(json.dumps(to_json_values(chosen))), name="split") == chosen
    split = make_split(dataset_of([40]), SplitSettings())
    again = Split.from_dict(json.loads(json.dumps(split.to_dict())))
    assert all(np.array_equal(getattr(again, name), getattr(split, name)) for name in PARTS)
    assert again.lines == 40


@pytest.mark.parametrize(
    "change",
    [
        {"test": [3, 2]},
        {"test": [0, 3]},
        {"test": []},
        {"test": [-1, 3]},
        {"test": [1.5]},
        {"test": None},
        {"test": [True]},
        {"test": [2**70]},
    ],
)
def test_a_damaged_split_is_refused(change) -> None:
    with pytest.raises(InputError):
        Split.from_dict({"train": [0], "validation": [1], "test": [2, 3]} | change)
