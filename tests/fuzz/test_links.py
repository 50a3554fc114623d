"""Filters in a link: read, or ignored with a sentence; what is read can be sent as a link again."""

from __future__ import annotations

from hypothesis import strategies as st

from gwas_core.report.trial_filters import decode_filters, encode_filters
from gwas_core.tuning.space import SearchSpace
from tests.fuzz.fuzzing import LONGEST_MESSAGE, fuzz

SPACES = [SearchSpace.preset("focused"), SearchSpace.preset("tutorial")]
NAMES = [parameter.name for space in SPACES for parameter in space.parameters]
PIECES = st.sampled_from(
    (
        *NAMES,
        "mae",
        "~",
        ".",
        "..",
        "!",
        ",",
        ";",
        ":",
        "1",
        "0.5",
        "-1",
        "1e400",
        "nan",
        "inf",
        "%00",
        "%",
        "%E2%80%AE",
    )
)


@fuzz(
    st.sampled_from(SPACES),
    st.text(max_size=200)
    | st.lists(PIECES, max_size=20).map("".join)
    | st.text(min_size=1).map(lambda text: text * 999),
    examples=400,
)
def test_filters(space: SearchSpace, text: str) -> None:
    filters, problems = decode_filters(text, space, objective="mae")
    for problem in problems:
        assert problem.isprintable()
        assert len(problem) <= LONGEST_MESSAGE
    for entry in filters:
        assert entry.describe().isprintable()
        entry.accepts(None)
        entry.accepts(1.0)
    again, problems = decode_filters(encode_filters(filters), space, objective="mae")
    assert again == filters
    assert not problems
