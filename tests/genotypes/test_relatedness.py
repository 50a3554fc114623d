"""Principal components and kinship against formulas written out anew, and against PLINK 1.9 and PLINK 2."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gwas_core.errors import InputError
from gwas_core.genotypes.relatedness import (
    KinshipPicture,
    chosen_lines,
    kinship,
    kinship_picture,
    principal_components,
    relatives_order,
)
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from tests.waiting import LIMIT

SIMULATED = simulate(
    SimulationSettings(
        families=6,
        lines_per_family=20,
        snps=300,
        chromosomes=4,
        large_qtl=2,
        polygenic_qtl=50,
        missing_fraction=0.1,
        missing_follows_families=False,
        seed=3,
    )
).dataset
COMPLETE = np.where(SIMULATED.genotypes < 0, 0, SIMULATED.genotypes).astype(np.int8)
GENOTYPES = st.tuples(st.integers(3, 9), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.integers(-1, 2))
)


def plain_kinship(genotypes: np.ndarray) -> np.ndarray | None:
    """VanRaden's matrix, one pair of lines after the other; None if no SNP varies."""
    columns = []
    for column in genotypes.T.tolist():
        called = [value for value in column if value >= 0]
        if len(set(called)) > 1:
            p = sum(called) / len(called) / 2
            columns.append(([value - 2 * p if value >= 0 else 0.0 for value in column], p))
    if not columns:
        return None
    scale = sum(2 * p * (1 - p) for _, p in columns)
    lines = range(len(genotypes))
    return np.array([[sum(z[i] * z[j] for z, _ in columns) / scale for j in lines] for i in lines])


@settings(max_examples=50)
@given(genotypes=GENOTYPES)
def test_kinship_is_that_of_plain_loops(genotypes: np.ndarray) -> None:
    expected = plain_kinship(genotypes)
    if expected is None:
        with pytest.raises(InputError, match="no SNP varies"):
            kinship(genotypes)
        return
    np.testing.assert_allclose(kinship(genotypes), expected, atol=1e-5)
    # A SNP that everybody shares, and one that was never called, change nothing.
    padding = np.repeat(np.array([[1, -1]], dtype=np.int8), len(genotypes), axis=0)
    np.testing.assert_allclose(kinship(np.hstack([padding, genotypes])), expected, atol=1e-5)


def test_nothing_depends_on_how_snps_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kinship(SIMULATED.genotypes), principal_components(SIMULATED.genotypes)
    monkeypatch.setattr("gwas_core.genotypes.relatedness._SNPS_AT_ONCE", 7)
    np.testing.assert_allclose(kinship(SIMULATED.genotypes), whole[0], atol=1e-4)
    np.testing.assert_allclose(principal_components(SIMULATED.genotypes).shares, whole[1].shares, rtol=1e-4)


def test_components_are_orthogonal_eigenvectors_with_their_shares() -> None:
    found = principal_components(SIMULATED.genotypes)
    np.testing.assert_allclose(found.scores.T @ found.scores, np.eye(10), atol=1e-6)
    everything = principal_components(SIMULATED.genotypes, components=1000)
    assert everything.shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(everything.shares[:10], found.shares)
    assert (np.diff(everything.shares) <= 0).all()
    greatest = found.scores[np.abs(found.scores).argmax(axis=0), np.arange(10)]
    assert (greatest > 0).all()


def test_the_iteration_for_many_lines_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = principal_components(SIMULATED.genotypes)
    monkeypatch.setattr("gwas_core.genotypes.relatedness._DENSE", 10)
    iterated = principal_components(SIMULATED.genotypes)
    np.testing.assert_allclose(iterated.eigenvalues, dense.eigenvalues, rtol=1e-9)
    np.testing.assert_allclose(iterated.scores, dense.scores, atol=1e-6)
    np.testing.assert_array_equal(iterated.scores, principal_components(SIMULATED.genotypes).scores)


def test_copies_of_lines_have_no_components_of_their_own() -> None:
    three = np.array([[0, 2, 0, 1], [2, 0, 0, 1], [0, 0, 2, 1]], dtype=np.int8)
    found = principal_components(np.repeat(three, 5, axis=0))
    assert found.shares.tolist() == pytest.approx([0.5, 0.5])
    assert found.snps == 3


def test_lines_that_are_left_out_change_nothing() -> None:
    rows = np.arange(0, SIMULATED.lines, 2)
    np.testing.assert_array_equal(kinship(SIMULATED.genotypes, lines=rows), kinship(SIMULATED.genotypes[rows]))


@pytest.mark.parametrize("function", [kinship, principal_components])
def test_what_has_no_relatedness_is_refused(function) -> None:
    with pytest.raises(InputError, match="at least 3 lines, not 2"):
        function(COMPLETE[:2])
    with pytest.raises(InputError, match="no SNP varies"):
        function(np.full((5, 4), -1, dtype=np.int8))
    with pytest.raises(InputError, match="no SNP varies"):
        function(np.empty((5, 0), dtype=np.int8))


def test_all_lines_are_taken_until_they_are_very_many() -> None:
    assert chosen_lines(10_000, 50_000).tolist() == list(range(10_000))
    sample = chosen_lines(30_000, 1_000)
    assert len(sample) == len(set(sample.tolist())) == 10_000
    assert (np.diff(sample) > 0).all()
    np.testing.assert_array_equal(sample, chosen_lines(30_000, 1_000))
    assert not np.array_equal(sample, chosen_lines(30_000, 1_000, seed=1))
    assert len(chosen_lines(10_000, 200_000)) == 5_000


def test_relatives_lie_beside_each_other() -> None:
    matrix = kinship(SIMULATED.genotypes)
    family = SIMULATED.family
    assert family is not None
    shuffled = np.random.default_rng(0).permutation(SIMULATED.lines)
    names = family[shuffled]
    mixed = matrix[np.ix_(shuffled, shuffled)]
    ordered = names[relatives_order(mixed, names.tolist())]
    assert (ordered == np.sort(names)).all()

    def neighbours(order: np.ndarray) -> float:
        return float((names[order][1:] == names[order][:-1]).mean())

    # What the families are is found in the genotypes alone.
    tree = relatives_order(mixed)
    assert sorted(tree.tolist()) == list(range(SIMULATED.lines))
    assert neighbours(tree) > 0.85 > 0.3 > neighbours(np.arange(SIMULATED.lines))


def test_a_picture_holds_block_means() -> None:
    matrix = kinship(SIMULATED.genotypes)
    assert SIMULATED.family is not None
    family = SIMULATED.family.tolist()
    whole = kinship_picture(matrix, SIMULATED.line_names, family)
    order = relatives_order(matrix, family)
    np.testing.assert_allclose(whole.values, matrix[np.ix_(order, order)], atol=1e-4)
    assert whole.labels == tuple(SIMULATED.line_names[row] for row in order)
    # 120 lines in at most 50 rows: 40 of 3 lines.
    small = kinship_picture(matrix, SIMULATED.line_names, family, size=50)
    assert (len(small.labels), small.lines) == (40, 120)
    expected = np.array(whole.values).reshape(40, 3, 40, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small.values, expected, atol=2e-4)
    assert small.labels[1] == f"{whole.labels[3]} to {whole.labels[5]}"
    assert small.families is not None
    assert small.families == tuple(family[row] for row in order[1::3])
    # 101 lines: 33 times 3, and 2 that are left.
    odd = kinship_picture(matrix[:101, :101], SIMULATED.line_names[:101], size=50)
    assert (len(odd.labels), odd.families) == (34, None)
    last = relatives_order(matrix[:101, :101])[-2:]
    assert odd.labels[-1] == " to ".join(SIMULATED.line_names[row] for row in last)
    assert odd.values[-1][-1] == pytest.approx(matrix[np.ix_(last, last)].mean(), abs=1e-4)


def test_a_damaged_picture_is_refused() -> None:
    for values, labels, families in (
        (((1.0, 0.0),), ("a",), None),
        (((1.0,),), (), None),
        (((float("nan"),),), ("a",), None),
        (((1.0,),), ("a",), ("f", "g")),
    ):
        with pytest.raises(InputError):
            KinshipPicture(values=values, labels=labels, families=families, lines=1)


def run_plink(program: str, folder: Path, genotypes: np.ndarray, *options: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed (Debian package of this name): our figures are not compared with it")
    lines, snps = genotypes.shape
    names = [f"line{row}" for row in range(lines)]
    to_bed(
        folder / "data.bed",
        np.where(genotypes < 0, np.nan, genotypes),
        properties={
            "fid": names,
            "iid": names,
            "sid": [f"s{column}" for column in range(snps)],
            "chromosome": ["1"] * snps,
            "bp_position": list(range(1, snps + 1)),
            "allele_1": ["A"] * snps,
            "allele_2": ["G"] * snps,
        },
    )
    command = [path, "--bfile", "data", "--threads", "1", "--out", "out", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr


def check_components(genotypes: np.ndarray, folder: Path) -> None:
    ours = principal_components(genotypes)
    table = pd.read_csv(folder / "out.eigenvec", sep=r"\s+", header=None, comment="#")
    theirs = table.iloc[:, -10:].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(np.loadtxt(folder / "out.eigenval"), ours.eigenvalues, rtol=1e-4)
    # It prints six digits, and leaves the sign open.
    np.testing.assert_allclose(theirs * np.sign((theirs * ours.scores).sum(axis=0)), ours.scores, atol=2e-4)


def test_components_equal_plink(tmp_path: Path) -> None:
    run_plink("plink1.9", tmp_path, COMPLETE, "--pca", "10", "--allow-no-sex")
    check_components(COMPLETE, tmp_path)


def test_components_with_missing_genotypes_equal_plink2(tmp_path: Path) -> None:
    run_plink("plink2", tmp_path, SIMULATED.genotypes, "--pca", "10", "meanimpute")
    check_components(SIMULATED.genotypes, tmp_path)


def test_kinship_equals_plink2(tmp_path: Path) -> None:
    run_plink("plink2", tmp_path, SIMULATED.genotypes, "--make-rel", "cov", "meanimpute", "square")
    theirs = np.loadtxt(tmp_path / "out.rel")
    called = np.ma.masked_less(SIMULATED.genotypes, 0)
    frequency = called.mean(axis=0).filled(np.nan) / 2
    # PLINK divides by the number of SNPs, VanRaden by their expected variance.
    expected = theirs * len(frequency) / (2 * frequency * (1 - frequency)).sum()
    np.testing.assert_allclose(kinship(SIMULATED.genotypes), expected, rtol=1e-4, atol=1e-4)
