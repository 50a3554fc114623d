"""Name the experiment, say what keeps it from being launched, launch it, and go to its page.

Also here: that a measurement of this machine is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitAPIException

from gwas_core.engines.launch import launch_experiment
from gwas_core.errors import ExperimentError, GwasError
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.measurement import Measurement
from gwas_core.tuning.search_settings import free_name
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, check_experiment_name
from ui.refusals import Refusals
from ui.search.fields import WIDE_FIELD
from ui.search.space_rows import Problem
from ui.store import dataset_library, engines
from ui.text import markdown_text

_LAUNCHED = "search-launched"


def name_field(entry: LibraryEntry, form: str, refusals: Refusals) -> str | None:
    """Show the field for the experiment's name, filled with a free one.

    Args:
        entry: dataset whose file gives the name.
        form: part of the keys of the fields.
        refusals: gets the place beside the field.

    Returns:
        The name; None if it is refused.
    """
    taken = engines().store.taken_names()
    name: str = st.text_input(
        "Name of the experiment",
        value=free_name(entry.source, taken=taken),
        # The number of launches: after each, the next experiment is proposed a name of its own.
        key=f"search-name-{form}-{st.session_state.get(_LAUNCHED, 0)}",
        max_chars=MAXIMUM_NAME_LENGTH,
        width=WIDE_FIELD,
        help="Lower-case letters, digits and dashes.",
        persist_state="session",
    ).strip()
    try:
        check_experiment_name(name)
        if name in taken:
            raise ExperimentError(f"there is already an experiment named {name}: choose another name")
    except GwasError as error:
        refusals.show_at("name", error)
        return None
    return name


def show_what_is_missing(*, lines: bool, problems: Sequence[Problem], settings: bool, engine: bool, name: bool) -> None:
    """Show why Launch cannot be pressed: the places on the page where something is refused.

    Args:
        lines: whether the filters and the division of the lines are accepted.
        problems: cells of the search space that are refused.
        settings: whether the settings under "How to search" are accepted.
        engine: whether trials can run where it is chosen.
        name: whether the name is accepted.
    """
    places = [
        "" if lines else "the filters or the split",
        *(f"{problem.place or 'the table'} of the search space" for problem in problems),
        "" if settings else "how to search",
        "" if engine else "where it runs",
        "" if name else "the name",
    ]
    named = "; ".join(place[0].lower() + place[1:] for place in places if place)
    st.caption(f":material/block: Launch waits until this is corrected: {markdown_text(named)}.")


def launch(
    entry: LibraryEntry, plan: Experiment, *, name: str, measured: Measurement | None, refusals: Refusals
) -> None:
    """Create the experiment, start it, and go to its page.

    Args:
        entry: the dataset, from which the experiment's own is prepared.
        plan: what ``planned_experiment`` returned.
        name: of the experiment.
        measured: the measurement of this machine, if there is one; the search then need not measure again.
        refusals: gets the reason if it cannot be launched.
    """
    try:
        with st.spinner("Preparing the data and starting the first trials"):
            experiment = launch_experiment(
                engines(),
                dataset_library().load(entry.hash),
                name=name,
                source=entry.source,
                notes=entry.notes,
                calibration=None if measured is None or plan.engine != "local" else measured.calibration,
                space=plan.space,
                preprocessing=plan.preprocessing,
                split=plan.split,
                algorithm=plan.algorithm,
                early_stopping=plan.early_stopping,
                max_trials=plan.max_trials,
                parallel_trials=plan.parallel_trials,
                max_failed_trials=plan.max_failed_trials,
                seed=plan.seed,
                xla=plan.xla,
                engine=plan.engine,
            )
    except GwasError as error:
        refusals.show(error)
        return
    except OSError as error:
        refusals.show(ExperimentError(f"the workspace cannot be written: {error.strerror or error}"))
        return
    st.session_state[_LAUNCHED] = st.session_state.get(_LAUNCHED, 0) + 1
    _go_to(experiment.name)


def _go_to(name: str) -> NoReturn:
    try:
        st.switch_page("pages/machine_room.py", query_params={"experiment": name})
    except StreamlitAPIException:
        st.switch_page("pages/experiments.py")
