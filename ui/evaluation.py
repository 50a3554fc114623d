"""Show the evaluation of an experiment with confidence intervals, or the command that computes one."""

from __future__ import annotations

import shlex

import pandas as pd
import streamlit as st

from gwas_core.errors import InputError
from gwas_core.evaluation.store import PREDICTIONS_FILE, EvaluationStore, evaluations_of
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.messages import counted
from gwas_core.report.evaluation import MARKS_LEGEND, differences_figure, differences_table, evaluation_rows
from gwas_core.report.titles import FIGURE_TITLES
from gwas_core.report.verdict import evaluation_verdict, verdict_sentence
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.workspace import Workspace, program_name
from ui.charts import show
from ui.store import show_error
from ui.tables import data_table
from ui.text import markdown_text


def show_evaluation(workspace: Workspace, record: ExperimentRecord) -> None:
    """Show the network against baselines with confidence intervals, or the command that computes this.

    Args:
        workspace: whose evaluations are searched for one that used this experiment.
        record: of the experiment.
    """
    st.subheader("Confidence intervals")
    folders = {folder.directory.name: folder for folder in evaluations_of(workspace, record.name)}
    if not folders:
        st.caption(
            "By chance, one split of the lines can make a network look better or worse than it is. This command tunes "
            "on half of the folds, predicts each of the other folds with networks trained on all folds but that one, "
            "and gives confidence intervals." + ("" if _is_kept(workspace, record) else " Use the path of your file:")
        )
        st.code(f"{program_name()} evaluate {shlex.quote(record.experiment.source)}", language="bash")
        return
    name = next(iter(folders))
    if len(folders) > 1:
        name = st.selectbox("Evaluation", list(folders), key="evaluation") or name
    try:
        _show(folders[name])
    except InputError as error:
        show_error(error)


def _is_kept(workspace: Workspace, record: ExperimentRecord) -> bool:
    """Return whether commands find the data of an experiment by the name of its source alone."""
    entries = DatasetLibrary(workspace).entries()
    return sum(entry.source == record.experiment.source for entry in entries) == 1


def _show(folder: EvaluationStore) -> None:
    result = folder.result()
    name = folder.directory.name
    if result is None:
        done = folder.finished_count()
        st.info(
            markdown_text(
                f"The evaluation {name} has no result yet: {counted(done, 'model')} trained so far. If it "
                "is no longer running, start it again with the same command, and it continues."
            ),
            icon=":material/hourglass_empty:",
        )
        return
    st.markdown(markdown_text(verdict_sentence(evaluation_verdict(result))))
    differences = differences_table(result)
    show(
        differences_figure(differences),
        key=f"evaluation-{name}",
        label=f"Network less each baseline, evaluation {name}",
        description="Differences with their 95 % confidence intervals. If an interval holds zero, these lines show no "
        "clear difference between the two models.",
        table=differences,
        file_name=f"{name}-differences",
    )
    st.caption(f"The network less each baseline, with 95 % confidence intervals. {MARKS_LEGEND}")
    for title, rows in evaluation_rows(result).items():
        columns = [title.capitalize(), *FIGURE_TITLES.values()]
        data_table(pd.DataFrame(rows, columns=columns), alt=f"{title}, with intervals")
    path = folder.directory / PREDICTIONS_FILE
    if path.is_file():
        st.download_button(
            "Download the predictions of every line",
            data=path.read_bytes,
            file_name=f"{name}-predictions.csv",
            mime="text/csv",
            icon=":material/download:",
            key="evaluation-csv",
            on_click="ignore",
        )
    with st.expander("Method", icon=":material/science:"):
        for note in (*result.notes, *result.reading):
            st.markdown(f"- {markdown_text(note)}")
