from __future__ import annotations

import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.report.card import model_card
from gwas_core.report.markdown import harmless_card, markdown_text
from gwas_core.tuning.experiment import TrialState
from tests.model.hostile_bundles import HONEST
from tests.report.test_summary import record, trial

MARKUP = [
    "$x^2$ and $$y$$",
    "[a link](http://example.com) ![a picture](http://example.com/x.png)",
    "<img src=http://example.com/x.png> <b>bold</b> &lt; &amp; &#36;",
    "http://example.com www.example.com a@example.com",
    "**bold** _italic_ `code` ~~gone~~",
    ":red[red] :material/home: :streamlit: :smile:",
    "[x]: http://example.com",
    "| a | b |",
    "# heading",
    "> quote",
    "```",
    "- list",
    "1. one",
    "---",
    r"a\*b",
]
# What may act in a card: headings, lists, tables, and words in a monospaced font.
ACTING = {"heading", "bullet", "list", "table", "thead", "tbody", "tr", "th", "td", "paragraph"}


def tokens(markdown: str) -> list[str]:
    """Kinds of all that a Markdown reader finds, beside text."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        found += [child.type for child in token.children or ()]
        found.append(token.type)
    return [kind for kind in found if kind not in ("text", "inline", "text_special", "softbreak", "code_inline")]


def shown(markdown: str) -> str:
    """The letters that a reader shows."""
    texts = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        texts += [child.content for child in token.children or ()]
    return "".join(texts).replace("\u2060", "")


@pytest.mark.parametrize("text", MARKUP)
def test_every_character_shows_as_it_is(text: str) -> None:
    assert shown(markdown_text(text)) == text
    assert tokens(markdown_text(text)) == ["paragraph_open", "paragraph_close"]
    # Formulas, addresses and Streamlit's own marks are no part of a plain reader.
    for mark in ("$", ":", "<", "&"):
        assert markdown_text(text).count(f"\\{mark}") == text.count(mark)
    assert "://" not in markdown_text(text).replace("\\", "")
    assert "www." not in markdown_text(text).replace("\\", "")


def made_card(text: str) -> str:
    """A model card whose trait, source and preparation say ``text``."""
    dataset = simulate(SimulationSettings(families=2, lines_per_family=30, snps=20, polygenic_qtl=5)).dataset
    named: Dataset = replace(dataset, trait=text)
    judged = record(trial(0, TrialState.SUCCEEDED, seconds=1, value=0.5), network=0.6, mean=1.0, gblup=0.5)
    return model_card(judged, named, make_split(dataset, SplitSettings(seed=1)), [f"The trait {text} was read."])


@pytest.mark.parametrize("text", MARKUP)
def test_nothing_of_a_trait_acts_in_a_model_card(text: str) -> None:
    card = made_card(text)
    assert markdown_text(text) in card
    assert {kind.split("_")[0] for kind in tokens(card)} <= ACTING
    assert tokens(card) == tokens(made_card("height"))
    # On the page it is the same, letter by letter.
    assert tokens(harmless_card(card)) == tokens(card)
    assert shown(harmless_card(card)) == shown(card)


def test_a_card_of_an_earlier_version_shows_the_same_words() -> None:
    with zipfile.ZipFile(HONEST) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    assert tokens(harmless_card(card)) == tokens(card)
    assert shown(harmless_card(card)) == shown(card)


@given(st.lists(st.sampled_from([*MARKUP, "| ", "|---|---|", "`word`", "    code", "\t", "## ", "- ", "\\", "text"])))
def test_nothing_of_a_foreign_card_acts(lines: list[str]) -> None:
    card = harmless_card("\n".join(lines))
    assert {kind.split("_")[0] for kind in tokens(card)} <= ACTING
    assert "://" not in card.replace("\\", "")
    assert "$" not in card.replace("\\$", "")


@given(st.text())
def test_any_text_shows_as_it_is(text: str) -> None:
    assert set(tokens(markdown_text(text))) <= {"paragraph_open", "paragraph_close"}


def test_a_long_line_that_is_no_row_takes_no_longer_than_its_length() -> None:
    """Looked through from each of its cells, a card of this length would take minutes."""
    line = "|" + "a" * 200_000
    assert harmless_card(line + "\\|") == harmless_card(line) + "\\|"
    assert harmless_card(line + "|").startswith("| aaa")
