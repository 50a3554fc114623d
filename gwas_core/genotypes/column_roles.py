"""Roles of columns (trait, line name, family, fold), guessed or given, and the dataset that they make.

Also here: lines without a trait value; repeated or empty line names; text in the trait, decimal commas; too few lines;
a constant trait; columns that are neither trait nor SNP by their name (sex, year, location); -9 and -999; what is
taken where only some roles are given; the notes on what was guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.cell_decoding import MISSING_WORDS, parse_number
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.families import family_in_name, guess_family_characters
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.messages import counted, has_control_characters, listed, quoted

MINIMUM_LINES = 30
"""Fewest lines that can be split into training, validation and test lines with meaningful results."""

_LONGEST_NAME = 200
_LINE_NAMES = ("strain", "line", "line_name", "id", "iid", "sample", "taxa", "genotype", "accession")
_FOLD_NAMES = ("folds", "fold", "cv")
_FAMILY_NAMES = ("family", "fam", "pop", "population", "cross")
# Columns of other programs and of trial designs that are numbers, but neither traits nor SNPs.
_DESIGN_NAMES = (
    *("fid", "pat", "mat", "sex", "unnamed", "row", "index", "year", "location", "loc", "environment", "env"),
    *("block", "rep", "replicate", "plot", "name", "group", "cluster", "treatment"),
)
_TRAIT_WORDS = re.compile(
    r"norm_phe|pheno|trait|height|yield|weight|maturity|flowering|protein|biomass|diameter|length|width|score"
    r"|status|disease|resistance|blup|blue",
    re.IGNORECASE,
)
# A column is numeric if most of its values are: a typo should be pointed out, not hide the column.
_MOSTLY = 0.5
# Columns whose values are looked at for a guess: as many as hold these cells, but at least these.
_CELLS_TO_JUDGE, _FEWEST_JUDGED = 2_000_000, 20
# Numbers that PLINK and others write for missing; they may be real values of a trait, so they are only reported.
_MISSING_NUMBERS = (-9, -999)


def is_line_name(column: str) -> bool:
    """Return whether a column of this name is expected to hold the lines' names.

    Args:
        column: name of the column, in any case.
    """
    return column.casefold() in _LINE_NAMES


def is_no_snp_name(column: str) -> bool:
    """Return whether a column of this name is no SNP, whatever its values look like.

    Args:
        column: name of the column, in any case.
    """
    name = column.casefold()
    return name in (*_LINE_NAMES, *_FOLD_NAMES, *_FAMILY_NAMES, *_DESIGN_NAMES) or bool(_TRAIT_WORDS.search(name))


@dataclass(frozen=True, kw_only=True)
class ColumnRoles:
    """Column of each role.

    Attributes:
        phenotype: column of the trait; None if there is none (then no dataset can be made).
        line_name: column of the lines' names; if None, lines are called ``row-00001`` and so on.
        family: column of the families; None if ``family_characters`` gives them or there are none.
        family_characters: first and last character of the line's name that say its family, counted from 1,
            both included: (6, 7) reads family 23 from DS11-23045.
        folds: column of cross-validation folds (whole numbers); None if there is none.

    Raises:
        SettingsError: a column has two roles, families are given in both ways, or the characters are impossible.
    """

    phenotype: str | None = None
    line_name: str | None = None
    family: str | None = None
    family_characters: tuple[int, int] | None = None
    folds: str | None = None

    def __post_init__(self) -> None:
        used: dict[str, str] = {}
        for role, column in self.named().items():
            if column in used:
                raise SettingsError(
                    f"column {quoted(column)} cannot be both {used[column]} and {role}: choose another", field=role
                )
            used[column] = role
        if self.family_characters is None:
            return
        if self.family is not None:
            raise SettingsError(
                "families come from a column or from the line names, not from both: leave one of them out",
                field="family_characters",
            )
        first, last = self.family_characters
        if not 1 <= first <= last:
            raise SettingsError(
                f"family characters must run from a first to a last one, counted from 1; {first} to {last} does not",
                field="family_characters",
            )

    def named(self) -> dict[str, str]:
        """Return the columns in use, by role."""
        roles = {"phenotype": self.phenotype, "line_name": self.line_name, "family": self.family, "folds": self.folds}
        return {role: column for role, column in roles.items() if column is not None}


def guess_roles(table: GenotypeTable) -> ColumnRoles:
    """Return a guess of every role from the columns' names and values, which the user can change.

    Args:
        table: content of a file; its genotypes tell which part of the line names is a family.
    """
    columns = table.columns
    judged = _judged(table)
    line_name = _first_named(columns, _LINE_NAMES) or _first(judged, lambda name: _could_name_lines(columns[name]))
    folds = _first_named(columns, _FOLD_NAMES, lambda name: name != line_name and _could_be_folds(columns[name]))
    family = _first_named(columns, _FAMILY_NAMES, lambda name: _could_be_families(columns[name]))
    characters = None
    if family is None and line_name is not None:
        characters = guess_family_characters(columns[line_name], table.genotypes)
    return ColumnRoles(
        phenotype=_guess_phenotype(table, taken={line_name, folds, family}),
        line_name=line_name,
        family=family,
        family_characters=characters,
        folds=folds,
    )


def choose_roles(
    table: GenotypeTable,
    *,
    phenotype: str | None = None,
    line_name: str | None = None,
    folds: str | None = None,
    family: str | Literal[False] | None = None,
    family_characters: tuple[int, int] | None = None,
) -> ColumnRoles:
    """Return the column of each role: as given, else as guessed.

    Args:
        table: content of the file.
        phenotype: column of the trait.
        line_name: column of the lines' names.
        folds: column of cross-validation folds.
        family: column of the families; False if there are none.
        family_characters: first and last position, from 1, of the family within a line's name.

    Raises:
        SettingsError: a column is given two roles, or the characters are impossible.
    """
    names = {"phenotype": phenotype, "line_name": line_name, "folds": folds, "family": family or None}
    given = {role: column for role, column in names.items() if column is not None}
    guessed = guess_roles(table)
    # A column given for one role may have been guessed for another: what was given wins.
    taken = set(given.values())
    roles = {role: column for role, column in guessed.named().items() if column not in taken} | given
    if family is not None or family_characters is not None:
        characters = family_characters if family is None else None
        if family is None or family is False:
            roles.pop("family", None)
    else:
        characters = guessed.family_characters
    return ColumnRoles(
        phenotype=roles.get("phenotype"),
        line_name=roles.get("line_name"),
        folds=roles.get("folds"),
        family=roles.get("family"),
        family_characters=characters,
    )


def _guess_phenotype(table: GenotypeTable, *, taken: set[str | None]) -> str | None:
    free = [name for name in table.columns if name not in taken and name.casefold() not in _FOLD_NAMES]
    # Columns that are no SNPs by name are mostly no traits either, unless the name says so.
    usual = [name for name in free if _TRAIT_WORDS.search(name) or not is_no_snp_name(name)]
    named = [name for name in usual if _TRAIT_WORDS.search(name)]
    judged = set(_judged(table))

    def mostly_numbers(name: str) -> bool:
        return name in judged and _is_numeric(table.columns[name])

    return (
        _first_named(usual, ("norm_phe", "phenotype", "pheno", "trait"))
        or _first(named, mostly_numbers)
        or _first(usual, mostly_numbers)
        or _first(named, lambda _: True)
    )


def _judged(table: GenotypeTable) -> list[str]:
    """Return the columns whose values are looked at; those that are named like a role come first.

    A guess looks at a few columns. One that read all of 70,000 took minutes.
    """
    most = max(_FEWEST_JUDGED, _CELLS_TO_JUDGE // max(1, table.lines))
    if len(table.columns) <= most:
        return list(table.columns)
    ordered = sorted(table.columns, key=lambda name: _TRAIT_WORDS.search(name) is None)
    chosen = set(ordered[:most])
    return [name for name in table.columns if name in chosen]


def _first_named(
    columns: Iterable[str], names: Sequence[str], fits: Callable[[str], bool] = lambda _: True
) -> str | None:
    """Return the column that has the first of these names, and fits, or None."""
    of_name: dict[str, list[str]] = {name: [] for name in names}
    for column in columns:
        if (folded := column.casefold()) in of_name:
            of_name[folded].append(column)
    return next((column for name in names for column in of_name[name] if fits(column)), None)


def _first(columns: Iterable[str], fits: Callable[[str], bool]) -> str | None:
    return next((column for column in columns if fits(column)), None)


def _is_missing(text: str) -> bool:
    return text.casefold() in MISSING_WORDS


def _could_name_lines(values: Sequence[str]) -> bool:
    """Return whether values are text, never empty, and all different."""
    return (
        any(parse_number(value) is None and not _is_missing(value) for value in values)
        and all(values)
        and len(set(values)) == len(values)
    )


def _could_be_folds(values: Sequence[str]) -> bool:
    return all(_fold(value) is not None for value in values)


def _could_be_families(values: Sequence[str]) -> bool:
    return 2 <= len(set(values)) < len(values)


def _fold(text: str) -> int | None:
    value = parse_number(text)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**31 else None


def _is_numeric(values: Sequence[str]) -> bool:
    present = [value for value in values if not _is_missing(value)]
    return bool(present) and sum(parse_number(value) is not None for value in present) >= _MOSTLY * len(present)


def make_dataset(
    table: GenotypeTable, roles: ColumnRoles, *, drop_missing_phenotype: bool = False
) -> tuple[Dataset, list[str]]:
    """Return the dataset that a table and its roles make, and sentences on what was used and left out.

    Args:
        table: content of a file.
        roles: column of each role.
        drop_missing_phenotype: leave out lines without a value of the trait instead of refusing them.

    Raises:
        InputError: a value cannot be used (the first row at fault is named), or there are fewer than
            ``MINIMUM_LINES`` lines.
        SettingsError: a role names a column that is not there; ``field`` is the role.
    """
    check_roles(table, roles)
    line_names = read_line_names(table, roles.line_name)
    if roles.phenotype is None:
        raise InputError(
            f"{quoted(table.file_name)} has no phenotype: none of its columns beside the SNPs "
            f"({listed(table.columns) or 'there are none'}) holds numbers; add the trait as a column"
        )
    phenotype = _phenotype(table, roles.phenotype, line_names)
    family = read_families(table, roles, line_names)
    folds = None if roles.folds is None else _folds(table, roles.folds, line_names)
    kept = _lines_with_value(phenotype, roles.phenotype, line_names, drop_missing_phenotype=drop_missing_phenotype)
    dropped = list(compress(line_names, ~kept))
    dataset = Dataset(
        genotypes=table.genotypes[kept] if dropped else table.genotypes,
        phenotype=phenotype[kept],
        line_names=tuple(compress(line_names, kept)),
        snps=table.snps,
        trait=roles.phenotype,
        family=None if family is None else family[kept],
        folds=None if folds is None else folds[kept],
    )
    _check_amount(dataset, dropped)
    return dataset, [*table.notes, *_notes(table, roles, dataset, dropped)]


def check_roles(table: GenotypeTable, roles: ColumnRoles) -> None:
    """Check that the table has the column of every role.

    Args:
        table: content of the file.
        roles: given by a person, or guessed for another file.

    Raises:
        SettingsError: a role names a column that is not there; ``field`` is the role.
    """
    for role, column in roles.named().items():
        if column not in table.columns:
            is_snp = bool((table.snps["name"] == column).any())
            raise SettingsError(
                f"the {role.replace('_', ' ')} cannot be column {quoted(column)}, which "
                f"{'is a SNP' if is_snp else 'the file does not have'}; "
                f"its columns beside the SNPs are {listed(table.columns, limit=10) or 'none'}",
                field=role,
            )


def _at(index: int, line_names: Sequence[str]) -> str:
    # The header is row 1, as a spreadsheet shows it.
    return f"row {index + 2:,}, line {quoted(line_names[index])}"


def read_line_names(table: GenotypeTable, column: str | None) -> list[str]:
    """Return the names of the lines.

    Args:
        table: content of a file.
        column: column of the names; if None, lines are called ``row-00001`` and so on.

    Raises:
        InputError: a name is empty, used twice, or holds control characters.
    """
    if column is None:
        return [f"row-{index:05d}" for index in range(1, table.lines + 1)]
    names = [name.strip() for name in table.columns[column]]
    for index, name in enumerate(names):
        if not name:
            raise InputError(
                f"row {index + 2:,} of {quoted(table.file_name)} has no line name in {quoted(column)}: fill it in"
            )
        if len(name) > _LONGEST_NAME:
            raise InputError(
                f"the line name in row {index + 2:,} of {quoted(table.file_name)} has {len(name):,} characters, more "
                f"than {_LONGEST_NAME} ({quoted(name, limit=30)}): shorten it, or choose another column"
            )
        if has_control_characters(name):
            raise InputError(
                f"the line name {quoted(name)} in row {index + 2:,} of {quoted(table.file_name)} holds control "
                "characters: remove them"
            )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        rows = [f"{index + 2:,}" for index, name in enumerate(names) if name == repeated[0]]
        raise InputError(
            f"{counted(len(repeated), 'line name')} in column {quoted(column)} of {quoted(table.file_name)} "
            f"{'is' if len(repeated) == 1 else 'are'} used more than once, such as {quoted(repeated[0])} "
            f"(rows {', '.join(rows[:5])}): give each line its own name, or choose another column"
        )
    return names


def _phenotype(table: GenotypeTable, column: str, line_names: Sequence[str]) -> NDArray[np.float64]:
    """Return the values of the trait, float64 (lines,), NaN where missing."""
    values = np.full(table.lines, np.nan)
    for index, text in enumerate(table.columns[column]):
        if _is_missing(text):
            continue
        value = parse_number(text)
        place = f"{quoted(text)} in {_at(index, line_names)}, of phenotype {quoted(column)}"
        if value is None:
            decimal_comma = re.fullmatch(r"[+-]?\d+,\d+", text) is not None
            raise InputError(
                f"{place} is no number: {'write decimals with a point' if decimal_comma else 'correct it'}, "
                "or leave it empty where it was not measured"
            )
        if np.isinf(value):
            raise InputError(f"{place} is not finite: correct it, or leave it empty where it was not measured")
        values[index] = value
    return values


def _lines_with_value(
    phenotype: NDArray[np.float64], trait: str, line_names: Sequence[str], *, drop_missing_phenotype: bool
) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = ~np.isnan(phenotype)
    missing = np.flatnonzero(~kept)
    if missing.size == len(kept):
        raise InputError(f"no line has a value of phenotype {quoted(trait)}: choose another column or fill it in")
    if missing.size and not drop_missing_phenotype:
        raise InputError(
            f"{counted(int(missing.size), 'line')} of {len(kept):,} {'has' if missing.size == 1 else 'have'} no value "
            f"of phenotype {quoted(trait)}, the first in {_at(int(missing[0]), line_names)}: fill it in, or leave "
            "such lines out with --drop-missing-phenotype"
        )
    return kept


def read_families(table: GenotypeTable, roles: ColumnRoles, line_names: Sequence[str]) -> NDArray[np.str_] | None:
    """Return the family of each line.

    Args:
        table: content of the file.
        roles: of its columns.
        line_names: one for each line, from which ``family_characters`` reads the family.

    Returns:
        (lines,) names of families, or None if the roles give no families.

    Raises:
        InputError: a line has no family.
        SettingsError: a line's name is too short to hold the family.
    """
    if roles.family is not None:
        values = [value.strip() for value in table.columns[roles.family]]
        without = [index for index, value in enumerate(values) if _is_missing(value)]
        if without:
            raise InputError(
                f"{counted(len(without), 'line')} of {quoted(table.file_name)} "
                f"{'has' if len(without) == 1 else 'have'} no family in column {quoted(roles.family)}, "
                f"the first in {_at(without[0], line_names)}: fill it in, "
                "or choose another column or none"
            )
        longest = max(range(len(values)), key=lambda index: len(values[index]), default=0)
        if values and len(values[longest]) > _LONGEST_NAME:  # numpy takes as much memory for each as for the longest
            raise InputError(
                f"the family in {_at(longest, line_names)}, has {len(values[longest]):,} characters, more than "
                f"{_LONGEST_NAME} ({quoted(values[longest], limit=30)}): shorten it, or choose another column or none"
            )
        return np.array(values, dtype=np.str_)
    if roles.family_characters is None:
        return None
    last = roles.family_characters[1]
    for index, name in enumerate(line_names):
        if len(name) < last:
            raise SettingsError(
                f"the line name in {_at(index, line_names)} is too short to hold its family in characters "
                f"{roles.family_characters[0]} to {last}",
                field="family_characters",
            )
    return np.array([family_in_name(name, roles.family_characters) for name in line_names], dtype=np.str_)


def _folds(table: GenotypeTable, column: str, line_names: Sequence[str]) -> NDArray[np.int64]:
    folds = np.zeros(table.lines, dtype=np.int64)
    for index, text in enumerate(table.columns[column]):
        fold = _fold(text)
        if fold is None:
            raise InputError(
                f"{quoted(text)} in {_at(index, line_names)}, of the folds {quoted(column)}, is no whole number: "
                "correct it, or choose another column for the folds or none"
            )
        folds[index] = fold
    return folds


def _check_amount(dataset: Dataset, dropped: Sequence[str]) -> None:
    if dataset.lines < MINIMUM_LINES:
        after = f" after {counted(len(dropped), 'line')} without a phenotype were left out" if dropped else ""
        raise InputError(
            f"there are only {counted(dataset.lines, 'line')}{after}: at least {MINIMUM_LINES} are needed to train "
            "and judge a model"
        )
    if np.ptp(dataset.phenotype) == 0:
        raise InputError(
            f"phenotype {quoted(dataset.trait)} is constant: it is {dataset.phenotype[0]:g} in all "
            f"{counted(dataset.lines, 'line')}, so there is nothing to learn; choose another column"
        )


def _notes(table: GenotypeTable, roles: ColumnRoles, dataset: Dataset, dropped: Sequence[str]) -> list[str]:
    notes = [f"The phenotype is column {quoted(dataset.trait)}.", _line_name_note(roles), _family_note(roles, dataset)]
    if roles.folds is not None and dataset.folds is not None:
        notes.append(
            f"The folds are column {quoted(roles.folds)}: {counted(len(np.unique(dataset.folds)), 'different fold')}."
        )
    unused = [name for name in table.columns if name not in roles.named().values()]
    if unused:
        notes.append(f"Not used: {counted(len(unused), 'other column')}, {listed(unused)}.")
    codes = int(np.isin(dataset.phenotype, _MISSING_NUMBERS).sum())
    if codes:
        notes.append(f"The phenotype is -9 or -999 in {counted(codes, 'line')}, which may mean missing: check them.")
    if dropped:
        notes.append(f"Left out, since they have no phenotype: {counted(len(dropped), 'line')}, {listed(dropped)}.")
    return notes


def _line_name_note(roles: ColumnRoles) -> str:
    if roles.line_name is None:
        return "No column names the lines: they are called row-00001, row-00002 and so on."
    return f"The lines are named by column {quoted(roles.line_name)}."


def _family_note(roles: ColumnRoles, dataset: Dataset) -> str:
    if dataset.family is None:
        return "No families are known: neither a column nor a part of the line names was taken for them."
    families = counted(len(np.unique(dataset.family)), "family", "families")
    if roles.family_characters is None:
        return f"The families are column {quoted(roles.family or '')}: {families}."
    first, last = roles.family_characters
    return (
        f"The families are characters {first} to {last} of the line names "
        f"({quoted(str(dataset.family[0]))} in {quoted(dataset.line_names[0])}): {families}."
    )
