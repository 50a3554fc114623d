"""The regression scan against scipy, numpy's least squares and PLINK."""

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
from scipy import stats

from gwas_core.association.regression import COUNTED_ALLELE, associate, scan
from gwas_core.errors import InputError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.snp_names import snp_table
from tests.waiting import LIMIT


def structured_dataset(*, lines: int = 300, snps: int = 80, families: int = 6, seed: int = 0) -> Dataset:
    """Families that differ in allele frequencies and in the trait, one SNP that does not vary, some that matter."""
    random = np.random.default_rng(seed)
    family = np.arange(lines) % families
    frequency = random.uniform(0.05, 0.95, (families, snps))
    genotypes = random.binomial(2, frequency[family]).astype(np.int8)
    genotypes[:, 5] = 2
    phenotype = 50 + 3 * family + genotypes[:, :4] @ np.array([4.0, -2.0, 1.0, 0.5]) + random.normal(size=lines)
    return Dataset(
        genotypes=genotypes,
        phenotype=phenotype,
        line_names=tuple(f"line{index}" for index in range(lines)),
        snps=snp_table([f"Gm{1 + 20 * index // snps:02d}_{1000 + index}" for index in range(snps)]),
        trait="height",
        family=np.array([f"f{number}" for number in family]),
    )


GENOTYPES = st.tuples(st.integers(3, 20), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.integers(0, 2))
)


@settings(max_examples=60)
@given(genotypes=GENOTYPES, seed=st.integers(0, 2**32 - 1))
def test_every_figure_is_that_of_linregress(genotypes: np.ndarray, seed: int) -> None:
    phenotype = np.random.default_rng(seed).normal(100, 15, len(genotypes))
    result = scan(genotypes, phenotype)
    assert result.degrees_of_freedom == len(phenotype) - 2
    assert result.allele_frequency == pytest.approx(genotypes.mean(axis=0) / 2)
    for snp in range(genotypes.shape[1]):
        counts = genotypes[:, snp].astype(float)
        assert result.tested[snp] == (counts.min() < counts.max())
        if not result.tested[snp]:
            assert np.isnan([result.beta[snp], result.standard_error[snp], result.t[snp], result.p_value[snp]]).all()
            continue
        expected = stats.linregress(counts, phenotype)
        assert result.beta[snp] == pytest.approx(expected.slope, rel=1e-9, abs=1e-9)
        assert result.standard_error[snp] == pytest.approx(expected.stderr, rel=1e-6)
        assert result.p_value[snp] == pytest.approx(expected.pvalue, rel=1e-6)


def test_covariates_give_the_coefficients_of_the_whole_regression() -> None:
    dataset = structured_dataset()
    random = np.random.default_rng(1)
    # Dependent on each other, in very different units, and one that does not vary.
    first = random.normal(size=dataset.lines)
    covariates = np.column_stack([first, 1e6 * first + 3, random.normal(size=dataset.lines), np.full(dataset.lines, 7)])
    result = scan(dataset.genotypes, dataset.phenotype, covariates=covariates)
    assert result.degrees_of_freedom == dataset.lines - 4
    for snp in (0, 1, 17, 79):
        design = np.column_stack([dataset.genotypes[:, snp], np.ones(dataset.lines), covariates[:, [0, 2]]]).astype(
            float
        )
        coefficients, rest, _, _ = np.linalg.lstsq(design, dataset.phenotype)
        variance = rest[0] / (dataset.lines - 4) * np.linalg.inv(design.T @ design)[0, 0]
        assert result.beta[snp] == pytest.approx(coefficients[0], rel=1e-9)
        assert result.standard_error[snp] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_family_effects_are_a_comparison_inside_families() -> None:
    dataset = structured_dataset()
    lines = np.arange(20, 280)
    table = associate(dataset, lines, family_effects=True).set_index("name")
    frame = pd.DataFrame(dataset.genotypes[lines]).assign(y=dataset.phenotype[lines], family=dataset.family[lines])
    inside = frame.drop(columns="family") - frame.groupby("family").transform("mean")
    for snp in (0, 3, 40):
        expected = inside[snp] @ inside["y"] / (inside[snp] @ inside[snp])
        assert table["beta"].iloc[snp] == pytest.approx(expected, rel=1e-9)


def test_a_snp_that_labels_families_cannot_be_tested_beside_family_effects() -> None:
    dataset = structured_dataset(families=2)
    genotypes = dataset.genotypes.copy()
    genotypes[:, 7] = np.where(dataset.family == "f0", 0, 2)
    family = (dataset.family == "f0").astype(float)[:, None]
    assert scan(genotypes, dataset.phenotype).tested[7]
    result = scan(genotypes, dataset.phenotype, covariates=family)
    assert not result.tested[7]
    assert result.tested.sum() == len(dataset.snps) - 2  # and the one that does not vary


def test_p_values_far_below_the_smallest_float_are_told_apart() -> None:
    random = np.random.default_rng(0)
    genotypes = random.integers(0, 3, (3000, 3)).astype(np.int8)
    phenotype = genotypes[:, 0] + random.normal(0, 0.3, 3000)
    genotypes[:, 1] = genotypes[:, 0]
    genotypes[:300, 1] = 1
    result = scan(genotypes, phenotype)
    assert result.p_value[0] == 0
    assert 300 < result.neg_log10_p[1] < result.neg_log10_p[0] < np.inf


def test_a_perfect_fit_is_no_rounding_error() -> None:
    genotypes = np.array([[0], [1], [2], [1], [0], [2]], dtype=np.int8)
    # The residuals are known exactly: 1e-9, far below what a difference of sums of squares could show.
    pattern = np.array([1, 0, 1, -1, -1, 0]) * 1e-9
    pattern -= pattern.mean()
    result = scan(genotypes, 3.0 * genotypes[:, 0] + pattern)
    expected = stats.linregress(genotypes[:, 0], pattern)
    assert result.beta[0] == pytest.approx(3)
    assert result.standard_error[0] == pytest.approx(expected.stderr, rel=1e-3)


def test_what_cannot_be_tested_is_refused_in_words() -> None:
    genotypes = np.array([[0], [1], [2], [1]], dtype=np.int8)
    phenotype = np.array([1.0, 2.0, 4.0, 3.0])
    missing = genotypes.copy()
    missing[2] = -1
    with pytest.raises(InputError, match="missing values: impute"):
        scan(missing, phenotype)
    with pytest.raises(InputError, match="does not vary"):
        scan(genotypes, np.full(4, 7.1))
    with pytest.raises(InputError, match="does not vary"):
        scan(genotypes, phenotype, covariates=phenotype[:, None])
    with pytest.raises(InputError, match="2 lines are too few"):
        scan(genotypes[:2], phenotype[:2])
    with pytest.raises(InputError, match="one finite number"):
        scan(genotypes, np.array([1.0, np.nan, 2.0, 3.0]))
    with pytest.raises(InputError, match="one finite number"):
        scan(genotypes, phenotype[:3])
    with pytest.raises(InputError, match="one row for each"):
        scan(genotypes, phenotype, covariates=np.ones((3, 1)))
    with pytest.raises(InputError, match="int8"):
        scan(genotypes.astype(np.int64), phenotype)  # type: ignore[arg-type]


def test_the_table_names_snps_and_alleles() -> None:
    dataset = structured_dataset()
    lines = np.arange(0, 200)
    table = associate(dataset, lines)
    assert table.columns.tolist() == [
        "name",
        "chromosome",
        "base_pair_location",
        "effect_allele",
        "beta",
        "standard_error",
        "effect_allele_frequency",
        "p_value",
        "neg_log10_p_value",
        "n",
    ]
    assert table["name"].tolist() == dataset.snps["name"].tolist()
    assert (table["n"] == 200).all()
    assert (table["effect_allele"] == COUNTED_ALLELE).all()
    assert table.loc[5, ["beta", "standard_error", "p_value", "neg_log10_p_value"]].isna().all()
    assert table.loc[5, "effect_allele_frequency"] == 1
    assert associate(dataset, lines, family_effects=True)["neg_log10_p_value"].idxmax() == 0
    mask = np.zeros(dataset.lines, dtype=bool)
    mask[lines] = True
    pd.testing.assert_frame_equal(associate(dataset, mask), table)
    named = Dataset(
        **{name: getattr(dataset, name) for name in ("genotypes", "phenotype", "line_names", "trait")},
        snps=dataset.snps.assign(effect_allele="A", other_allele="G"),
    )
    assert associate(named, lines)[["effect_allele", "other_allele"]].drop_duplicates().values.tolist() == [["A", "G"]]
    with pytest.raises(InputError, match="no families"):
        associate(named, lines, family_effects=True)


def test_equals_plink(tmp_path: Path) -> None:
    plink = shutil.which("plink1.9")
    if plink is None:
        pytest.skip("PLINK 1.9 is not installed: apt-get install plink1.9")
    dataset = structured_dataset()
    random = np.random.default_rng(2)
    covariates = random.normal(size=(dataset.lines, 2))
    write_plink(tmp_path, dataset, covariates)
    plain = run_plink(plink, tmp_path, "plain")
    with_covariates = run_plink(plink, tmp_path, "covariates", "hide-covar", "--covar", "covariates.txt")
    for table, given_covariates in ((plain, None), (with_covariates, covariates)):
        result = scan(dataset.genotypes, dataset.phenotype, covariates=given_covariates)
        tested = result.tested
        # PLINK writes NA for the SNP that does not vary.
        assert table["P"].isna().to_numpy().tolist() == (~tested).tolist()
        rows = table[tested]
        assert (rows["NMISS"] == dataset.lines).all()
        # It prints four significant digits.
        np.testing.assert_allclose(result.beta[tested], rows["BETA"], rtol=6e-4)
        np.testing.assert_allclose(result.standard_error[tested], rows["SE"], rtol=6e-4)
        np.testing.assert_allclose(result.t[tested], rows["STAT"], rtol=6e-4)
        np.testing.assert_allclose(result.p_value[tested], rows["P"], rtol=6e-4)


def write_plink(folder: Path, dataset: Dataset, covariates: np.ndarray) -> None:
    to_bed(
        folder / "data.bed",
        dataset.genotypes,
        properties={
            "fid": list(dataset.line_names),
            "iid": list(dataset.line_names),
            "sid": dataset.snps["name"].tolist(),
            "chromosome": [name[2:] for name in dataset.snps["chromosome"]],
            "bp_position": dataset.snps["position"].tolist(),
            "allele_1": ["A"] * len(dataset.snps),
            "allele_2": ["G"] * len(dataset.snps),
        },
    )
    for name, values in (("phenotype.txt", dataset.phenotype[:, None]), ("covariates.txt", covariates)):
        rows = zip(dataset.line_names, values.tolist(), strict=True)
        (folder / name).write_text("".join(f"{line} {line} {' '.join(map(repr, row))}\n" for line, row in rows))


def run_plink(plink: str, folder: Path, name: str, *options: str) -> pd.DataFrame:
    command = [plink, "--bfile", "data", "--chr-set", "20", "--allow-no-sex", "--keep-allele-order"]
    command += ["--pheno", "phenotype.txt", "--linear", *options, "--ci", "0.95", "--threads", "1", "--out", name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=LIMIT)
    return pd.read_csv(folder / f"{name}.assoc.linear", sep=r"\s+")


def test_family_effects_find_the_known_block_in_soynam_height(real_data: Path) -> None:
    table = read_table(real_data / "IMP_height.txt.gz")
    dataset, _ = make_dataset(table, guess_roles(table))
    everyone = np.arange(dataset.lines)
    inside = associate(dataset, everyone, family_effects=True)
    best = inside.loc[inside["neg_log10_p_value"].idxmax()]
    t_squared = (best["beta"] / best["standard_error"]) ** 2
    # n r², found by another program: see the notes on these data.
    families = len(np.unique(dataset.family))
    chi_square = dataset.lines * t_squared / (dataset.lines - 1 - families + t_squared)
    assert best["name"] == "Gm19_1589676"
    assert chi_square == pytest.approx(237, abs=0.5)
