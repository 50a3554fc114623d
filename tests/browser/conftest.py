"""A dashboard on a free port, and a real Chromium to look at it with."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.chromium import chromium as open_chromium
from benchmarks.chromium import find_chromium
from tests.waiting import LIMIT, MILLISECONDS, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Server:
    """A running Streamlit server; ``url`` is the address of the app, without a slash at its end."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


StartServer = Callable[..., Server]
NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or whatever ``GWAS_CHROMIUM`` names; skipped, and counted, where there is none."""
    if find_chromium() is None:
        pytest.skip("no browser test was run: Chromium is not here (Debian: apt-get install chromium)")
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """``start_server(script, environment=..., base_path=...)`` starts a server and waits until it answers.

    A script outside the repository's root is run from a folder of its own, beside a link to ``static``, since
    Streamlit serves that folder beside the script.
    """
    servers: list[Server] = []

    def start(script: Path, *, environment: Mapping[str, str] | None = None, base_path: str = "") -> Server:
        folder = tmp_path_factory.mktemp("server")
        if script.parent != REPOSITORY:
            script = Path(shutil.copy(script, folder))
            (folder / "static").symlink_to(REPOSITORY / "static")
        port = _free_port()
        log = folder / "log.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "streamlit", "run", str(script),
                    "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true",
                    "--server.fileWatcherType", "none", "--server.baseUrlPath", base_path,
                ],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        server = Server(f"http://127.0.0.1:{port}/{base_path}".rstrip("/"), process, log)
        servers.append(server)
        _wait_until_it_answers(server)
        return server

    yield start
    for server in servers:
        os.killpg(server.process.pid, signal.SIGTERM)
        server.process.wait(timeout=LIMIT)


@pytest.fixture(scope="session")
def profile(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh profile that the tests of a run share: what one page has loaded, the next need not."""
    context = chromium.new_context(accept_downloads=True)
    context.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    yield context
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell fixtures that the test failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def new_page(profile: BrowserContext, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewPage]:
    """``new_page(dark=..., width=..., height=...)`` opens a page; each has a Streamlit session of its own.

    Of a test that fails, pictures of its pages are left.
    """
    pages: list[Page] = []

    def new(*, dark: bool = False, width: int = 1100, height: int = 900) -> Page:
        page = profile.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        return page

    yield new
    for number, page in enumerate(pages):
        if request.node.stash.get(FAILED, False):
            picture = tmp_path / f"page-{number}.png"
            page.screenshot(path=picture, full_page=True)
            print(f"{page.url} looked like this: {picture}")
        page.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(server: Server) -> None:
    def is_up() -> bool:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=LIMIT) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(lambda: is_up() or server.process.poll() is not None)
    if server.process.poll() is not None:
        pytest.fail(f"the server did not start:\n{server.log.read_text(errors='replace')[-3000:]}")
