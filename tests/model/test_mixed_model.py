"""REML and GBLUP against dense formulas written out anew, and against GEMMA."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.model.mixed_model import decompose, fit_mixed_model, genomic_relationship
from tests.waiting import LIMIT

SIMULATION = simulate(
    SimulationSettings(
        families=10,
        lines_per_family=24,
        snps=300,
        chromosomes=5,
        large_qtl=2,
        polygenic_qtl=80,
        heritability=0.7,
        seed=2,
    )
)
GENOTYPES = SIMULATION.dataset.genotypes
LINES = np.random.default_rng(0).permutation(len(GENOTYPES))
TRAIN, PREDICTED = np.sort(LINES[:200]), np.sort(LINES[200:])
FAMILY = SIMULATION.dataset.family
assert FAMILY is not None
GROUPS = (FAMILY[:, None] == np.unique(FAMILY)).astype(np.float64)
# Families differ by more than their genotypes say, so that there is a variance of families to estimate.
PHENOTYPE = SIMULATION.dataset.phenotype + GROUPS @ np.random.default_rng(1).normal(scale=6, size=10)
INTERCEPT = np.ones((len(GENOTYPES), 1))


def dense_relationship() -> np.ndarray:
    """VanRaden's matrix of all lines, by its formula, with the training lines' allele frequencies."""
    frequency = GENOTYPES[TRAIN].mean(axis=0) / 2
    centred = GENOTYPES - 2 * frequency
    return centred @ centred.T / (2 * (frequency * (1 - frequency)).sum())


def dense_deviance(K: np.ndarray, F: np.ndarray, log_ratio: float, group_ratio: float) -> float:
    """-2 × restricted log-likelihood, profiled over the genetic variance, straight from its definition."""
    y, X = PHENOTYPE[TRAIN], INTERCEPT[TRAIN]
    V = K + np.exp(log_ratio) * np.eye(len(y)) + group_ratio * F @ F.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    P = inverse - inverse @ X @ np.linalg.inv(information) @ X.T @ inverse
    degrees = len(y) - X.shape[1]
    return float(
        degrees * (np.log(2 * np.pi * (y @ P @ y) / degrees) + 1)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(information)[1]
        - np.linalg.slogdet(X.T @ X)[1]
    )


def fit(*, groups: bool):
    among, _ = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    return fit_mixed_model(
        decompose(among), PHENOTYPE[TRAIN], covariates=INTERCEPT[TRAIN], groups=GROUPS[TRAIN] if groups else None
    )


def test_the_relationship_is_vanradens_with_training_frequencies() -> None:
    among, across = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    expected = dense_relationship()
    np.testing.assert_allclose(among, expected[np.ix_(TRAIN, TRAIN)], atol=1e-5)
    np.testing.assert_allclose(across, expected[np.ix_(PREDICTED, TRAIN)], atol=1e-5)


def test_the_relationship_does_not_depend_on_how_snps_are_cut_into_blocks(monkeypatch) -> None:
    whole = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    monkeypatch.setattr("gwas_core.model.mixed_model._SNPS_AT_ONCE", 7)
    for one, other in zip(whole, genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_predicted_lines_do_not_change_what_is_learned() -> None:
    changed = GENOTYPES.copy()
    changed[PREDICTED] = 2 - changed[PREDICTED]
    among, across = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    among_changed, across_changed = genomic_relationship(changed, train=TRAIN, predicted=PREDICTED)
    np.testing.assert_array_equal(among, among_changed)
    assert not np.allclose(across, across_changed)


@pytest.mark.parametrize("groups", [False, True])
def test_no_other_variances_are_likelier(groups: bool) -> None:
    model = fit(groups=groups)
    K = dense_relationship()[np.ix_(TRAIN, TRAIN)]
    F = GROUPS[TRAIN] if groups else np.zeros((len(TRAIN), 1))
    variance = model.variance
    group_ratio = variance.group / variance.genetic
    best = dense_deviance(K, F, np.log(variance.ratio), group_ratio)
    assert -2 * model.restricted_log_likelihood == pytest.approx(best, abs=1e-3)
    for log_step in np.linspace(-6, 6, 13):
        for factor in (1.0,) if not groups else (1e-3, 0.3, 0.9, 1.0, 1.1, 3.0, 100.0):
            other = dense_deviance(K, F, np.log(variance.ratio) + log_step, group_ratio * factor)
            assert other >= best - 1e-4


@pytest.mark.parametrize("groups", [False, True])
def test_predictions_are_those_of_a_direct_solution(groups: bool) -> None:
    model = fit(groups=groups)
    variance = model.variance
    covariance = variance.genetic * dense_relationship() + variance.group * GROUPS @ GROUPS.T
    V = covariance[np.ix_(TRAIN, TRAIN)] + variance.residual * np.eye(len(TRAIN))
    solved = np.linalg.solve(V, np.column_stack([PHENOTYPE[TRAIN], np.ones(len(TRAIN))]))
    mean = solved[:, 0].sum() / solved[:, 1].sum()
    expected = mean + covariance[np.ix_(PREDICTED, TRAIN)] @ (solved[:, 0] - mean * solved[:, 1])
    _, across = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    predictions = model.predict(
        covariates=INTERCEPT[PREDICTED], groups=GROUPS[PREDICTED] if groups else None, relationship=across
    )
    assert model.fixed_effects[0] == pytest.approx(mean, abs=1e-3)
    np.testing.assert_allclose(predictions, expected, atol=1e-3)


def test_a_phenotype_that_owes_nothing_to_genotypes_is_explained_by_nothing() -> None:
    among, _ = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    spectrum = decompose(among)
    explained = [
        fit_mixed_model(
            spectrum, np.random.default_rng(seed).normal(size=len(TRAIN)), covariates=INTERCEPT[TRAIN]
        ).variance.proportion_explained
        for seed in range(20)
    ]
    assert np.median(explained) < 0.1


def test_a_phenotype_that_groups_explain_wholly_is_fitted_not_refused() -> None:
    among, across = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    level = GROUPS @ np.arange(10.0)
    model = fit_mixed_model(decompose(among), level[TRAIN], covariates=INTERCEPT[TRAIN], groups=GROUPS[TRAIN])
    predicted = model.predict(covariates=INTERCEPT[PREDICTED], groups=GROUPS[PREDICTED], relationship=across)
    np.testing.assert_allclose(predicted, level[PREDICTED], atol=0.05)


def test_what_cannot_be_fitted_is_refused() -> None:
    among, _ = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    spectrum = decompose(among)
    with pytest.raises(InputError, match="varies"):
        fit_mixed_model(spectrum, np.ones(len(TRAIN)), covariates=INTERCEPT[TRAIN])
    with pytest.raises(InputError, match="no SNP varies"):
        genomic_relationship(np.full((20, 4), 2, dtype=np.int8), train=np.arange(10), predicted=np.arange(10, 20))


@pytest.fixture
def gemma(tmp_path: Path):
    """Run GEMMA in a folder that holds genotypes, relationships and phenotypes; returns the text of its log."""
    program = shutil.which("gemma")
    if program is None:
        pytest.skip("GEMMA is not installed (Debian package gemma): our REML is not compared with it")
    hidden = set(PREDICTED.tolist())
    values = [f"{value:.10f}" for value in PHENOTYPE]
    _write(tmp_path / "all.txt", values)
    _write(tmp_path / "train.txt", ["NA" if row in hidden else value for row, value in enumerate(values)])
    _write(tmp_path / "genotypes.txt", [f"s{n},A,T," + ",".join(map(str, snp)) for n, snp in enumerate(GENOTYPES.T)])
    np.savetxt(tmp_path / "kinship.txt", dense_relationship(), fmt="%.12g")
    np.savetxt(tmp_path / "families.txt", GROUPS @ GROUPS.T, fmt="%.12g")
    _write(tmp_path / "both.txt", ["kinship.txt", "families.txt"])

    def run(name: str, *arguments: str) -> str:
        command = [program, *arguments, "-o", name]
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return (tmp_path / "output" / f"{name}.log.txt").read_text()

    return run


def _write(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join(rows) + "\n")


def _logged(log: str, name: str) -> list[float]:
    found = re.search(rf"^## {re.escape(name)}\s*=\s*(.+)$", log, re.MULTILINE)
    assert found, log
    return [float(value) for value in found[1].split()]


def test_variances_agree_with_gemma(gemma) -> None:
    log = gemma(
        *("null", "-g", "genotypes.txt", "-p", "train.txt", "-k", "kinship.txt", "-lmm", "5", "-notsnp"),
    )
    model = fit(groups=False)
    assert model.variance.genetic == pytest.approx(_logged(log, "vg estimate in the null model")[0], rel=1e-3)
    assert model.variance.residual == pytest.approx(_logged(log, "ve estimate in the null model")[0], rel=1e-3)
    explained = _logged(log, "pve estimate in the null model")[0]
    assert model.variance.proportion_explained == pytest.approx(explained, abs=1e-4)
    likelihood = _logged(log, "REMLE log-likelihood in the null model")[0]
    assert model.restricted_log_likelihood == pytest.approx(likelihood, abs=2e-3)


def test_predictions_agree_with_gemma(gemma, tmp_path: Path) -> None:
    data = ("-g", "genotypes.txt", "-p", "train.txt", "-k", "kinship.txt")
    gemma("ridge", *data, "-bslmm", "2", "-notsnp")
    fitted = ("-epm", "output/ridge.param.txt", "-emu", "output/ridge.log.txt", "-ebv", "output/ridge.bv.txt")
    gemma("predicted", *data, "-predict", "1", *fitted)
    rows = (tmp_path / "output" / "predicted.prdt.txt").read_text().split()
    expected = np.array([float(rows[row]) for row in PREDICTED])
    _, across = genomic_relationship(GENOTYPES, train=TRAIN, predicted=PREDICTED)
    ours = fit(groups=False).predict(covariates=INTERCEPT[PREDICTED], groups=None, relationship=across)
    np.testing.assert_allclose(ours, expected, atol=2e-3)
    assert np.std(expected) > 1


def test_variance_of_families_agrees_with_gemma(gemma) -> None:
    log = gemma("both", "-p", "all.txt", "-mk", "both.txt", "-n", "1", "-vc", "2")
    # The same relationship as GEMMA reads: of all lines, centred by the training lines' frequencies.
    spectrum = decompose(dense_relationship())
    model = fit_mixed_model(spectrum, PHENOTYPE, covariates=INTERCEPT, groups=GROUPS)
    ours = (model.variance.genetic, model.variance.group, model.variance.residual)
    assert ours == pytest.approx(_logged(log, "sigma2 estimates"), rel=1e-3)
    assert model.variance.group > 1
