"""Imputation tables: what they fill in, and their way through a bundle."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.imputation import ImputationTable

TABLE = ImputationTable(
    np.array([0, 1, 2], dtype=np.int8),
    {"a": np.array([2, 2, 2], dtype=np.int8), "b": np.array([1, 1, 1], dtype=np.int8)},
)
LINES = np.array([[-1, -1, -1], [-1, 0, -1], [-1, 2, 0], [0, 0, 0]], dtype=np.int8)


def test_missing_genotypes_are_filled_in_by_family() -> None:
    filled = TABLE.apply(LINES, ["a", "unknown", "b", "a"])
    assert filled.tolist() == [[2, 2, 2], [0, 0, 2], [1, 2, 0], [0, 0, 0]]
    assert filled.dtype == np.int8
    assert LINES.min() == -1, "the genotypes handed in stay as they are"


def test_without_families_the_overall_values_are_used() -> None:
    assert TABLE.apply(LINES).tolist() == [[0, 1, 2], [0, 0, 2], [0, 2, 0], [0, 0, 0]]
    assert ImputationTable(TABLE.values).apply(LINES, ["a"] * 4).tolist() == TABLE.apply(LINES).tolist()


@pytest.mark.parametrize(
    ("genotypes", "family"),
    [(LINES[:, :2], None), (LINES[0], None), (LINES, ["a"])],
    ids=["SNPs", "one line", "families"],
)
def test_what_does_not_fit_is_refused(genotypes: np.ndarray, family: list[str] | None) -> None:
    with pytest.raises(InputError, match="expected"):
        TABLE.apply(genotypes, family)


@pytest.mark.parametrize("table", [TABLE, ImputationTable(TABLE.values)], ids=["families", "no families"])
def test_a_table_survives_a_file_without_pickle(table: ImputationTable) -> None:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **table.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = ImputationTable.from_arrays(dict(loaded))
    assert again.values.tolist() == table.values.tolist()
    assert (again.by_family is None) == (table.by_family is None)
    for name, values in (table.by_family or {}).items():
        assert again.by_family is not None
        assert again.by_family[name].tolist() == values.tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {"values": None},
        {"families": None},
        {"values": np.array([0, 1, 3], dtype=np.int8)},
        {"values": np.array([0, 1, -1], dtype=np.int8)},
        {"values": np.array([0.0, 1.0, 2.0])},
        {"values": np.zeros((3, 3), dtype=np.int8)},
        {"families": np.array(["a"])},
        {"families": np.array([1, 2])},
        {"family_values": np.zeros((2, 4), dtype=np.int8)},
        {"family_values": np.zeros(2, dtype=np.int8)},
    ],
)
def test_damaged_arrays_are_refused(changes: dict[str, Any]) -> None:
    arrays = {**TABLE.to_arrays(), **changes}
    with pytest.raises(InputError, match="imputation values"):
        ImputationTable.from_arrays({name: array for name, array in arrays.items() if array is not None})
