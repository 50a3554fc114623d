"""Tables as CSV: nothing in them acts as a formula, and every text comes back."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.spreadsheets import csv_text, marked_table, read_csv, with_formula_mark, without_formula_mark

FORMULAS = [
    "=1+1",
    "+SUM(A1)",
    "-cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n@x",
    "  =1",
    "\tx",
    "－1x",
    "＝1",
    "-",
]
TEXTS = ["", "'", "''", "'x", "x=1", "a-b", "1+1", "-0.5", "+3", "-1e-9", "-.5", "1,5", "é", "'-5", "-5 "]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert with_formula_mark(text) == f"'{text}"
    assert with_formula_mark(f"'{text}") == f"''{text}"


@pytest.mark.parametrize("text", TEXTS)
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert with_formula_mark(text) == text
    assert without_formula_mark(text) == text


@given(st.text(alphabet="'=+-@\t\r\n x1.e＝é", max_size=8) | st.text(max_size=20))
def test_every_text_comes_back(text: str) -> None:
    marked = with_formula_mark(text)
    assert without_formula_mark(marked) == text
    assert marked in (text, f"'{text}")


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": ["=HYPERLINK(1)", "ok", None],
            "-trait": [-0.5, 1.25, -3e-5],
            "count": [-1, 2, 3],
            "mixed": [-1, "+x", True],
            "kind": pd.Categorical(["@a", "b", "@a"]),
        }
    )


def test_numbers_of_a_table_stay_numbers_and_names_of_columns_are_marked_too() -> None:
    rows = list(csv.reader(io.StringIO(csv_text(table()))))
    assert rows == [
        ["line", "'-trait", "count", "mixed", "kind"],
        ["'=HYPERLINK(1)", "-0.5", "-1", "-1", "'@a"],
        ["ok", "1.25", "2", "'+x", "b"],
        ["", "-3e-05", "3", "True", "'@a"],
    ]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_table_comes_back(separator: str) -> None:
    names = pd.DataFrame({"line": [*FORMULAS, *TEXTS], "=x": range(len(FORMULAS) + len(TEXTS))})
    names = names[~names["line"].str.contains("\r")]  # pandas reads this line end as another one
    written = csv_text(names, separator=separator)
    back = read_csv(written.encode(), separator=separator, dtype={"line": str}, keep_default_na=False)
    assert back.columns.tolist() == ["line", "=x"]
    assert back["line"].tolist() == names["line"].tolist()
    assert back["=x"].tolist() == names["=x"].tolist()


def test_an_ordinary_table_is_written_as_pandas_writes_it() -> None:
    ordinary = pd.DataFrame({"line": ["a", "b,c", 'd"e'], "value": [0.1, float("nan"), -2.0], "n": [1, 2, 3]})
    assert csv_text(ordinary) == ordinary.to_csv(index=False)
    assert csv_text(ordinary, float_format="%.6g") == ordinary.to_csv(index=False, float_format="%.6g")
    assert marked_table(ordinary).equals(ordinary)
    assert csv_text(ordinary[:0]) == ordinary[:0].to_csv(index=False)


REPOSITORY = Path(__file__).resolve().parents[1]
# Read and write CSV: the one home, and what a bundle brings along for people without this program.
HOMES = {"gwas_core/spreadsheets.py", "gwas_core/model/reload_snippet.py"}


def test_all_tables_are_written_and_read_by_these_functions() -> None:
    others = []
    for folder in ("gwas_core", "ui", "pages"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            called = {
                node.func.attr
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            }
            if called & {"to_csv", "read_csv", "DictWriter"} and str(path.relative_to(REPOSITORY)) not in HOMES:
                others.append(str(path.relative_to(REPOSITORY)))
    assert others == []
