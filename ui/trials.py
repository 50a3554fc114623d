"""Show the table of trials, one trial in full (curve, log, files), and several trials side by side.

Also here: how many are compared; how much of a log is shown; trials chosen in the URL, and that they are shown beside
the chart or the table where they were chosen; the epoch of the lowest error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from gwas_core.errors import InputError
from gwas_core.files import read_whole_lines_at_end
from gwas_core.messages import counted, elapsed
from gwas_core.model.trial_folder import LOG_FILE
from gwas_core.report.bundle_export import trials_table
from gwas_core.report.learning_curves import curves_figure, learning_curves
from gwas_core.report.trial_table import (
    compare_trials,
    next_step,
    ranked,
    searched_names,
    trial_rows,
    trials_json,
)
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.space import Scale
from ui import url
from ui.charts import show
from ui.states import TRIAL_STATE_LABELS
from ui.store import sentence
from ui.tables import data_table
from ui.text import markdown_text

_URL = "trial"
_MOST_COMPARED = 6  # as many curves as can be told apart by colour
_LOG_TAIL_BYTES = 8 * 1024
_BESIDE = "trials-beside"
_DETAIL_WIDTH = 410  # pixels; where that does not fit beside the chart or the table, the detail goes below it

Beside = Literal["chart", "table"]
"""Part of the page beside which the chosen trials are shown: the one where they were chosen."""


def chosen_trials() -> tuple[int, ...]:
    """Return the numbers of the trials in the URL; anything that is not a number is left out."""
    text = url.read(_URL)
    numbers = [int(part) for part in text.split(",") if re.fullmatch(r"[0-9]{1,6}", part)]
    return tuple(dict.fromkeys(numbers))[:_MOST_COMPARED]


def choose_trials(numbers: Sequence[int], *, beside: Beside = "table") -> None:
    """Put the numbers of trials into the URL.

    Args:
        numbers: of trials; only the first few are kept, since more do not fit side by side.
        beside: where they were chosen, and so where they are shown.
    """
    st.session_state[_BESIDE] = beside
    url.write(_URL, ",".join(str(number) for number in numbers[:_MOST_COMPARED]))


def show_beside_trials(record: ExperimentRecord, part: Beside, draw: Callable[[], None]) -> None:
    """Show a part of the page, with the chosen trials to its right if they were chosen there.

    Args:
        record: the experiment.
        part: what is drawn.
        draw: draws it.
    """
    # The containers are there in every run: a chart that moves into another one is drawn anew, without its zoom.
    with st.container(horizontal=True, gap="medium"):
        left = st.container()
        right = None
        if chosen_trials() and st.session_state.get(_BESIDE, "table") == part:
            right = st.container(width=_DETAIL_WIDTH)
    with left:
        draw()
    if right is not None:
        with right:
            show_chosen_trials(record)


def show_trial_table(record: ExperimentRecord, trials: Sequence[TrialRecord]) -> None:
    """Show the trials, best first and failed ones last, to sort, filter, select and download.

    Args:
        record: the experiment.
        trials: those that pass the filters of the parallel coordinates.
    """
    present = [state for state in TrialState if any(trial.state is state for trial in trials)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        states = st.pills(
            "States",
            present,
            selection_mode="multi",
            format_func=lambda state: TRIAL_STATE_LABELS[state],
            key=f"states-{record.name}",
            help="If none is chosen, all are shown",
        )
        shown = ranked(trial for trial in trials if not states or trial.state in states)
        _downloads(record, shown)
    names = searched_names(record)
    table = trial_rows(shown, names)
    table["State"] = [TRIAL_STATE_LABELS[trial.state] for trial in shown]
    numbers = [trial.number for trial in shown]
    # A new key if the order changed: Streamlit keeps a selection by row number, and it must stay with its trials.
    key = f"trials-{record.name}-{hash(tuple(numbers))}"
    chosen = set(chosen_trials())
    by_powers = {entry.name for entry in record.experiment.space.parameters if entry.scale is Scale.LOG}
    data_table(
        table,
        key=key,
        height=min(420, 38 + 35 * max(1, len(table))),
        on_select=lambda: _table_chosen(key, numbers),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [row for row, number in enumerate(numbers) if number in chosen]}},
        column_config={
            "Trial": st.column_config.NumberColumn(pinned=True, width="small"),
            "Error": st.column_config.NumberColumn(
                "Validation error", format="%.4f", help="Mean absolute error on the validation lines"
            ),
            "Epochs": st.column_config.NumberColumn(width="small"),
            "Seconds": st.column_config.NumberColumn(format="%.1f", width="small"),
            **{
                # A value searched on a log scale is written as 3.4e-06, not 0.0000034.
                name: st.column_config.NumberColumn(format="%.2e" if name in by_powers else "%.4g")
                for name in names
                if name in table and table[name].dtype == "float64"
            },
            "Reason": st.column_config.TextColumn(width="large"),
        },
        placeholder="–",
        alt=f"Trials of {record.name}",
    )
    st.caption(f"{counted(len(shown), 'trial')}. Select one to see it in full, two or more to compare them.")


def show_chosen_trials(record: ExperimentRecord) -> None:
    """Show the trials in the URL: one in full, or several side by side."""
    numbers = chosen_trials()
    known = {trial.number: trial for trial in record.trials}
    for number in numbers:
        if number not in known:
            st.warning(f"{markdown_text(record.name)} has no trial {number} yet.", icon=":material/warning:")
    trials = [known[number] for number in numbers if number in known]
    if not trials:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        titles = ", ".join(str(trial.number) for trial in trials)
        st.subheader(f"Trial {titles}" if len(trials) == 1 else f"Trials {titles} side by side", width="stretch")
        if st.button("Close", key="trial-close", icon=":material/close:"):
            choose_trials(())
            st.session_state.pop(f"trials-{record.name}", None)
            st.rerun()
    if len(trials) == 1:
        _one_trial(record, trials[0])
    else:
        _compared(record, trials)


def _one_trial(record: ExperimentRecord, trial: TrialRecord) -> None:
    best = record.best is not None and record.best.number == trial.number
    facts = [TRIAL_STATE_LABELS[trial.state]]
    if best:
        facts.append("★ best of the experiment")
    if trial.value is not None:
        facts.append(f"validation error {trial.value:.4f}")
    if trial.epochs:
        facts.append(f"{counted(trial.epochs, 'epoch')}, lowest error {_best_epoch(trial)}")
    if trial.seconds is not None:
        facts.append(elapsed(trial.seconds))
    if trial.attempts > 1:
        facts.append(f"{trial.attempts} attempts")
    if trial.seed is not None:
        facts.append(f"seed {trial.seed}")
    st.markdown(markdown_text(" · ".join(facts)))
    if trial.state is TrialState.FAILED:
        reason = sentence(trial.reason) or "It failed and gave no reason."
        st.error(f"{markdown_text(reason)}\n\n**Next step:** {next_step(trial.failure)}", icon=":material/error:")
    elif trial.reason:
        st.info(markdown_text(sentence(trial.reason)), icon=":material/info:")
    _trial_curve(record, trial)
    searched = searched_names(record)
    hyperparameters = pd.DataFrame(
        {
            "Hyperparameter": list(trial.parameters),
            "Value": [str(value) for value in trial.parameters.values()],
            "Searched": [name in searched for name in trial.parameters],
        }
    )
    data_table(
        hyperparameters,
        height=min(420, 38 + 35 * max(1, len(trial.parameters))),
        alt=f"Hyperparameters of trial {trial.number}",
    )
    _log(record, trial)
    _artifacts(trial)


def _best_epoch(trial: TrialRecord) -> str:
    """Return when the validation error was lowest, in words."""
    return f"after epoch {trial.best_epoch}" if trial.best_epoch else "at epoch 0, the start before any training"


def _trial_curve(record: ExperimentRecord, trial: TrialRecord) -> None:
    facts = learning_curves([trial], highlighted=[trial.number], baselines=record.baselines)
    if facts.trials.empty:
        st.caption("No epoch has finished, so there is no learning curve.")
        return
    show(
        curves_figure(facts),
        key="trial-curve",
        label=f"Learning curve of trial {trial.number}",
        description=f"The error is lowest {_best_epoch(trial)}.",
        table=facts.curves,
        file_name=f"{record.name}-trial-{trial.number}",
    )


def _log(record: ExperimentRecord, trial: TrialRecord) -> None:
    path = trial.directory / LOG_FILE
    text = log_tail(path)
    if text is None:
        st.caption("There is no log: the trial has not begun, or its files were deleted.")
        return
    with st.expander("End of the log", icon=":material/article:", expanded=trial.state is TrialState.FAILED):
        st.code(text or "The log is empty so far.", language=None, height=260)
        st.download_button(
            "Download the whole log",
            data=path.read_bytes,
            file_name=f"{record.name}-trial-{trial.number}-log.txt",
            mime="text/plain",
            icon=":material/download:",
            key="log-download",
            on_click="ignore",
        )


def log_tail(path: Path) -> str | None:
    """Return the last whole lines of a log, with control characters made visible; None if there is no log.

    Args:
        path: of the log, of any length: only its end is read.
    """
    try:
        data = read_whole_lines_at_end(path, limit=_LOG_TAIL_BYTES)
    except (OSError, InputError):
        return None
    text = data.decode("utf-8", errors="replace")
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def _artifacts(trial: TrialRecord) -> None:
    try:
        files = sorted(path for path in trial.directory.iterdir() if path.is_file() and not path.is_symlink())
    except OSError:
        st.caption("The folder with its files was deleted.")
        return
    if not files:
        st.caption("The trial has no files.")
        return
    with st.expander(f"Files ({len(files)})", icon=":material/folder:"), st.container(horizontal=True):
        for path in files:
            st.download_button(
                f"{markdown_text(path.name)} ({_size(path)})",
                data=path.read_bytes,
                file_name=path.name,
                icon=":material/download:",
                key=f"artifact-{path.name}",
                on_click="ignore",
            )


def _compared(record: ExperimentRecord, trials: Sequence[TrialRecord]) -> None:
    facts = learning_curves(trials, highlighted=[trial.number for trial in trials])
    if facts.trials.empty:
        st.caption("None of these trials has finished an epoch.")
    else:
        show(
            curves_figure(facts),
            key="compared-curves",
            label="Learning curves of the compared trials",
            table=facts.curves,
            file_name=f"{record.name}-compared",
        )
    data_table(
        compare_trials(trials),
        height=420,
        column_config={"Differs": st.column_config.CheckboxColumn(width="small")},
        alt="The trials side by side; hyperparameters that differ come first",
    )


def _downloads(record: ExperimentRecord, trials: Sequence[TrialRecord]) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.download_button(
            "CSV",
            data=lambda: csv_text(trials_table(tuple(trials))).encode(),
            file_name=f"{record.name}-trials.csv",
            mime="text/csv",
            icon=":material/download:",
            key="trials-csv",
            on_click="ignore",
            disabled=not trials,
        )
        st.download_button(
            "JSON",
            data=lambda: trials_json(record, trials).encode(),
            file_name=f"{record.name}-trials.json",
            mime="application/json",
            icon=":material/download:",
            key="trials-json",
            on_click="ignore",
            disabled=not trials,
        )


def _table_chosen(key: str, numbers: Sequence[int]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    choose_trials([numbers[row] for row in rows if row < len(numbers)])


def _size(path: Path) -> str:
    try:
        size = path.stat().st_size
    except OSError:
        return "deleted"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
