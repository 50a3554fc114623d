"""A page with a live brush and a live scatter, for the browser tests.

A file named by ``BRUSH_APP_SETTINGS`` holds JSON with the number of trials and the preset; it is read in every run,
so that a test can add trials to a page that is open.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import streamlit as st

from gwas_core.report.figure_style import new_figure
from gwas_core.report.markdown import harmless_card
from tests.report.made_records import searched_record
from ui.brush import trial_brush
from ui.live_plot import live_plot
from ui.text import markdown_text

SETTINGS = Path(os.environ["BRUSH_APP_SETTINGS"])

HOSTILE = [
    "a*b*c _d_ __e__ `f` ~~g~~ # h",
    "# heading",
    "- list",
    "1. one",
    "> quote",
    ":smile: :material/home: :red[hi] :streamlit: :blue-badge[x] :100:",
    "$x^2$ $$y$$ ==x== ^^",
    "<b>bold</b> &lt; &amp; <img src=x onerror=alert(1)>",
    "[link](http://x.y) ![i](http://x.y/z.png)",
    "http://example.com www.example.com a@b.co",
    "---",
    "| a | b | |---|---| | 1 | 2 |",
    r"a\*b",
    "-> <- <-> -- >= <= ~= (c) ...",
]


@st.fragment(run_every=0.6)
def experiment() -> None:
    settings = json.loads(SETTINGS.read_text())
    record = searched_record(settings["trials"], preset=settings["preset"])
    brushed = trial_brush(record, key="trials")
    st.text(f"passed: {','.join(str(trial.number) for trial in brushed.trials)}")
    st.text(f"filters: {'; '.join(entry.describe() for entry in brushed.filters)}")
    figure = new_figure(height=300)
    for name, offset in (("first", 0.0), ("second, 2/3 (best) ★", 1.0)):
        figure.add_scatter(
            x=[trial.number for trial in record.trials],
            y=[offset + (trial.value or 0) for trial in record.trials],
            mode="markers",
            name=name,
            customdata=np.array([[trial.number, trial.epochs] for trial in record.trials]),
        )
    points = live_plot(figure, key="scatter", label="Errors", select="points")
    if points:
        st.session_state["picked"] = f"{points[0].trace} {points[0].id}"
    st.text(f"picked: {st.session_state.get('picked')}")


def home() -> None:
    st.title("Brush")
    if st.toggle("Show", value=True):
        experiment()


def texts() -> None:
    st.title("Texts")
    for text in HOSTILE:
        st.text(text)
        st.caption(markdown_text(text))
    st.button(markdown_text(HOSTILE[0]))
    with st.container(key="card"):
        # A trait of that name in a model card of an earlier version, which escaped less, and of one made by hand.
        st.markdown(harmless_card("\n\n".join(f"# Model card: {text}\n- {text}\n\n{text}" for text in HOSTILE)))


st.set_page_config(layout="wide")
st.navigation([st.Page(texts, default=True), st.Page(home, url_path="brush")]).run()
