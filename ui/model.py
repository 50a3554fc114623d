"""Draw the page of the best model: judgement, bundle, charts, predictions, model card.

Also here: why there is no judged model yet; what is said of how often test lines were used; which network the bundle
holds; whether training helped.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import streamlit as st

from gwas_core.errors import GwasError, InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import counted
from gwas_core.model.bundle_files import MODEL_CARD, read_beginning
from gwas_core.report.bundle_export import bundle_is_current, bundle_path, export_bundle, network_files
from gwas_core.report.bundled_network import bundled_network, bundled_network_sentence
from gwas_core.report.comparison import comparison
from gwas_core.report.markdown import harmless_card
from gwas_core.report.observed_predicted import (
    observed_predicted,
    observed_predicted_figure,
    read_predictions,
    trait_of,
)
from gwas_core.report.study_report import study_report, study_report_page
from gwas_core.report.training_gain import training_gain, training_sentence
from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.spreadsheets import read_csv
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.workspace import Workspace
from ui.charts import show
from ui.prediction import Prediction, kept_prediction, lines_predicted, run_prediction, store_upload
from ui.store import errors_shown, show_error
from ui.tables import data_table
from ui.text import markdown_text

_FIGURES = {
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "pearson": "Pearson r",
    "within_family_pearson": "r within families",
}
_LONGEST_CARD = 200_000
# A file of a few hundred kilobytes can hold millions of lines, which no browser shows.
_MOST_PREDICTED = 10_000


def not_judged(record: ExperimentRecord) -> str:
    """Return why there is no judged model yet, and what to do; empty if there is one."""
    best = record.best
    if best is None:
        if record.state.is_active():
            return "No trial has succeeded yet. The model appears here once the search has finished."
        return "No trial has succeeded, so there is no model. The page of the experiment shows why."
    if record.evaluated_best is None:
        found = f"Trial {best.number} is the best so far, but it has not been judged on the test lines yet. "
        if record.state.is_active():
            return found + "That is done once, when the search has finished."
        return found + "Resume the experiment, so that the search finishes."
    return ""


def judgement_rows(record: ExperimentRecord, part: str) -> pd.DataFrame:
    """Return a row for the network (marked) and each baseline, lowest error first; figures that none has are left out.

    Args:
        record: the experiment.
        part: ``test`` or ``validation``.
    """
    rows = [
        {
            "Model": f"★ {row.title}" if row.is_network else row.title,
            **{label: getattr(row.metrics, name) for name, label in _FIGURES.items()},
        }
        for row in comparison(record, part)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(_FIGURES.values(), "float64")).dropna(axis="columns", how="all")


def show_judgement(record: ExperimentRecord) -> None:
    """Show the verdict, and the tables that it is based on."""
    verdict = experiment_verdict(record)
    (st.success if verdict.is_better else st.warning)(
        markdown_text(verdict_sentence(verdict)),
        icon=":material/verified:" if verdict.is_better else ":material/balance:",
    )
    st.subheader("Test lines")
    _judgement_table(record, "test", _test_note(record))
    if record.best is not None:
        st.caption(training_sentence(training_gain(record.best)))
    with st.expander("While choosing: validation lines", icon=":material/rule:"):
        _judgement_table(
            record,
            "validation",
            "The network was chosen because of its low error on these lines, so its figures here are probably too "
            "good. They are not the verdict.",
        )


def _judgement_table(record: ExperimentRecord, part: str, note: str) -> None:
    data_table(
        pd.DataFrame(judgement_rows(record, part)),
        column_config={
            "MAE": st.column_config.NumberColumn(format="%.4f", help="Mean absolute error; lower is better"),
            "RMSE": st.column_config.NumberColumn(format="%.4f", help="Root mean squared error; lower is better"),
            "Pearson r": st.column_config.NumberColumn(
                format="%.3f", help="Higher is better. Empty if all predictions are the same."
            ),
            "r within families": st.column_config.NumberColumn(
                format="%.3f", help="Mean correlation inside families of at least 8 lines; higher is better"
            ),
        },
        placeholder="–",
        alt=f"Network and baselines on the {part} lines",
    )
    st.caption(note)


def show_observed_predicted(record: ExperimentRecord) -> None:
    """Show observed against predicted phenotypes, one point per line."""
    st.subheader("Observed against predicted")
    try:
        predictions = read_predictions(record.directory)
    except InputError as error:
        show_error(error)
        return
    parts = st.pills("Lines", ["test", "validation"], selection_mode="multi", default=["test"], key="predicted-parts")
    facts, trait = observed_predicted(predictions, parts=parts or ("test",)), trait_of(record)
    show(
        observed_predicted_figure(facts, trait=trait),
        key="observed-predicted",
        label=f"Observed against predicted {trait or 'phenotypes'} of {record.name}",
        description="The nearer the points are to the diagonal, the better the predictions.",
        table=facts.table,
        file_name=f"{record.name}-predictions",
    )


def show_bundle(workspace: Workspace, record: ExperimentRecord) -> None:
    """Offer the bundle: one zip file with the model and everything it needs."""
    st.subheader("Download")
    network = bundled_network(record)
    files = {} if record.best is None else network_files(record.best, network)
    lost = [name for name, path in files.items() if not path.is_file()]
    if lost:
        st.error(f"The file {lost[0]} of the best trial is missing. Run the experiment again.", icon=":material/error:")
        return
    st.download_button(
        "Download the bundle",
        data=lambda: current_bundle(workspace, record).read_bytes(),
        file_name=f"{record.name}-best.zip",
        mime="application/zip",
        icon=":material/download:",
        type="primary",
        key="bundle",
        on_click="ignore",
    )
    st.caption(
        "One zip file with the network, preprocessing, hyperparameters, metrics, loci, trials, predictions and a model "
        "card. The file reload.py in it loads the model in Python."
    )
    st.caption(markdown_text(bundled_network_sentence(network)))
    st.download_button(
        "Download the report",
        data=lambda: study_report_page(study_report(workspace, record)).encode(),
        file_name=f"{record.name}-report.html",
        mime="text/html",
        icon=":material/description:",
        key="report",
        on_click="ignore",
    )
    st.caption("One page to print or to pass on: verdict, all methods, loci, settings, seeds and versions.")


def current_bundle(workspace: Workspace, record: ExperimentRecord) -> Path:
    """Return the bundle of the best trial, after packing it if there is none that was made of the same.

    Raises:
        GwasError: if it cannot be packed.
    """
    if bundle_is_current(workspace, record):
        return bundle_path(workspace, record)
    return export_bundle(workspace, record)


def show_prediction(workspace: Workspace, record: ExperimentRecord) -> None:
    """Predict the phenotypes of new lines from their genotypes."""
    st.markdown(f"The network of the search **{markdown_text(record.name)}** predicts lines that it has never seen.")
    upload = st.file_uploader(
        "Genotypes of new lines",
        key=f"genotypes-{record.name}",
        help="A table with one row per line, plain text or gzip. SNP columns are named as in the training data. They "
        "hold 0, 1 or 2. SNPs that are missing are filled in.",
    )
    if upload is None:
        return
    with errors_shown():
        genotypes = store_upload(workspace, upload)
        with st.spinner("Packing the model …"):
            bundle = current_bundle(workspace, record)
        prediction = kept_prediction(bundle, genotypes)
        if prediction is None:
            if not st.button("Predict", key="predict", type="primary", icon=":material/play_arrow:"):
                return
            with st.spinner("Predicting. Starting TensorFlow takes the first seconds …", show_time=True):
                run_prediction(bundle, genotypes)
            st.rerun()  # without the button
        _show_predicted(workspace, record, prediction)


def show_card(workspace: Workspace, record: ExperimentRecord) -> None:
    """Show the model card of the bundle, or offer to pack the bundle."""
    text = read_card(bundle_path(workspace, record)) if bundle_is_current(workspace, record) else None
    with st.expander("Model card", icon=":material/id_card:"):
        if text is not None:
            st.markdown(text)
            return
        st.caption("The card is written when the bundle is packed.")
        if st.button("Pack the bundle", key="pack", icon=":material/package_2:"):
            try:
                with st.spinner("Packing the model …"):
                    current_bundle(workspace, record)
            except GwasError as error:
                show_error(error)
            else:
                st.rerun()


def read_card(bundle: Path) -> str | None:
    """Return the model card of a bundle as harmless Markdown, or None if there is none.

    Nothing else of the bundle is read here: that is for a process of its own.
    """
    card = read_beginning(bundle, MODEL_CARD, limit=_LONGEST_CARD)
    return None if card is None else harmless_card(card.decode("utf-8", errors="replace"))


def not_judged_box(record: ExperimentRecord, text: str) -> None:
    """Show why there is no judged model: as an error if the experiment failed, else as information."""
    failed = record.state is ExperimentState.FAILED
    (st.error if failed else st.info)(
        markdown_text(text), icon=":material/error:" if failed else ":material/hourglass_empty:"
    )


def _show_predicted(workspace: Workspace, record: ExperimentRecord, prediction: Prediction) -> None:
    for note in prediction.notes:
        st.info(markdown_text(note), icon=":material/info:")
    table = read_csv(prediction.table, dtype={"line": str}, keep_default_na=False, nrows=_MOST_PREDICTED)
    lines = lines_predicted(prediction)
    shown = "" if lines <= len(table) else f" The first {len(table):,} are ranked here; the file has all."
    st.markdown(f"{counted(lines, 'line')} predicted.{shown}")
    # Above the table, which grows while it loads: the button does not move away from under the mouse.
    st.download_button(
        "Download the predictions",
        data=prediction.table.read_bytes,
        file_name=f"{record.name}-predicted.csv",
        mime="text/csv",
        icon=":material/download:",
        key="predicted-csv",
        on_click="ignore",
    )
    best = st.slider(
        "Show the best, in %", 1, 100, 100, key=f"predicted-best-{record.name}", width=320, help="By predicted value"
    )
    data_table(
        ranked_predictions(table, learned=_learned_lines(workspace, record), percent=best),
        height=320,
        column_config={
            "rank": st.column_config.NumberColumn("Rank", width="small", help="1 is the largest predicted value"),
            "line": "Line",
            "learned": st.column_config.CheckboxColumn(
                "In the study",
                help="The network learned a line of this name, or it was judged by it: what is predicted for it is no "
                "test.",
            ),
            "predicted": st.column_config.NumberColumn("Predicted", format="%.4g"),
            "imputed_fraction": st.column_config.NumberColumn(
                "Imputed", format="percent", help="Share of the SNPs of the model that were filled in for this line"
            ),
        },
        alt="Predicted phenotypes",
    )


def ranked_predictions(table: pd.DataFrame, *, learned: Collection[str], percent: int) -> pd.DataFrame:
    """Return predictions, the largest first.

    Args:
        table: columns line, predicted, imputed_fraction.
        learned: names of the lines that the study has.
        percent: share of the lines to return, at least one.

    Returns:
        The same columns after ``rank``, from 1, and with ``learned`` (whether the study has a line of this name) if it
        has any of them.
    """
    ranked = table.sort_values("predicted", ascending=False, kind="stable").reset_index(drop=True)
    ranked.insert(0, "rank", ranked.index + 1)
    known = ranked["line"].isin(set(learned))
    if known.any():
        ranked["learned"] = known
    return ranked.head(max(1, math.ceil(len(ranked) * percent / 100)))


def _learned_lines(workspace: Workspace, record: ExperimentRecord) -> Collection[str]:
    try:
        return Dataset.load(workspace.dataset_directory(record.experiment.dataset)).line_names
    except (GwasError, OSError):
        return ()


def _test_note(record: ExperimentRecord) -> str:
    evaluation = record.final_evaluation
    uses = 1 if evaluation is None else evaluation.test_evaluations
    count = "" if evaluation is None else f"{counted(evaluation.test.lines, 'line')}, "
    if uses == 1:
        return f"{count}used only once, after the search. Errors are in the unit of the trait."
    return f"{count}used {uses} times, because the search was extended, so these figures may be somewhat too good."
