"""The byte kernel against plain Python."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.genotypes.cell_decoding import (
    INVALID,
    Delimiter,
    UnclosedQuoteError,
    decode_cell,
    decode_genotypes,
    locate_cells,
    without_quotes,
)

SPELLINGS = {
    0: ["0", "0.0", "0.000000000000000000e+00", '"0"', " 0", "00"],
    1: ["1", "1.0", "1.", '"1.0"', "1 ", "+1"],
    2: ["2", "2.0", "2.00000000", '"2"', "2e0"],
    -1: ["nan", "NaN", "NA", "na", "N/A", "", "-1", "-9", "-9.0", ".", "NULL", "null", '""', '"NA"', " "],
    INVALID: ["3", "0.5", "AA", "-2", "-", "?", "inf", "1_0", "0/1", "\x00", "é", "2,0", "--1", "1" * 99],
}


@pytest.mark.parametrize(("value", "cell"), [(value, cell) for value, tokens in SPELLINGS.items() for cell in tokens])
def test_every_spelling(value: int, cell: str) -> None:
    assert decode_cell(cell.encode()) == value


@given(st.data())
def test_decoding_is_that_of_single_cells(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(2, 6))
    spelling = st.sampled_from([t for tokens in SPELLINGS.values() for t in tokens if "," not in t])
    cells = data.draw(st.lists(st.lists(spelling, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    chosen = data.draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=columns, unique=True).map(sorted))
    block = "".join(",".join(row) + "\n" for row in cells).encode()
    located = locate_cells(block, Delimiter.COMMA)
    assert located.counts.tolist() == [columns] * rows
    genotypes, fault = decode_genotypes(located, columns=np.array(chosen), width=columns)
    expected = np.array([[decode_cell(row[column].encode()) for column in chosen] for row in cells])
    faults = np.argwhere(expected == INVALID).tolist()
    if faults:
        assert fault == tuple(faults[0])
    else:
        assert fault is None
        assert genotypes.tolist() == expected.tolist()


@given(
    st.lists(
        st.lists(st.text(alphabet='a1é," ;\t', max_size=5), min_size=2, max_size=5),
        min_size=1,
        max_size=5,
    )
)
def test_quoted_cells_are_those_of_the_csv_module(rows: list[list[str]]) -> None:
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    cells = locate_cells(text.encode(), Delimiter.COMMA)
    assert cells.counts.tolist() == [len(row) for row in rows]
    ours = [without_quotes(cells.text(index)).decode() for index in range(len(cells.starts))]
    assert ours == [cell.strip() for row in csv.reader(text.splitlines()) for cell in row]


@given(
    st.lists(st.lists(st.text(alphabet="ab1é", min_size=1, max_size=3), max_size=4), min_size=1, max_size=5), st.data()
)
def test_white_space_is_that_of_split(rows: list[list[str]], data: st.DataObject) -> None:
    run = st.text(alphabet=" \t", min_size=1, max_size=3)
    text = ""
    for row in rows:
        text += data.draw(st.sampled_from(["", " ", "\t "]))
        text += "".join(cell + data.draw(run) for cell in row) + "\n"
    cells = locate_cells(text.encode(), Delimiter.WHITE_SPACE)
    assert cells.counts.tolist() == [len(line.split()) for line in text.splitlines()]
    assert [cells.text(index).decode() for index in range(len(cells.starts))] == text.split()


def test_an_unclosed_quote_is_located() -> None:
    with pytest.raises(UnclosedQuoteError) as error:
        locate_cells(b'a,"b"\n"c,d\ne","f\n', Delimiter.COMMA)
    assert error.value.row == 1
