"""Say which column of a file is the trait, the line name, the family and the folds."""

from __future__ import annotations

import streamlit as st

from gwas_core.genotypes.column_roles import ColumnRoles
from gwas_core.genotypes.limited_reading import TableOutline
from gwas_core.messages import quoted
from ui.refusals import Refusals
from ui.text import markdown_text

_NO_FAMILIES, _CHARACTERS, _COLUMN = "none", "characters", "column"


def roles_form(table: TableOutline, refusals: Refusals, *, form: str) -> ColumnRoles:
    """Show a field for each role, filled with the guess, and return the roles that are chosen.

    Args:
        table: what was read of the file, with the roles that its columns probably have.
        refusals: gets the places beside the fields.
        form: part of the keys of the fields; it changes when the file does.

    Raises:
        SettingsError: if two roles do not go together.
    """
    guessed = table.roles
    left, right = st.columns(2)
    with left:
        phenotype = _column_choice(
            "Trait", "phenotype", guessed.phenotype, table, refusals, form, help_text="What is predicted."
        )
        line_name = _column_choice(
            "Line name", "line_name", guessed.line_name, table, refusals, form, help_text="Identifies each line."
        )
        folds = _column_choice(
            "Folds",
            "folds",
            guessed.folds,
            table,
            refusals,
            form,
            help_text="Numbers that divide the lines for cross-validation. A search can use them to choose its "
            "validation and test lines.",
        )
    with right:
        family, characters = _family_choice(table, line_name, refusals, form)
    return ColumnRoles(
        phenotype=phenotype, line_name=line_name, family=family, family_characters=characters, folds=folds
    )


def _column_choice(
    label: str,
    role: str,
    guess: str | None,
    table: TableOutline,
    refusals: Refusals,
    form: str,
    *,
    help_text: str,
) -> str | None:
    options: list[str | None] = [None, *table.columns]
    chosen: str | None = st.selectbox(
        label,
        options,
        index=options.index(guess),
        format_func=lambda name: "(none)" if name is None else name,
        key=f"data-{role}-{form}",
        help=help_text,
    )
    refusals.beside(role)
    return chosen


def _family_choice(
    table: TableOutline, line_name: str | None, refusals: Refusals, form: str
) -> tuple[str | None, tuple[int, int] | None]:
    """Return the column that names the family, or the first and last character of the line name that do."""
    guessed = table.roles
    options = [(_NO_FAMILIES, ""), (_CHARACTERS, ""), *((_COLUMN, name) for name in table.columns)]
    if guessed.family:
        guess = (_COLUMN, guessed.family)
    else:
        guess = (_CHARACTERS if guessed.family_characters else _NO_FAMILIES, "")
    titles = {_NO_FAMILIES: "(none)", _CHARACTERS: "(characters of the line name)"}
    kind, column = st.selectbox(
        "Family",
        options,
        index=options.index(guess),
        format_func=lambda option: titles.get(option[0], option[1]),
        key=f"data-family-{form}",
        help="Lines of a family share parents. Families are used to divide the lines, to fill in missing genotypes "
        "and to judge predictions within families.",
    )
    characters = None
    if kind == _CHARACTERS:
        first_guess, last_guess = guessed.family_characters or (1, 1)
        first_column, last_column = st.columns(2)
        first = first_column.number_input("From character", 1, 200, first_guess, key=f"data-first-{form}")
        last = last_column.number_input("To character", 1, 200, last_guess, key=f"data-last-{form}")
        characters = (int(first), int(last))
        if line_name is not None and table.lines:
            name = table.columns[line_name][0].strip()
            st.caption(
                f"Counted from 1, including the last: the family of {_quoted(name)} is "
                f"{_quoted(name[first - 1 : last])}."
            )
    refusals.beside("family", "family_characters")
    return (column if kind == _COLUMN else None), characters


def _quoted(text: str) -> str:
    """Return text from a file in quotes, for Markdown."""
    return markdown_text(quoted(text))
