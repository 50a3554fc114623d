"""Show how long a search will probably take, what it costs, and what these figures are based on.

Also here: whether a measurement or earlier searches count; the price per hour; how many of the latest experiments are
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from gwas_core.engines.selection import Engines
from gwas_core.errors import GwasError
from gwas_core.genotypes.preparation import Preparation
from gwas_core.messages import duration_range
from gwas_core.processes.threads import usable_cores
from gwas_core.report.projection import PastSearch, Projection, past_search, project, project_measured
from gwas_core.tuning.experiment import EngineName, Experiment
from gwas_core.tuning.measurement import Measurement, MeasurementRequest, Measurements, MeasurementStatus
from gwas_core.tuning.parallel_trials import fitting_trials
from gwas_core.workspace import Workspace
from ui.search.fields import MEDIUM_FIELD
from ui.search.lines import PreparedLines
from ui.search.settings import fitting_parallel_trials
from ui.store import engines, sentence
from ui.text import markdown_text

_PAST_SEARCHES = 20


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Time that a search will probably take, and the state of the measurement behind it.

    Attributes:
        engine: what will run the search. A measurement of this machine says little about a cluster.
        request: what is measured for this search.
        status: whether that is under way or done.
        projection: the time; None if nothing is known about it yet.
        measured: the measurement that the projection is based on; None if it is based on earlier searches.
    """

    engine: EngineName
    request: MeasurementRequest
    status: MeasurementStatus
    projection: Projection | None
    measured: Measurement | None

    @property
    def is_about_this_machine(self) -> bool:
        """Whether the projection is this machine's time although the search runs on a cluster."""
        return self.engine != "local" and self.measured is not None


def measurements() -> Measurements:
    """Return the measurements of the workspace in use."""
    return Measurements(Workspace.from_environment())


def look_ahead(lines: PreparedLines, plan: Experiment) -> Outlook:
    """Return how long ``plan`` will probably take.

    On this machine a measurement counts first, then earlier searches like this one; on a cluster earlier searches
    count first.

    Args:
        lines: dataset as it will be after the filters, and its division.
        plan: the search as it would be launched now.
    """
    parallel_trials = measured_trials = plan.parallel_trials
    if plan.engine == "local":
        parallel_trials = fitting_parallel_trials(lines, parallel_trials).used
        # Whatever memory is free at this moment: a measurement would be lost from sight whenever that changes.
        measured_trials = fitting_trials(
            measured_trials, genotypes=lines.genotypes, cores=usable_cores(), memory=None
        ).used
    request = MeasurementRequest.of(
        plan.dataset,
        space=plan.space,
        preprocessing=plan.preprocessing,
        split=plan.split,
        parallel_trials=measured_trials,
        xla=plan.xla,
    )
    status = measurements().status(request)
    measured = None
    if status.measurement is not None:
        measured = project_measured(
            status.measurement,
            genotypes=lines.training_lines * lines.snps,
            space=plan.space,
            max_trials=plan.max_trials,
            parallel_trials=parallel_trials,
            early_stopping=plan.early_stopping,
        )
    past = project(
        past_searches(engines(), plan.engine),
        genotypes=lines.genotypes,
        space=plan.space,
        max_trials=plan.max_trials,
        parallel_trials=parallel_trials,
    )
    if measured is None or (plan.engine != "local" and past is not None):
        return Outlook(engine=plan.engine, request=request, status=status, projection=past, measured=None)
    return Outlook(engine=plan.engine, request=request, status=status, projection=measured, measured=status.measurement)


def show_figures(outlook: Outlook, form: str) -> None:
    """Show time, price per hour and cost.

    Args:
        outlook: what is known of the search's time.
        form: part of the key of the price's field.
    """
    projection = outlook.projection
    if projection is None:
        st.metric("Projected time", "not known yet", width="content")
    else:
        title = "Time on this machine" if outlook.is_about_this_machine else "Projected time"
        st.metric(title, duration_range(projection.low, projection.high), width="content")
    price = _price_field(form, outlook.engine)
    if projection is not None and price and not outlook.is_about_this_machine:
        least, most = (f"{cost:,.2f}" for cost in projection.cost(price))
        st.metric("Projected cost", least if least == most else f"{least} to {most}", width="content")


def show_basis(outlook: Outlook) -> None:
    """Show what the figures are based on, and why a measurement failed."""
    is_local = outlook.engine == "local"
    if outlook.projection is None and is_local:
        st.caption(
            "The time is not known yet: no search like this one was run or measured on this machine. Measure it now, "
            "or launch; the first trials will show it."
        )
    elif outlook.projection is None:
        st.caption(
            "The time is not known yet: no search like this one was run on the cluster. The first trials will show it. "
            "You can measure this machine."
        )
    else:
        basis = markdown_text(outlook.projection.basis)
        others = "The time differs between trials, and other work on the machine adds to it."
        if outlook.is_about_this_machine:
            others = "The cluster will take another time: its processors differ, and each trial waits for its pod."
        elif not is_local:
            others = "The time differs between trials, and pods may have to wait until the cluster has room."
        st.caption(f"From {basis}. {others}")
    if outlook.status.reason:
        reason = sentence(f"the measurement failed: {outlook.status.reason}")
        st.error(markdown_text(reason), icon=":material/error:")


def past_searches(chosen: Engines, engine: EngineName) -> tuple[PastSearch, ...]:
    """Return what the latest experiments of an engine tell about time.

    Args:
        chosen: engines of the workspace.
        engine: searches of another engine tell nothing about this one.
    """
    entries = [entry for entry in chosen.store.experiments() if entry.engine == engine]
    known = tuple((entry.name, entry.finished_trials) for entry in entries[:_PAST_SEARCHES])
    return _past_searches(str(chosen.workspace.root), known)


# Kept for seconds only: what is measured before the first trial comes without a finished trial.
@st.cache_data(max_entries=4, ttl=15, show_spinner=False)
def _past_searches(root: str, known: tuple[tuple[str, int], ...]) -> tuple[PastSearch, ...]:  # noqa: ARG001
    store = engines().store
    found = []
    for name, _ in known:
        try:
            record = store.load(name)
            report = Preparation.load(record.directory).report
            found.append(past_search(record, genotypes=report.lines_after * report.snps_after))
        except (GwasError, KeyError, TypeError):
            # Half deleted, or written by another version: it tells nothing about time.
            continue
    return tuple(found)


def price_per_hour(form: str, engine: EngineName) -> float:
    """Return what somebody typed as the price of an hour; 0 before.

    Args:
        form: part of the key of the price's field.
        engine: that has the price.
    """
    return float(st.session_state.get(_price_key(form, engine), 0.0))


def _price_key(form: str, engine: EngineName) -> str:
    return f"search-price-{form}" if engine == "local" else f"search-price-{engine}-{form}"


def _price_field(form: str, engine: EngineName) -> float:
    is_local = engine == "local"
    price = st.number_input(
        "Price of this machine per hour" if is_local else "Price of the cluster per hour",
        min_value=0.0,
        value=0.0,
        step=0.1,
        format="%.2f",
        key=_price_key(form, engine),
        width=MEDIUM_FIELD,
        help="In any currency. With 0, no cost is shown.",
        persist_state="session",
    )
    return float(price)
