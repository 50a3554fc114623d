"""Stop, resume, extend or delete an experiment: buttons, what each did, and the name typed before deletion.

Also here: which buttons a state allows.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.tuning.experiment import MAXIMUM_TRIALS, ExperimentState
from ui.store import engines, sentence
from ui.text import markdown_text

_NOTICE, _REFUSAL, _DELETING = "action-notice", "action-refusal", "action-deleting"
_EXTRA_TRIALS = 10
# Seconds. The page shows "stopping" until the experiment has stopped; waiting longer here would freeze the page.
_STOP_WAIT = 0.2


def finish_actions() -> None:
    """Show what the last action did or why it failed, and ask before an experiment is deleted.

    Called by the page itself: a dialog that a live part of the page opened would close with its next refresh.
    """
    if notice := st.session_state.pop(_NOTICE, None):
        st.toast(markdown_text(notice), icon=":material/check:")
    if refusal := st.session_state.pop(_REFUSAL, None):
        st.error(markdown_text(sentence(refusal)), icon=":material/error:")
    if name := st.session_state.get(_DELETING):
        _confirm_delete(name)


def experiment_actions(name: str, state: ExperimentState, *, finished: int, max_trials: int, key: str) -> None:
    """Show the buttons of one experiment; those that its state does not allow are disabled.

    Args:
        name: of the experiment.
        state: of the experiment.
        finished: trials that count towards ``max_trials``.
        max_trials: finished trials that end the search.
        key: prefix of the keys of the buttons.
    """
    if st.button(
        "Stop",
        key=f"{key}-stop",
        icon=":material/stop_circle:",
        disabled=state is not ExperimentState.RUNNING,
        help="End the running trials. Finished trials are kept, and Resume continues the search.",
    ):
        _do(
            f"Stopping {name}",
            lambda: engines().stop(name, wait=_STOP_WAIT),
            f"{name} is stopping. Finished trials are kept.",
        )
    if st.button(
        "Resume",
        key=f"{key}-resume",
        icon=":material/play_arrow:",
        disabled=not state.can_resume(),
        help="Continue the search where it stopped.",
    ):
        _do(f"Starting {name}", lambda: engines().resume(name), f"{name} is running again.")
    cannot_extend = state in (ExperimentState.STOPPING, ExperimentState.BROKEN)
    with st.popover("Extend", icon=":material/add:", disabled=cannot_extend):
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
            f"{counted(int(extra), 'trial')} added to {name}.",
        )


def _dismiss() -> None:
    st.session_state.pop(_DELETING, None)


@st.dialog("Delete experiment", icon=":material/delete:", on_dismiss=_dismiss)
def _confirm_delete(name: str) -> None:
    st.markdown(f"**{markdown_text(name)}**, with its trials, models and logs, will be deleted. This cannot be undone.")
    typed = st.text_input("Type its name to confirm", key=f"delete-{name}-name", autocomplete="off")
    confirmed = typed.strip() == name
    if typed and not confirmed:
        st.caption("This is not the name of the experiment.")
    with st.container(horizontal=True):
        if st.button("Delete", key=f"delete-{name}-yes", type="primary", disabled=not confirmed):
            _dismiss()
            _delete(name)
        if st.button("Cancel", key=f"delete-{name}-no"):
            _dismiss()
            st.rerun()


def _delete(name: str) -> None:
    """Delete the experiment and open the list: the page of the experiment has nothing more to show."""
    try:
        with st.spinner(f"Deleting {name} …"):
            engines().delete(name)
    except GwasError as error:
        st.session_state[_REFUSAL] = str(error)
        st.rerun()
    st.session_state[_NOTICE] = f"{name} was deleted."
    st.switch_page("pages/experiments.py")


def _do(doing: str, action: Callable[[], object], done: str) -> None:
    """Run an action, keep what to say about it, and draw the whole page again, since its live part may have changed."""
    try:
        with st.spinner(f"{doing} …"):
            action()
        st.session_state[_NOTICE] = done
    except GwasError as error:
        st.session_state[_REFUSAL] = str(error)
    st.rerun()
