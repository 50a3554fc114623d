"""Pages that need nothing from anywhere else."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from gwas_core.report.page import html_page


def test_a_page_with_a_figure_holds_plotly_and_fetches_nothing() -> None:
    page = html_page("Title", ["One.", "Two."], go.Figure(go.Scatter(x=[1, 2], y=[3, 4])))
    assert page.count("<p>") == 2
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", page)


def test_text_from_files_stays_text() -> None:
    page = html_page("<b>", ["<script>alert(1)</script>"])
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<h1>&lt;b&gt;</h1>" in page
