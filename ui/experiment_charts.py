"""Show the charts of one experiment, one at a time: what a person chose is drawn, and nothing else.

Also here: which charts there are; how many curves are drawn; when importance is computed again; the two hyperparameters
of the contour; what the captions say of what a chart leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from gwas_core.messages import counted
from gwas_core.report.contour import (
    FEWEST_TRIALS,
    contour_figure,
    error_surface,
    rank_figure,
    surface_parameters,
)
from gwas_core.report.distribution import ErrorDistribution, distribution_figure, error_distribution
from gwas_core.report.history import history_figure, optimization_history
from gwas_core.report.importance import Importance, importance_figure, parameter_importance
from gwas_core.report.learning_curves import curves_figure, learning_curves
from gwas_core.report.slices import Slices, parameter_slices, slices_figure
from gwas_core.report.timeline import timeline, timeline_figure
from gwas_core.report.trial_table import ranked
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from ui.charts import show
from ui.live_plot import PlotPoint
from ui.text import markdown_text
from ui.trials import choose_trials

_MOST_CURVES = 50  # more cannot be told apart
_MOST_SLICES = 6


def choose_chart() -> str:
    """Show the choice of the chart, which stays while the page is refreshed and while the session lasts."""
    return st.segmented_control(
        "Chart",
        list(_CHARTS),
        default=next(iter(_CHARTS)),
        required=True,
        key="chart",
        persist_state="session",
        label_visibility="collapsed",
    )


def show_chart(
    chart: str,
    record: ExperimentRecord,
    trials: Sequence[TrialRecord],
    *,
    chosen: Sequence[int],
    importance: Importance,
) -> None:
    """Show one chart of an experiment.

    Args:
        chart: as ``choose_chart`` returned it.
        record: the experiment.
        trials: those that pass the filters.
        chosen: numbers of the trials that are highlighted; the best one if it is empty.
        importance: of the hyperparameters.
    """
    _CHARTS[chart](record, trials, chosen, importance)


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


def _selected(record: ExperimentRecord, trials: Sequence[TrialRecord]) -> set[int] | None:
    """Return the numbers of the trials that filters keep, or None: all stay in a chart, and the others are faded."""
    return None if len(trials) == len(record.trials) else {trial.number for trial in trials}


def _history(record: ExperimentRecord, trials: Sequence[TrialRecord], _: Sequence[int], __: Importance) -> None:
    facts = optimization_history(record, selected=_selected(record, trials))
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
    low, high = facts.limits
    far = int((~facts.baselines["value"].between(low, high)).sum())
    more = " A baseline with an arrow lies beyond the axis, which the trials set." if far else ""
    st.caption(f"Click a point to look at its trial.{more}")


def _curves(record: ExperimentRecord, trials: Sequence[TrialRecord], chosen: Sequence[int], _: Importance) -> None:
    highlighted = chosen or _best_number(record)
    with_curve = [trial for trial in ranked(trials) if trial.history]
    # Highlighted ones first, in their order: it decides their colours, here and where trials are compared.
    by_number = {trial.number: trial for trial in with_curve}
    first = [by_number[number] for number in highlighted if number in by_number]
    rest = [trial for trial in with_curve if trial.number not in highlighted]
    drawn, others = first + rest[:_MOST_CURVES], rest[_MOST_CURVES:]
    facts = learning_curves(drawn, highlighted=highlighted, others=others)
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
    notes = []
    best = record.best
    if best is not None and best.best_epoch == 0:
        notes.append(
            f"The start was not improved by training: trial {best.number}, the best, kept the closed-form weights that "
            "it started with (epoch 0)."
        )
    if others:
        notes.append(
            f"Of {counted(len(with_curve), 'curve')}, those in colour and the best {_MOST_CURVES} others are drawn; "
            f"the grey areas hold 80 % and half of the {len(others):,} that are left, where they reached the epoch."
        )
    if not chosen:
        notes.append("Select trials in the table to see them in colour.")
    st.caption(" ".join(notes))


def _importance_chart(
    record: ExperimentRecord, _: Sequence[TrialRecord], __: Sequence[int], importance: Importance
) -> None:
    if importance.reason:
        st.caption(importance.reason)
        return
    shares = zip(importance.table["parameter"], importance.table["share"], strict=True)
    first = ", ".join(f"{name} {share:.1%}" for name, share in list(shares)[:3])
    show(
        importance_figure(importance),
        key="importance",
        label=f"Importance of the hyperparameters of {record.name}",
        description=f"The most important are {first}.",
        table=importance.table,
        file_name=f"{record.name}-importance",
    )
    st.caption(
        f"How much the values of each hyperparameter differ between the best {importance.best:,} and all "
        f"{counted(importance.trials, 'trial')} (PED-ANOVA), as a share of the sum over all hyperparameters: together "
        "they are 100 %. It is an association, not proof of a cause, nor how much the error would change. What does "
        "not pass the dashed mark could be chance."
    )


def _slices(record: ExperimentRecord, trials: Sequence[TrialRecord], _: Sequence[int], importance: Importance) -> None:
    names = importance.table["parameter"].tolist() or [entry.name for entry in record.experiment.space.parameters]
    facts = parameter_slices(record, parameters=names[:_MOST_SLICES], selected=_selected(record, trials))
    if not any(len(panel.points) for panel in facts.panels):
        st.caption("There is nothing to show before trials with different values have finished.")
        return
    show(
        slices_figure(facts),
        key="slices",
        label=f"Error by hyperparameter, {record.name}",
        description=f"One panel for each of {', '.join(panel.parameter for panel in facts.panels)}.",
        table=_slices_table(facts),
        on_points=_point_chosen,
        file_name=f"{record.name}-slices",
    )
    if len(names) > _MOST_SLICES:
        which = "first" if importance.reason else "most important"
        st.caption(f"The {_MOST_SLICES} {which} of {len(names)} hyperparameters are shown.")


def _slices_table(facts: Slices) -> pd.DataFrame:
    panels = [panel.points.assign(parameter=panel.parameter) for panel in facts.panels]
    table = pd.concat(panels, ignore_index=True)
    return table[["parameter", "number", "state", "shown", "value", "kept"]]


def _contour(record: ExperimentRecord, trials: Sequence[TrialRecord], _: Sequence[int], importance: Importance) -> None:
    names = surface_parameters(record, importance=importance.table["parameter"].tolist())
    if len(names) < 2:
        st.caption("It needs two hyperparameters of which trials that have ended took different values.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = [entry.name for entry in record.experiment.space.parameters if entry.name in names]
        x, y = _two_of(names, options, key=f"contour-{record.name}")
        view = st.segmented_control(
            "Show",
            ["Contour", "Rank"],
            default="Contour",
            required=True,
            key="contour-view",
            persist_state="session",
        )
    if x == y:
        st.caption("Choose two different hyperparameters.")
        return
    facts = error_surface(record, x, y, selected=_selected(record, trials))
    if len(facts.points) < FEWEST_TRIALS:
        missing = FEWEST_TRIALS - len(facts.points)
        st.caption(f"It is drawn from {FEWEST_TRIALS} finished trials on: {missing} more needed.")
        return
    best = facts.points.sort_values("rank").iloc[0]
    show(
        contour_figure(facts) if view == "Contour" else rank_figure(facts),
        key=f"contour-{view}-{x}-{y}",
        label=f"Error over {x} and {y}, {record.name}",
        description=(
            f"{counted(len(facts.points), 'trial')}. The lowest error, {best['value']:.4g}, is at {x} "
            f"{best['x_value']} and {y} {best['y_value']}."
        ),
        table=facts.points[["number", "state", "x_value", "y_value", "value", "rank", "kept"]].rename(
            columns={"x_value": x, "y_value": y}
        ),
        on_points=_point_chosen,
        file_name=f"{record.name}-{view.lower()}-{x}-{y}",
    )
    what = (
        "Colours are the mean error of the trials around each place, near ones counting more, whatever their other "
        "hyperparameters were. Where it is empty no trial was near."
        if view == "Contour"
        else "Rank 1 is the lowest error. A trial that was stopped early counts with the error of its last epoch."
    )
    st.caption(what)


def _two_of(names: Sequence[str], options: Sequence[str], *, key: str) -> tuple[str, str]:
    """Show the choice of two hyperparameters.

    Args:
        names: the most important first; the first two are chosen at first.
        options: the same in an order that does not change while trials come, under somebody's hand.
        key: prefix of the keys of the fields.
    """
    first, second = (
        st.selectbox(
            label,
            options,
            index=options.index(names[place]),
            key=f"{key}-{place}",
            persist_state="session",
            width=220,
        )
        for place, label in enumerate(("From left to right", "From bottom to top"))
    )
    return first, second


def _distribution(record: ExperimentRecord, trials: Sequence[TrialRecord], _: Sequence[int], __: Importance) -> None:
    facts = error_distribution(record, selected=_selected(record, trials))
    if facts.trials.empty:
        st.caption("The errors of trials that have ended appear here.")
        return
    middle = facts.trials["value"].median()
    show(
        distribution_figure(facts),
        key="distribution",
        label=f"Distribution of the errors of {record.name}",
        description=f"{counted(len(facts.trials), 'trial')}; half of them have an error up to {middle:.4g}.",
        table=facts.trials,
        on_points=_point_chosen,
        file_name=f"{record.name}-distribution",
    )
    st.caption(markdown_text(_distribution_note(facts)))


def _distribution_note(facts: ErrorDistribution) -> str:
    notes = ["Each trial counts with its lowest validation error; failed trials have none."]
    if len(facts.baselines):
        title, level = facts.baselines["title"].iloc[0], facts.baselines["value"].iloc[0]
        better = int((facts.trials["value"] < level).sum())
        trials = counted(len(facts.trials), "trial")
        notes.append(f"{better:,} of {trials} have a lower error than {title} (validation lines).")
    if facts.above:
        notes.append(f"{counted(facts.above, 'trial')} beyond the right edge: double-click to see them.")
    return " ".join(notes)


def _timeline(record: ExperimentRecord, trials: Sequence[TrialRecord], _: Sequence[int], __: Importance) -> None:
    facts = timeline(record, now=datetime.now(UTC), selected=_selected(record, trials))
    left_out = (
        f" {counted(facts.without_times, 'trial')} left out: it is not known when they began or ended."
        if facts.without_times
        else ""
    )
    if facts.trials.empty:
        st.caption(f"Each trial becomes a bar here when it begins.{left_out}")
        return
    at_a_time = f"at most {counted(facts.at_a_time, 'trial')} at a time, {facts.busy:.1f} on average while any ran"
    show(
        timeline_figure(facts),
        key="timeline",
        label=f"Timeline of {record.name}",
        description=f"{counted(len(facts.trials), 'trial')}, {at_a_time}.",
        table=facts.trials,
        on_points=_point_chosen,
        file_name=f"{record.name}-timeline",
    )
    cut = len(facts.pauses)
    pauses = f" {counted(cut, 'pause')} without a trial {'is' if cut == 1 else 'are'} cut out (dotted)." if cut else ""
    st.caption(f"{at_a_time.capitalize()}. A trial that was begun again shows its latest attempt.{pauses}{left_out}")


def _best_number(record: ExperimentRecord) -> tuple[int, ...]:
    return () if record.best is None else (record.best.number,)


def _point_chosen(points: tuple[PlotPoint, ...]) -> None:
    numbers = [point.id for point in points if isinstance(point.id, int)]
    if numbers:
        choose_trials(numbers[:1], beside="chart")


_CHARTS: dict[str, Callable[[ExperimentRecord, Sequence[TrialRecord], Sequence[int], Importance], None]] = {
    "History": _history,
    "Curves": _curves,
    "Importance": _importance_chart,
    "Slices": _slices,
    "Contour": _contour,
    "Distribution": _distribution,
    "Timeline": _timeline,
}
