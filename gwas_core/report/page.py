"""HTML pages in one file that needs no other: of a figure, and of tables and text that print."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

import plotly.graph_objects as go

_NOTHING_FETCHED = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)
_PRINTED = (
    "@page{size:A4;margin:16mm 15mm}"
    "body{font:10.5pt/1.45 sans-serif;background:#fff;color:#222;margin:0 auto;padding:1.5em;max-width:46em;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.6em;line-height:1.25}h2{font-size:1.15em;margin:1.6em 0 .4em;break-after:avoid}"
    "p{margin:.5em 0}.verdict{font-size:1.1em;font-weight:bold}.note{color:#555}"
    "table{border-collapse:collapse;width:100%;margin:.6em 0}thead{display:table-header-group}"
    "tr,svg{break-inside:avoid}"
    "th,td{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border-bottom:1px solid #ddd;font-weight:normal}"
    "thead th{font-weight:bold;border-bottom-color:#888}tbody th{color:#555;width:14em}"
    "th.number,td.number{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}"
    ".wide{font-size:8.5pt}.wide th,.wide td{padding-right:.5em}"
    "svg{display:block;width:100%;height:auto;margin:.6em 0}"
    "@media print{body{padding:0;max-width:none}}"
)


def html_page(title: str, sentences: Iterable[str], figure: go.Figure | None = None) -> str:
    """Return an HTML page with a heading, paragraphs and a figure.

    Args:
        title: heading and title; escaped here.
        sentences: one paragraph each; escaped here.
        figure: included with plotly.js (5 MB).
    """
    paragraphs = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    drawn = "" if figure is None else figure.to_html(full_html=False, include_plotlyjs=True)
    style = "body{font-family:sans-serif;background:#fff;color:#222;margin:1.5em;max-width:75em}"
    return _document(title, style, f"{paragraphs}\n{drawn}")


def printed_page(title: str, sections: Iterable[str]) -> str:
    """Return an HTML page without scripts that prints on A4, and that the browser lets fetch nothing.

    Args:
        title: heading and title; escaped here.
        sections: HTML of this program's own making, such as ``section`` and ``html_table`` return.
    """
    return _document(title, _PRINTED, "\n".join(sections), head=_NOTHING_FETCHED)


def section(title: str, *parts: str) -> str:
    """Return a section of a printed page as HTML.

    Args:
        title: heading; escaped here.
        parts: HTML, such as ``paragraph`` and ``html_table`` return.
    """
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: object, *, kind: str = "") -> str:
    """Return a paragraph as HTML.

    Args:
        text: escaped here.
        kind: class in the style of a printed page: ``verdict`` or ``note``; none if empty.
    """
    return f"<p{_class(kind)}>{escape(str(text))}</p>"


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Collection[int] = (), kind: str = ""
) -> str:
    """Return a table as HTML.

    Args:
        header: titles of the columns; escaped here, as all cells are. Without any, the first column has the titles.
        rows: cells of each row.
        numbers: places of columns of numbers, which are aligned to the right.
        kind: class in the style of a printed page: ``wide`` for many columns; none if empty.
    """
    first = "td" if header else "th"
    head = "".join(
        f"<th{_class('number' if at in numbers else '')}>{escape(cell)}</th>" for at, cell in enumerate(header)
    )
    lines = []
    for row in rows:
        cells = (
            f"<{tag}{_class('number' if at in numbers else '')}>{escape(str(cell))}</{tag}>"
            for at, cell in enumerate(row)
            for tag in (first if at == 0 else "td",)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if header else ""
    return f"<table{_class(kind)}>{top}<tbody>\n" + "\n".join(lines) + "\n</tbody></table>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _document(title: str, style: str, body: str, *, head: str = "") -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'{head}<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )
