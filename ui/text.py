"""Text from outside in places that read Markdown: labels, captions, messages."""

from __future__ import annotations

import re

# Streamlit's Markdown also knows :material/icon:, :red[...], :emoji:, $latex$ and HTML entities.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=/\"'])")
# Found in the finished text, where no backslash is left: web and mail addresses, arrows and dashes, a logo.
_FOUND_LATER = re.compile(r"(?<=:)(?=//|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\w)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # invisible


def markdown_text(text: str) -> str:
    """``text`` so that Markdown shows it letter by letter, on one line."""
    on_one_line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, on_one_line))
