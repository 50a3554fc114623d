"""Reasons as sentences."""

from __future__ import annotations

import pytest

from ui.store import sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("the file is empty", "The file is empty."),
        ("well-known names", "well-known names."),
        ("experiment no-json is broken", "Experiment no-json is broken."),
        ("no-json is running", "no-json is running."),
        ("conv_filters must be one of 1, 2", "conv_filters must be one of 1, 2."),
        ("best.zip is no bundle!", "best.zip is no bundle!"),
        ("soy2 is running", "soy2 is running."),
        ("reading 'a_b.txt' failed", "Reading 'a_b.txt' failed."),
        ("'a.txt' is empty", "'a.txt' is empty."),
        ("5 lines are too few", "5 lines are too few."),
    ],
)
def test_names_keep_their_first_letter(text: str, expected: str) -> None:
    assert sentence(text) == expected
