"""Texts in figures, where plotly would take parts of them for markup; figures and p-values as text, of any size."""

from __future__ import annotations

import math
import textwrap

_LONGEST = 80
# Plotly reads <b>, <a href> and the like as markup in every label; & begins an entity; between two $ it looks
# for a formula; %{...} is a variable where the text stands in a template.
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "{": "&#123;"}


def plot_text(text: object, *, limit: int = _LONGEST) -> str:
    """Return text that plotly shows letter by letter, on one line.

    Tick texts of parallel coordinates are drawn as they are and must not go through here.

    Args:
        text: from outside.
        limit: number of characters after which an ellipsis stands for the rest.
    """
    line = "".join(character if character.isprintable() else " " for character in str(text))
    shortened = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return "".join(_SPECIAL.get(character, character) for character in shortened)


def plot_lines(text: object, *, width: int = 60, limit: int = 400) -> str:
    """Return a sentence for a hover label, broken into lines and escaped like ``plot_text``.

    Args:
        text: from outside.
        width: largest number of characters in a line.
        limit: number of characters after which an ellipsis stands for the rest.
    """
    line = " ".join(str(text).split())
    shortened = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return "<br>".join(plot_text(part, limit=width) for part in textwrap.wrap(shortened, width))


def figure_text(value: float, *, digits: int = 4) -> str:
    """Return a number with so many significant digits: ``0.3880``, ``12,340``, ``1.200e-7``.

    Args:
        value: finite.
        digits: how many.
    """
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    if decimals > digits + 2:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def p_value_text(neg_log10_p: float) -> str:
    """Return a p-value of any size with two digits: ``0.031``, ``1.8e-20``, ``4.2e-412``.

    Args:
        neg_log10_p: -log10 of the p-value, since p-values below 1e-308 have no float; NaN if there is none.
    """
    if neg_log10_p != neg_log10_p:
        return "not tested"
    if neg_log10_p == float("inf"):
        return "0"
    if neg_log10_p < 3:
        return f"{10**-neg_log10_p:.2g}"
    exponent = -int(-(-neg_log10_p // 1))
    mantissa = round(10 ** (-neg_log10_p - exponent), 1)
    # 9.96 rounds to 10.0, which is 1.0 of the next power.
    return f"1.0e{exponent + 1}" if mantissa >= 10 else f"{mantissa:.1f}e{exponent}"
