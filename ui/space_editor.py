"""A search space as an editable table, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
import yaml

from gwas_core.errors import GwasError, SettingsError
from gwas_core.messages import counted
from gwas_core.model.networks import DEFAULT_NETWORK, NETWORKS
from gwas_core.report.labels import number_label
from gwas_core.tuning.creation import check_fits_network
from gwas_core.tuning.space import MAXIMUM_FILE_BYTES, PRESETS, Parameter, ParameterKind, Scale, SearchSpace, Value
from ui.store import sentence, show_error
from ui.text import markdown_text

Row = dict[str, Any]
"""A row of the table: a tick under "Search", and text in every other cell, so that 1e-5 stays as it was typed."""

# Titles of the table's columns, and what they are called in a space.
_FIELDS = {
    "Hyperparameter": "name",
    "Value": "default",
    "Kind": "kind",
    "Minimum": "minimum",
    "Maximum": "maximum",
    "Step": "step",
    "Scale": "scale",
    "Choices": "choices",
}
_SEARCH, _PROBLEM = "Search", "Problem"
_ROW_HEIGHT, _MOST_ROWS = 35, 16
_PRESET_HELP = {
    "focused": "Start from the few hyperparameters that matter for these data",
    "tutorial": "Start from all 29 of the tutorial's network, with the ranges once published",
}


@dataclass(frozen=True)
class Problem:
    """Why a cell of the table cannot be used.

    Attributes:
        row: counted from 1; 0 where the space as a whole is meant.
        column: its title; empty where the row as a whole is meant.
    """

    row: int
    column: str
    error: GwasError

    @property
    def place(self) -> str:
        return ", ".join(part for part in (f"Row {self.row}" if self.row else "", self.column) if part)

    def describe(self) -> str:
        """One sentence that starts with the place."""
        text = sentence(str(self.error))
        return f"{self.place}: {text}" if self.place else text


@dataclass(frozen=True)
class SpaceReading:
    """What the table says: a space, or why not."""

    space: SearchSpace | None
    problems: tuple[Problem, ...]


def space_rows(space: SearchSpace) -> list[Row]:
    """A row for each parameter that is searched, then one for each value that is not."""
    searched = [
        {
            _SEARCH: True,
            "Hyperparameter": parameter.name,
            "Value": _cell(parameter.default),
            "Kind": parameter.kind.value,
            "Minimum": _cell(parameter.minimum),
            "Maximum": _cell(parameter.maximum),
            "Step": _cell(parameter.step),
            "Scale": parameter.scale.value if parameter.kind.is_range() else "",
            "Choices": ", ".join(_cell(choice) for choice in parameter.choices),
        }
        for parameter in space.parameters
    ]
    return [*searched, *(_fixed_row(name, _cell(value)) for name, value in space.fixed.items())]


def _fixed_row(name: str, value: str) -> Row:
    return {_SEARCH: False, **dict.fromkeys(_FIELDS, ""), "Hyperparameter": name, "Value": value}


def read_space(rows: Sequence[Mapping[str, Any]]) -> SpaceReading:
    """The space the rows describe; every row at fault is named, not only the first.

    A row without a tick gives the value that stays; without a value either, the network has its own.
    """
    parameters: dict[int, Parameter] = {}
    fixed: dict[int, tuple[str, Value]] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        texts = {name: text for title, name in _FIELDS.items() if (text := _text(row.get(title)))}
        try:
            if row.get(_SEARCH):
                parameters[number] = Parameter.from_dict(_typed(texts), where=f"row {number}")
            elif "name" in texts and "default" in texts:
                fixed[number] = texts["name"], _value(texts["default"])
        except GwasError as error:
            problems.append(Problem(number, _column(error), error))
    names = {number: parameter.name for number, parameter in parameters.items()}
    names |= {number: name for number, (name, _) in fixed.items()}
    problems += _twice(names)
    if problems:
        return SpaceReading(None, tuple(sorted(problems, key=lambda problem: problem.row)))
    try:
        space = SearchSpace(tuple(parameters.values()), dict(fixed.values()))
        check_fits_network(space)
    except GwasError as error:
        return SpaceReading(None, (_placed(error, names),))
    return SpaceReading(space, ())


def _twice(names: Mapping[int, str]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for number, name in sorted(names.items()):
        if first.setdefault(name, number) != number:
            reason = f"{name} is in row {first[name]} already: keep one of the two"
            problems.append(Problem(number, "Hyperparameter", SettingsError(reason, field=f"{name}.name")))
    return problems


def _placed(error: GwasError, names: Mapping[int, str]) -> Problem:
    """A problem of the whole space, at the cell it is about."""
    field = error.field if isinstance(error, SettingsError) else ""
    name = field.removeprefix("fixed.") if field.startswith("fixed.") else field.partition(".")[0]
    row = next((number for number, entry in names.items() if entry == name), 0)
    if not row:
        return Problem(0, "", error)
    return Problem(row, "Value" if field.startswith("fixed.") else _column(error), error)


def _column(error: GwasError) -> str:
    field = error.field.rpartition(".")[2] if isinstance(error, SettingsError) else ""
    return next((title for title, name in _FIELDS.items() if name == field), "")


def _typed(texts: Mapping[str, str]) -> dict[str, Any]:
    typed: dict[str, Any] = dict(texts)
    discrete = texts.get("kind") == ParameterKind.DISCRETE
    if "choices" in texts:
        choices = [choice.strip() for choice in texts["choices"].split(",")]
        typed["choices"] = [_value(choice) if discrete else choice for choice in choices if choice]
    if "default" in texts and discrete:
        typed["default"] = _value(texts["default"])
    return typed


def _value(text: str) -> Value:
    """A number or truth value where the text is one."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(cell: Any) -> str:
    return "" if cell is None or pd.isna(cell) else str(cell).strip()


def _cell(value: Value | None) -> str:
    """As short as it can be without changing the value; empty for none."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    short = number_label(value, digits=6)
    if float(short) == float(value):
        return short
    return repr(value)


def missing_hyperparameters(rows: Sequence[Mapping[str, Any]]) -> dict[str, Row]:
    """What the network has and the table has not, by name, as rows that could be added.

    They are ticked, and the ends of a range are left to whoever adds it: nobody knows them yet.
    """
    texts = {_text(row.get("Hyperparameter")): _text(row.get("Value")) for row in rows}
    network = NETWORKS.get(texts.get("network", ""), NETWORKS[DEFAULT_NETWORK])
    own = network.hyperparameters()
    added = {}
    for field in fields(own):
        kind = {int: ParameterKind.INT, float: ParameterKind.DOUBLE, str: ParameterKind.CATEGORICAL}[
            field.metadata["kind"]
        ]
        added[field.name] = _fixed_row(field.name, _cell(getattr(own, field.name))) | {
            _SEARCH: True,
            "Kind": kind.value,
            "Scale": Scale.UNIFORM.value if kind.is_range() else "",
            "Choices": ", ".join(field.metadata.get("choices", ())),
        }
    return {name: row for name, row in added.items() if name not in texts}


# On the page


@dataclass
class _State:
    """What the editor keeps in the session for one form.

    Attributes:
        base: the rows the table was drawn with; edits lie on top of them.
        rows: the rows as they are now.
        revision: of the table; another one is another table, without the edits made on the old one.
    """

    base: list[Row]
    rows: list[Row]
    revision: int = 0

    def replace(self, rows: list[Row]) -> None:
        self.base = self.rows = rows
        self.revision += 1


def space_editor(form: str) -> SpaceReading:
    """Presets, table, files and what is wrong.

    Args:
        form: names the form; each keeps its edits for as long as the session lasts.
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
            "Add a hyperparameter", icon=":material/add:", help="Search, or set, another hyperparameter of the network"
        ):
            _add_form(form)
        with st.popover("Open a saved space", icon=":material/upload_file:"):
            _open_form(form)
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
        help="The search space as YAML: open it here again, or use it with ./run tune FILE --space",
    )
    for problem in reading.problems:
        st.error(markdown_text(problem.describe()), icon=":material/error:")
    if reading.space is not None:
        size = reading.space.size
        points = "" if size is None else f", {counted(size, 'combination')}"
        st.caption(f"{counted(len(reading.space.parameters), 'hyperparameter')} to search{points}.")
    return reading


def _state(form: str) -> _State:
    """What is kept; at the first look, the default preset."""
    key = f"space-{form}"
    if key not in st.session_state:
        rows = space_rows(SearchSpace.preset(PRESETS[0]))
        st.session_state[key] = _State(rows, rows)
    state: _State = st.session_state[key]
    return state


def table_key(form: str) -> str:
    """The key of the table as it is now."""
    return f"space-table-{form}-{_state(form).revision}"


def _table(form: str, state: _State) -> SpaceReading:
    edits = st.session_state.get(table_key(form), {}).get("edited_rows", {})
    state.rows = [row | edits.get(number, {}) for number, row in enumerate(state.base)]
    reading = read_space(state.rows)
    marks = {problem.row: f"⚠ {problem.column or 'Row'}" for problem in reading.problems}
    columns = {title: [row[title] for row in state.base] for title in (_SEARCH, *_FIELDS)}
    numbers = pd.RangeIndex(1, len(state.base) + 1)
    columns[_PROBLEM] = [marks.get(number, "") for number in numbers]
    text = st.column_config.TextColumn
    st.data_editor(
        # Other marks make no other table: what is being edited stays as it is.
        pd.DataFrame(columns, index=numbers),
        key=table_key(form),
        disabled=[_PROBLEM],
        # Last, so that the cell in hand stays where it is when the marks come and go.
        column_order=[_SEARCH, *_FIELDS, *([_PROBLEM] if any(marks) else [])],
        column_config={
            "_index": st.column_config.Column("Row", width=50),
            _SEARCH: st.column_config.CheckboxColumn(
                width=75, help="Ticked: searched. Not ticked: stays at its value, or at the network's own without one."
            ),
            "Hyperparameter": text(help="A hyperparameter of the network"),
            _PROBLEM: text(width=110, help="The cell to mend; the sentence below says why"),
            "Value": text(width=120, help="What the first trial tries; what stays where it is not searched"),
            "Kind": st.column_config.SelectboxColumn(
                options=["", *(kind.value for kind in ParameterKind)],
                width="small",
                help="double and int have a minimum and a maximum, discrete and categorical have choices",
            ),
            "Minimum": text(width=90),
            "Maximum": text(width=90),
            "Step": text(width=60, help="Empty: every value. Only on a uniform scale."),
            "Scale": st.column_config.SelectboxColumn(
                options=["", *(scale.value for scale in Scale)],
                width="small",
                help="uniform: evenly in the value; log: evenly in its logarithm, for what spans powers of ten",
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
    """The space of an uploaded file; only the ending of its name is used.

    Raises:
        InputError, SettingsError: as ``SearchSpace.load``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("space.json" if name.lower().endswith(".json") else "space.yaml")
        path.write_bytes(content)
        return SearchSpace.load(path)


def _yaml(space: SearchSpace) -> str:
    return yaml.safe_dump(space.to_dict(), sort_keys=False, allow_unicode=True, width=100)
