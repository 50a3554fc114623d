"""Show tables on pages; a text of one that a person saves from there is never a formula."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from gwas_core.spreadsheets import marked_table


def data_table(table: pd.DataFrame, *, alt: str, **options: Any) -> Any:
    """Show a table without its index.

    Args:
        table: may hold texts from outside, as its columns may.
        alt: what the table is, for people who cannot see it.
        options: of ``st.dataframe``.

    Returns:
        What ``st.dataframe`` returns: the selection, where ``on_select`` is given.
    """
    return st.dataframe(marked_table(table), hide_index=True, alt=alt, **options)
