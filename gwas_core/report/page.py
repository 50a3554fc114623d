"""HTML page of a figure, in one file that needs no other."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import plotly.graph_objects as go


def html_page(title: str, sentences: Iterable[str], figure: go.Figure | None = None) -> str:
    """Return an HTML page with a heading, paragraphs and a figure.

    Args:
        title: heading and title; escaped here.
        sentences: one paragraph each; escaped here.
        figure: included with plotly.js (5 MB).
    """
    paragraphs = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    drawn = "" if figure is None else figure.to_html(full_html=False, include_plotlyjs=True)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>body{font-family:sans-serif;background:#fff;color:#222;margin:1.5em;max-width:75em}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{paragraphs}\n{drawn}</body></html>\n"
    )
