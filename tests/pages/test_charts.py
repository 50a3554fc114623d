from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def page() -> None:
    import pandas as pd
    import plotly.graph_objects as go

    from ui.charts import chart_with_table, show

    figure = go.Figure(go.Scatter(y=[1, 2]))
    show(figure, key="alone", label="Alone", description="It rises.", on_points=lambda points: None)
    chart_with_table(figure, pd.DataFrame({"y": [1, 2]}), key="both", title="With_table")


def test_a_chart_comes_with_its_description_and_its_table() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    alone, both = (json.loads(element.proto.json) for element in app.get("bidi_component"))
    assert (alone["label"], alone["description"], alone["select"], alone["file_name"]) == (
        "Alone",
        "It rises.",
        "points",
        "alone",
    )
    assert (both["label"], both["select"]) == ("With_table", "none")
    assert app.markdown[0].value == "**With\\_table**"
    (table,) = app.dataframe
    assert list(table.value["y"]) == [1, 2]
    (download,) = app.get("download_button")
    assert download.proto.label == "Download as CSV"
