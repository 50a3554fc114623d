"""The memory that reading takes, as a multiple of the text: bounded, whatever the cells are."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.limited_reading import MOST_COLUMNS_SHOWN, LimitedReader
from gwas_core.genotypes.readers import MEMORY_MULTIPLE, MOST_LINES, read_table
from gwas_core.genotypes.text_columns import TextColumns
from gwas_core.processes.detached import run_module
from tests.genotypes.bad_input import GOOD, HEADER, as_text, good_rows

# Of a block of rows, which has 2 MiB here; the stated limit allows for rows of 32 MiB.
BLOCK = 160 * 1024**2

SHAPES = {
    "two letters": ("AB", 7_000, 1_000),
    "nothing": ("", 7_000, 3_000),
    "one letter": ("A", 7_000, 1_500),
    "quoted": ('"é"', 7_000, 600),
    "numbers": ("12345", 7_000, 500),
    "long cells": ("word " * 400, 10, 1_000),
    "few columns": ("x", 2, 3_000_000),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_is_a_multiple_of_the_text(shape: str, tmp_path: Path) -> None:
    cell, columns, rows = SHAPES[shape]
    row = "0\t" + "\t".join([cell] * columns) + "\n"
    header = "Gm01_1\t" + "\t".join(f"c{index}" for index in range(columns)) + "\n"
    file = tmp_path / "table.txt.gz"
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(header.encode())
        for _ in range(10):
            stream.write(row.encode() * (rows // 10))
    text = len(header) + len(row.encode()) * rows
    done = run_module("tests.genotypes.read_and_measure", str(file), environment=dict(os.environ), timeout=1800)
    assert done.returncode == 0, done.stderr.decode()
    lines, others, taken = map(int, done.stdout.split())
    assert (lines, others) == (rows, columns)
    assert taken <= MEMORY_MULTIPLE * text + BLOCK, f"{(taken - BLOCK) / text:.1f} bytes for each byte of text"


def test_text_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    rows = [["Gm01_1", "a", "Gm01_2", "b é", "c"]]
    rows += [["0", f'"x ""{index}"""', "1", f" é{index} ", "" if index % 2 else "'=1"] for index in range(50)]
    file = tmp_path / "table.txt"
    file.write_text(as_text(rows), encoding="utf-8")
    expected = {
        "a": [f'x "{index}"' for index in range(50)],
        "b é": [f"é{index}" for index in range(50)],
        "c": ["" if index % 2 else "=1" for index in range(50)],
    }
    columns = read_table(file).columns
    assert isinstance(columns, TextColumns)
    assert columns == expected
    columns.save(tmp_path)
    kept = TextColumns.load(tmp_path, list(expected))
    assert kept == expected
    assert kept.lines == 50
    assert kept.head("a", 3) == expected["a"][:3]
    with pytest.raises(ValueError, match="not those that were saved"):
        TextColumns.load(tmp_path, ["a"])


def test_more_lines_than_a_biobank_has_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.txt"
    file.write_bytes(b"Gm01_1\tname\n" + b"0\ta\n" * (MOST_LINES + 1))
    with pytest.raises(InputError, match=r"'table.txt' holds more than 5,000,000 lines, the limit"):
        read_table(file)


@pytest.mark.parametrize(("column", "place"), [(2, "the line name in row 4"), (3, "the family in row 4")])
def test_one_long_name_is_refused(tmp_path: Path, column: int, place: str) -> None:
    """Names are kept in arrays whose items are all as long as the longest: 40 lines would take 160 MB."""
    rows = good_rows()
    rows[0][3] = "family"
    for index, row in enumerate(rows[1:]):
        row[3] = f"f{index % 4}"
    rows[3][column] = "x" * 1_000_000
    file = tmp_path / "table.txt"
    file.write_text(as_text(rows))
    table = read_table(file)
    with pytest.raises(InputError, match=f"^{place}.* has 1,000,000 characters, more than 200") as refusal:
        make_dataset(table, ColumnRoles(phenotype="norm_phe", line_name="strain", family="family"))
    assert len(str(refusal.value)) < 300


def test_a_guess_looks_at_some_columns_and_at_those_named_like_a_trait(tmp_path: Path) -> None:
    """Looking at every cell of 70,000 columns took minutes."""
    file = tmp_path / "table.txt"
    names = [f"c{index}" for index in range(30)]
    rows = [["Gm01_1", *names, "height"]]
    rows += [["0", *["A"] * 30, str(index)] for index in range(120_000)]
    file.write_text(as_text(rows))
    table = read_table(file)
    asked: list[str] = []

    class Asked(TextColumns):
        def __getitem__(self, name: str) -> list[str]:
            asked.append(name)
            return super().__getitem__(name)

    object.__setattr__(table, "columns", Asked([*names, "height"], table.columns._blocks))  # type: ignore[attr-defined]
    assert guess_roles(table) == ColumnRoles(phenotype="height")
    assert len(set(asked)) <= 20


def reader(tmp_path: Path, content: str, **options: str) -> LimitedReader:
    file = tmp_path / "my table.txt"
    file.write_text(content, encoding="utf-8")
    return LimitedReader(path=file, name=file.name, version="1", workspace=tmp_path / "workspace", **options)


def test_a_table_is_read_in_a_process_of_its_own(tmp_path: Path) -> None:
    file = reader(tmp_path, GOOD)
    outline = file.outline()
    assert (outline.lines, outline.snps, outline.other_columns) == (40, 6, 4)
    assert list(outline.columns) == list(HEADER[:4])
    assert outline.columns["strain"] == tuple(row[2] for row in good_rows()[1:11])
    assert list(outline.genotypes) == list(HEADER[4:])
    assert outline.genotypes[HEADER[4]] == tuple(int(row[4]) for row in good_rows()[1:11])
    assert outline.roles.phenotype == "norm_phe"
    (kept,) = (tmp_path / "workspace" / "_reading").iterdir()
    # What was read is used again; the file is not read twice.
    file.path.write_text("damage")
    notes = file.check(outline.roles, drop_missing_phenotype=False)
    assert notes[0] == "The phenotype is column 'norm_phe'."
    content_hash = file.add(outline.roles, drop_missing_phenotype=False)
    assert (tmp_path / "workspace" / "_library" / content_hash / "about.json").is_file()
    assert not kept.exists()


def test_refusals_come_back_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^'my table.txt' is empty"):
        reader(tmp_path, "").outline()
    file = reader(tmp_path, GOOD)
    with pytest.raises(SettingsError, match="the phenotype cannot be column 'x'") as refusal:
        file.check(ColumnRoles(phenotype="x"), drop_missing_phenotype=False)
    assert refusal.value.field == "phenotype"


def test_a_refusal_says_which_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "Gm01_1\tname\n" + "0\t" * 10_000_000 + "\n"
    monkeypatch.setenv("GWAS_READING_MEMORY", "256 MiB")
    with pytest.raises(InputError, match=r"^reading 'my table.txt' takes more than 256 MiB of memory, the limit"):
        reader(tmp_path, wide).outline()
    monkeypatch.setenv("GWAS_TABLE_SIZE", "10 MiB")
    with pytest.raises(InputError, match=r"holds more than 10 MiB of text, the limit: .* by GWAS_TABLE_SIZE$"):
        reader(tmp_path, wide).outline()
    monkeypatch.setenv("GWAS_TABLE_SIZE", "much")
    with pytest.raises(SettingsError, match="GWAS_TABLE_SIZE must be a size such as 4 GiB"):
        reader(tmp_path, wide).outline()


def test_a_page_gets_few_of_many_columns(tmp_path: Path) -> None:
    many = MOST_COLUMNS_SHOWN + 500
    names = [f"c{index}" for index in range(many)]
    rows = [["Gm01_1", *names, "height"], *(["0", *["A"] * many, str(index)] for index in range(40))]
    outline = reader(tmp_path, as_text(rows)).outline()
    assert outline.other_columns == many + 1
    assert len(outline.columns) == MOST_COLUMNS_SHOWN + 1
    assert outline.roles.phenotype == "height"


def test_only_the_tables_read_last_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "_reading"
    for index in range(7):
        (folder / f"{index}").mkdir(parents=True)
        os.utime(folder / f"{index}", (index, 4e9 + index))
    reader(tmp_path, GOOD).outline()
    names = {path.name for path in folder.iterdir()}
    assert len(names) == 4
    assert {"4", "5", "6"} <= names
