"""Filters and imputation against plain loops."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import Imputation, PreprocessingSettings, preprocess
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.serialization import from_json_values, to_json_values

GENOTYPES = st.tuples(st.integers(2, 14), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.sampled_from([-1, -1, 0, 0, 1, 2, 2]))
)
SETTINGS = st.builds(
    PreprocessingSettings,
    minimum_allele_frequency=st.sampled_from([0, 0.01, 0.1, 0.3]),
    maximum_missing_per_snp=st.sampled_from([0, 0.3, 0.5, 1]),
    maximum_missing_per_line=st.sampled_from([0, 0.3, 0.5, 1]),
    imputation=st.sampled_from(get_args(Imputation)),
)


def dataset_of(genotypes: np.ndarray, *, families: int = 3) -> Dataset:
    lines, snps = genotypes.shape
    return Dataset(
        genotypes=genotypes.astype(np.int8),
        phenotype=np.arange(lines, dtype=np.float64),
        line_names=tuple(f"line {index}" for index in range(lines)),
        snps=snp_table([f"Gm1_{index}" for index in range(snps)]),
        trait="height",
        family=np.array([f"f{index % families}" for index in range(lines)]) if families else None,
        folds=np.arange(lines, dtype=np.int64),
    )


def mode(values: list[int]) -> int:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def expected_result(genotypes: np.ndarray, settings: PreprocessingSettings) -> tuple[list[int], list[int], np.ndarray]:
    """Kept lines, kept SNPs and imputed genotypes, one value after another."""
    rows = [[int(value) for value in row] for row in genotypes]
    lines = [i for i, row in enumerate(rows) if row.count(-1) / len(row) <= settings.maximum_missing_per_line]
    snps = []
    for snp in range(genotypes.shape[1]):
        column = [rows[line][snp] for line in lines]
        called = [value for value in column if value >= 0]
        if not column or column.count(-1) / len(column) > settings.maximum_missing_per_snp or len(set(called)) < 2:
            continue
        frequency = sum(called) / (2 * len(called))
        if min(frequency, 1 - frequency) >= settings.minimum_allele_frequency:
            snps.append(snp)
    imputed = genotypes[np.ix_(lines, snps)].copy()
    for j, snp in enumerate(snps):
        called = [rows[line][snp] for line in lines if rows[line][snp] >= 0]
        for i, line in enumerate(lines):
            if rows[line][snp] >= 0:
                continue
            relatives = [rows[other][snp] for other in lines if other % 3 == line % 3 and rows[other][snp] >= 0]
            if settings.imputation == "mean":
                imputed[i, j] = int(sum(called) / len(called) + 0.5)
            elif settings.imputation == "within_family_mode" and relatives:
                imputed[i, j] = mode(relatives)
            else:
                imputed[i, j] = mode(called)
    return lines, snps, imputed


@given(GENOTYPES, SETTINGS)
def test_the_result_is_that_of_plain_loops(genotypes: np.ndarray, settings: PreprocessingSettings) -> None:
    dataset = dataset_of(genotypes)
    lines, snps, imputed = expected_result(genotypes, settings)
    if not lines or not snps:
        with pytest.raises(InputError, match="no line is left" if not lines else "no SNP is left"):
            preprocess(dataset, settings)
        return
    prepared = preprocess(dataset, settings)
    assert prepared.dataset.line_names == tuple(f"line {line}" for line in lines)
    assert prepared.dataset.snps["name"].tolist() == [f"Gm1_{snp}" for snp in snps]
    assert prepared.dataset.genotypes.tolist() == imputed.tolist()
    assert prepared.dataset.phenotype.tolist() == lines
    assert prepared.dataset.folds is not None
    assert prepared.dataset.folds.tolist() == lines
    assert not prepared.dataset.has_missing
    # The table does to the same lines, met again, what was done here.
    again = prepared.imputation.apply(genotypes[np.ix_(lines, snps)], prepared.dataset.family)
    assert again.tolist() == imputed.tolist()
    report = prepared.report
    assert report.imputed == int((genotypes[np.ix_(lines, snps)] < 0).sum())
    assert report.lines_before - report.lines_missing.count == report.lines_after == len(lines)
    assert report.snps_after == len(snps)
    dropped = report.snps_missing.count + report.snps_monomorphic.count + report.snps_rare.count
    assert report.snps_before - dropped == len(snps)
    json.dumps(to_json_values(report), allow_nan=False)


STEPS = np.array(
    [
        # many missing, monomorphic, rare, kept, kept
        [-1, 0, 0, 0, 0],
        [-1, 0, 0, 0, 1],
        [-1, 0, 0, 2, 1],
        [0, 0, 0, 2, -1],
        [2, 0, 1, 2, 2],
        [-1, -1, -1, -1, 2],
    ]
)
STEP_SETTINGS = PreprocessingSettings(
    minimum_allele_frequency=0.2, maximum_missing_per_snp=0.5, maximum_missing_per_line=0.6
)


def test_the_report_names_what_each_step_changed() -> None:
    report = preprocess(dataset_of(STEPS), STEP_SETTINGS).report
    assert report.lines_missing.first == ("line 5",)
    assert report.snps_missing.first == ("Gm1_0",)
    assert report.snps_monomorphic.first == ("Gm1_1",)
    assert report.snps_rare.first == ("Gm1_2",)
    assert (report.imputed, report.imputed_fraction) == (1, 0.1)
    assert report.sentences() == [
        "Left out 1 line with more than 0.6 of the genotypes missing: 'line 5'.",
        "Left out 1 SNP missing in more than 0.5 of the lines: 'Gm1_0'.",
        "Left out 1 SNP with the same genotype in all lines where any was called: 'Gm1_1'.",
        "Left out 1 SNP with an allele rarer than 0.2: 'Gm1_2'.",
        "Imputed 1 missing genotype (10 %) by the SNP's most frequent genotype.",
        "Kept 5 of 6 lines and 2 of 5 SNPs.",
    ]


def test_rounded_means_are_said_to_be_rounded() -> None:
    settings = PreprocessingSettings(imputation="mean")
    prepared = preprocess(dataset_of(np.array([[0, 2], [1, 0], [-1, 2], [2, 1]])), settings)
    assert prepared.dataset.genotypes[2, 0] == 1
    assert any("rounded to 0, 1 or 2" in sentence for sentence in prepared.report.sentences())


def test_new_lines_of_unknown_families_get_the_overall_mode() -> None:
    genotypes = np.array([[0], [2], [1], [0], [2], [1], [-1], [2], [1], [0]])
    prepared = preprocess(dataset_of(genotypes), PreprocessingSettings(imputation="within_family_mode"))
    new = np.full((4, 1), -1, dtype=np.int8)
    assert prepared.imputation.apply(new, ["f0", "f1", "f2", "elsewhere"]).tolist() == [[0], [2], [1], [0]]


def test_nothing_is_changed_where_nothing_is_wrong() -> None:
    genotypes = np.array([[0, 2], [1, 0], [2, 1]])
    report = preprocess(dataset_of(genotypes), PreprocessingSettings()).report
    assert report.sentences() == ["Kept 3 of 3 lines and 2 of 2 SNPs."]


def test_within_families_needs_families() -> None:
    with pytest.raises(SettingsError, match="needs families") as error:
        preprocess(dataset_of(STEPS, families=0), PreprocessingSettings(imputation="within_family_mode"))
    assert error.value.field == "imputation"


def test_nothing_left() -> None:
    with pytest.raises(InputError, match="no line is left: all 3 lines"):
        preprocess(dataset_of(np.full((3, 4), -1)), PreprocessingSettings())
    with pytest.raises(
        InputError, match="no SNP is left: 0 were missing too often, 4 were monomorphic, 0 were too rare"
    ):
        preprocess(dataset_of(np.full((3, 4), 2)), PreprocessingSettings())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimum_allele_frequency", -0.01),
        ("minimum_allele_frequency", 0.51),
        ("minimum_allele_frequency", float("nan")),
        ("minimum_allele_frequency", True),
        ("minimum_allele_frequency", "0.1"),
        ("maximum_missing_per_snp", 1.01),
        ("maximum_missing_per_line", None),
        ("imputation", "median"),
    ],
)
def test_settings_outside_their_range(field: str, value: Any) -> None:
    with pytest.raises(SettingsError) as error:
        from_json_values(PreprocessingSettings, {field: value}, name="preprocessing")
    assert error.value.field == field


def test_settings_survive_json() -> None:
    settings = PreprocessingSettings(minimum_allele_frequency=0.05, imputation="mean")
    assert from_json_values(PreprocessingSettings, to_json_values(settings), name="preprocessing") == settings
    assert from_json_values(PreprocessingSettings, {}, name="preprocessing") == PreprocessingSettings()
    with pytest.raises(SettingsError, match="preprocessing has no entry 'maf'") as error:
        from_json_values(PreprocessingSettings, {"maf": 0.1}, name="preprocessing")
    assert error.value.field == "maf"


def test_the_real_data(real_data: Path) -> None:
    table = read_table(real_data / "QA_height.txt.gz")
    dataset, _ = make_dataset(table, guess_roles(table))
    settings = PreprocessingSettings(imputation="within_family_mode")
    prepared = preprocess(dataset, settings)
    assert not prepared.dataset.has_missing
    assert prepared.dataset.genotypes.dtype == np.int8
    lines = np.isin(dataset.line_names, prepared.dataset.line_names)
    snps = dataset.snps["name"].isin(prepared.dataset.snps["name"]).to_numpy()
    before = dataset.genotypes[np.ix_(lines, snps)]
    assert np.array_equal(before[before >= 0], prepared.dataset.genotypes[before >= 0])
    assert prepared.report.imputed == int((before < 0).sum())
