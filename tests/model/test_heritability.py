"""SNP heritability and its standard error against GEMMA, a dense formula, and simulated traits."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.relatedness import kinship
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.model.heritability import SnpHeritability, snp_heritability
from tests.waiting import LIMIT

DATASET = simulate(
    SimulationSettings(
        families=8,
        lines_per_family=25,
        snps=400,
        chromosomes=5,
        large_qtl=2,
        polygenic_qtl=80,
        heritability=0.5,
        missing_fraction=0.1,
        missing_follows_families=False,
        seed=2,
    )
).dataset
KINSHIP = kinship(DATASET.genotypes)


def test_estimate_and_standard_error_equal_gemma(tmp_path: Path) -> None:
    program = shutil.which("gemma")
    if program is None:
        pytest.skip("GEMMA is not installed (Debian package gemma): our heritability is not compared with it")
    np.savetxt(tmp_path / "kinship.txt", KINSHIP, fmt="%.12g")
    np.savetxt(tmp_path / "phenotype.txt", DATASET.phenotype, fmt="%.12g")
    # Its REML by average information, which has the standard error that ours has.
    command = [program, "-p", "phenotype.txt", "-k", "kinship.txt", "-n", "1", "-vc", "2", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    log = (tmp_path / "output" / "out.log.txt").read_text()
    ours = snp_heritability(KINSHIP, DATASET.phenotype)
    for name, value in (("pve estimates", ours.estimate), ("se(pve)", ours.standard_error)):
        found = re.search(rf"^## {re.escape(name)}\s*=\s*(\S+)", log, re.MULTILINE)
        assert found, log
        # It prints six digits.
        assert value == pytest.approx(float(found[1]), rel=2e-5)


def test_the_standard_error_follows_from_the_average_information() -> None:
    found = snp_heritability(KINSHIP, DATASET.phenotype)
    lines = DATASET.lines
    centring = np.eye(lines) - 1 / lines
    K = centring @ KINSHIP @ centring
    mean = np.trace(K) / lines
    V = found.genetic_variance / mean * K + found.residual_variance * np.eye(lines)
    inverse = np.linalg.inv(V)
    P = inverse - np.outer(inverse.sum(axis=0), inverse.sum(axis=0)) / inverse.sum()
    y = DATASET.phenotype
    products = [K @ P @ y, P @ y]
    covariance = np.linalg.inv([[a @ P @ b / 2 for b in products] for a in products])
    # The derivatives of h² by the two variances, as small differences.
    both = np.array([found.genetic_variance / mean, found.residual_variance])

    def share(variances: np.ndarray) -> float:
        return float(variances[0] * mean / (variances[0] * mean + variances[1]))

    slope = [(share(both + step) - share(both - step)) / (2 * step.sum()) for step in 1e-5 * np.diag(both)]
    assert found.estimate == pytest.approx(share(both))
    assert found.standard_error == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=1e-4)


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 40 traits with a heritability of 0.5 by construction, about 95 % lie within two standard errors."""
    random = np.random.default_rng(0)
    values, vectors = np.linalg.eigh(KINSHIP)
    root = vectors * np.sqrt(np.maximum(values, 0))
    scale = np.sqrt(np.trace(KINSHIP) / DATASET.lines)
    found = []
    for _ in range(40):
        trait = root @ random.normal(size=DATASET.lines) / scale + random.normal(size=DATASET.lines)
        found.append(snp_heritability(KINSHIP, trait))
    estimates = np.array([one.estimate for one in found])
    errors = np.array([one.standard_error for one in found])
    assert estimates.mean() == pytest.approx(0.5, abs=0.05)
    assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.3)
    assert (np.abs(estimates - 0.5) < 2 * errors).mean() > 0.85


def test_units_and_what_all_lines_share_change_nothing() -> None:
    plain = snp_heritability(KINSHIP, DATASET.phenotype)
    other = snp_heritability(3 * KINSHIP + 7, 1e-160 * (DATASET.phenotype + 1000))
    assert other.estimate == pytest.approx(plain.estimate, rel=1e-6)
    assert other.standard_error == pytest.approx(plain.standard_error, rel=1e-6)
    centimetres = snp_heritability(KINSHIP, 100 * DATASET.phenotype)
    assert centimetres.genetic_variance == pytest.approx(1e4 * plain.genetic_variance)
    assert centimetres.residual_variance == pytest.approx(1e4 * plain.residual_variance)
    np.testing.assert_array_equal(KINSHIP, kinship(DATASET.genotypes))  # not overwritten


def test_an_estimate_at_the_end_of_its_range_says_so() -> None:
    assert not snp_heritability(KINSHIP, DATASET.phenotype).is_at_end
    # Relatives that are less alike than lines that are not related: less than nothing is explained.
    values, vectors = np.linalg.eigh(KINSHIP)
    signs = np.where(np.arange(len(values)) % 2, 1.0, -1.0)
    nothing = snp_heritability(KINSHIP, vectors @ (signs * np.exp(-values / 2)))
    assert nothing.estimate < 0.01
    assert nothing.is_at_end
    assert np.isfinite(nothing.standard_error)


def test_very_many_lines_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwas_core.model.heritability._MOST_LINES", 150)
    sampled = snp_heritability(KINSHIP, DATASET.phenotype)
    assert sampled.lines == 150
    assert sampled == snp_heritability(KINSHIP, DATASET.phenotype)
    assert sampled != snp_heritability(KINSHIP, DATASET.phenotype, seed=1)


def test_what_cannot_be_estimated_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="at least 20 lines with a phenotype, and there are 19 lines"):
        snp_heritability(KINSHIP[:19, :19], DATASET.phenotype[:19])
    with pytest.raises(InputError, match="phenotype that varies"):
        snp_heritability(KINSHIP, np.full(DATASET.lines, 3.7))


def test_a_damaged_record_is_refused() -> None:
    sound = SnpHeritability(estimate=0.5, standard_error=0.1, lines=9, genetic_variance=1.0, residual_variance=1.0)
    for change in ({"estimate": 1.5}, {"estimate": float("nan")}, {"standard_error": float("inf")}):
        with pytest.raises(InputError):
            replace(sound, **change)
