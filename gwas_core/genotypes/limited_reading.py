"""Reader of somebody's table in a process of its own: what a page shows of it, and the dataset that it makes.

Also here: the table as it was read, which is kept on disk for as long as the roles of its columns are chosen.

The process has limits (``processes.limits``), so that a table made to exhaust the memory ends this process and nothing
else. What comes back is small: the first rows, and sentences.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import InputError
from gwas_core.files import read_json, synchronise, write_json
from gwas_core.genotypes.arrays import open_array
from gwas_core.genotypes.cell_decoding import Delimiter
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.genotype_table import GenotypeTable
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.quality import QualityReport
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.genotypes.text_columns import TextColumns
from gwas_core.messages import quoted
from gwas_core.processes.limits import call_limited, reading_limits
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.workspace import Workspace

MOST_COLUMNS_SHOWN = 2_000
"""Largest number of columns beside the SNPs that a page gets to choose from; the command line takes all."""

_FIRST_LINES, _FIRST_SNPS, _LONGEST_CELL = 10, 8, 200
_FOLDER, _KEPT, _KEPT_SECONDS = "_reading", 4, 24 * 3600
_ABOUT, _GENOTYPES = "table.json", "genotypes.npy"
_LARGEST_ABOUT = 1024**3
_MODULE = "gwas_core.genotypes.limited_reading"


@dataclass(frozen=True, kw_only=True)
class TableOutline:
    """Content of a table as a page shows it.

    Attributes:
        lines: number of lines.
        snps: number of SNPs.
        other_columns: number of all other columns.
        columns: first values of the other columns by name, shortened; of the first ``MOST_COLUMNS_SHOWN`` of them and
            of those that were guessed to have a role.
        genotypes: first genotypes of the first SNPs by name, as ``Dataset.genotypes`` codes them.
        roles: which column probably has which role.
    """

    lines: int
    snps: int
    other_columns: int
    columns: dict[str, tuple[str, ...]]
    genotypes: dict[str, tuple[int, ...]]
    roles: ColumnRoles = field(default_factory=ColumnRoles)


@dataclass(frozen=True, kw_only=True)
class LimitedReader:
    """Reader of one file, each of whose methods works in a process with limits.

    Attributes:
        path: of the file.
        name: what messages call it.
        snp_columns: which columns are SNPs; None if that is guessed.
        version: changes when the file does; the table is read again then.
        workspace: folder where the table is kept meanwhile, and whose library gets the dataset.
    """

    path: Path
    name: str
    version: str
    workspace: Path
    snp_columns: SnpChoice | None = None

    def outline(self) -> TableOutline:
        """Read the file, and return what a page shows of it.

        Raises:
            InputError: the file cannot be used, or a limit was exceeded.
            SettingsError: ``snp_columns`` does not fit the file.
        """
        _remove_old(self.workspace / _FOLDER)
        return from_json_values(TableOutline, self._call("read_outline"), name="table", error=InputError)

    def check(self, roles: ColumnRoles, *, drop_missing_phenotype: bool) -> tuple[str, ...]:
        """Return sentences on what was used and left out by the dataset that the roles make.

        Raises:
            InputError: no dataset can be made, or a limit was exceeded.
            SettingsError: a role does not fit the file.
        """
        answer = self._call("check_dataset", roles=to_json_values(roles), drop_missing_phenotype=drop_missing_phenotype)
        return tuple(answer["notes"])

    def add(self, roles: ColumnRoles, *, drop_missing_phenotype: bool) -> str:
        """Add the dataset that the roles make to the library, and return its content hash.

        Raises:
            InputError: no dataset can be made, or a limit was exceeded.
            SettingsError: a role does not fit the file.
        """
        answer = self._call("add_dataset", roles=to_json_values(roles), drop_missing_phenotype=drop_missing_phenotype)
        return str(answer["hash"])

    def _call(self, function: str, **arguments: Any) -> JsonObject:
        file = {
            "path": str(self.path.absolute()),
            "name": self.name,
            "version": self.version,
            "workspace": str(self.workspace.absolute()),
            "snp_columns": None if self.snp_columns is None else to_json_values(self.snp_columns),
        }
        answer: JsonObject = call_limited(
            f"{_MODULE}:{function}",
            {"file": file, **arguments},
            limits=reading_limits(),
            subject=f"reading {quoted(self.name)}",
        )
        return answer


def limited_quality(workspace: Workspace, content_hash: str) -> QualityReport:
    """Return the quality report of a dataset of the library, which a process with limits computes the first time.

    Raises:
        SettingsError: ``content_hash`` is no hash.
        InputError: there is no dataset with this hash, or a limit was exceeded.
    """
    library = DatasetLibrary(workspace)
    if (kept := library.kept_quality(content_hash)) is not None:
        return kept
    call_limited(
        f"{_MODULE}:make_quality",
        {"workspace": str(workspace.root.absolute()), "content_hash": content_hash},
        limits=reading_limits(),
        subject="checking the dataset",
    )
    return library.quality(content_hash)


def make_quality(*, workspace: str, content_hash: str) -> None:
    """Compute the quality report of a dataset, for the library to keep."""
    DatasetLibrary(Workspace(Path(workspace))).quality(content_hash)


def read_outline(*, file: JsonObject) -> JsonObject:
    """Read a file and return its ``TableOutline``."""
    table = _table(_reader(file))
    roles = guess_roles(table)
    shown = list(dict.fromkeys([*list(table.columns)[:MOST_COLUMNS_SHOWN], *roles.named().values()]))
    names = table.snps["name"].tolist()[:_FIRST_SNPS]
    genotypes = np.asarray(table.genotypes[:_FIRST_LINES, : len(names)])
    outline = TableOutline(
        lines=table.lines,
        snps=len(table.snps),
        other_columns=len(table.columns),
        columns={name: tuple(value[:_LONGEST_CELL] for value in table.head(name, _FIRST_LINES)) for name in shown},
        genotypes={name: tuple(genotypes[:, index].tolist()) for index, name in enumerate(names)},
        roles=roles,
    )
    return to_json_values(outline)


def check_dataset(*, file: JsonObject, roles: JsonObject, drop_missing_phenotype: bool) -> JsonObject:
    """Make the dataset of a file, and return the notes on it."""
    _, notes = make_dataset(_table(_reader(file)), _roles(roles), drop_missing_phenotype=drop_missing_phenotype)
    return {"notes": notes}


def add_dataset(*, file: JsonObject, roles: JsonObject, drop_missing_phenotype: bool) -> JsonObject:
    """Make the dataset of a file, add it to the library, and return its content hash."""
    reader = _reader(file)
    dataset, notes = make_dataset(_table(reader), _roles(roles), drop_missing_phenotype=drop_missing_phenotype)
    library = DatasetLibrary(Workspace(reader.workspace))
    content_hash = library.add(dataset, source=reader.name, notes=tuple(notes))
    shutil.rmtree(_kept_table(reader), ignore_errors=True)
    return {"hash": content_hash}


def _reader(values: JsonObject) -> LimitedReader:
    choice = values["snp_columns"]
    return LimitedReader(
        path=Path(values["path"]),
        name=values["name"],
        version=values["version"],
        workspace=Path(values["workspace"]),
        snp_columns=None if choice is None else from_json_values(SnpChoice, choice, name="SNP columns"),
    )


def _roles(values: JsonObject) -> ColumnRoles:
    return from_json_values(ColumnRoles, values, name="roles")


def _table(reader: LimitedReader) -> GenotypeTable:
    """Return the table of a file: as it was kept, else read and kept now."""
    folder = _kept_table(reader)
    if reader.version:
        try:
            return _load(folder)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not read yet, removed meanwhile, or damaged
    table = read_table(reader.path, file_name=reader.name, snp_columns=reader.snp_columns)
    if reader.version:
        _keep(table, folder)
    return table


def _kept_table(reader: LimitedReader) -> Path:
    key = json.dumps([str(reader.path), reader.version, reader.name, repr(reader.snp_columns)])
    return reader.workspace / _FOLDER / hashlib.sha256(key.encode()).hexdigest()[:32]


def _keep(table: GenotypeTable, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
        try:
            np.save(temporary / _GENOTYPES, table.genotypes, allow_pickle=False)
            table.columns.save(temporary)
            about = {
                "file_name": table.file_name,
                "delimiter": table.delimiter.value,
                "snps": table.snps["name"].tolist(),
                "columns": list(table.columns),
                "notes": list(table.notes),
            }
            write_json(temporary / _ABOUT, about)
            for file in temporary.iterdir():
                synchronise(file)  # before it has a name under which it counts as whole
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{quoted(table.file_name)} cannot be kept while it is looked at ({error.strerror or 'unknown reason'}): "
            "free some disk space, and see that the workspace can be written"
        ) from error


def _load(folder: Path) -> GenotypeTable:
    about = read_json(folder / _ABOUT, limit=_LARGEST_ABOUT)
    return GenotypeTable(
        file_name=about["file_name"],
        delimiter=Delimiter(about["delimiter"]),
        genotypes=open_array(folder / _GENOTYPES),
        snps=snp_table(about["snps"]),
        columns=TextColumns.load(folder, about["columns"]),
        notes=tuple(about["notes"]),
    )


def _remove_old(folder: Path) -> None:
    """Remove all but the tables read last, so that there is room for one more, and those that nobody waits for."""
    if not folder.is_dir():
        return
    found = []
    for path in folder.iterdir():
        try:
            found.append((path.stat().st_mtime, path))
        except OSError:
            continue  # removed by another process
    found.sort()
    oldest = time.time() - _KEPT_SECONDS
    for place, (changed, path) in enumerate(found):
        if place <= len(found) - _KEPT or changed < oldest:
            shutil.rmtree(path, ignore_errors=True)
