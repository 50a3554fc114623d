"""Text from outside in figures."""

from __future__ import annotations

import textwrap

_LONGEST = 80
# Plotly reads <b>, <a href> and the like as markup in every label; & begins an entity; between two $ it looks
# for a formula; %{...} is a variable where the text stands in a template.
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "{": "&#123;"}


def plot_text(text: object, *, limit: int = _LONGEST) -> str:
    """``text`` as Plotly shows it letter by letter: nothing in it acts as markup, and it stays on one line.

    Longer texts than ``limit`` are cut, which an ellipsis says. Tick texts of parallel coordinates are drawn as
    they are, and must not go through here.
    """
    line = "".join(character if character.isprintable() else " " for character in str(text))
    shortened = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return "".join(_SPECIAL.get(character, character) for character in shortened)


def plot_lines(text: object, *, width: int = 60, limit: int = 400) -> str:
    """A sentence broken into lines of at most ``width`` characters, for a hover label; otherwise as ``plot_text``."""
    line = " ".join(str(text).split())
    shortened = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return "<br>".join(plot_text(part, limit=width) for part in textwrap.wrap(shortened, width))


def p_value_text(neg_log10_p: float) -> str:
    """A p-value of any size to two digits: ``0.031``, ``1.8e-20``, ``4.2e-412``."""
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
