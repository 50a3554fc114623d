"""Text from outside in Markdown: escaped so that every character shows as it is; model cards of bundles made harmless.

Also here: what Streamlit and GitHub find beside the marks of Markdown; which marks of a card act.

There is one escaping for all that is shown: pages and model cards use it.
"""

from __future__ import annotations

import re

# Streamlit's Markdown also knows :material/icon:, :red[...], :emoji:, $latex$ and HTML entities.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=/\"'])")
# Streamlit finds these in the finished text, when the backslashes are gone: web and mail addresses, arrows and dashes,
# a logo.
_FOUND_LATER = re.compile(r"(?<=:)(?=//|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\w)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # invisible

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_BLOCK = re.compile(r"(#{1,3} |- |)(.*)")
_RULE = re.compile(r"\|(:?-{3,}:?\|)+")
# Possessive, so that a long line which is no row is not looked through again from each of its cells.
_ROW = re.compile(r"\|(?:(?:\\.|[^\\|])*+\|)++")
_CELL = re.compile(r"((?:\\.|[^\\|])*)\|")
# A hash or a name in a monospaced font: of what is in it, nothing acts.
_CODE = re.compile(r"(?<!\\)(`[\w.-]{1,100}`)")


def markdown_text(text: object) -> str:
    """Return ``text`` escaped so that Markdown shows every character of it as it is, on one line."""
    on_one_line = " ".join(str(text).split())
    return _SPECIAL.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, on_one_line))


def harmless_card(card: str) -> str:
    """Return a model card in which only headings, lists, tables and code act: no link, image, formula or HTML.

    The card of a bundle is a text from outside, and earlier versions escaped less.

    Args:
        card: Markdown of a model card.
    """
    return "\n".join(_harmless_line(line.strip()) for line in card.splitlines())


def _harmless_line(line: str) -> str:
    if _RULE.fullmatch(line):
        return line
    if _ROW.fullmatch(line):
        cells = [_harmless_text(cell.strip()) for cell in _CELL.findall(line[1:])]
        return f"| {' | '.join(cells)} |"
    block = _BLOCK.fullmatch(line)
    return "" if block is None else block[1] + _harmless_text(block[2])


def _harmless_text(text: str) -> str:
    # Every second part is code.
    return "".join(part if at % 2 else _escaped(part) for at, part in enumerate(_CODE.split(text)))


def _escaped(part: str) -> str:
    """Return escaped text of what may be escaped already, with the spaces at its ends."""
    text = markdown_text(_ESCAPED.sub(r"\1", part).replace(_WORD_JOINER, ""))
    before, after = (" " if text and end.isspace() else "" for end in (part[:1], part[-1:]))
    return f"{before}{text}{after}" if text else " " * bool(part)
