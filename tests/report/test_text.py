"""Text from outside stays text, and p-values of any size are readable."""

from __future__ import annotations

import html
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.report.text import figure_text, p_value_text, plot_lines, plot_text


@given(st.text(max_size=60))
def test_nothing_acts_as_markup_and_all_of_it_can_be_read(text: str) -> None:
    escaped = plot_text(text)
    assert not set(escaped) & set("<>${")
    assert escaped.isprintable()
    assert html.unescape(escaped) == "".join(character if character.isprintable() else " " for character in text)


def test_long_text_is_cut_before_it_is_escaped() -> None:
    assert plot_text("<" * 100, limit=5) == "&lt;" * 4 + "…"


def test_sentences_are_broken_into_lines() -> None:
    lines = plot_lines("a <b>reason</b> that\ngoes on " + "and on " * 30, width=40).split("<br>")
    assert lines[0] == "a &lt;b&gt;reason&lt;/b&gt; that goes on and on and"
    assert len(lines) > 4
    assert plot_lines("") == ""
    assert len(html.unescape(plot_lines("word " * 1000)).replace("<br>", " ")) <= 400


@pytest.mark.parametrize(
    ("neg_log10_p", "text"),
    [
        (0.0, "1"),
        (1.3, "0.05"),
        (2.9, "0.0013"),
        (3.0, "1.0e-3"),
        (19.75, "1.8e-20"),
        (411.377, "4.2e-412"),
        (4.001, "1.0e-4"),
        (4.9999, "1.0e-5"),
        (math.inf, "0"),
        (math.nan, "not tested"),
    ],
)
def test_p_values(neg_log10_p: float, text: str) -> None:
    assert p_value_text(neg_log10_p) == text


@given(st.floats(3, 300))
def test_p_values_read_back(neg_log10_p: float) -> None:
    assert -math.log10(float(p_value_text(neg_log10_p))) == pytest.approx(neg_log10_p, abs=0.025)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.388, "0.3880"),
        (-0.35, "-0.3500"),
        (12.3456, "12.35"),
        (1234.5, "1,234"),
        (12345.6, "12,350"),
        (0.0, "0"),
        (1.2e-7, "1.200e-7"),
        (0.00123, "0.001230"),
    ],
)
def test_figures_have_their_significant_digits(value: float, text: str) -> None:
    assert figure_text(value) == text
