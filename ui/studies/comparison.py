"""Compare studies side by side: data, searches, and how their networks stand against the baselines on test lines."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from gwas_core.report.comparison import comparison
from gwas_core.spreadsheets import csv_text
from gwas_core.studies.listing import Study
from ui.studies.states import STATE_TITLES, study_sentence
from ui.tables import data_table

_DIGITS = 4
_CHOSEN = "studies-compared"


def show_comparison(studies: Sequence[Study]) -> None:
    """Show the studies that a person chooses as columns of one table.

    Args:
        studies: of the workspace; nothing is shown where there are fewer than two.
    """
    if len(studies) < 2:
        return
    by_key = {study.key: study for study in studies}
    if _CHOSEN in st.session_state:  # one of them may have been deleted meanwhile
        st.session_state[_CHOSEN] = [key for key in st.session_state[_CHOSEN] if key in by_key]
    with st.expander("Compare studies", icon=":material/compare_arrows:"):
        chosen = st.multiselect(
            "Studies",
            list(by_key),
            format_func=lambda key: by_key[key].title,
            key=_CHOSEN,
            placeholder="Choose two or more",
        )
        if len(chosen) < 2:
            return
        table = comparison_table([by_key[key] for key in chosen])
        data_table(table, alt="The studies side by side")
        st.download_button(
            "Download as CSV",
            data=lambda: csv_text(table).encode(),
            file_name="studies.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="studies-compared-csv",
        )
        st.caption(
            "Figures are those on the test lines of each study's newest judged search, in the unit of its trait."
        )


def comparison_table(studies: Sequence[Study]) -> pd.DataFrame:
    """Return what studies are and what came out of them.

    Args:
        studies: in the order of the columns.

    Returns:
        A row for each fact, all as text; column ``Fact``, then one for each study, by its title, which gets its key
        where two have the same.
    """
    titles = [study.title for study in studies]
    table: dict[str, list[str]] = {}
    for study in studies:
        name = study.title if titles.count(study.title) == 1 else f"{study.title} ({study.key})"
        table[name] = list(_facts(study).values())
    return pd.DataFrame({"Fact": list(_facts(studies[0])), **table})


def _facts(study: Study) -> dict[str, str]:
    answering = study.answering
    rows = [] if answering is None else comparison(answering, "test")
    network = next((row for row in rows if row.is_network), None)
    baseline = next((row for row in rows if not row.is_network), None)
    return {
        "Trait": study.trait or "–",
        "File": study.source,
        "Lines": "–" if study.lines is None else f"{study.lines:,}",
        "SNPs": "–" if study.snps is None else f"{study.snps:,}",
        "Searches": f"{len(study.experiments):,}",
        "State": STATE_TITLES[study.state],
        "Verdict": study_sentence(study),
        "Judged search": "–" if answering is None else answering.name,
        "Trials of it": "–" if answering is None else f"{answering.finished_trials:,}",
        "Error of the network": _number(None if network is None else network.metrics.mean_absolute_error),
        "Best baseline": "–" if baseline is None or network is None else baseline.title,
        "Its error": _number(None if baseline is None or network is None else baseline.metrics.mean_absolute_error),
        "Pearson r of the network": _number(None if network is None else network.metrics.pearson),
        "Tags": ", ".join(study.about.tags) or "–",
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.{_DIGITS}g}"
