"""Show the head of the page of one experiment: state with its reason, buttons, progress, time left, figures.

Also here: what is advised in each state; the hint after many trials without a better one; that figures on validation
lines are no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.messages import counted, duration_range
from gwas_core.report.estimate import remaining_seconds
from gwas_core.report.history import baseline_levels
from gwas_core.report.trial_table import trials_since_improvement
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord
from ui.actions import experiment_actions
from ui.search.settings import ALGORITHM_TITLES
from ui.states import state_badge
from ui.store import sentence
from ui.text import markdown_text, moment

# A hint is shown after this many trials without a better one, if they are at least this share of all trials.
_STALE_TRIALS, _STALE_SHARE = 10, 0.25

_WHAT_NEXT = {
    ExperimentState.CREATED: "It was created but not started. Resume starts it.",
    ExperimentState.STOPPING: "It stops as soon as the running trials have ended.",
    ExperimentState.STOPPED: "It was stopped. Finished trials are kept, and Resume continues the search.",
    ExperimentState.INTERRUPTED: "It was interrupted. Finished trials are kept, and Resume continues the search.",
    ExperimentState.FAILED: "Look at the failed trials below, correct the cause, then press Resume.",
}


def show_header(record: ExperimentRecord) -> None:
    """Show the state with its reason, the buttons, the progress, and the errors of network and baselines."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(record.state)
        st.caption(markdown_text(_about(record)), width="stretch")
    if record.parallel is not None and record.parallel.reason and not record.state.is_finished():
        st.caption(markdown_text(f"Trials: {record.parallel.reason}."))
    if record.reason or record.state in _WHAT_NEXT:
        text = " ".join(filter(None, (sentence(record.reason), _WHAT_NEXT.get(record.state, ""))))
        box = {ExperimentState.FAILED: st.error, ExperimentState.INTERRUPTED: st.warning}.get(record.state, st.info)
        box(markdown_text(text), icon=":material/info:" if box is st.info else ":material/warning:")
    with st.container(horizontal=True, vertical_alignment="center"):
        experiment_actions(
            record.name,
            record.state,
            finished=record.finished_trials,
            max_trials=record.experiment.max_trials,
            key=f"experiment-{record.name}",
        )
        if st.button("Answer", key="to-model", icon=":material/verified:", disabled=record.best is None):
            st.switch_page("pages/answer.py", query_params={"experiment": record.name})
    _progress(record)
    _figures(record)
    _hint(record)


def _about(record: ExperimentRecord) -> str:
    experiment = record.experiment
    return (
        f"{experiment.source}, {ALGORITHM_TITLES.get(experiment.algorithm.name, experiment.algorithm.name)} over "
        f"{counted(len(experiment.space.parameters), 'hyperparameter')}, {record.parallel_trials} in parallel, "
        f"created {moment(experiment.created)}"
    )


def _progress(record: ExperimentRecord) -> None:
    finished, total = record.finished_trials, record.experiment.max_trials
    text = f"{finished:,} of {counted(total, 'trial')}"
    left = remaining_seconds(record)
    if left is not None:
        text += f", {duration_range(*left)} left"
    elif record.state.is_active():
        text += ", time left not known before two trials have finished"
    st.progress(min(1.0, finished / total), text=text)


def _figures(record: ExperimentRecord) -> None:
    counts, best = record.counts, record.best
    levels = baseline_levels(record.baselines)
    baselines = list(zip(levels["title"], levels["value"], strict=True))
    with st.container(horizontal=True):
        st.metric(
            "Best validation error" if best is None else f"Best error, trial {best.number}",
            "–" if best is None or best.value is None else f"{best.value:.4f}",
            help="Mean absolute error on the validation lines, in the trait's unit; lower is better",
            border=True,
        )
        if baselines:
            title, error = baselines[0]
            st.metric("Best baseline", f"{error:.4f}", help=f"{title}, on the same lines", border=True)
        for label, state in (
            ("Succeeded", TrialState.SUCCEEDED),
            ("Stopped early", TrialState.PRUNED),
            ("Failed", TrialState.FAILED),
            ("Running", TrialState.RUNNING),
        ):
            st.metric(label, f"{counts[state]:,}", border=True)
    if (sentence_on_choosing := _while_choosing(record, baselines)) is not None:
        st.caption(markdown_text(sentence_on_choosing))
    if not baselines:
        reason = f": {record.baselines_reason}" if record.baselines_reason else ""
        st.caption(markdown_text(f"No baselines yet{reason}."))


def _while_choosing(record: ExperimentRecord, baselines: Sequence[tuple[str, float]]) -> str | None:
    """Return how the best trial compares on validation lines: by them it was chosen, so they are no verdict."""
    if record.best is None or record.best.value is None or not baselines or not baselines[0][1]:
        return None
    title, error = baselines[0]
    change = 100 * (record.best.value / error - 1)
    found = f"{abs(change):.1f} % {'lower' if change < 0 else 'higher'} error than {title}"
    if f"{abs(change):.1f}" == "0.0":
        found = f"the same error as {title}"
    return f"While choosing (validation lines): {found}; the verdict, on test lines, is on Answer."


def _hint(record: ExperimentRecord) -> None:
    since = trials_since_improvement(record)
    if since >= max(_STALE_TRIALS, _STALE_SHARE * record.finished_trials):
        advice = " You could stop now." if record.state is ExperimentState.RUNNING else ""
        st.caption(f":material/lightbulb: No improvement in the last {since:,} trials.{advice}")
