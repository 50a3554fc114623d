"""Which column is what: guessed, chosen, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.families import explained_by_groups, guess_family_characters
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.readers import read_table
from tests.genotypes.bad_input import as_text, good_rows, line_name

LINES = 40


def table_of(tmp_path: Path, **columns: list[str]) -> GenotypeTable:
    """A table with these columns before two SNPs."""
    rows = [[*columns, "Gm01_1", "Gm01_2"]]
    rows += [[*cells, str(index % 3), "1"] for index, cells in enumerate(zip(*columns.values(), strict=True))]
    path = tmp_path / "table.txt"
    path.write_text(as_text(rows), encoding="utf-8")
    return read_table(path)


def texts(value: str) -> list[str]:
    return [f"{value}{index}" for index in range(LINES)]


NUMBERS = [str(index / 7) for index in range(LINES)]
FOLDS = [str(index % 5) for index in range(LINES)]
FAMILIES = [f"f{index % 3}" for index in range(LINES)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"folds": FOLDS, "height": NUMBERS, "strain": texts("s"), "norm_phe": NUMBERS},
            {"folds": "folds", "phenotype": "norm_phe", "line_name": "strain"},
        ),
        (
            {"CV": FOLDS, "oil": NUMBERS, "PlantHeight": NUMBERS, "Taxa": texts("t"), "POP": FAMILIES},
            {"folds": "CV", "phenotype": "PlantHeight", "line_name": "Taxa", "family": "POP"},
        ),
        (
            {"note": ["same"] * LINES, "label": texts("x"), "fold": FOLDS, "oil": NUMBERS},
            {"line_name": "label", "folds": "fold", "phenotype": "oil"},
        ),
        ({"oil": NUMBERS}, {"phenotype": "oil"}),
        ({"label": texts("x")}, {"line_name": "label"}),
        # What is called like a role but cannot be it
        (
            {"folds": texts("x"), "family": ["one"] * LINES, "yield": NUMBERS},
            {"line_name": "folds", "phenotype": "yield"},
        ),
        # Numbers that are design, not trait
        (
            {"id": texts("x"), "year": ["2019"] * LINES, "block": FOLDS, "oil": NUMBERS},
            {"line_name": "id", "phenotype": "oil"},
        ),
        # One typo does not hide the trait, so that it can be pointed out
        ({"id": texts("x"), "oil": ["tall", *NUMBERS[1:]]}, {"line_name": "id", "phenotype": "oil"}),
    ],
)
def test_guesses(columns: dict[str, list[str]], expected: dict[str, str], tmp_path: Path) -> None:
    assert guess_roles(table_of(tmp_path, **columns)) == ColumnRoles(**expected)


def nested_families(names: list[str], families: list[int], *, seed: int = 0) -> np.ndarray:
    """Inbred lines of crosses of one hub parent with as many founders as there are families."""
    source = np.random.default_rng(seed)
    founders = source.integers(0, 2, (max(families) + 1, 200))
    segregates = source.integers(0, 2, (len(names), 200))
    return (2 * segregates * founders[families]).astype(np.int8)


def test_the_family_is_found_in_line_names() -> None:
    families = [index // 30 for index in range(240)]
    names = [f"DS11-{11 + 3 * family:02d}{index % 30 + 1:03d}" for index, family in enumerate(families)]
    assert guess_family_characters(names, nested_families(names, families)) == (6, 7)


def test_the_family_is_found_where_missing_genotypes_follow_it() -> None:
    """Only what segregates is called: the alleles alone would not tell the families apart."""
    families = [index // 30 for index in range(240)]
    names = [f"DS11-{11 + 3 * family:02d}{index % 30 + 1:03d}" for index, family in enumerate(families)]
    source = np.random.default_rng(1)
    genotypes = (2 * source.integers(0, 2, (240, 200))).astype(np.int8)
    genotypes[~source.integers(0, 2, (8, 200)).astype(bool)[families]] = -1
    assert guess_family_characters(names, genotypes) == (6, 7)


def test_a_family_number_keeps_its_first_digit() -> None:
    families = [index // 30 for index in range(240)]
    names = [f"X-{11 + family}-{index % 30 + 1:03d}" for index, family in enumerate(families)]
    assert guess_family_characters(names, nested_families(names, families)) == (3, 4)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"DS{index:03d}" for index in range(240)], "serial numbers mean nothing"),
        ([f"{11 + index // 30}-{index % 30}" for index in range(240)], "names of different lengths"),
        ([f"{11 + index // 4}-{index % 4}" for index in range(240)], "families of four"),
        ([], "no names"),
    ],
)
def test_no_family_where_names_do_not_say_it(names: list[str], why: str) -> None:
    source = np.random.default_rng(2)
    genotypes = source.integers(0, 3, (len(names), 200)).astype(np.int8)
    if why == "families of four":
        genotypes = nested_families(names, [index // 4 for index in range(240)])
    assert guess_family_characters(names, genotypes) is None, why


def test_explained_variance_is_adjusted_r_squared() -> None:
    """Against its definition, group by group."""
    source = np.random.default_rng(3)
    groups = np.sort(source.integers(0, 5, 60))
    sample = source.normal(size=(60, 3)) + groups[:, None]
    sample -= sample.mean(axis=0)
    within = sum(((sample[groups == g] - sample[groups == g].mean(axis=0)) ** 2).sum() for g in range(5))
    expected = 1 - (within / (60 - 5)) / ((sample**2).sum() / (60 - 1))
    assert explained_by_groups(sample, groups, np.bincount(groups)) == pytest.approx(expected)


def good_table(tmp_path: Path, *, changes: dict[tuple[int, int], str] | None = None) -> GenotypeTable:
    """The good file with some cells (row with the header as 1, column from 0) changed."""
    rows = good_rows()
    for (row, column), value in (changes or {}).items():
        rows[row - 1][column] = value
    path = tmp_path / "table.txt"
    path.write_text(as_text(rows), encoding="utf-8")
    return read_table(path)


def test_a_dataset_holds_what_the_roles_say(tmp_path: Path) -> None:
    rows = good_rows()
    table = good_table(tmp_path)
    roles = ColumnRoles(phenotype="height", line_name="strain", family_characters=(6, 7), folds="folds")
    dataset, notes = make_dataset(table, roles)
    assert dataset.trait == "height"
    assert dataset.phenotype.tolist() == [float(row[3]) for row in rows[1:]]
    assert list(dataset.line_names) == [row[2] for row in rows[1:]]
    assert dataset.family is not None
    assert dataset.family.tolist() == [row[2][5:7] for row in rows[1:]]
    assert dataset.folds is not None
    assert dataset.folds.tolist() == [int(row[0]) for row in rows[1:]]
    assert dataset.genotypes.tolist() == table.genotypes.tolist()
    text = " ".join(notes)
    for piece in (
        "phenotype is column 'height'",
        "column 'strain'",
        "'11' in 'DS11-11000'",
        "4 families",
        "5 different folds",
        "'norm_phe'",
    ):
        assert piece in text


def test_lines_without_names_are_named_by_row(tmp_path: Path) -> None:
    dataset, notes = make_dataset(good_table(tmp_path), ColumnRoles(phenotype="height"))
    assert dataset.line_names[0] == "row-00001"
    assert dataset.line_names[-1] == "row-00040"
    assert dataset.family is None
    assert dataset.folds is None
    assert any("row-00001" in note for note in notes)


def test_lines_without_a_phenotype_are_left_out_when_told(tmp_path: Path) -> None:
    table = good_table(tmp_path, changes={(4, 1): "NA", (9, 1): ""})
    dataset, notes = make_dataset(table, guess_roles(table), drop_missing_phenotype=True)
    assert dataset.lines == 38
    left_out = {line_name(2), line_name(7)}
    assert not left_out & set(dataset.line_names)
    kept = [index for index in range(40) if index not in (2, 7)]
    assert dataset.genotypes.tolist() == table.genotypes[kept].tolist()
    assert dataset.phenotype.tolist() == [float(table.columns["norm_phe"][index]) for index in kept]
    assert any("2 lines" in note and all(name in note for name in left_out) for note in notes)


def test_too_few_lines_after_leaving_some_out(tmp_path: Path) -> None:
    table = good_table(tmp_path, changes={(row, 1): "NA" for row in range(2, 13)})
    with pytest.raises(InputError, match="only 29 lines after 11 lines without a phenotype were left out"):
        make_dataset(table, guess_roles(table), drop_missing_phenotype=True)


def test_numbers_that_may_mean_missing_are_mentioned(tmp_path: Path) -> None:
    table = good_table(tmp_path, changes={(4, 3): "-9", (5, 3): "-999"})
    _, notes = make_dataset(table, ColumnRoles(phenotype="height", line_name="strain"))
    assert any("-9 or -999 in 2 lines" in note for note in notes)


@pytest.mark.parametrize("role", ["phenotype", "line_name", "family", "folds"])
def test_a_role_without_its_column(role: str, tmp_path: Path) -> None:
    table = good_table(tmp_path)
    roles: dict[str, Any] = {"phenotype": "norm_phe", role: "weight"}
    with pytest.raises(SettingsError, match="'weight', which the file does not have") as error:
        make_dataset(table, ColumnRoles(**roles))
    assert error.value.field == role
    assert "'folds', 'norm_phe', 'strain', 'height'" in str(error.value)


def test_a_snp_is_no_phenotype(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'Gm01_100', which is a SNP"):
        make_dataset(good_table(tmp_path), ColumnRoles(phenotype="Gm01_100"))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"phenotype": "a", "line_name": "a"}, "line_name"),
        ({"folds": "a", "family": "a"}, "folds"),
        ({"family": "a", "family_characters": (1, 2)}, "family_characters"),
        ({"family_characters": (3, 2)}, "family_characters"),
        ({"family_characters": (0, 2)}, "family_characters"),
    ],
)
def test_roles_that_cannot_be(options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as error:
        ColumnRoles(**options)
    assert error.value.field == field


def test_family_characters_beyond_a_name(tmp_path: Path) -> None:
    table = good_table(tmp_path, changes={(5, 2): "DS11-1"})
    with pytest.raises(SettingsError, match="row 5, line 'DS11-1' is too short") as error:
        make_dataset(table, ColumnRoles(phenotype="height", line_name="strain", family_characters=(6, 7)))
    assert error.value.field == "family_characters"


@pytest.mark.parametrize("value", ["a", "1.5", "", "nan", "inf", "1e300"])
def test_folds_are_whole_numbers(value: str, tmp_path: Path) -> None:
    table = good_table(tmp_path, changes={(7, 0): value})
    assert guess_roles(table).folds is None
    with pytest.raises(InputError, match=f"'{value}' in row 7, line 'DS11-12005'.*whole number"):
        make_dataset(table, ColumnRoles(phenotype="height", line_name="strain", folds="folds"))


def test_lines_without_a_family(tmp_path: Path) -> None:
    table = table_of(tmp_path, id=texts("x"), oil=NUMBERS, family=["", *FAMILIES[1:]])
    with pytest.raises(
        InputError, match=r"1 line of 'table\.txt' has no family in column 'family', the first in row 2"
    ):
        make_dataset(table, guess_roles(table))


def test_families_of_the_real_lines(real_data: Path) -> None:
    """39 families of about 130 lines, with genotypes before and after imputation (science.md)."""
    for name in ("IMP_height", "QA_height"):
        table = read_table(real_data / f"{name}.txt.gz")
        roles = guess_roles(table)
        assert roles == ColumnRoles(phenotype="norm_phe", line_name="strain", family_characters=(6, 7), folds="folds")
        dataset, _ = make_dataset(table, roles)
        assert dataset.family is not None
        families, sizes = np.unique(dataset.family, return_counts=True)
        assert len(families) == 39
        assert 90 <= sizes.min() <= sizes.max() <= 140
