"""What a browser fetches while somebody uses the dashboard: nothing from outside, ever."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect

from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.tuning.demo import DEMO_FILE, read_demo
from gwas_core.tuning.local import LocalEngine
from tests.browser.conftest import REPOSITORY, Server, StartServer
from tests.browser.mouse import wait_for_plot
from tests.tuning.quick_experiments import quick_experiment, quick_model, quick_workspace
from tests.waiting import MILLISECONDS, wait_until

PAGES = ("studies", "data", "train", "experiments", "machine-room?experiment=quick", "loci?experiment=quick",
         "answer?experiment=quick", "predict?experiment=quick")  # fmt: skip

# What Chromium asks what the fields of any form are for, whoever's page it is.
BY_ITSELF = "CONNECT content-autofill.googleapis.com:443 "


class Outside(socketserver.ThreadingTCPServer):
    """A proxy for all but this machine that notes what is asked for, and leads nowhere.

    Playwright does not report all that a browser fetches: the page's icon, for one.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Refuse(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Outside)
        line = self.rfile.readline(2000).decode("latin-1").strip()
        if BY_ITSELF not in line:
            self.server.asked.append(line)
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, start_server: StartServer) -> Server:
    """One whose workspace has a finished search, on data that are in the library, too."""
    workspace, dataset = quick_workspace(tmp_path_factory.mktemp("workspace"))
    engine = LocalEngine(workspace)
    with quick_model():
        engine.start(quick_experiment(dataset, max_trials=3))
        wait_until(lambda: not engine.sync("quick").state.is_active())
    DatasetLibrary(workspace).add(read_demo()[0], source=DEMO_FILE.name)
    return start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace.root)})


class Watch:
    """What a page asks for, and what it says was blocked."""

    def __init__(self, page: Page, url: str) -> None:
        self._own = urlsplit(url).netloc
        self.foreign: list[str] = []
        self.own = 0
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))
        page.on("console", self._listen)

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("data", "blob") or parts.netloc == self._own:
            self.own += 1
        else:
            self.foreign.append(url)

    def _listen(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.foreign.append(message.text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_asks_another_server_for_anything(
    scheme: str, server: Server, chromium: Browser, outside: Outside, tmp_path: Path
) -> None:
    context = chromium.new_context(
        color_scheme=scheme, proxy={"server": outside.url, "bypass": "127.0.0.1"}, accept_downloads=True
    )
    context.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    page = context.new_page()
    watch = Watch(page, server.url)
    for name in PAGES:
        page.goto(f"{server.url}/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settle(page)
        # Which icon the browser shows, and where it has it from.
        icons = page.locator('link[rel~="icon"]').evaluate_all("links => links.map(link => link.href)")
        assert icons
        assert {urlsplit(icon).netloc for icon in icons} <= {urlsplit(server.url).netloc, ""}, icons
        assert not any("favicon.png" in icon for icon in icons), "Streamlit's"
    page.goto(f"{server.url}/machine-room?experiment=quick")
    wait_for_plot(page)
    page.goto(f"{server.url}/data")
    page.get_by_text("Upload", exact=True).click()
    page.locator('input[type="file"]').set_input_files(DEMO_FILE)
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    settle(page)
    page.goto(f"{server.url}/loci?experiment=quick")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download in GWAS-SSF columns").click()
    started.value.save_as(tmp_path / "associations.tsv")
    print(f"{scheme}: {watch.own} requests to the dashboard, {len(watch.foreign) + len(outside.asked)} to others")
    assert watch.own > 50
    assert watch.foreign == []
    # That the proxy would have noticed: what a page may not do, a person's own address bar may.
    assert outside.asked == []
    with pytest.raises(Error):
        page.goto("http://outside.example/")
    assert {line.split()[1] for line in outside.asked} == {"http://outside.example/"}
    context.close()


def settle(page: Page) -> None:
    page.wait_for_function(
        """() => !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"], [data-testid="stSpinner"]')
          && document.querySelector('.stApp')?.dataset.testScriptState !== 'running'"""
    )


def test_a_page_cannot_make_a_browser_ask_another_server(server: Server, chromium: Browser, outside: Outside) -> None:
    """Whatever a library does in its next version."""
    context = chromium.new_context(proxy={"server": outside.url, "bypass": "127.0.0.1"})
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    page.goto(f"{server.url}/experiments")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=MILLISECONDS)
    refused = page.evaluate(
        """async () => {
          const outside = 'http://outside.example/x'
          const link = document.querySelector('link[rel~="icon"]'); link.href = outside
          const image = () => new Promise(done => {
            const image = new Image(); image.onload = () => done(false); image.onerror = () => done(true)
            image.src = outside})
          const script = () => new Promise(done => {
            const script = document.createElement('script'); script.onload = () => done(false)
            script.onerror = () => done(true); script.src = outside; document.head.append(script)})
          return [await image(), await script(), await fetch(outside).then(() => false, () => true)]
        }"""
    )
    assert refused == [True, True, True]
    assert outside.asked == []
    context.close()
