from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from gwas_core.report.history import history_figure, optimization_history
from tests.report.made_records import searched_record
from ui import charts


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[go.Figure]:
    """The figures that reach the component."""
    figures: list[go.Figure] = []
    monkeypatch.setattr(charts, "live_plot", lambda figure, **options: figures.append(figure))
    return figures


def test_points_keep_their_trials_in_the_browser(drawn: list[go.Figure]) -> None:
    charts.show(history_figure(optimization_history(searched_record(12))), key="history", label="History")
    traces = json.loads(drawn[0].to_json())["data"]
    (points,) = (trace for trace in traces if trace.get("name", "").startswith("succeeded"))
    assert points["customdata"] == [[number] for number in range(12)]


def test_the_common_style_is_written_out_and_own_settings_win(drawn: list[go.Figure]) -> None:
    figure = history_figure(optimization_history(searched_record(12)))
    charts.show(figure, key="history", label="History")
    layout = drawn[0].layout
    assert layout.legend.orientation == "h"
    assert layout.xaxis.ticks == "outside"
    assert layout.xaxis.title.text == "Trial"
    assert layout.yaxis.range == figure.layout.yaxis.range


def test_plotlys_own_template_is_left_alone(drawn: list[go.Figure]) -> None:
    charts.show(go.Figure(go.Scatter(y=[1, 2])), key="plain", label="Plain")
    assert drawn[0].layout.plot_bgcolor is None
