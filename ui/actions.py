"""What can be done with an experiment: stop, resume, extend, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.tuning.experiment import MAXIMUM_TRIALS, ExperimentState
from ui.store import engines, sentence
from ui.text import markdown_text

_NOTICE, _REFUSAL, _DELETING = "action-notice", "action-refusal", "action-deleting"
_EXTRA_TRIALS = 10
# The page shows "stopping" until it has stopped; waiting here would only freeze it.
_STOP_WAIT = 0.2


def finish_actions() -> None:
    """What the last action did or why it could not be done, and the question a deletion asks.

    To be called by the page itself: a dialog that a live part of it opened would close with its next refresh.
    """
    if notice := st.session_state.pop(_NOTICE, None):
        st.toast(markdown_text(notice), icon=":material/check:")
    if refusal := st.session_state.pop(_REFUSAL, None):
        st.error(markdown_text(sentence(refusal)), icon=":material/error:")
    if name := st.session_state.get(_DELETING):
        _confirm_delete(name)


def experiment_actions(name: str, state: ExperimentState, *, finished: int, max_trials: int, key: str) -> None:
    """The buttons of one experiment in a row; those that make no sense in its state are disabled.

    Args:
        finished: trials that count towards ``max_trials``.
        key: prefix of the widgets' keys.
    """
    if st.button(
        "Stop",
        key=f"{key}-stop",
        icon=":material/stop_circle:",
        disabled=state is not ExperimentState.RUNNING,
        help="End the trials under way. What is finished is kept, and Resume goes on.",
    ):
        _do(
            f"Stopping {name}",
            lambda: engines().stop(name, wait=_STOP_WAIT),
            f"{name} stops. Finished trials are kept.",
        )
    if st.button(
        "Resume",
        key=f"{key}-resume",
        icon=":material/play_arrow:",
        disabled=not state.can_resume(),
        help="Go on where it was.",
    ):
        _do(f"Starting {name}", lambda: engines().resume(name), f"{name} runs again.")
    with st.popover("Extend", icon=":material/add:", disabled=state is ExperimentState.STOPPING):
        _extend_form(name, finished=finished, max_trials=max_trials, key=key)
    if st.button(
        "Delete",
        key=f"{key}-delete",
        icon=":material/delete:",
        disabled=state.is_active(),
        help="Remove it with its trials and models. A running experiment must be stopped first.",
    ):
        st.session_state[_DELETING] = name
        st.rerun()


def _extend_form(name: str, *, finished: int, max_trials: int, key: str) -> None:
    st.markdown(f"{finished:,} of {counted(max_trials, 'trial')} are finished.")
    room = MAXIMUM_TRIALS - max_trials
    if room < 1:
        st.info(f"An experiment has at most {MAXIMUM_TRIALS:,} trials.", icon=":material/info:")
        return
    extra = st.number_input(
        "Trials to add", min_value=1, max_value=room, value=min(_EXTRA_TRIALS, room), step=1, key=f"{key}-extra"
    )
    if st.button("Add and run", key=f"{key}-extend", type="primary", icon=":material/add:"):
        _do(
            f"Extending {name}",
            lambda: engines().extend(name, int(extra)),
            f"{name} has {counted(int(extra), 'trial')} more to do.",
        )


def _dismiss() -> None:
    st.session_state.pop(_DELETING, None)


@st.dialog("Delete experiment", icon=":material/delete:", on_dismiss=_dismiss)
def _confirm_delete(name: str) -> None:
    st.markdown(f"**{markdown_text(name)}**, its trials, models and logs will be gone. This cannot be undone.")
    typed = st.text_input("Type its name to confirm", key=f"delete-{name}-name", autocomplete="off")
    confirmed = typed.strip() == name
    if typed and not confirmed:
        st.caption("That is not its name.")
    with st.container(horizontal=True):
        if st.button("Delete", key=f"delete-{name}-yes", type="primary", disabled=not confirmed):
            _dismiss()
            _delete(name)
        if st.button("Cancel", key=f"delete-{name}-no"):
            _dismiss()
            st.rerun()


def _delete(name: str) -> None:
    """Delete, and go where the others are: a page about it has nothing more to show."""
    try:
        with st.spinner(f"Deleting {name} …"):
            engines().delete(name)
    except GwasError as error:
        st.session_state[_REFUSAL] = str(error)
        st.rerun()
    st.session_state[_NOTICE] = f"{name} was deleted."
    st.switch_page("pages/experiments.py")


def _do(doing: str, action: Callable[[], Any], done: str) -> None:
    """Do it, remember what to say, and draw the whole page anew: what is live may have changed."""
    try:
        with st.spinner(f"{doing} …"):
            action()
        st.session_state[_NOTICE] = done
    except GwasError as error:
        st.session_state[_REFUSAL] = str(error)
    st.rerun()
