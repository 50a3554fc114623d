"""Picture of all methods on the same lines as SVG text, for pages that print and need no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gwas_core.report.comparison import ModelMetrics
from gwas_core.report.figure_style import BLUE, GREY
from gwas_core.report.text import figure_text

_WIDTH, _ROW, _BAR = 640, 28, 16
# Titles stand left of the bars, values right of them.
_LEFT, _RIGHT = 200, 70
_FONT = 13
_LONGEST_TITLE = 28


def methods_svg(rows: Sequence[ModelMetrics]) -> str:
    """Draw the mean absolute error of each method as a bar that begins at zero, the network's in colour.

    Args:
        rows: of one part of the lines, as ``comparison`` returns them; from top to bottom in their order.

    Returns:
        An ``svg`` element that fetches nothing and holds no script; empty text without rows.
    """
    if not rows:
        return ""
    largest = max(row.metrics.mean_absolute_error for row in rows) or 1.0
    height = _ROW * len(rows) + 6
    bars = "".join(_bar(row, place, largest) for place, row in enumerate(rows))
    said = escape("; ".join(f"{row.title}: {figure_text(row.metrics.mean_absolute_error)}" for row in rows), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Mean absolute error. {said}" font-family="sans-serif" font-size="{_FONT}">{bars}'
        f'<line x1="{_LEFT}" y1="0" x2="{_LEFT}" y2="{height}" stroke="{GREY}"/></svg>'
    )


def _bar(row: ModelMetrics, place: int, largest: float) -> str:
    error = row.metrics.mean_absolute_error
    width = error / largest * (_WIDTH - _LEFT - _RIGHT)
    top = place * _ROW + (_ROW - _BAR) / 2 + 3
    middle = top + _BAR / 2 + _FONT * 0.35
    title = row.title if len(row.title) <= _LONGEST_TITLE else f"{row.title[: _LONGEST_TITLE - 1]}…"
    weight = ' font-weight="bold"' if row.is_network else ""
    return (
        f'<text x="{_LEFT - 8}" y="{middle:.1f}" text-anchor="end" fill="#222"{weight}>{escape(title)}</text>'
        f'<rect x="{_LEFT}" y="{top:.1f}" width="{width:.1f}" height="{_BAR}" '
        f'fill="{BLUE if row.is_network else "#b5b5b5"}"/>'
        f'<text x="{_LEFT + width + 6:.1f}" y="{middle:.1f}" fill="#222"{weight}>{figure_text(error)}</text>'
    )
