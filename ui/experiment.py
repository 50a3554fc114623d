"""Draw the page of one experiment: state with its reason, progress, time left, figures, charts.

Also here: what is advised in each state; the hint after many trials without a better one; how many curves are drawn;
when importance is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.messages import counted, duration_range
from gwas_core.report.estimate import remaining_seconds
from gwas_core.report.history import baseline_levels, history_figure, optimization_history
from gwas_core.report.importance import Importance, importance_figure, parameter_importance
from gwas_core.report.learning_curves import curves_figure, learning_curves
from gwas_core.report.slices import parameter_slices, slices_figure
from gwas_core.report.trial_table import ranked, trials_since_improvement
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from ui.actions import experiment_actions
from ui.charts import show
from ui.live_plot import PlotPoint
from ui.search.settings import ALGORITHM_TITLES
from ui.states import state_badge
from ui.store import sentence
from ui.text import markdown_text, moment
from ui.trials import choose_trials

# A hint is shown after this many trials without a better one, if they are at least this share of all trials.
_STALE_TRIALS, _STALE_SHARE = 10, 0.25
_MOST_CURVES = 60  # more cannot be told apart
_MOST_SLICES = 6

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


def show_charts(
    record: ExperimentRecord,
    trials: Sequence[TrialRecord],
    *,
    chosen: Sequence[int],
    importance: Importance,
) -> None:
    """Show history and learning curves of ``trials``, and what the error depends on.

    Args:
        record: the experiment.
        trials: those that pass the filters.
        chosen: numbers of the trials that are highlighted; the best one if it is empty.
        importance: of the hyperparameters.
    """
    # One below the other: side by side there is no room for the names of the baselines on a small screen.
    st.subheader("History")
    _history_chart(record, trials)
    st.subheader("Learning curves")
    _curves_chart(record, trials, chosen)
    st.subheader("What the error depends on")
    if importance.reason:
        st.caption(importance.reason)
    else:
        first = importance.table["parameter"].iloc[0]
        show(
            importance_figure(importance),
            key="importance",
            label=f"Importance of the hyperparameters of {record.name}",
            description=f"The most important is {first}.",
            table=importance.table,
            file_name=f"{record.name}-importance",
        )
        st.caption(
            "How much the values of each hyperparameter differ between the best trials and all trials (PED-ANOVA). "
            "This is an association, not proof of a cause. What does not pass the dashed line could be chance."
        )
    _slices(record, trials, importance)


def importance_of(record: ExperimentRecord) -> Importance:
    """Return the importance of the hyperparameters, computed again each time there are about a tenth more trials."""
    finished = record.finished_trials
    step = max(1, 10 ** (len(str(finished)) - 1) // 2)
    moment = (str(record.directory), record.experiment.created, finished // step)
    return _importance(moment, _record=record)


@st.cache_data(max_entries=32, show_spinner=False)
def _importance(moment: tuple[str, str, int], *, _record: ExperimentRecord) -> Importance:
    """Compute the importance; ``moment`` is the key of the cache."""
    assert moment
    return parameter_importance(_record)


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
            delta=_against(record, baselines),
            delta_color="inverse",
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
    if not baselines:
        reason = f": {record.baselines_reason}" if record.baselines_reason else ""
        st.caption(markdown_text(f"No baselines yet{reason}."))


def _against(record: ExperimentRecord, baselines: Sequence[tuple[str, float]]) -> str | None:
    if record.best is None or record.best.value is None or not baselines or not baselines[0][1]:
        return None
    title, error = baselines[0]
    return f"{record.best.value / error - 1:+.1%} against {title}"


def _hint(record: ExperimentRecord) -> None:
    since = trials_since_improvement(record)
    if since >= max(_STALE_TRIALS, _STALE_SHARE * record.finished_trials):
        advice = " You could stop now." if record.state is ExperimentState.RUNNING else ""
        st.caption(f":material/lightbulb: No improvement in the last {since:,} trials.{advice}")


def _history_chart(record: ExperimentRecord, trials: Sequence[TrialRecord]) -> None:
    # All trials stay in the chart; those that a filter leaves out are faded.
    selected = None if len(trials) == len(record.trials) else {trial.number for trial in trials}
    facts = optimization_history(record, selected=selected)
    if facts.trials.empty:
        st.caption("Each trial becomes a point here after its first epoch.")
        return
    if facts.trials["value"].isna().all():
        st.caption("Every trial so far has failed: the table below says why.")
        return
    best = "" if record.best is None else f" The best is trial {record.best.number} with {record.best.value:.4g}."
    show(
        history_figure(facts),
        key="history",
        label=f"History of {record.name}",
        description=f"{counted(len(facts.trials), 'trial')} in order of their numbers.{best}",
        table=facts.trials,
        on_points=_point_chosen,
        file_name=f"{record.name}-history",
    )
    st.caption("Click a point to look at its trial.")


def _curves_chart(record: ExperimentRecord, trials: Sequence[TrialRecord], chosen: Sequence[int]) -> None:
    highlighted = chosen or _best_number(record)
    with_curve = [trial for trial in ranked(trials) if trial.history]
    # Highlighted ones first, in their order: it decides their colours, here and where trials are compared.
    by_number = {trial.number: trial for trial in with_curve}
    drawn = [by_number[number] for number in highlighted if number in by_number]
    drawn += [trial for trial in with_curve[:_MOST_CURVES] if trial.number not in highlighted]
    facts = learning_curves(drawn, highlighted=highlighted)
    if facts.trials.empty:
        st.caption("The error after each epoch appears here once a trial has finished its first epoch.")
        return
    show(
        curves_figure(facts),
        key="curves",
        label=f"Learning curves of {record.name}",
        description=f"{counted(len(drawn), 'curve')} of the error after each epoch.",
        table=facts.curves,
        on_points=_point_chosen,
        file_name=f"{record.name}-learning-curves",
    )
    if len(drawn) < len(with_curve):
        st.caption(f"The best {len(drawn)} trials are drawn; {len(with_curve) - len(drawn):,} are left out.")
    else:
        st.caption("Select trials in the table to see them in colour.")


def _slices(record: ExperimentRecord, trials: Sequence[TrialRecord], importance: Importance) -> None:
    names = importance.table["parameter"].tolist() or [entry.name for entry in record.experiment.space.parameters]
    if not st.toggle("Show the error by hyperparameter", key=f"slices-{record.name}"):
        return
    selected = None if len(trials) == len(record.trials) else {trial.number for trial in trials}
    facts = parameter_slices(record, parameters=names[:_MOST_SLICES], selected=selected)
    if not facts.panels:
        st.caption("There is nothing to show before trials with different values have finished.")
        return
    show(
        slices_figure(facts),
        key="slices",
        label=f"Error by hyperparameter, {record.name}",
        description=f"One panel for each of {', '.join(panel.parameter for panel in facts.panels)}.",
        on_points=_point_chosen,
        file_name=f"{record.name}-slices",
    )
    more = f" The first {_MOST_SLICES} of {len(names)} hyperparameters are shown." if len(names) > _MOST_SLICES else ""
    st.caption(f"The numbers are in the trial table below.{more}")


def _best_number(record: ExperimentRecord) -> tuple[int, ...]:
    return () if record.best is None else (record.best.number,)


def _point_chosen(points: tuple[PlotPoint, ...]) -> None:
    numbers = [point.id for point in points if isinstance(point.id, int)]
    if numbers:
        choose_trials(numbers[:1])
