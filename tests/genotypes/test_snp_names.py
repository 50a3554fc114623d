"""Places in SNP names, and the order of chromosomes."""

from __future__ import annotations

import random

import pytest

from gwas_core.genotypes.snp_names import snp_place, snp_table, sorted_chromosomes


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Gm05_1234", ("Gm05", 1234)),
        ("Chr1_123", ("Chr1", 123)),
        ("chr1:123", ("chr1", 123)),
        ("chrX:123", ("chrX", 123)),
        ("5:1234", ("5", 1234)),
        ("S5_1234", ("S5", 1234)),
        ("1_1234", ("1", 1234)),
        ("2B_77", ("2B", 77)),
        ("X5.1234", ("X5", 1234)),
        ("5:1234:A:G", ("5", 1234)),
        ("5:1234_A", ("5", 1234)),
        ("Gm05_1234_A_G", ("Gm05", 1234)),
        ("scaffold_12_99", ("scaffold_12", 99)),
        ("MT:7", ("MT", 7)),
    ],
)
def test_place_in_a_name(name: str, place: tuple[str, int]) -> None:
    assert snp_place(name) == place


@pytest.mark.parametrize(
    "name",
    [
        *("rs123", "ss715579", "M1", "12", "1.5", "0.125", ""),
        *("height", "norm_phe", "folds", "height_2019", "rep1_2", "2019_1"),
        *("Gm05_", "_1234", "Gm05_12x", "Gm05_1234567890123", "<b>Gm05_1</b>", "Gm05_1\n"),
    ],
)
def test_names_without_a_place(name: str) -> None:
    assert snp_place(name) is None


def test_the_table_says_what_is_unknown() -> None:
    table = snp_table(["Gm05_1234", "rs9"])
    assert table.to_dict("list") == {"name": ["Gm05_1234", "rs9"], "chromosome": ["Gm05", ""], "position": [1234, 0]}


@pytest.mark.parametrize(
    "order",
    [
        ["Gm1", "Gm2", "Gm10", "Gm20"],
        ["Gm01", "Gm02", "Gm10"],
        ["1", "2", "11", "22", "X", "Y", "MT"],
        ["chr1", "chr2", "chr10", "chrX", "chrY", "scaffold_3", "scaffold_21", ""],
        ["1A", "1B", "1D", "2A", "10A"],
        ["chr1", "chr2", "other", ""],
    ],
)
def test_chromosomes_in_the_order_of_a_person(order: list[str]) -> None:
    shuffled = random.Random(3).sample(order, len(order))
    assert sorted_chromosomes([*shuffled, *order]) == order
