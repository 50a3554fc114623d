"""Show one search while it runs: its progress, its errors, and its trials.

Also here: how often the page is refreshed.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.tuning.records import ExperimentRecord
from ui.actions import finish_actions
from ui.brush import trial_brush
from ui.chooser import choose_search
from ui.experiment import show_header
from ui.experiment_charts import choose_chart, importance_of, show_chart
from ui.router import through_app
from ui.store import engines, show_error
from ui.studies.current import all_studies, current_study
from ui.studies.frame import MACHINE_ROOM, show_frame
from ui.trials import chosen_trials, show_beside_trials, show_trial_table

through_app()

REFRESH_SECONDS = 2
FIRST_TRIAL = {
    "local": "The first one appears here some seconds after the start.",
    "kubeflow": "The first one appears here once its pod runs on the cluster, which takes minutes the first time.",
}


def load(name: str) -> ExperimentRecord | None:
    """Return the experiment as it is now, or None with the reason shown."""
    try:
        return engines().sync(name)
    except GwasError as error:
        show_error(error)
        return None


def experiment(name: str, *, live: bool, first: list[ExperimentRecord]) -> None:
    """Show everything that changes while the experiment runs.

    Args:
        name: of the experiment.
        live: whether this is called again every few seconds.
        first: holds the record that the page has just read, for the first call.
    """
    record = first.pop() if first else load(name)
    if record is None:
        return
    if live and not record.state.is_active():
        st.rerun()  # the whole page: the experiment has ended, so it need not be read every few seconds any more
    show_header(record)
    if not record.trials:
        st.info(f"It has no trials yet. {FIRST_TRIAL[record.experiment.engine]}", icon=":material/info:")
        return
    importance = importance_of(record)
    st.subheader("Trials")
    shares = dict(zip(importance.table["parameter"], importance.table["share"], strict=True))
    brushed = trial_brush(record, key="brush", importance=shares or None)
    chart = choose_chart()
    show_beside_trials(
        record,
        "chart",
        lambda: show_chart(chart, record, brushed.trials, chosen=chosen_trials(), importance=importance),
    )
    st.subheader("Trial table")
    show_beside_trials(record, "table", lambda: show_trial_table(record, brushed.trials))


finish_actions()
try:
    study = current_study(all_studies())
    show_frame(study, MACHINE_ROOM)
    name = choose_search(study, key="experiment", forget=("trial", "brush"))
except GwasError as error:
    show_error(error)
    name = None
if name is not None:
    record = load(name)
    if record is not None:
        live = record.state.is_active()
        st.fragment(run_every=REFRESH_SECONDS if live else None)(experiment)(name, live=live, first=[record])
