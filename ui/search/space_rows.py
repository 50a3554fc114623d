"""Turn a search space into rows of text that people edit, and back, with the cells at fault named.

Also here: rows for hyperparameters that the network has and the table lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from gwas_core.errors import GwasError, SettingsError
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue, accepted_values
from gwas_core.model.networks import DEFAULT_NETWORK, NETWORKS
from gwas_core.report.labels import number_label
from gwas_core.tuning.creation import check_fits_network
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace
from ui.store import sentence

SEARCH_TITLE = "Search"
"""Title of the column of ticks."""


def _cell(title: str) -> str:
    """Make the field of a cell of text, whose column has this title; it is empty by default."""
    text: str = field(default="", metadata={"title": title})
    return text


@dataclass(frozen=True, kw_only=True)
class SpaceRow:
    """Row of the table: a tick, and text in every other cell, so that 1e-5 stays as it was typed.

    The names of the fields are those of an entry of a search space; ``TITLES`` has the titles of their columns.

    Attributes:
        is_searched: whether the hyperparameter is searched; if not, it stays at ``default``.
        default: the value that the first trial tries, or that stays.
        choices: separated by commas.
    """

    is_searched: bool = False
    name: str = _cell("Hyperparameter")
    default: str = _cell("Value")
    kind: str = _cell("Kind")
    minimum: str = _cell("Minimum")
    maximum: str = _cell("Maximum")
    step: str = _cell("Step")
    scale: str = _cell("Scale")
    choices: str = _cell("Choices")

    def cells(self) -> dict[str, bool | str]:
        """Return what the table shows, by the titles of its columns."""
        return {SEARCH_TITLE: self.is_searched, **{title: getattr(self, name) for name, title in TITLES.items()}}

    def edited(self, cells: Mapping[str, bool | str | None]) -> SpaceRow:
        """Return the row with some cells replaced.

        Args:
            cells: by the titles of their columns, as the table editor returns them; None empties a cell.
        """
        texts = {
            name: "" if (cell := cells[title]) is None else str(cell).strip()
            for name, title in TITLES.items()
            if title in cells
        }
        return replace(self, is_searched=bool(cells.get(SEARCH_TITLE, self.is_searched)), **texts)

    def texts(self) -> dict[str, str]:
        """Return the cells that are not empty, by the names of their fields."""
        return {name: text for name in TITLES if (text := getattr(self, name).strip())}


TITLES: dict[str, str] = {entry.name: entry.metadata["title"] for entry in fields(SpaceRow) if entry.metadata}
"""Titles of the columns of text, by the names of the fields, in the order of the table."""


@dataclass(frozen=True)
class Problem:
    """Why a cell of the table cannot be used.

    Attributes:
        row: counted from 1; 0 for a problem of the space as a whole.
        column: title of the column; empty for a problem of the row as a whole.
        error: the reason.
    """

    row: int
    column: str
    error: GwasError

    @property
    def place(self) -> str:
        """Row and column in words; empty for a problem of the space as a whole."""
        return ", ".join(part for part in (f"Row {self.row}" if self.row else "", self.column) if part)

    def describe(self) -> str:
        """Return a sentence that begins with the place."""
        text = sentence(str(self.error))
        return f"{self.place}: {text}" if self.place else text


@dataclass(frozen=True)
class SpaceReading:
    """What the table says: a space, or the problems that keep it from being one."""

    space: SearchSpace | None
    problems: tuple[Problem, ...]


def space_rows(space: SearchSpace) -> list[SpaceRow]:
    """Return a row for each hyperparameter that is searched, then one for each that stays at its value."""
    searched = [
        SpaceRow(
            is_searched=True,
            name=parameter.name,
            default=_text(parameter.default),
            kind=parameter.kind.value,
            minimum=_text(parameter.minimum),
            maximum=_text(parameter.maximum),
            step=_text(parameter.step),
            scale=parameter.scale.value if parameter.kind.is_range() else "",
            choices=", ".join(_text(choice) for choice in parameter.choices),
        )
        for parameter in space.parameters
    ]
    return [*searched, *(SpaceRow(name=name, default=_text(value)) for name, value in space.fixed.items())]


def read_space(rows: Sequence[SpaceRow]) -> SpaceReading:
    """Return the space that the rows describe, or a problem for each row at fault.

    A row without a tick gives the value that stays. If it has no value either, the network uses its own.

    Args:
        rows: of the table, in order, which gives the space its order.
    """
    parameters: dict[int, Parameter] = {}
    fixed: dict[int, tuple[str, HyperparameterValue]] = {}
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        texts = row.texts()
        try:
            if row.is_searched:
                parameters[number] = Parameter.from_dict(_entry(texts), where=f"row {number}")
            elif "name" in texts and "default" in texts:
                fixed[number] = texts["name"], _value(texts["default"])
        except GwasError as error:
            problems.append(Problem(number, _column(error), error))
    names = {number: parameter.name for number, parameter in parameters.items()}
    names |= {number: name for number, (name, _) in fixed.items()}
    problems += _repeated_names(names)
    if problems:
        return SpaceReading(None, tuple(sorted(problems, key=lambda problem: problem.row)))
    try:
        space = SearchSpace(tuple(parameters.values()), dict(fixed.values()))
        check_fits_network(space)
    except GwasError as error:
        return SpaceReading(None, (_problem_of_space(error, names),))
    return SpaceReading(space, ())


def missing_hyperparameters(rows: Sequence[SpaceRow]) -> dict[str, SpaceRow]:
    """Return the hyperparameters that the network has and the table lacks, by name, as rows that could be added.

    They are ticked. The ends of a range are left empty: only the person who adds the row can say them.

    Args:
        rows: of the table, one of which may name the network.
    """
    values = {row.name.strip(): row.default.strip() for row in rows}
    network = NETWORKS.get(values.get("network", ""), NETWORKS[DEFAULT_NETWORK])
    own = network.hyperparameters()
    added = {}
    for entry in fields(own):
        accepted = accepted_values(entry)
        kind = {int: ParameterKind.INT, float: ParameterKind.DOUBLE, str: ParameterKind.CATEGORICAL}[accepted.kind]
        added[entry.name] = SpaceRow(
            is_searched=True,
            name=entry.name,
            default=_text(getattr(own, entry.name)),
            kind=kind.value,
            scale=Scale.UNIFORM.value if kind.is_range() else "",
            choices=", ".join(accepted.choices),
        )
    return {name: row for name, row in added.items() if name not in values}


def _repeated_names(names: Mapping[int, str]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for number, name in sorted(names.items()):
        if first.setdefault(name, number) != number:
            said = name if name.isidentifier() else quoted(name)
            reason = f"{said} is in row {first[name]} already: keep one of the two"
            problems.append(Problem(number, TITLES["name"], SettingsError(reason, field=f"{name}.name")))
    return problems


def _problem_of_space(error: GwasError, names: Mapping[int, str]) -> Problem:
    """Return a problem of the whole space, at the cell that the error's field names."""
    first, _, rest = (error.field if isinstance(error, SettingsError) else "").partition(".")
    is_fixed = first == "fixed" and bool(rest)
    name = rest if is_fixed else first
    row = next((number for number, known in names.items() if known == name), 0)
    if not row:
        return Problem(0, "", error)
    return Problem(row, TITLES["default"] if is_fixed else _column(error), error)


def _column(error: GwasError) -> str:
    """Return the title of the column that the error's field names; empty if it names none."""
    return TITLES.get(error.field.rpartition(".")[2], "") if isinstance(error, SettingsError) else ""


def _entry(texts: Mapping[str, str]) -> dict[str, object]:
    """Return the cells of a row as an entry of a search space: choices as a list, discrete ones as numbers."""
    entry: dict[str, object] = dict(texts)
    is_discrete = texts.get("kind") == ParameterKind.DISCRETE
    if "choices" in texts:
        choices = [choice.strip() for choice in texts["choices"].split(",")]
        entry["choices"] = [_value(choice) if is_discrete else choice for choice in choices if choice]
    if "default" in texts and is_discrete:
        entry["default"] = _value(texts["default"])
    return entry


def _value(text: str) -> HyperparameterValue:
    """Return a number or a truth value if the text is one, and else the text."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: HyperparameterValue | None) -> str:
    """Return a value as short as possible without changing it; empty for None."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    short = number_label(value, digits=6)
    if float(short) == float(value):
        return short
    return repr(value)
