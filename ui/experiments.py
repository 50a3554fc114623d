"""The list of experiments as a table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import streamlit as st

from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.records import ExperimentSummary

# A word and an icon: state is never told by colour alone.
STATE_LABELS = {
    ExperimentState.CREATED: "○ created",
    ExperimentState.RUNNING: "▶ running",
    ExperimentState.STOPPING: "◼ stopping",
    ExperimentState.STOPPED: "◼ stopped",
    ExperimentState.INTERRUPTED: "⚠ interrupted",
    ExperimentState.SUCCEEDED: "✓ succeeded",
    ExperimentState.FAILED: "✗ failed",
}


def experiments_table(summaries: Iterable[ExperimentSummary]) -> pd.DataFrame:
    """One row an experiment, the newest first."""
    return pd.DataFrame(
        [
            {
                "Experiment": summary.name,
                "State": STATE_LABELS[summary.state],
                "Progress": summary.finished_trials / summary.max_trials,
                "Trials": f"{summary.finished_trials} of {summary.max_trials}",
                "Best": None if summary.best is None else summary.best[1],
                "Mean": _validation_error(summary, "mean"),
                "GBLUP": _validation_error(summary, "gblup"),
                "Data": summary.source,
                "Created": pd.Timestamp(summary.created),
                "Note": summary.reason,
            }
            for summary in summaries
        ]
    )


def show_experiments(summaries: Iterable[ExperimentSummary]) -> None:
    """Draw the table."""
    error = "Mean absolute error on the validation lines, in the trait's unit; lower is better"
    st.dataframe(
        experiments_table(summaries),
        hide_index=True,
        column_config={
            "Progress": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0),
            "Best": st.column_config.NumberColumn("Best network", format="%.4f", help=error),
            "Mean": st.column_config.NumberColumn("Training mean", format="%.4f", help=error),
            "GBLUP": st.column_config.NumberColumn(format="%.4f", help=error),
            "Created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )


def _validation_error(summary: ExperimentSummary, baseline: str) -> float | None:
    result = (summary.baselines or {}).get(baseline)
    return None if result is None else float(result["validation"]["mean_absolute_error"])
