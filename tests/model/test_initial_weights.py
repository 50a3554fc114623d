from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.initial_weights import InitialWeights, TrainingLines, fit_initial_weights
from tests.concurrency import at_once


def lines_of(dataset: Dataset, rows: np.ndarray) -> TrainingLines:
    phenotype = dataset.phenotype[rows]
    assert dataset.family is not None
    return TrainingLines(
        genotypes=dataset.genotypes[rows],
        target=((phenotype - phenotype.mean()) / phenotype.std()).astype(np.float32),
        family=dataset.family[rows],
    )


def test_the_start_predicts_lines_it_has_not_seen(dataset: Dataset, split: Split) -> None:
    start = fit_initial_weights(lines_of(dataset, split.train), block=10, prototypes=8, sharpness=2.0)
    others = np.concatenate([split.validation, split.test])
    predicted = start.predict(dataset.genotypes[others])
    assert np.corrcoef(predicted, dataset.phenotype[others])[0, 1] > 0.5
    assert start.variances.sum() == pytest.approx(1.0)
    # Effects as good as none where the trait was dealt out anew.
    lines = lines_of(dataset, split.train)
    shuffled = dataclasses.replace(lines, target=np.random.default_rng(0).permutation(lines.target))
    noise = fit_initial_weights(shuffled, block=10, prototypes=8, sharpness=2.0)
    assert noise.predict(dataset.genotypes[others]).std() < 0.5 * predicted.std()


def test_a_start_is_worked_out_once_for_a_folder(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    lines = lines_of(dataset, split.train)
    found: list[InitialWeights] = []

    def work() -> None:
        found.append(fit_initial_weights(lines, block=10, prototypes=4, sharpness=2.0, cache=tmp_path))

    at_once(work, work, work)
    (file,) = tmp_path.glob("start-*.npz")
    written = file.stat().st_mtime_ns
    work()
    assert file.stat().st_mtime_ns == written
    for other in found:
        np.testing.assert_array_equal(other.haplotypes, found[0].haplotypes)
    fit_initial_weights(
        dataclasses.replace(lines, target=-lines.target), block=10, prototypes=4, sharpness=2.0, cache=tmp_path
    )
    assert len(list(tmp_path.glob("start-*.npz"))) == 2


@pytest.mark.parametrize("damaged", [b"", b"no zip", b"PK\x03\x04", None])
def test_a_damaged_start_is_worked_out_anew(
    dataset: Dataset, split: Split, tmp_path: Path, damaged: bytes | None
) -> None:
    lines = lines_of(dataset, split.train)
    first = fit_initial_weights(lines, block=10, prototypes=4, sharpness=2.0, cache=tmp_path)
    (file,) = tmp_path.glob("start-*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damaged is None else damaged)
    again = fit_initial_weights(lines, block=10, prototypes=4, sharpness=2.0, cache=tmp_path)
    np.testing.assert_array_equal(again.haplotypes, first.haplotypes)
    assert file.read_bytes() == whole


def test_families_that_are_too_small_or_too_many_are_no_families(dataset: Dataset) -> None:
    lines = lines_of(dataset, np.arange(dataset.lines))
    assert lines.families == 4
    everyone = np.array([str(number) for number in range(dataset.lines)])
    assert dataclasses.replace(lines, family=everyone).families == 0
    assert dataclasses.replace(lines, family=np.full(dataset.lines, "a")).families == 0
    assert dataclasses.replace(lines, family=None).families == 0
