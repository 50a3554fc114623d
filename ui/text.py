"""Put text and times from outside into labels, captions and messages: nothing in it acts as markup.

Also here: times to the minute.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Streamlit's Markdown also knows :material/icon:, :red[...], :emoji:, $latex$ and HTML entities.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=/\"'])")
# Streamlit finds these in the finished text, when the backslashes are gone: web and mail addresses, arrows and dashes,
# a logo.
_FOUND_LATER = re.compile(r"(?<=:)(?=//|streamlit:)|(?<=www)(?=\.)|(?<=@)(?=\w)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # invisible


def markdown_text(text: str) -> str:
    """Return ``text`` escaped so that Markdown shows every character of it as it is, on one line.

    Args:
        text: from anywhere: a file, an error, a person.
    """
    on_one_line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, on_one_line))


def moment(time: str) -> str:
    """Return a time of a record (ISO 8601, UTC) to the minute: ``2026-03-01 12:30 UTC``.

    Args:
        time: ISO 8601, with its zone.
    """
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
