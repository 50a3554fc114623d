"""Search spaces from files, from JSON and from the table of the page: read, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import strategies as st

from gwas_core.tuning.space import PRESETS, SearchSpace
from tests.fuzz.fuzzing import JSON, changed_json, fuzz, mutated, refusals_allowed
from ui.search.space_rows import SpaceRow, read_space, space_rows

SPACES = [SearchSpace.preset(name).to_dict() for name in PRESETS]
YAML = [yaml.safe_dump(space).encode() for space in SPACES]
TEXTS = st.text(max_size=12) | st.sampled_from(
    ("", "1e-5", "1e999", "-0", "nan", "0x10", "9" * 400, "log", "float", "int", "categorical", "a, b", "a,,a", "\0")
)


def written(content: bytes, suffix: str) -> None:
    with TemporaryDirectory() as folder, refusals_allowed():
        path = Path(folder) / f"space{suffix}"
        path.write_bytes(content)
        space = SearchSpace.load(path)
        for other in (".json", ".yaml"):
            copy = Path(folder) / f"copy{other}"
            space.save(copy)
            assert SearchSpace.load(copy) == space


@fuzz(
    mutated(st.sampled_from(YAML)) | mutated(st.sampled_from([json.dumps(space).encode() for space in SPACES])),
    st.sampled_from((".yaml", ".yml", ".json", ".txt")),
    examples=150,
)
def test_files(content: bytes, suffix: str) -> None:
    written(content, suffix)


@fuzz(st.one_of(*(changed_json(space) for space in SPACES)) | JSON, examples=300)
def test_values(values: Any) -> None:
    with refusals_allowed():
        space = SearchSpace.from_dict(values)
        assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


@fuzz(
    st.lists(
        st.builds(
            lambda row, cells: row.edited(cells),
            st.sampled_from(space_rows(SearchSpace.preset("focused"))) | st.just(SpaceRow(is_searched=True)),
            st.dictionaries(st.sampled_from(list(SpaceRow().cells())[1:]), st.none() | TEXTS, max_size=3),
        ),
        max_size=8,
    ),
    examples=200,
)
def test_tables_of_the_page(rows: list[SpaceRow]) -> None:
    reading = read_space(rows)
    for problem in reading.problems:
        with refusals_allowed():
            raise problem.error
    if reading.space is not None:
        assert read_space(space_rows(reading.space)).space == reading.space
