"""Show all experiments as a table, with what can be done with the selected one.

Also here: which experiment is selected; what is shown while there are none; columns of the table, the best baseline
among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from gwas_core.report.history import sparkline
from gwas_core.report.titles import model_title
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.folder_record import unknown_folders_sentence
from gwas_core.tuning.records import ExperimentSummary
from ui.actions import experiment_actions
from ui.states import STATE_LABELS
from ui.tables import data_table
from ui.text import markdown_text

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

_SELECTED = "experiments-selected"
_RUNS_ON = "Runs on"


def experiments_table(summaries: Iterable[ExperimentSummary]) -> pd.DataFrame:
    """Return one row per experiment, in the order given; with where each runs, unless all run on this machine."""
    summaries = tuple(summaries)
    table = pd.DataFrame(_rows.of(summaries))
    return table if any(summary.engine != "local" for summary in summaries) else table.drop(columns=_RUNS_ON)


class _Rows:
    """Rows of the table, each kept for as long as its summary is the same object: that of all sessions."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[ExperimentSummary, dict[str, object]]] = {}

    def of(self, summaries: Sequence[ExperimentSummary]) -> list[dict[str, object]]:
        """Return the row of each experiment."""
        before, rows = self._kept, {}
        for summary in summaries:
            kept = before.get(summary.name)
            rows[summary.name] = kept if kept is not None and kept[0] is summary else (summary, _row(summary))
        self._kept = rows
        return [row for _, row in rows.values()]


_rows = _Rows()


def _row(summary: ExperimentSummary) -> dict[str, object]:
    best = None if summary.best is None else summary.best[1]
    baseline, error = best_baseline(summary)
    return {
        "Experiment": summary.name,
        "State": STATE_LABELS[summary.state],
        _RUNS_ON: {"local": "this machine", "kubeflow": "Kubeflow"}.get(summary.engine, summary.engine),
        "Progress": summary.finished_trials / summary.max_trials if summary.max_trials else None,
        "Trials": f"{summary.finished_trials} of {summary.max_trials}" if summary.max_trials else "",
        "Best": best,
        "Baseline": error,
        "Difference": None if best is None or not error else best / error - 1,
        "Best so far": sparkline(summary),
        "Best baseline": baseline,
        "Mean": _validation_error(summary, "mean"),
        "GBLUP": _validation_error(summary, "gblup"),
        "Data": summary.source,
        "Created": pd.Timestamp(summary.created) if summary.created else pd.NaT,
        "Note": summary.reason,
    }


def best_baseline(summary: ExperimentSummary) -> tuple[str, float | None]:
    """Return the baseline with the lowest validation error.

    Args:
        summary: of the experiment.

    Returns:
        Title and error; empty and None if there is none.
    """
    errors = {name: result.validation.mean_absolute_error for name, result in (summary.baselines or {}).items()}
    if not errors:
        return "", None
    name = min(errors, key=errors.__getitem__)
    return model_title(name), errors[name]


def show_nothing_yet() -> None:
    """Show how to get a first experiment."""
    st.markdown("There are no experiments yet: load the demo data or your own genotypes, then launch a search on them.")
    st.page_link("pages/data.py", label="Go to Data", icon=":material/table_chart:")


def show_unknown_folders(names: Sequence[str]) -> None:
    """Say which folders of the workspace hold experiments that the store does not know, if any, and what helps.

    Args:
        names: of the folders.
    """
    if names:
        st.warning(
            f"{markdown_text(unknown_folders_sentence(names))} The command `recover` brings back what they hold.",
            icon=":material/folder_off:",
        )


def show_experiments(summaries: Sequence[ExperimentSummary]) -> None:
    """Show the table, and above it what can be done with the selected experiment."""
    names = [summary.name for summary in summaries]
    # The newest at first. Kept by name, so that the buttons stay with it when somebody launches another experiment.
    chosen = st.session_state.setdefault(_SELECTED, names[0])
    # A new key if the rows changed: Streamlit keeps a selection by row number, and it must stay with its experiment.
    key = f"experiments-{hash(tuple(names))}"
    actions = st.container()
    data_table(
        experiments_table(summaries),
        key=key,
        on_select=lambda: _remember(key, names),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen in names else []}},
        column_config=_columns(),
        placeholder="–",
        alt="Experiments: state, progress, best error of the network and of the baselines",
    )
    selected = next((summary for summary in summaries if summary.name == chosen), None)
    with actions, st.container(horizontal=True, vertical_alignment="center"):
        if selected is None:
            st.caption("Select a row to open, stop, resume, extend or delete that experiment.")
        else:
            _selected_actions(selected)


def _selected_actions(summary: ExperimentSummary) -> None:
    st.markdown(f"**{markdown_text(summary.name)}**", width="content")
    parameters = {"experiment": summary.name}
    if st.button(
        "Open",
        key="list-open",
        icon=":material/open_in_new:",
        type="primary",
        disabled=summary.state is ExperimentState.BROKEN,
    ):
        st.switch_page("pages/machine_room.py", query_params=parameters)
    if st.button(
        "Answer",
        key="list-model",
        icon=":material/verified:",
        disabled=summary.best is None,
        help="The best model: how good it is, its download, and predictions.",
    ):
        st.switch_page("pages/answer.py", query_params=parameters)
    experiment_actions(
        summary.name,
        summary.state,
        finished=summary.finished_trials,
        max_trials=summary.max_trials,
        key=f"list-{summary.name}",
    )


def _remember(key: str, names: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    st.session_state[_SELECTED] = names[rows[0]] if rows and rows[0] < len(names) else None


def _columns() -> dict[str, ColumnConfig]:
    error = "Mean absolute error on the validation lines, in the trait's unit; lower is better"
    return {
        "Experiment": st.column_config.TextColumn(pinned=True),
        "Progress": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0, width="small"),
        "Best": st.column_config.NumberColumn("Best network", format="%.4f", help=error),
        "Baseline": st.column_config.NumberColumn("Best baseline", format="%.4f", help=error),
        "Difference": st.column_config.NumberColumn(
            "vs baseline",
            format="percent",
            help="Error of the best network relative to the best baseline; below 0 the network is better",
        ),
        "Best so far": st.column_config.LineChartColumn(
            help="The lowest error found up to each trial that succeeded", width="small"
        ),
        "Best baseline": st.column_config.TextColumn("Which baseline"),
        "Mean": st.column_config.NumberColumn(model_title("mean"), format="%.4f", help=error),
        "GBLUP": st.column_config.NumberColumn(model_title("gblup"), format="%.4f", help=error),
        "Created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        "Note": st.column_config.TextColumn(width="large"),
    }


def _validation_error(summary: ExperimentSummary, baseline: str) -> float | None:
    found = (summary.baselines or {}).get(baseline)
    return None if found is None else found.validation.mean_absolute_error
