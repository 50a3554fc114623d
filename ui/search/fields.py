"""Set widths and limits that fields of the page Search have in common.

Fields stand in rows that wrap, so that a narrow page has more rows instead of narrower fields.
"""

from __future__ import annotations

FIELD, MEDIUM_FIELD, WIDE_FIELD = 180, 240, 340
"""Widths in pixels: of a number, of a short choice, of a long one."""

LARGEST_SEED = 2**31 - 1
