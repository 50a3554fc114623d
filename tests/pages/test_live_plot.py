from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

import ui.live_plot
from ui.live_plot import AxisBrush, AxisOrder, PlotPoint, axis_changes, plot_points, plotly_script


def page(template: object = None) -> None:
    import numpy as np
    import plotly.graph_objects as go

    from ui.live_plot import live_plot

    figure = go.Figure(go.Scatter(x=np.arange(1000.0), y=np.arange(1000.0), name="line"), layout={"height": 250})
    if template is not None:
        figure.layout.template = template
    live_plot(figure, key="plot", label="A line", description="It rises.")


def test_it_sends_a_figure_without_colours_of_its_own() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    (element,) = app.get("bidi_component")
    data = json.loads(element.proto.json)
    figure = json.loads(data.pop("figure"))
    assert data == {
        "script": f"app/static/plotly-{plotly.__version__}.min.js",
        "key": "plot",
        "label": "A line",
        "description": "It rises.",
        "height": 250,
        "select": "none",
        "revision": 0,
        "file_name": "plot",
    }
    assert "template" not in figure["layout"]
    assert figure["data"][0]["x"]["dtype"] == "f8"  # as bytes, not as a list of texts
    assert (ui.live_plot.STATIC / Path(data["script"]).name).is_file()


def test_a_style_of_the_figures_own_goes_along() -> None:
    style = {"layout": {"legend": {"orientation": "h"}}}
    (element,) = AppTest.from_function(page, args=(style,)).run().get("bidi_component")
    figure = json.loads(json.loads(element.proto.json)["figure"])
    assert go.layout.Template(figure["layout"]["template"]) == go.layout.Template(style)


def test_it_says_so_when_plotly_cannot_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ui.live_plot, "plotly_script", refuse)
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert "could not be copied to the folder 'static'" in app.error[0].value
    assert "Permission denied" in app.error[0].value


def test_plotly_is_copied_once_and_dated_back(tmp_path: Path) -> None:
    plotly_script.cache_clear()
    name = Path(plotly_script(tmp_path)).name
    copy = tmp_path / name
    assert copy.read_bytes() == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    before = copy.stat()
    assert before.st_mtime < 1.1e9
    plotly_script.cache_clear()
    plotly_script(tmp_path)
    assert copy.stat().st_ino == before.st_ino
    copy.write_bytes(b"half")
    plotly_script.cache_clear()
    plotly_script(tmp_path)
    assert copy.stat().st_size == before.st_size
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_written_is_an_error_the_next_time_too(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for _ in range(2):
        with pytest.raises(OSError, match="file"):
            plotly_script(file / "static")


def test_changes_come_in_the_order_they_were_made() -> None:
    payload = [
        {"names": ["b", "a"], "revision": 7},
        {"axis": "a", "ranges": [[0, 1.5], [2, 3]], "drawn": [0, 9], "revision": 6},
        {"axis": "b", "ranges": [], "drawn": [-2.5, 1], "revision": 5},
    ]
    assert axis_changes(payload) == (
        AxisBrush(axis="b", ranges=(), drawn=(-2.5, 1.0), revision=5),
        AxisBrush(axis="a", ranges=((0.0, 1.5), (2.0, 3.0)), drawn=(0.0, 9.0), revision=6),
        AxisOrder(names=("b", "a"), revision=7),
    )


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        {"axis": "a"},
        [1, None, "text", []],
        [{}],
        [{"axis": "a", "ranges": [[0, 1]], "drawn": [0, 1]}],
        [{"axis": "a", "ranges": [[0, 1]], "drawn": [0, 1], "revision": -1}],
        [{"axis": "a", "ranges": [[0, 1]], "drawn": [0, 1], "revision": True}],
        [{"axis": "a", "ranges": [[0, 1]], "drawn": [0, 1], "revision": 10**30}],
        [{"axis": "", "ranges": [[0, 1]], "drawn": [0, 1], "revision": 1}],
        [{"axis": "a" * 1000, "ranges": [[0, 1]], "drawn": [0, 1], "revision": 1}],
        [{"axis": "a", "ranges": [[0]], "drawn": [0, 1], "revision": 1}],
        [{"axis": "a", "ranges": [[0, "1"]], "drawn": [0, 1], "revision": 1}],
        [{"axis": "a", "ranges": [[0, float("nan")]], "drawn": [0, 1], "revision": 1}],
        [{"axis": "a", "ranges": [[0, 1]], "revision": 1}],
        [{"axis": "a", "ranges": [[0, 1]], "drawn": [0], "revision": 1}],
        [{"names": "abc", "revision": 1}],
        [{"names": [1], "revision": 1}],
    ],
)
def test_changes_that_make_no_sense_are_left_out(payload: Any) -> None:
    assert axis_changes(payload) == ()


def test_points_are_read_and_nonsense_left_out() -> None:
    payload = [
        {"trace": "first", "index": 3, "id": "first 3"},
        {"trace": "first", "index": 4, "id": [1]},
        {"trace": None, "index": 4},
        {"trace": "first", "index": -1},
        "text",
    ]
    assert plot_points(payload) == (
        PlotPoint(trace="first", index=3, id="first 3"),
        PlotPoint(trace="first", index=4, id=None),
    )
    assert plot_points({"trace": "first"}) == ()
