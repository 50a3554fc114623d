"""Words for sentences that people read: quoted and shortened input, lists of names, counted nouns, durations, sizes.

Also here: which names hold control characters; how long a text from outside may be in a message.
"""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any


def quoted(value: Any, *, limit: int = 60) -> str:
    """Return a value that came from outside as it can stand in a message: shortened, control characters escaped.

    Text is put in quotes, anything else is written as in Python (``1.5``, ``['a', 'b']``).

    Args:
        value: what a file, a form, a command line or a request held.
        limit: number of characters after which text is cut off; other values are after four times as many.
    """
    if isinstance(value, str):
        return repr(value if len(value) <= limit else f"{value[: limit - 1]}…")
    shortener = reprlib.Repr()
    shortener.maxlevel, shortener.maxstring, shortener.maxother, shortener.maxlong = 2, limit, limit, min(limit, 40)
    try:
        text = shortener.repr(value)
    except ValueError:  # Python does not write out integers of over 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 4 * limit else f"{text[: 4 * limit - 1]}…"


def listed(names: Iterable[str], *, limit: int = 5, total: int | None = None) -> str:
    """Return the first names in quotes and how many more there are: ``'a', 'b' and 3 more``.

    Args:
        names: all names, or the first ones of a longer list.
        limit: number of names that are written out.
        total: number of all names, if ``names`` holds only some of them.
    """
    everything: Sequence[str] = tuple(names)
    sentence = ", ".join(quoted(name, limit=40) for name in everything[:limit])
    more = (len(everything) if total is None else total) - min(limit, len(everything))
    return f"{sentence} and {more:,} more" if more > 0 else sentence


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 line``, ``5,011 lines``.

    Args:
        number: how many there are.
        noun: singular.
        plural: only needed if it is not the singular with an ``s``.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def byte_size(size: float) -> str:
    """Return a number of bytes with its unit: ``512 bytes``, ``64 KiB``, ``1.5 GiB``."""
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:,.0f} bytes"


def duration(seconds: float) -> str:
    """Return a duration in words, two units at most: ``40 s``, ``12 min``, ``3 h 20 min``, ``2 days 4 h``."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{counted(days, 'day')} {hours} h"


def duration_range(low: float, high: float) -> str:
    """Return an estimated duration in words: ``a few seconds``, ``2 to 3 min``, ``50 s to 2 min``.

    Args:
        low: shortest time in seconds.
        high: longest time in seconds.
    """
    if high < 10:
        return "a few seconds"
    first, last = duration(low), duration(high)
    if first == last:
        return first
    number, _, unit = first.partition(" ")
    has_same_unit = last.endswith(f" {unit}") and last.count(" ") == 1
    return f"{number if has_same_unit else first} to {last}"


def elapsed(seconds: float) -> str:
    """Return a measured duration with two or three digits: ``0.52 s``, ``12.3 s``, ``3.4 min``, ``6.1 h``."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.2g} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def has_control_characters(name: str) -> bool:
    """Return whether a name holds characters that act instead of being read (Unicode categories C*, Zl, Zp)."""
    return not name.isprintable() and any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in name)
