"""Labels of charts: numbers on axes (``1e-3``), shortened names from files, equal labels told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable

_INVISIBLE = "\u200b"  # zero-width space


def number_label(value: float, *, digits: int = 4) -> str:
    """Return a number as text for an axis: ``0.001`` as ``1e-3``, ``32.0`` as ``32``.

    Args:
        value: finite or not.
        digits: largest number of significant digits.
    """
    text = f"{float(value):.{digits}g}"
    if math.isinf(float(text)) and math.isfinite(value):
        # Rounded up, it is beyond the largest number there is.
        text = f"{value * (1 - 0.5 * 10 ** (1 - digits)):.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return f"{mantissa}e{int(exponent)}"
    magnitude = abs(float(value))
    if 0 < magnitude < 1e-2:
        # Python writes 0.001 in full; beside 1e-5 on the same axis that is hard to compare.
        mantissa, _, exponent = f"{float(value):.{digits - 1}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text


def shortened(text: str, *, limit: int) -> str:
    """Return text in at most ``limit`` characters.

    Control characters become visible, and an ellipsis stands for what is cut off.

    Args:
        text: from anywhere.
        limit: number of characters, the ellipsis included.
    """
    visible = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return visible if len(visible) <= limit else f"{visible[: limit - 1]}…"


def told_apart(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels that differ from each other.

    Plotly takes two ticks with the same text for one, so invisible characters are added to repeated labels.

    Args:
        labels: of one axis, in order.
    """
    seen: dict[str, int] = {}
    unique = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        unique.append(label + _INVISIBLE * (seen[label] - 1))
    return tuple(unique)
