"""A search space as an editable table, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
import yaml

from gwas_core.errors import GwasError, SettingsError
from gwas_core.launch import check_fits_network
from gwas_core.messages import counted
from gwas_core.report.labels import number_label
from gwas_core.tuning.space import MAXIMUM_FILE_BYTES, PRESETS, Parameter, ParameterKind, Scale, SearchSpace, Value
from ui.store import sentence, show_error
from ui.text import markdown_text

# Titles of the table's columns, and what they are called in a space.
_FIELDS = {
    "Name": "name",
    "Kind": "kind",
    "Minimum": "minimum",
    "Maximum": "maximum",
    "Step": "step",
    "Choices": "choices",
    "Scale": "scale",
    "Default": "default",
}
_BASE, _REVISION = "space-base", "space-revision"


@dataclass(frozen=True)
class Problem:
    """Why a row of the table cannot be used; ``row`` counts from 1, 0 is the space as a whole."""

    row: int
    error: GwasError

    def describe(self) -> str:
        """One sentence that starts with the place."""
        text = sentence(str(self.error))
        field = self.error.field.rpartition(".")[2] if isinstance(self.error, SettingsError) else ""
        column = next((title for title, name in _FIELDS.items() if name == field), "")
        place = ", ".join(part for part in (f"Row {self.row}" if self.row else "", column) if part)
        return f"{place}: {text}" if place else text


@dataclass(frozen=True)
class SpaceReading:
    """What the tables say: a space, or why not."""

    space: SearchSpace | None
    problems: tuple[Problem, ...]


def space_table(space: SearchSpace) -> pd.DataFrame:
    """One row a parameter; every cell is text, so that 1e-5 is shown as somebody would type it."""
    return pd.DataFrame(
        [
            {
                "Name": parameter.name,
                "Kind": parameter.kind.value,
                "Minimum": _cell(parameter.minimum),
                "Maximum": _cell(parameter.maximum),
                "Step": _cell(parameter.step),
                "Choices": ", ".join(_cell(choice) for choice in parameter.choices),
                "Scale": parameter.scale.value if parameter.kind.is_range() else "",
                "Default": _cell(parameter.default),
            }
            for parameter in space.parameters
        ],
        columns=list(_FIELDS),
        dtype=object,
    )


def fixed_table(space: SearchSpace) -> pd.DataFrame:
    """One row a value that is not searched."""
    return pd.DataFrame(
        [{"Name": name, "Value": _cell(value)} for name, value in space.fixed.items()],
        columns=["Name", "Value"],
        dtype=object,
    )


def read_space(rows: Sequence[Mapping[str, Any]], fixed: Sequence[Mapping[str, Any]]) -> SpaceReading:
    """The space the tables' rows describe; every row at fault is named, not only the first."""
    parameters: list[Parameter] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        values = {name: text for title, name in _FIELDS.items() if (text := _text(row.get(title)))}
        if not values:
            continue
        try:
            parameters.append(Parameter.from_dict(_typed(values), where=f"row {number}"))
        except GwasError as error:
            problems.append(Problem(number, error))
    if problems:
        return SpaceReading(None, tuple(problems))
    try:
        pairs = [(_text(row.get("Name")), _text(row.get("Value"))) for row in fixed]
        stay = {name: _value(text) for name, text in pairs if name and text}
        space = SearchSpace(tuple(parameters), stay)
        check_fits_network(space)
    except GwasError as error:
        return SpaceReading(None, (Problem(_row_of(error, parameters), error),))
    return SpaceReading(space, ())


def _row_of(error: GwasError, parameters: Sequence[Parameter]) -> int:
    """The row of the parameter an error is about; 0 where it is about none."""
    name = error.field.partition(".")[0] if isinstance(error, SettingsError) else ""
    return next((number for number, entry in enumerate(parameters, start=1) if entry.name == name), 0)


def _typed(values: Mapping[str, str]) -> dict[str, Any]:
    typed: dict[str, Any] = dict(values)
    discrete = values.get("kind") == ParameterKind.DISCRETE
    if "choices" in values:
        choices = [choice.strip() for choice in values["choices"].split(",")]
        typed["choices"] = [_value(choice) if discrete else choice for choice in choices if choice]
    if "default" in values and discrete:
        typed["default"] = _value(values["default"])
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


# On the page


def space_editor() -> SearchSpace | None:
    """Preset, tables, files and what is wrong; None while something is."""
    base = _base()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Start from",
            PRESETS,
            default=PRESETS[0],
            key="space-preset",
            format_func=str.capitalize,
            on_change=_preset_chosen,
            help="Focused: eight hyperparameters that matter. Tutorial: all 29, with the ranges once published.",
            width="content",
        )
        with st.popover("Open a saved space", icon=":material/upload_file:"):
            _open_form()
        download = st.empty()
    reading = _tables(base)
    download.download_button(
        "Save as YAML",
        data="" if reading.space is None else _yaml(reading.space),
        file_name="search-space.yaml",
        mime="application/yaml",
        icon=":material/download:",
        on_click="ignore",
        disabled=reading.space is None,
        key="space-download",
    )
    for problem in reading.problems:
        st.error(markdown_text(problem.describe()), icon=":material/error:")
    if reading.space is not None:
        size = reading.space.size
        points = "" if size is None else f", {counted(size, 'combination')}"
        st.caption(f"{counted(len(reading.space.parameters), 'hyperparameter')} to search{points}.")
    return reading.space


def _tables(base: SearchSpace) -> SpaceReading:
    revision = st.session_state[_REVISION]
    text = st.column_config.TextColumn
    edited = st.data_editor(
        space_table(base),
        num_rows="dynamic",
        hide_index=True,
        key=f"space-table-{revision}",
        column_config={
            "Name": text(required=True, help="A hyperparameter of the network"),
            "Kind": st.column_config.SelectboxColumn(
                options=[kind.value for kind in ParameterKind],
                required=True,
                help="double and int have a minimum and a maximum, discrete and categorical have choices",
            ),
            "Minimum": text(width="small"),
            "Maximum": text(width="small"),
            "Step": text(width="small", help="Empty: every value. Only on a uniform scale."),
            "Choices": text(help="Separated by commas"),
            "Scale": st.column_config.SelectboxColumn(
                options=["", *(scale.value for scale in Scale)], width="small", help="How a range is searched"
            ),
            "Default": text(width="small", help="The first trial tries the defaults"),
        },
    )
    with st.expander(f"Values that stay as they are ({len(base.fixed)})"):
        fixed = st.data_editor(
            fixed_table(base),
            num_rows="dynamic",
            hide_index=True,
            key=f"space-fixed-{revision}",
            column_config={"Name": text(required=True), "Value": text(required=True)},
        )
    return read_space(_rows(edited), _rows(fixed))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _base() -> SearchSpace:
    """The space the tables start from; edits lie on top of it."""
    if _BASE not in st.session_state:
        _set_base(SearchSpace.preset(PRESETS[0]))
    return SearchSpace.from_dict(st.session_state[_BASE])


def _set_base(space: SearchSpace) -> None:
    st.session_state[_BASE] = space.to_dict()
    # Another key is another table, without the edits made on the old one.
    st.session_state[_REVISION] = st.session_state.get(_REVISION, 0) + 1


def _preset_chosen() -> None:
    chosen = st.session_state.get("space-preset")
    if chosen in PRESETS:
        _set_base(SearchSpace.preset(chosen))


def _open_form() -> None:
    count = st.session_state[_REVISION]
    file = st.file_uploader(
        f"Search space, YAML or JSON, at most {MAXIMUM_FILE_BYTES // 1_000_000} MB",
        type=["yaml", "yml", "json"],
        key=f"space-upload-{count}",
        max_upload_size=MAXIMUM_FILE_BYTES // 1_000_000,
    )
    if file is None:
        return
    try:
        space = opened_space(file.getvalue(), file.name)
    except GwasError as error:
        show_error(error)
        return
    _set_base(space)
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
