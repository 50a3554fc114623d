"""Show the parallel coordinates of an experiment, whose brushes filter its trials everywhere on the page.

Also here: choice and order of axes and when they change by themselves; chips; the form for filters without a mouse;
parameters that are constant.

The filters are kept in the URL only: a brush, a chip and the form write them there, and every run reads them there. So
a link restores them, and all parts of the page agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.report.labels import number_label
from gwas_core.report.parallel_coordinates import (
    AXES_SHOWN,
    OBJECTIVE_TITLE,
    Axis,
    ParallelCoordinates,
    default_axes,
    parallel_coordinates,
    parallel_coordinates_figure,
)
from gwas_core.report.trial_filters import (
    TrialFilter,
    decode_filters,
    encode_filters,
    filter_trials,
    with_filter,
)
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Parameter
from ui import url
from ui.live_plot import AxisBrush, AxisChange, AxisOrder, live_plot
from ui.text import markdown_text

_MOST_CONSTANTS = 8
_MOST_AXES = 200  # the objective's axis is drawn again with each new best trial

AxisDrawn = tuple[str, tuple[float, float]]
"""Name of an axis and the positions at its two ends."""


@dataclass(frozen=True, kw_only=True)
class BrushedTrials:
    """Trials that pass the filters.

    Attributes:
        filters: all filters that are set.
        trials: the trials that pass all of them, in any state.
    """

    filters: tuple[TrialFilter, ...]
    trials: tuple[TrialRecord, ...]


def trial_brush(
    record: ExperimentRecord,
    *,
    key: str,
    importance: Mapping[str, float] | None = None,
    url_parameter: str = "brush",
) -> BrushedTrials:
    """Draw the plot with its chips, and return the trials that pass the filters.

    What depends on the result must be drawn in the same fragment, because a brush runs only that fragment again.

    Args:
        record: the experiment.
        key: prefix of the keys of the widgets.
        importance: of the hyperparameters, by name, if it is known. With more than ten hyperparameters, the most
            important ones are shown at first.
        url_parameter: name of the parameter of the URL that holds the filters.
    """
    page = _Page(record=record, key=key, url_parameter=url_parameter)
    filters, problems = page.read()
    trials = filter_trials(record.trials, filters, objective=page.objective)
    with st.container(horizontal=True, vertical_alignment="center"):
        axes, include_pruned = _axes_choice(page, importance)
        _filter_form(page)
    facts = parallel_coordinates(record, axes=axes, filters=filters, include_pruned=include_pruned)
    if facts.trials and facts.axes:
        live_plot(
            parallel_coordinates_figure(facts, filters=filters),
            key=page.key,
            label=f"Parallel coordinates of {record.name}",
            description=_description(record, facts, passed=len(trials)),
            select="constraints",
            revision=page.revision,
            on_change=partial(_changed, page, page.axes_drawn(facts.axes)),
            file_name=f"{record.name}-parallel-coordinates",
        )
    elif facts.trials:
        st.info("No axis is chosen. Choose some under Axes.", icon=":material/info:")
    else:
        st.info("Each trial that succeeds becomes a curve here. No trial has succeeded yet.", icon=":material/info:")
    # What comes and goes with a brush is below the plot, so that the axes do not move away from under the mouse.
    with st.container(horizontal=True, vertical_alignment="center"):
        _chips(page, filters, passed=len(trials))
    for problem in problems:
        st.warning(markdown_text(problem), icon=":material/filter_alt_off:")
    _notes(facts)
    return BrushedTrials(filters=filters, trials=trials)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Place of the brush on a page: its experiment, the prefix of its keys, and its parameter in the URL."""

    record: ExperimentRecord
    key: str
    url_parameter: str

    @property
    def objective(self) -> str:
        return self.record.experiment.objective

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Hyperparameters that could be axes, by name."""
        return {entry.name: entry for entry in self.record.experiment.space.parameters if entry.size != 1}

    @property
    def revision(self) -> int:
        """Number of the latest change in the plot that the filters contain."""
        return int(st.session_state.get(self.within("revision"), 0))

    def within(self, name: str) -> str:
        """Return the key of something that belongs to this plot and experiment."""
        return f"{self.key}-{self.record.name}-{name}"

    def axes_drawn(self, axes: Iterable[Axis]) -> dict[AxisDrawn, Axis]:
        """Return these axes and the ones drawn before: a brush refers to the axis that the browser showed at the time.

        Only the axis of the objective changes, when a trial is better or worse than all before.
        """
        drawn: dict[AxisDrawn, Axis] = st.session_state.setdefault(self.within("drawn"), {})
        for axis in axes:
            drawn.pop((axis.name, axis.drawn), None)
            drawn[axis.name, axis.drawn] = axis
        for oldest in list(drawn)[:-_MOST_AXES]:
            del drawn[oldest]
        return drawn

    def title(self, name: str) -> str:
        return OBJECTIVE_TITLE if name == self.objective else name

    def read(self) -> tuple[tuple[TrialFilter, ...], tuple[str, ...]]:
        text = url.read(self.url_parameter)
        return decode_filters(text, self.record.experiment.space, objective=self.objective)

    def write(self, filters: tuple[TrialFilter, ...]) -> None:
        url.write(self.url_parameter, encode_filters(filters))

    def set(self, parameter: str, trial_filter: TrialFilter | None) -> None:
        filters, _ = self.read()
        self.write(with_filter(filters, parameter, trial_filter))


def _changed(page: _Page, axes: Mapping[AxisDrawn, Axis], changes: tuple[AxisChange, ...]) -> None:
    news = [change for change in changes if change.revision > page.revision]
    if not news:
        return
    filters, _ = page.read()
    for change in news:
        if isinstance(change, AxisBrush) and (axis := axes.get((change.axis, change.drawn))) is not None:
            filters = with_filter(filters, change.axis, axis.filter_of(change.ranges))
        elif isinstance(change, AxisOrder):
            _choose_axes(page, [name for name in change.names if name == page.objective or name in page.parameters])
    page.write(filters)
    st.session_state[page.within("revision")] = news[-1].revision


def _axes_choice(page: _Page, importance: Mapping[str, float] | None) -> tuple[list[str], bool]:
    """Show the choice of axes; return their names in order, and whether trials that were stopped early are drawn."""
    state = st.session_state
    names_key, automatic_key = page.within("axes"), page.within("automatic")
    if names_key not in state or automatic_key in state:
        _choose_automatically(page, importance)
    # A list that the page chose itself needs a new widget: setting the value of a widget undoes what somebody has
    # just done to it, and fails while it is hidden in a closed popover.
    widget_key = page.within(f"axes-{state[page.within('axes-version')]}")
    if widget_key not in state:
        state[page.within("axes-default")] = state[names_key]
    with st.popover("Axes", icon=":material/view_column:"):
        st.multiselect(
            "Axes, from left to right",
            [*page.parameters, page.objective],
            default=state[page.within("axes-default")],
            key=widget_key,
            format_func=page.title,
            help="Drag an axis by its title in the plot to move it.",
            on_change=_take_axes,
            args=(page, widget_key),
        )
        if len(page.parameters) > AXES_SHOWN:
            st.button(
                "Show the most important" if importance else f"Show the first {AXES_SHOWN}",
                key=page.within("most-important"),
                on_click=state.update,
                args=({automatic_key: None},),
            )
        include_pruned = st.toggle(
            "Draw trials that were stopped early",
            key=page.within("pruned"),
            help="Their error is that of their last epoch, so it can be compared with others only roughly.",
        )
    return state[names_key], include_pruned


def _choose_automatically(page: _Page, importance: Mapping[str, float] | None) -> None:
    """Choose the axes, until somebody chooses others.

    The importance of hyperparameters changes with each trial. Axes that change places while one looks at them are worse
    than axes that are slightly out of date, so they are chosen again only when the number of trials has doubled.
    """
    automatic_key = page.within("automatic")
    moment = (page.record.finished_trials.bit_length(), importance is not None)
    if st.session_state.get(automatic_key) != moment:
        _choose_axes(page, [*default_axes(tuple(page.parameters), importance), page.objective])
        st.session_state[automatic_key] = moment


def _choose_axes(page: _Page, names: list[str]) -> None:
    version_key = page.within("axes-version")
    st.session_state[version_key] = st.session_state.get(version_key, 0) + 1
    st.session_state[page.within("axes")] = names
    st.session_state.pop(page.within("automatic"), None)


def _take_axes(page: _Page, widget_key: str) -> None:
    st.session_state[page.within("axes")] = list(st.session_state[widget_key])
    st.session_state.pop(page.within("automatic"), None)


def _chips(page: _Page, filters: tuple[TrialFilter, ...], *, passed: int) -> None:
    total = len(page.record.trials)
    st.markdown(f"{passed:,} of {counted(total, 'trial')}" if filters else counted(total, "trial"), width="content")
    for entry in filters:
        st.button(
            markdown_text(entry.describe(page.title(entry.parameter))),
            key=page.within(f"chip-{entry.parameter}"),
            icon=":material/close:",
            help="Remove this filter",
            on_click=page.set,
            args=(entry.parameter, None),
        )
    if filters:
        st.button(
            "Clear all",
            key=page.within("clear"),
            type="tertiary",
            on_click=page.write,
            args=((),),
            help="Remove all filters",
        )


def _filter_form(page: _Page) -> None:
    """Show a form for filters, for people who do not use a mouse."""
    with st.popover("Filter", icon=":material/filter_alt:"):
        name = st.selectbox(
            "Show only trials by", [*page.parameters, page.objective], format_func=page.title, key=page.within("by")
        )
        parameter = page.parameters.get(name)
        if parameter is not None and not parameter.kind.is_range():
            st.multiselect("Values", parameter.choices, key=page.within(f"{name}-values"))
        else:
            whole = parameter is not None and parameter.kind == "int"
            for end, placeholder in (("from", "lowest"), ("to", "highest")):
                st.number_input(
                    end.capitalize(),
                    value=None,
                    step=1 if whole else None,
                    format="%d" if whole else "%g",
                    placeholder=placeholder,
                    key=page.within(f"{name}-{end}"),
                )
        if st.session_state.get(page.within("refusal")):
            st.error(markdown_text(st.session_state[page.within("refusal")]), icon=":material/error:")
        st.button("Apply", key=page.within("apply"), type="primary", on_click=_apply, args=(page, name))


def _apply(page: _Page, name: str) -> None:
    state = st.session_state
    values = tuple(state.get(page.within(f"{name}-values")) or ())
    low, high = state.get(page.within(f"{name}-from")), state.get(page.within(f"{name}-to"))
    state[page.within("refusal")] = ""
    try:
        if values:
            page.set(name, TrialFilter(parameter=name, choices=values))
        elif low is None and high is None:
            page.set(name, None)
        else:
            page.set(name, TrialFilter(parameter=name, ranges=((low, high),)))
    except GwasError as error:
        state[page.within("refusal")] = f"{error}."


def _notes(facts: ParallelCoordinates) -> None:
    notes = []
    if facts.not_drawn:
        notes.append(f"Not drawn: {', '.join(f'{count:,} {reason}' for reason, count in facts.not_drawn.items())}.")
    if facts.constants:
        shown = [f"{name} {_constant(value)}" for name, value in facts.constants[:_MOST_CONSTANTS]]
        more = len(facts.constants) - len(shown)
        notes.append(f"The same in all trials: {', '.join(shown)}{f' and {more} more' if more else ''}.")
    if facts.in_colour < len(facts.trials):
        notes.append(f"The best {facts.in_colour:,} of those that pass are in colour, the others in grey.")
    if facts.trials:
        notes.append(
            f"The stronger the colour, the {'lower' if facts.lower_is_better else 'higher'} and better the "
            f"{OBJECTIVE_TITLE}. Drag along an axis to filter by it; click the axis to remove the filter."
        )
    st.caption(markdown_text(" ".join(notes)))


def _constant(value: str | int | float | bool) -> str:
    return number_label(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _description(record: ExperimentRecord, facts: ParallelCoordinates, *, passed: int) -> str:
    best = record.best
    found = "" if best is None or best.value is None else f" The best is trial {best.number} with {best.value:.4g}."
    return (
        f"{counted(len(facts.trials), 'curve')}, one for each trial, over the axes "
        f"{', '.join(axis.title for axis in facts.axes)}. {passed} of {counted(len(record.trials), 'trial')} "
        f"pass the filters.{found}"
    )
