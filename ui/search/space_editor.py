"""Edit the search space: presets, a table, hyperparameters to add, and files to open and save.

Also here: marks of wrong cells; what stays when somebody leaves the page and comes back.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st
import yaml

from gwas_core.errors import GwasError
from gwas_core.messages import counted
from gwas_core.report.hyperparameter_words import hyperparameter_sentence
from gwas_core.tuning.space import MAXIMUM_FILE_BYTES, PRESETS, ParameterKind, Scale, SearchSpace
from gwas_core.workspace import program_name
from ui.search.space_rows import (
    SEARCH_TITLE,
    TITLES,
    SpaceReading,
    SpaceRow,
    missing_hyperparameters,
    read_space,
    space_rows,
)
from ui.store import show_error
from ui.text import markdown_text

_PROBLEM = "Problem"
_ROW_HEIGHT, _MOST_ROWS = 35, 16
_PRESET_HELP = {
    "focused": "Start from the few hyperparameters that matter most for these data",
    "tutorial": "Start from all 29 hyperparameters of the tutorial's network, with the ranges that were published",
}


@dataclass
class _State:
    """What the editor keeps in the session for one form.

    Attributes:
        base: the rows that the table was drawn with; the browser's edits refer to them.
        rows: the rows as they are now.
        revision: part of the key of the table; a new one makes a new table, without the edits of the old one.
    """

    base: list[SpaceRow]
    rows: list[SpaceRow]
    revision: int = 0

    def replace(self, rows: list[SpaceRow]) -> None:
        """Show other rows in a new table."""
        self.base = self.rows = rows
        self.revision += 1


def space_editor(form: str) -> SpaceReading:
    """Show presets, table and files, with what is wrong in the table, and return what the table says.

    Args:
        form: name of the form; each keeps its edits as long as the session lasts.
    """
    state = _state(form)
    if table_key(form) not in st.session_state:
        # Shown for the first time, or again after another page: the edits made before are in the rows.
        state.replace(state.rows)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for preset in PRESETS:
            st.button(
                f"{preset.capitalize()} space",
                icon=":material/restart_alt:",
                key=f"space-preset-{preset}",
                on_click=_choose_preset,
                args=(form, preset),
                help=_PRESET_HELP.get(preset, ""),
            )
        with st.popover(
            "Add a hyperparameter", icon=":material/add:", help="Search, or set, one more hyperparameter of the network"
        ):
            _add_form(form)
        with st.popover("Open a saved space", icon=":material/upload_file:"):
            _open_form(form)
        with st.popover("What they do", icon=":material/help:", help="Each hyperparameter of the table in a sentence"):
            _explanations(state)
        download = st.empty()
    reading = _table(form, state)
    download.download_button(
        "Save as YAML",
        data="" if reading.space is None else _yaml(reading.space),
        file_name="search-space.yaml",
        mime="application/yaml",
        icon=":material/download:",
        on_click="ignore",
        disabled=reading.space is None,
        key=f"space-download-{form}",
        help=f"The search space as YAML: open it here again, or use it with {program_name()} tune FILE --space",
    )
    for problem in reading.problems:
        st.error(markdown_text(problem.describe()), icon=":material/error:")
    if reading.space is not None:
        size = reading.space.size
        points = "" if size is None else f", {counted(size, 'combination')}"
        st.caption(f"{counted(len(reading.space.parameters), 'hyperparameter')} to search{points}.")
    return reading


def _explanations(state: _State) -> None:
    """Say what each hyperparameter of the table does."""
    names = dict.fromkeys(row.name for row in state.rows)
    told = [f"- `{name}`: {text}" for name in names if (text := hyperparameter_sentence(name))]
    st.markdown("\n".join(told) or "The table names no hyperparameter of a network.")


def _state(form: str) -> _State:
    """Return what is kept for a form; the default preset, if it is shown for the first time."""
    key = f"space-{form}"
    if key not in st.session_state:
        rows = space_rows(SearchSpace.preset(PRESETS[0]))
        st.session_state[key] = _State(rows, rows)
    state: _State = st.session_state[key]
    return state


def table_key(form: str) -> str:
    """Return the key of the table as it is now.

    Args:
        form: part of the key; a reset changes it too.
    """
    return f"space-table-{form}-{_state(form).revision}"


def _table(form: str, state: _State) -> SpaceReading:
    edits = st.session_state.get(table_key(form), {}).get("edited_rows", {})
    state.rows = [row.edited(edits.get(number, {})) for number, row in enumerate(state.base)]
    reading = read_space(state.rows)
    marks = {problem.row: f"⚠ {problem.column or 'Row'}" for problem in reading.problems}
    numbers = pd.RangeIndex(1, len(state.base) + 1)
    cells = [row.cells() for row in state.base]
    columns = {title: [row[title] for row in cells] for title in (SEARCH_TITLE, *TITLES.values())}
    columns[_PROBLEM] = [marks.get(number, "") for number in numbers]
    text = st.column_config.TextColumn
    st.data_editor(
        # New marks do not make a new table: what is being edited stays as it is.
        pd.DataFrame(columns, index=numbers),
        key=table_key(form),
        disabled=[_PROBLEM],
        # The marks come last, so that the cell being edited does not move when they come and go.
        column_order=[SEARCH_TITLE, *TITLES.values(), *([_PROBLEM] if any(marks) else [])],
        column_config={
            "_index": st.column_config.Column("Row", width=50),
            SEARCH_TITLE: st.column_config.CheckboxColumn(
                width=75,
                help="Ticked: searched. Not ticked: stays at its value, or at the network's default if there is none.",
            ),
            "Hyperparameter": text(help="A hyperparameter of the network"),
            _PROBLEM: text(width=110, help="The cell to correct; the sentence below says why"),
            "Value": text(
                width=120, help="The first trial tries this value. A hyperparameter that is not searched stays at it."
            ),
            "Kind": st.column_config.SelectboxColumn(
                options=["", *(kind.value for kind in ParameterKind)],
                width="small",
                help="double: numbers in a range. int: whole numbers in a range. discrete: a list of numbers. "
                "categorical: a list of words.",
            ),
            "Minimum": text(width=90),
            "Maximum": text(width=90),
            "Step": text(
                width=60,
                help="Distance between the values that are tried. Empty: any value. Only with a uniform scale.",
            ),
            "Scale": st.column_config.SelectboxColumn(
                options=["", *(scale.value for scale in Scale)],
                width="small",
                help="uniform: all values are equally likely. log: all powers of ten are equally likely, for ranges "
                "such as 1e-5 to 1e-2.",
            ),
            "Choices": text(help="Separated by commas"),
        },
        placeholder="",
        height=_ROW_HEIGHT * (1 + min(len(state.base), _MOST_ROWS)) + 2,
        row_height=_ROW_HEIGHT,
        alt="The search space, a row for each hyperparameter",
    )
    return reading


def _choose_preset(form: str, preset: str) -> None:
    _state(form).replace(space_rows(SearchSpace.preset(preset)))


def _add_form(form: str) -> None:
    candidates = missing_hyperparameters(_state(form).rows)
    chosen = st.selectbox(
        "Hyperparameter",
        list(candidates),
        index=None,
        key=f"space-add-{form}",
        placeholder="Choose one" if candidates else "All are in the table",
        disabled=not candidates,
    )
    st.button(
        "Add to the table",
        key=f"space-added-{form}",
        disabled=chosen is None,
        on_click=_add,
        args=(form,),
    )


def _add(form: str) -> None:
    state = _state(form)
    chosen = missing_hyperparameters(state.rows).get(st.session_state[f"space-add-{form}"])
    if chosen is not None:
        state.replace([*state.rows, chosen])


def _open_form(form: str) -> None:
    state = _state(form)
    file = st.file_uploader(
        f"Search space, YAML or JSON, at most {MAXIMUM_FILE_BYTES // 1_000_000} MB",
        type=["yaml", "yml", "json"],
        key=f"space-upload-{form}-{state.revision}",
        max_upload_size=MAXIMUM_FILE_BYTES // 1_000_000,
    )
    if file is None:
        return
    try:
        space = opened_space(file.getvalue(), file.name)
    except GwasError as error:
        show_error(error)
        return
    state.replace(space_rows(space))
    st.rerun()


def opened_space(content: bytes, name: str) -> SearchSpace:
    """Return the space in an uploaded file.

    Args:
        content: YAML or JSON.
        name: of the file, of which only the ending is used.

    Raises:
        InputError, SettingsError: as ``SearchSpace.load`` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("space.json" if name.lower().endswith(".json") else "space.yaml")
        path.write_bytes(content)
        return SearchSpace.load(path)


def _yaml(space: SearchSpace) -> str:
    return yaml.safe_dump(space.to_dict(), sort_keys=False, allow_unicode=True, width=100)
