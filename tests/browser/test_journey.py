"""From data to predictions, as a person goes through the dashboard; several browsers; files good and bad."""

from __future__ import annotations

import gzip
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from gwas_core.cli import main
from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table
from gwas_core.model.bundle import open_bundle
from gwas_core.tuning.demo import DEMO_FILE
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.browser.conftest import REPOSITORY, NewPage, Server, StartServer
from tests.browser.mouse import drag_along, wait_for_brush, wait_for_plot
from tests.genotypes.bad_input import BAD_INPUT, BadInput, as_text, good_rows
from tests.tuning.quick_experiments import WORKER, processes_of
from tests.waiting import wait_until
from ui.store import sentence

# Trials of a second or two.
SPACE = b"""
fixed: {network: hybrid, epochs: 3, conv_filters: 2, num_dense_units: 2}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-4, maximum: 1.0e-2, scale: log, default: 3.0e-3}
  - {name: dropout_rate, kind: double, minimum: 0.0, maximum: 0.5, default: 0.1}
"""
NAME = "journey"
MARKUP = '<img src=x onerror="window.hacked=1">'
UPLOAD_LIMIT = 50  # MB
BAD_KINDS = ("endless row", "binary", "no phenotype", "two line names alike", "Latin-1", "UTF-16", "truncated gzip")
BAD_FILES = (
    *(bad for bad in BAD_INPUT if bad.name in BAD_KINDS),
    BadInput("markup", lambda folder: _markup(folder), ()),
)
TRIALS, EXTRA = 10, 1


def _markup(folder: Path) -> Path:
    """Names that are HTML, of the file and of a line, and a cell because of which they are mentioned."""
    rows = good_rows()
    rows[8][2], rows[8][6] = MARKUP, "AA"
    path = folder / "<b>bold.txt"
    path.write_text(as_text(rows))
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path_factory.mktemp("journey"))
    yield workspace
    engine = LocalEngine(workspace)
    for summary in engine.experiments():
        if summary.state.is_active():
            engine.stop(summary.name)


@pytest.fixture(scope="module")
def server(workspace: Workspace, start_server: StartServer) -> Server:
    return start_server(
        REPOSITORY / "app.py",
        environment={"GWAS_WORKSPACE": str(workspace.root), "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": str(UPLOAD_LIMIT)},
    )


@pytest.mark.timeout(3600)
def test_the_journey(
    server: Server, workspace: Workspace, new_page: NewPage, chromium: Browser, tmp_path: Path
) -> None:
    page = new_page(width=1440, height=1000)
    search = Search(workspace)
    load_demo_data(page, server)
    launch(page)
    watch_and_brush(page, search)
    stop(page, search)
    resume_in_another_browser(page, chromium, search)
    extend(page)
    open_model(page)
    take_the_bundle_home(page, tmp_path)
    predict(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)


class Search:
    """The search that was launched. It rests while the browser looks, which may take longer than all of its trials."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._store = Store(workspace)

    def run_on(self, trials: int = 0) -> None:
        """Let the workers work until so many trials are finished, and rest then; on to the end without a number."""
        self._send(signal.SIGCONT)
        if trials:
            wait_until(lambda: self._store.load(NAME).finished_trials >= trials)
            self._send(signal.SIGSTOP)

    def rest(self) -> None:
        """Have the workers rest as soon as there is one."""
        wait_until(lambda: self._store.load(NAME).counts[TrialState.RUNNING])
        self._send(signal.SIGSTOP)

    def wait_until_told_to_stop(self) -> None:
        wait_until(lambda: self._store.load(NAME).state is not ExperimentState.RUNNING)

    def _send(self, number: int) -> None:
        for process in processes_of(self._workspace, WORKER):
            process.send_signal(number)


def load_demo_data(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/data")
    button(page, "Load the demo data").click()
    expect(page.get_by_role("heading", name="Quality of demo_height.txt.gz")).to_be_visible()
    expect(metric(page, "Lines")).to_have_text("800")
    button(page, "Train").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()


def launch(page: Page) -> None:
    expect(button(page, "Launch")).to_be_enabled()
    page.get_by_text(re.compile("^Expert: ")).click()
    button(page, "Open a saved space").click()
    page.locator('input[type="file"]').set_input_files(
        {"name": "small.yaml", "mimeType": "application/yaml", "buffer": SPACE}
    )
    expect(page.get_by_text("2 hyperparameters to search")).to_be_visible()
    page.keyboard.press("Escape")
    fill(page, "Trials", str(TRIALS))
    fill(page, "Trials at a time", "1")
    choose(page, "Compile the network (XLA)", "Off")
    fill(page, "Name of the experiment", NAME)
    button(page, "Launch").click()
    expect(page.get_by_role("heading", name="Machine room", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(f"/machine-room\\?experiment={NAME}$"))


def watch_and_brush(page: Page, search: Search) -> None:
    """Trials arrive; a brush outlives the next one."""
    search.run_on(3)
    page.evaluate("() => { window.never_reloaded = true; }")
    expect(progress(page)).to_contain_text(re.compile(r"^[3-9] of"))
    wait_for_plot(page)
    drag_along(page, "learning_rate", top=0.2, bottom=0.6)  # about 0.004 to 0.0006
    expect(chips(page)).to_have_text(re.compile("learning_rate .+ … "))
    brush = brush_in_url(page)
    wait_for_brush(page, "learning_rate", brush)
    _, trials = filtered(page)
    search.run_on(trials + 1)
    more = "|".join(str(number) for number in range(trials + 1, TRIALS + 1))
    expect(page.get_by_text(re.compile(rf"^\d+ of ({more}) trials$")).last).to_be_visible()
    assert brush_in_url(page) == brush
    wait_for_brush(page, "learning_rate", brush)
    assert page.evaluate("() => window.never_reloaded")


def stop(page: Page, search: Search) -> None:
    """Now that nothing arrives any more, the table holds what the brush lets pass."""
    button(page, "Stop").click()
    search.wait_until_told_to_stop()
    search.run_on()
    expect(state(page)).to_contain_text("Stopped")
    finished = int(progress(page).inner_text().split()[0])
    assert 3 <= finished < TRIALS
    passed, trials = filtered(page)
    assert 0 < passed < trials
    expect(table_of_trials(page)).to_have_attribute("aria-rowcount", str(passed + 1))


def resume_in_another_browser(page: Page, chromium: Browser, search: Search) -> None:
    """A link opened somewhere else shows the same experiment, brush and trial; what is done there is seen here."""
    context = chromium.new_context()
    other = context.new_page()
    other.goto(f"{page.url}&trial=0")
    expect(chips(other)).to_have_text(chips(page).all_text_contents())
    wait_for_brush(other, "learning_rate", brush_in_url(page))
    expect(other.get_by_role("heading", name="Trial 0", exact=True)).to_be_visible()
    for part in (progress, state):
        expect(part(other)).to_have_text(part(page).text_content() or "")
    button(other, "Resume").click()
    search.rest()
    expect(state(other)).to_contain_text("Running")
    page.reload()
    expect(state(page)).to_contain_text("Running")
    wait_for_brush(page, "learning_rate", brush_in_url(other))
    search.run_on()
    context.close()


def extend(page: Page) -> None:
    button(page, "Extend").click()
    fill(page, "Trials to add", str(EXTRA))
    button(page, "Add and run").click()
    expect(progress(page)).to_contain_text(f"of {TRIALS + EXTRA} trials")
    expect(state(page)).to_contain_text("Succeeded")
    expect(progress(page)).to_have_text(f"{TRIALS + EXTRA} of {TRIALS + EXTRA} trials")


def open_model(page: Page) -> None:
    button(page, "Answer").click()
    expect(page.get_by_role("heading", name="Answer", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Test lines", exact=True)).to_be_visible()


def take_the_bundle_home(page: Page, folder: Path) -> None:
    with page.expect_download() as download:
        button(page, "Download the bundle").click()
    assert download.value.suggested_filename == f"{NAME}-best.zip"
    download.value.save_as(folder / "best.zip")
    assert open_bundle(folder / "best.zip").trait == "norm_phe"


def predict(page: Page) -> None:
    page.get_by_test_id("stMain").get_by_role("link", name="Predict").first.click()
    expect(page.get_by_role("heading", name="Predict", exact=True)).to_be_visible()
    page.locator('input[type="file"]').set_input_files(DEMO_FILE)
    button(page, "Predict").click()
    expect(page.get_by_text("800 lines predicted.")).to_be_visible()
    with page.expect_download() as download:
        button(page, "Download the predictions").click()
    table = pd.read_csv(download.value.path())
    assert len(table) == 800
    assert table["predicted"].std() > 0


@pytest.mark.timeout(3600)
def test_a_large_upload(
    server: Server, new_page: NewPage, large_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = new_page()
    open_upload(page, server)
    begin = time.monotonic()
    upload(page, large_table)
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    expect(button(page, "Use this dataset")).to_be_enabled()
    seconds = time.monotonic() - begin
    with capsys.disabled():
        print(f"\n{large_table.stat().st_size / 1e6:.1f} MB uploaded, read and checked in {seconds:.1f} s")
    with large_table.open(encoding="utf-8") as table:
        lines = sum(1 for _ in table) - 1
    expect(metric(page, "Lines")).to_have_text(f"{lines:,}")
    begin = time.monotonic()
    button(page, "Use this dataset").click()
    expect(page.get_by_role("heading", name=f"Quality of {large_table.name}")).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("link", name="Train").first.click()
    expect(button(page, "Launch")).to_be_enabled()
    with capsys.disabled():
        print(f"used, filtered and divided in {time.monotonic() - begin:.1f} s")


@pytest.fixture
def large_table(tmp_path: Path) -> Path:
    """A table of more than 40 MB: the real one, or else one like it."""
    path = tmp_path / "heights.txt"
    real = Path(os.environ.get("GWAS_REAL_DATA", REPOSITORY.parent / "shared" / "data")) / "IMP_height.txt.gz"
    if real.is_file():
        path.write_bytes(gzip.decompress(real.read_bytes()))
    else:
        write_table(simulate(SimulationSettings(families=40, lines_per_family=130, snps=4300)), path)
    return path


@pytest.mark.timeout(3600)
def test_bad_files_are_refused_in_the_words_of_the_command_line(
    server: Server, new_page: NewPage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = new_page()
    open_upload(page, server)
    for number, bad in enumerate(BAD_FILES):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = bad.write(folder)
        assert main(["inspect", str(path)]) == 1, bad.name
        refusal = sentence(capsys.readouterr().err.splitlines()[-1].removeprefix("error: "))
        upload(page, path)
        wait_for_alert(page, refusal)
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(1)
        expect(button(page, "Use this dataset")).to_have_count(0)
    assert page.evaluate("() => window.hacked") is None
    expect(page.get_by_test_id("stMain").locator("img")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)

    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate((UPLOAD_LIMIT + 1) * 1024**2)
    upload(page, large)
    expect(page.get_by_text(f"File must be {UPLOAD_LIMIT}.0MB or smaller.")).to_be_visible()
    expect(page.get_by_text(f"At most {UPLOAD_LIMIT} MB. For a larger file")).to_be_visible()


def open_upload(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/data")
    page.get_by_role("radio", name="Upload").or_(button(page, "Upload")).first.click()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()


def upload(page: Page, path: Path) -> None:
    field = page.locator('input[type="file"]')
    expect(field).to_have_count(1)  # the one of the file before is gone
    field.set_input_files(path)


def wait_for_alert(page: Page, text: str) -> None:
    """A message says so, but for the invisible characters that keep it from being Markdown."""
    page.wait_for_function(
        """text => [...document.querySelectorAll('[data-testid="stAlert"]')]
          .some((alert) => alert.innerText.replaceAll('\u2060', '').includes(text))""",
        arg=text,
    )


# What a person sees and touches


def button(page: Page, label: str) -> Locator:
    """One of ours: Streamlit's own "Stop", beside the runner, stops drawing the page."""
    written = page.get_by_text(label, exact=True)
    ours = page.locator('button:not([data-testid="stHeader"] *)')
    return ours.filter(has=written).locator("visible=true").first


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def choose(page: Page, label: str, option: str) -> None:
    """Typed, not clicked: the open list closes when the page is drawn anew."""
    box = page.get_by_role("combobox", name=label)
    box.fill(option)
    box.press("Enter")
    expect(box).to_have_value(option)


def metric(page: Page, label: str) -> Locator:
    return (
        page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{label}")).get_by_test_id("stMetricValue").first
    )


def progress(page: Page) -> Locator:
    return page.get_by_test_id("stProgress")


def state(page: Page) -> Locator:
    """That of the search; the study has one of its own, above."""
    return page.get_by_test_id("stMarkdownContainer").locator(".stMarkdownBadge").nth(1)


def chips(page: Page) -> Locator:
    return page.locator('[class*="-chip-"] button:visible')


def filtered(page: Page) -> tuple[int, int]:
    """How many trials pass the brush, of how many."""
    text = page.get_by_text(re.compile(r"^\d+ of \d+ trials$")).last.inner_text()
    passed, trials = (int(number) for number in re.findall(r"\d+", text))
    return passed, trials


def brush_in_url(page: Page) -> tuple[float, float]:
    found = re.search(r"[?&]brush=learning_rate~([\d.e-]+)\.\.([\d.e-]+)(&|$)", page.url)
    assert found is not None, page.url
    return float(found[1]), float(found[2])


def table_of_trials(page: Page) -> Locator:
    return page.get_by_test_id("stDataFrame").locator('[role="grid"]').first
