"""Putting names, counts and text from files into sentences."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def shown(text: str, *, limit: int = 60) -> str:
    """``text`` in quotes, shortened, with control characters escaped so that none reaches a terminal."""
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")


def listed(names: Iterable[str], *, limit: int = 5, total: int | None = None) -> str:
    """The first ``limit`` names in quotes, and how many more there are (of ``total``, where names are a part)."""
    everything: Sequence[str] = tuple(names)
    sentence = ", ".join(shown(name, limit=40) for name in everything[:limit])
    more = (len(everything) if total is None else total) - min(limit, len(everything))
    return f"{sentence} and {more:,} more" if more > 0 else sentence


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 line``, ``5,011 lines``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def has_control_characters(name: str) -> bool:
    """Whether a name holds characters that act instead of being read (Unicode categories C*, Zl, Zp)."""
    return not name.isprintable() and any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in name)
