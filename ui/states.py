"""Show states as an icon and a word, so that none is told by colour alone."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from gwas_core.tuning.experiment import ExperimentState, TrialState

Colour = Literal["gray", "blue", "orange", "green", "red"]

STATE_LABELS = {
    ExperimentState.CREATED: "○ created",
    ExperimentState.RUNNING: "▶ running",
    ExperimentState.STOPPING: "◼ stopping",
    ExperimentState.STOPPED: "◼ stopped",
    ExperimentState.INTERRUPTED: "⚠ interrupted",
    ExperimentState.SUCCEEDED: "✓ succeeded",
    ExperimentState.FAILED: "✗ failed",
    ExperimentState.BROKEN: "✗ broken",
}

TRIAL_STATE_LABELS = {
    TrialState.WAITING: "○ waiting",
    TrialState.RUNNING: "▶ running",
    TrialState.INTERRUPTED: "⚠ interrupted",
    TrialState.SUCCEEDED: "✓ succeeded",
    TrialState.PRUNED: "✂ stopped early",
    TrialState.FAILED: "✗ failed",
}

_BADGES: dict[ExperimentState, tuple[str, Colour]] = {
    ExperimentState.CREATED: (":material/circle:", "gray"),
    ExperimentState.RUNNING: (":material/play_arrow:", "blue"),
    ExperimentState.STOPPING: (":material/stop_circle:", "orange"),
    ExperimentState.STOPPED: (":material/stop:", "gray"),
    ExperimentState.INTERRUPTED: (":material/warning:", "orange"),
    ExperimentState.SUCCEEDED: (":material/check_circle:", "green"),
    ExperimentState.FAILED: (":material/error:", "red"),
    ExperimentState.BROKEN: (":material/broken_image:", "red"),
}


def state_badge(state: ExperimentState) -> None:
    """Show the state of an experiment as a badge."""
    icon, colour = _BADGES[state]
    st.badge(state.value.capitalize(), icon=icon, color=colour)
