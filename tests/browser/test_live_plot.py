"""The live plots and the brush, in a real browser, on a page that refreshes itself every second."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from gwas_core.report.parallel_coordinates import AXES_SHOWN
from tests.browser.conftest import NewPage, Server, StartServer
from tests.browser.mouse import AXIS, BRUSH, PLOT, drag_along
from tests.waiting import LIMIT

APP = Path(__file__).parent / "apps" / "brush_app.py"

Settings = Callable[..., None]

SCATTER = '.gwas-live-plot[aria-label="Errors"]'

ORDER = f"() => document.querySelector('{PLOT} .js-plotly-plot').data[0].dimensions.map((entry) => entry.name)"
ZOOM = f"() => document.querySelector('{SCATTER} .js-plotly-plot')._fullLayout.xaxis.range"
# Nothing while Streamlit draws the plot anew: whoever waits for points waits on.
POINTS = f"""() => {{
  const traces = document.querySelector('{SCATTER} .js-plotly-plot')?._fullData ?? [];
  return traces.map((trace) => trace.x.length);
}}"""
NAMES = f"() => document.querySelector('{SCATTER} .js-plotly-plot')._fullData.map((trace) => trace.name)"
FOUND = f"""() => {{
  const graph = document.querySelector('{SCATTER} .js-plotly-plot');
  return graph._fullData.map((trace) => graph.querySelectorAll(`g.trace${{trace.uid}}`).length);
}}"""
SECOND_TRACE = f"() => document.querySelector('{SCATTER} .js-plotly-plot')._fullData[1].visible"
LOOK = f"""() => {{
  const graph = document.querySelector('{PLOT} .js-plotly-plot');
  return {{paper: graph._fullLayout.paper_bgcolor, reversed: graph._fullData[0].line.reversescale,
          axis: getComputedStyle(graph.querySelector('.parcoords .domain')).stroke}};
}}"""
STYLE = f"""() => {{
  const layout = document.querySelector('{SCATTER} .js-plotly-plot')._fullLayout;
  return [layout.legend.orientation, layout.xaxis.ticks, layout.font.color];
}}"""
WIDTHS = f"() => [...document.querySelectorAll('{PLOT}, {PLOT} .main-svg')].map((e) => e.clientWidth)"


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_text(_settings())
    return path


@pytest.fixture
def settings(settings_file: Path) -> Settings:
    """``settings(trials=41)`` changes what the open page reads next."""
    settings_file.write_text(_settings())

    def change(**values: Any) -> None:
        settings_file.write_text(_settings(**values))

    return change


@pytest.fixture(scope="module")
def server(start_server: StartServer, settings_file: Path) -> Server:
    return start_server(APP, environment={"BRUSH_APP_SETTINGS": str(settings_file)})


def test_a_brush_filters_outlives_refreshes_and_is_restored_from_the_url(
    server: Server, settings: Settings, new_page: NewPage
) -> None:
    page = new_page()
    open_page(page, server)
    drag_along(page, "learning_rate", top=0.3, bottom=0.6)
    expect(chips(page)).to_have_count(1)
    expect(chips(page)).to_have_text(re.compile(r"learning_rate .+e-4 … "))
    # As in the URL: rounded to what an eye can see.
    decades = [round(math.log10(float(end)), 9) for end in re.findall(r"\d+(?:\.\d+)?e-\d+", page.url)]
    wait_until(page, lambda: [round(end, 9) for end in brush_of(page, "learning_rate")[0]] == decades)
    brushed = brush_of(page, "learning_rate")
    passed = passing(page)
    assert 0 < len(passed) < 40
    expect(page.get_by_text(f"{len(passed)} of 40 trials")).to_be_visible()
    # The brush lies where the mouse was, not at the nearest ticks: 60 % and 30 % down an axis of 1e-5 to 1e-2.
    assert brushed == [[pytest.approx(-2 - 3 * 0.6, abs=0.06), pytest.approx(-2 - 3 * 0.3, abs=0.06)]]

    settings(trials=60)
    expect(page.get_by_text("of 60 trials")).to_be_visible()
    assert brush_of(page, "learning_rate") == brushed
    wait_until(page, lambda: passed < passing(page))
    assert re.search(r"[?&]brush=learning_rate~[0-9.e-]+\.\.[0-9.e-]+$", page.url)

    page.reload()
    wait_for_plots(page)
    expect(page.get_by_text("of 60 trials")).to_be_visible()
    assert brush_of(page, "learning_rate") == brushed

    chips(page).click()
    expect(chips(page)).to_have_count(0)
    wait_for_brush(page, "learning_rate", [])
    assert "brush=" not in page.url
    wait_until(page, lambda: len(passing(page)) == 60)


def test_several_brushes_steps_and_ends(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    open_page(page, server, query="?brush=batch_size~16~32~~no_such~1..2~~loss~%3Cb%3E")
    expect(page.get_by_text("A filter in this link is ignored")).to_have_count(2)
    expect(page.get_by_text("'no_such' is not a parameter of this search")).to_be_visible()
    expect(chips(page)).to_have_text(re.compile("batch_size 16, 32$"))
    assert brush_of(page, "batch_size") == [[-0.25, 1.25]]

    # One after the other, before the page can answer; the first goes beyond the end, which belongs to it then.
    drag_along(page, "linear_l2", top=0.5, bottom=1.1)
    drag_along(page, "dropout_rate", top=0.2, bottom=0.9)
    drag_along(page, "validation error ↓", top=0.6, bottom=1.0)
    texts = [r"batch_size 16, 32$", r"linear_l2 ≤ ", r"dropout_rate 0\.\d+ … 0\.\d+$", r"validation error ≤ "]
    expect(chips(page)).to_have_text([re.compile(text) for text in texts])
    wait_until(page, lambda: brush_of(page, "linear_l2")[0][0] == -5)
    before = brush_of(page, "linear_l2")
    settings(trials=50)
    expect(page.get_by_text("of 50 trials")).to_be_visible()
    assert brush_of(page, "linear_l2") == before

    chips(page).nth(1).click()
    expect(chips(page)).to_have_count(3)
    wait_for_brush(page, "linear_l2", [])
    assert brush_of(page, "batch_size") == [[-0.25, 1.25]]
    axis = page.evaluate(AXIS, "batch_size")  # a click beside the brush, on a step, adds the step to it
    page.mouse.click(axis["x"], axis["y"] + axis["height"] * 0.125)
    expect(chips(page).first).to_have_text(re.compile("batch_size 16, 32, 128$"))
    page.get_by_role("button", name="Clear all").click()
    expect(chips(page)).to_have_count(0)
    wait_for_brush(page, "batch_size", [])


def test_nothing_changes_under_a_hand(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    open_page(page, server)
    axis = page.evaluate(AXIS, "dropout_rate")
    wide = page.evaluate(WIDTHS)[1]
    page.mouse.move(axis["x"], axis["y"] + axis["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(axis["x"], axis["y"] + axis["height"] * 0.4, steps=3)
    settings(trials=50)
    page.set_viewport_size({"width": 1000, "height": 900})
    page.wait_for_function(f"wide => ({WIDTHS})()[0] < wide", arg=wide)
    expect(page.get_by_text("50 trials")).to_be_visible()
    assert page.evaluate(WIDTHS)[1] == wide
    page.mouse.move(axis["x"], axis["y"] + axis["height"] * 0.9, steps=3)
    page.mouse.up()
    expect(chips(page)).to_have_text([re.compile("dropout_rate")])
    assert brush_of(page, "dropout_rate")[0] == [pytest.approx(0.07, abs=0.02), pytest.approx(0.56, abs=0.02)]
    page.wait_for_function(f"() => new Set(({WIDTHS})()).size === 1")


def test_no_brush_is_lost_while_the_browser_is_behind(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    connection = Connection(page)
    open_page(page, server)
    connection.holds_answers = True
    for axis in ("linear_l2", "dropout_rate"):
        drag_along(page, axis, top=0.2, bottom=0.7)
        # Python has answered, but the browser goes on with the address that it had.
        wait_until(page, partial(connection.has_held, f"{axis}~"))
    assert "brush=" not in page.url
    connection.release()
    expect(chips(page)).to_have_text([re.compile("linear_l2"), re.compile("dropout_rate")])
    assert re.search("brush=linear_l2~.*~~dropout_rate~", page.url)
    page.go_back()
    expect(chips(page)).to_have_text([re.compile("linear_l2")])
    wait_for_brush(page, "dropout_rate", [])


def test_a_brush_to_an_end_lets_a_better_trial_pass_that_came_meanwhile(
    server: Server, settings: Settings, new_page: NewPage
) -> None:
    page = new_page()
    settings(trials=20)
    connection = Connection(page)
    open_page(page, server)
    connection.holds_answers = True
    settings(trials=40)
    wait_until(page, partial(connection.has_held, "40 trials"))
    drag_along(page, "validation error ↓", top=0.6, bottom=1.0)
    wait_until(page, partial(connection.has_held, "val_mean_absolute_error~"))
    connection.release()
    expect(chips(page)).to_have_text(re.compile("validation error ≤ "))
    # Trial 28 is the best of 40: without it the axis ended higher, where the brush did.
    wait_until(page, lambda: 28 in passing(page))


def test_traces_are_found_by_their_identity_whatever_their_name(
    server: Server, settings: Settings, new_page: NewPage
) -> None:
    page = new_page()
    open_page(page, server)
    assert page.evaluate(NAMES)[1] == "second, 2/3 (best) ★"
    # As plotly itself looks for what it has drawn: by a CSS class that holds the identity.
    assert page.evaluate(FOUND) == [1, 1]


def test_a_brush_that_does_not_arrive_is_sent_again(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    connection = Connection(page)
    open_page(page, server)
    connection.loses = 1
    drag_along(page, "dropout_rate", top=0.2, bottom=0.7)
    expect(chips(page)).to_have_text([re.compile("dropout_rate")])
    assert connection.loses == 0


def test_axes_are_moved_and_added(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    settings(preset="tutorial")
    open_page(page, server)
    first, second, *_ = before = page.evaluate(ORDER)
    assert len(before) == AXES_SHOWN + 1
    target = page.evaluate(AXIS, second)["x"] + 12
    axis = page.evaluate(AXIS, first)
    page.mouse.move(axis["titleX"], axis["titleY"])
    page.mouse.down()
    page.mouse.move(target, axis["titleY"], steps=6)
    page.mouse.up()
    moved = [second, first, *before[2:]]
    assert page.evaluate(ORDER) == moved
    settings(preset="tutorial", trials=50)
    expect(page.get_by_text("50 trials")).to_be_visible()
    assert page.evaluate(ORDER) == moved

    page.get_by_role("button", name="Axes", exact=True).click()
    box = page.get_by_role("combobox", name="Axes, from left to right")
    box.fill("epochs")
    page.get_by_role("option", name="epochs").click()
    page.wait_for_function(f"expected => JSON.stringify(({ORDER})()) === expected", arg=_compact([*moved, "epochs"]))


def test_zoom_and_hidden_traces_outlive_refreshes_and_points_are_picked(
    server: Server, settings: Settings, new_page: NewPage
) -> None:
    page = new_page()
    open_page(page, server)
    plot = page.locator(SCATTER)
    plot.scroll_into_view_if_needed()
    page.locator(f"{SCATTER} .legendtoggle").nth(1).click()
    page.wait_for_function(f"() => ({SECOND_TRACE})() === 'legendonly'")  # plotly waits for a second click first
    box = page.locator(f"{SCATTER} .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] - 5, steps=6)
    page.mouse.up()
    page.wait_for_function(f"() => ({ZOOM})()[0] > 3")
    zoomed = page.evaluate(ZOOM)
    settings(trials=55)
    page.wait_for_function(f"() => ({POINTS})()[0] === 55")
    assert page.evaluate(ZOOM) == zoomed
    assert page.evaluate(SECOND_TRACE) == "legendonly"

    expect(plot).to_have_attribute("aria-busy", "false")
    point = page.locator(f"{SCATTER} .points path").nth(20)
    point.hover(force=True)
    expect(page.locator(f"{SCATTER} .hovertext")).to_be_visible()
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_text("picked: first 20")).to_be_visible()


def test_it_works_under_a_prefix_loads_plotly_once_and_sends_little(
    start_server: StartServer, settings: Settings, settings_file: Path, new_page: NewPage
) -> None:
    page = new_page()
    server = start_server(APP, environment={"BRUSH_APP_SETTINGS": str(settings_file)}, base_path="some/prefix")
    settings(trials=300, preset="tutorial")
    scripts: list[str] = []
    frames: list[int] = []
    page.on("request", lambda request: scripts.append(request.url) if "/plotly-" in request.url else None)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(len(data))))
    page.goto(f"{server.url}/")  # the root, and on by a link: the address changes, the page stays
    page.get_by_role("link", name="home").click()
    wait_for_plots(page)
    frames.clear()
    settings(trials=301, preset="tutorial")
    expect(page.get_by_text("301 trials")).to_be_visible()
    page.wait_for_function(f"() => ({POINTS})()[0] === 301")
    assert scripts == [f"{server.url}/app/static/{Path(scripts[0]).name}"]
    assert max(frames) < 100_000, frames
    page.reload()
    wait_for_plots(page)
    timing = page.evaluate("() => performance.getEntriesByType('resource').find((e) => e.name.includes('/plotly-'))")
    assert timing["transferSize"] == 0  # from the browser's own store


def test_it_follows_the_theme_is_saved_and_leaves_nothing_behind(
    server: Server, settings: Settings, new_page: NewPage
) -> None:
    page = new_page(dark=True)
    open_page(page, server)
    dark = page.evaluate(LOOK)
    assert _brightness(dark["paper"]) < 60
    assert _brightness(dark["axis"]) > 180
    assert not dark["reversed"]  # the bright end is the better one
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => ({LOOK})().reversed")
    light = page.evaluate(LOOK)
    assert _brightness(light["paper"]) > 200
    assert _brightness(light["axis"]) < 100
    orientation, ticks, colour = page.evaluate(STYLE)  # the figure's own style, in the colours of the page
    assert (orientation, ticks) == ("h", "outside")
    assert _brightness(colour) < 100

    frame = page.get_by_role("figure", name="Parallel coordinates of made")
    frame.focus()
    expect(frame).to_be_focused()
    for _ in range(2):  # from the plot to its buttons
        page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "made-parallel-coordinates.svg"
    picture = download.value.path().read_text(encoding="utf-8")
    assert "learning_rate" in picture
    assert "rgb(255, 255, 255)" in picture

    page.evaluate(f"() => {{ window.kept = document.querySelector('{PLOT} .js-plotly-plot'); }}")
    page.get_by_text("Show", exact=True).click()
    expect(page.locator(".gwas-live-plot")).to_have_count(0)
    page.wait_for_function("() => window.kept._fullLayout === undefined")
    page.get_by_text("Show", exact=True).click()
    wait_for_plots(page)


def test_text_from_outside_is_shown_letter_by_letter(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{server.url}/")
    written = page.get_by_test_id("stText")
    expect(written).to_have_count(14)
    texts = [text.replace("\n", " ") for text in written.all_inner_texts()]
    captions = page.get_by_test_id("stCaptionContainer")
    expect(captions).to_have_count(len(texts))  # each comes after its text
    assert [text.replace("\u2060", "") for text in captions.all_inner_texts()] == texts
    expect(captions.locator("a, img, b, strong, code, svg")).to_have_count(0)
    expect(page.get_by_test_id("stButton")).to_have_text(texts[0])
    card = page.locator(".st-key-card")
    # Headings, lists and words in code act in a card, whoever wrote them, and nothing else does.
    titles = card.locator("h1").filter(has_text="Model card: ")
    expect(titles).to_have_count(len(texts))
    # The anchor of a heading is Streamlit's own.
    expect(card.locator("a:not([href^='#']), img, b, strong, em, .katex, table, blockquote")).to_have_count(0)
    shown = [text.replace("\u2060", "").strip() for text in titles.all_inner_texts()]
    # What a card has escaped stays so.
    meant = [text.replace("`f`", "f").replace(r"\*", "*") for text in texts]
    assert shown == [f"Model card: {text}" for text in meant]


def test_it_says_so_when_plotly_does_not_load(server: Server, settings: Settings, new_page: NewPage) -> None:
    page = new_page()
    connection = Connection(page)
    page.route("**/plotly-*", lambda route: route.abort())
    page.goto(f"{server.url}/brush")
    expect(page.get_by_text("its plotting library did not load")).to_have_count(2)
    connection.holds_answers = True  # a refresh would try again by itself
    page.unroute("**/plotly-*")
    page.evaluate(
        "() => document.querySelectorAll('.gwas-live-plot-message button').forEach((button) => button.click())"
    )
    wait_for_plots(page)


class Connection:
    """The connection between a page and Python, which can be slow and lose things.

    Attributes:
        holds_answers: whether what Python sends waits until ``release``.
        loses: how many of the next brushes do not arrive.
    """

    def __init__(self, page: Page) -> None:
        self.loses = 0
        self.holds_answers = False
        self._held: list[str | bytes] = []
        page.route_web_socket("**/_stcore/stream", self._route)

    def has_held(self, text: str) -> bool:
        return any(text.encode() in message for message in self._held if isinstance(message, bytes))

    def release(self) -> None:
        self.holds_answers = False
        for message in self._held:
            self._page.send(message)
        self._held.clear()

    def _route(self, page: WebSocketRoute) -> None:
        self._page, self._server = page, page.connect_to_server()
        page.on_message(self._from_page)
        self._server.on_message(self._from_server)

    def _from_page(self, message: str | bytes) -> None:
        if self.loses and isinstance(message, bytes) and b'"changes"' in message:
            self.loses -= 1
        else:
            self._server.send(message)

    def _from_server(self, message: str | bytes) -> None:
        if self.holds_answers:
            self._held.append(message)
        else:
            self._page.send(message)


def open_page(page: Page, server: Server, *, query: str = "") -> None:
    page.goto(f"{server.url}/brush{query}")
    wait_for_plots(page)


def wait_for_plots(page: Page) -> None:
    """Both plots are drawn."""
    expect(page.locator('.gwas-live-plot[aria-busy="false"]')).to_have_count(2)


def chips(page: Page) -> Locator:
    return page.locator('[class*="-chip-"] button:visible')


def passing(page: Page) -> set[int]:
    """The numbers of the trials that pass, as Python wrote them."""
    text = page.get_by_text("passed:").inner_text().removeprefix("passed:").strip()
    return {int(number) for number in text.split(",") if number}


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        page.wait_for_timeout(50)  # not time.sleep, in which the browser's messages would not arrive


def brush_of(page: Page, axis: str) -> list[list[float]]:
    ranges: list[list[float]] = page.evaluate(BRUSH, axis)
    return ranges


def wait_for_brush(page: Page, axis: str, ranges: list[list[float]]) -> None:
    page.wait_for_function(
        f"([name, expected]) => JSON.stringify(({BRUSH})(name)) === expected", arg=[axis, _compact(ranges)]
    )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _settings(trials: int = 40, preset: str | None = None) -> str:
    return json.dumps({"trials": trials, "preset": preset})


def _brightness(colour: str) -> float:
    if colour.startswith("#"):
        return sum(int(colour[place : place + 2], 16) for place in (1, 3, 5)) / 3
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3
