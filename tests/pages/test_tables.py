"""Tables of the pages, which Streamlit offers to save as CSV."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


def _page() -> None:
    import pandas as pd

    from ui.tables import data_table

    data_table(pd.DataFrame({"=name": ["@SUM(A1)", "plain"], "n": [1.5, -2.0]}), alt="A table")


def test_no_text_of_a_table_is_a_formula() -> None:
    shown = AppTest.from_function(_page).run().dataframe[0].value
    expected = pd.DataFrame({"'=name": ["'@SUM(A1)", "plain"], "n": [1.5, -2.0]})
    pd.testing.assert_frame_equal(shown, expected)


def test_pages_show_their_tables_so() -> None:
    """None of them calls Streamlit for one itself."""
    callers = set()
    for path in [ROOT / "app.py", *(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(attr="dataframe" | "write", value=ast.Name(id="st")):
                    callers.add(path.relative_to(ROOT).as_posix())
    assert callers == {"ui/tables.py"}
