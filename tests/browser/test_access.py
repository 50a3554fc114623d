"""The token in front of the dashboard, as browsers and programs meet it."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from gwas_core.tuning.local import LocalEngine
from tests.browser.conftest import REPOSITORY, Server, StartServer
from tests.tuning.quick_experiments import quick_experiment, quick_model, quick_workspace
from tests.waiting import LIMIT, MILLISECONDS, wait_until

TOKEN = "a-token-of-the-tests/with?signs&more"
SENTENCE = "This dashboard asks for its token"
PAGES = (
    "studies",
    "data",
    "train",
    "experiments",
    "machine-room?experiment=quick",
    "loci",
    "answer",
    "predict",
    "search",
)
# What Streamlit answers without running a page's script.
BESIDES = (
    "_stcore/host-config",
    "_stcore/metrics",
    "_stcore/script-health-check",
    "_stcore/agent/sessions",
    "_stcore/upload_file/x/y",
    "_stcore/bidi-components/x",
    "media/x",
    "component/x",
    "app/static/x",
    "static/x",
    "index.html",
    "_stcore/health/",
    "_stcore/health/../metrics",
    "%5fstcore/metrics",
    "/_stcore/metrics",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in which a search has finished."""
    workspace, dataset = quick_workspace(tmp_path_factory.mktemp("workspace"))
    engine = LocalEngine(workspace)
    with quick_model():
        engine.start(quick_experiment(dataset, max_trials=2))
        wait_until(lambda: not engine.sync("quick").state.is_active())
    return workspace.root


@pytest.fixture(scope="module")
def server(workspace: Path, start_server: StartServer) -> Server:
    return start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace), "GWAS_TOKEN": TOKEN})


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that was never here."""
    context = chromium.new_context()
    context.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    yield context
    context.close()


def asked(url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None) -> int:
    """The status of an answer."""
    request = urllib.request.Request(url, method=method, headers=headers or {}, data=body)
    try:
        response = urllib.request.urlopen(request, timeout=LIMIT)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        status, said = int(response.status), response.read().decode()
    if status == 403 and method != "HEAD":
        assert said.startswith((SENTENCE, "That is not the token"))
    return status


def posted(server: Server, form: str) -> int:
    """The status of the answer to a form, which is not followed anywhere."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=LIMIT)
    with closing(connection):
        connection.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"})
        return connection.getresponse().status


def printed_address(server: Server) -> str:
    found = re.search(r"The dashboard is at (\S+)", server.log.read_text())
    assert found is not None
    return found.group(1)


def test_without_the_token_nothing_is_answered_but_that_the_server_lives(server: Server) -> None:
    assert asked(f"{server.url}/_stcore/health") == 200
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
    tried = [(method, path) for path in ("", *PAGES, *BESIDES) for method in methods]
    answered = [(method, path) for method, path in tried if asked(f"{server.url}/{path}", method=method) != 403]
    print(f"{len(tried)} requests without the token, {len(answered)} answered")
    assert answered == []
    for token in ("wrong", "", TOKEN[:-1], TOKEN + "x", "off", "None"):
        assert asked(f"{server.url}/experiments?token={token}") == 403
        assert asked(server.url, method="POST", body=f"token={token}".encode()) == 403
        assert asked(server.url, headers={"Authorization": f"token {token}"}) == 403
    # The right one lets in, and not in a form that is not read to its end.
    for more, status in (0, 303), (100_000, 403):
        assert posted(server, f"token={quote(TOKEN)}&more={'x' * more}") == status
    assert asked(server.url, headers={"Authorization": f"token {TOKEN}"}) == 200
    for host in ("[", "a b", "x" * 5000):
        assert asked(f"{server.url}/experiments?token=wrong", headers={"Host": host}) in (400, 403)


def shake(server: Server, **headers: str) -> str:
    """The first line of the answer to a web socket's handshake."""
    port = urlsplit(server.url).port
    given = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", **headers}
    given |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    lines = ["GET /_stcore/stream HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(200).decode().splitlines()[0]


def test_a_web_socket_needs_the_token_and_a_page_of_this_address(server: Server) -> None:
    port = urlsplit(server.url).port
    known = {"Authorization": f"token {TOKEN}"}
    assert " 403 " in shake(server)
    assert " 403 " in shake(server, Authorization="token wrong")
    assert " 101 " in shake(server, **known)
    assert " 101 " in shake(server, **known, Origin=f"http://127.0.0.1:{port}")
    # Cookies of one machine are sent to all its ports, by a page of any of them.
    assert " 403 " in shake(server, **known, Origin=f"http://127.0.0.1:{(port or 0) + 1}")
    assert " 403 " in shake(server, **known, Origin="http://localhost:1")
    assert " 403 " in shake(server, **known, Origin="http://[")


def test_a_browser_shows_the_token_once_and_is_remembered(
    server: Server, workspace: Path, start_server: StartServer, context: BrowserContext
) -> None:
    page = context.new_page()
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_label("Token")).to_be_visible()
        assert page.locator("p").inner_text().startswith(SENTENCE)
        assert "quick" not in page.content().replace("experiment=quick", "")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("That is not the token")).to_be_visible()
    # The link that somebody followed is where they arrive, and the token is not in it.
    page.goto(f"{server.url}/machine-room?experiment=quick")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    assert page.url.startswith(f"{server.url}/machine-room?experiment=quick")
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    # Also by the next server of this workspace.
    context_after = start_server(
        REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace), "GWAS_TOKEN": TOKEN}
    )
    page.goto(f"{context_after.url}/machine-room?experiment=quick")
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    (cookie,) = (found for found in context.cookies() if found["name"].startswith("gwas-access-"))
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert TOKEN not in cookie["value"]


def test_the_printed_address_opens_the_dashboard_and_loses_its_token(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(printed_address(server))
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()
    assert "token" not in page.url
    # A deep link that carries it, in a browser that is known by now.
    page.goto(printed_address(server).replace("/?", "/machine-room?experiment=quick&"))
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    assert page.url.startswith(f"{server.url}/machine-room?experiment=quick")
    assert "token" not in page.url
    # Nor with a wrong one.
    page.goto(f"{server.url}/experiments?token=wrong")
    expect(page.get_by_role("heading", name="All searches", exact=True)).to_be_visible()
    assert "token" not in page.url
    log = server.log.read_text()
    assert log.count(printed_address(server)) == 1
    assert TOKEN not in log.replace(printed_address(server), "")


@pytest.mark.parametrize("way", ["in the address", "typed"])
def test_a_page_asked_for_as_a_folder_opens_the_whole_dashboard(
    way: str, server: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    query = f"experiment=quick&token={quote(TOKEN)}" if way == "in the address" else "experiment=quick"
    page.goto(f"{server.url}/machine-room/?{query}")
    if way == "typed":
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
    # What it shows comes through the web socket, which needs the cookie too.
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    assert page.url.startswith(f"{server.url}/machine-room?experiment=quick")
    assert "token" not in page.url


def test_without_a_token_of_ours_each_start_has_one(
    workspace: Path, start_server: StartServer, context: BrowserContext
) -> None:
    server = start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace), "GWAS_TOKEN": ""})
    assert asked(server.url) == 403
    page = context.new_page()
    page.goto(printed_address(server))
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()


@pytest.mark.parametrize("environment", [{"GWAS_TOKEN": "off"}, {"GWAS_TOKEN": "", "NB_PREFIX": "/notebook/a/b"}])
def test_where_it_is_off_everybody_is_let_in(
    environment: dict[str, str], workspace: Path, start_server: StartServer, context: BrowserContext
) -> None:
    server = start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(workspace), **environment})
    assert "token=" not in server.log.read_text()
    page = context.new_page()
    page.goto(f"{server.url}/machine-room?experiment=quick")
    expect(page.get_by_test_id("stMetric").first).to_be_visible()


def test_under_a_prefix(workspace: Path, start_server: StartServer, context: BrowserContext) -> None:
    server = start_server(
        REPOSITORY / "app.py",
        environment={"GWAS_WORKSPACE": str(workspace), "GWAS_TOKEN": TOKEN},
        base_path="some/where",
    )
    assert asked(f"{server.url}/_stcore/health") == 200
    assert asked(server.url.replace("some/where", "_stcore/health")) == 403
    page = context.new_page()
    page.goto(printed_address(server).replace("/?", "/machine-room?experiment=quick&"))
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    assert page.url.startswith(f"{server.url}/machine-room?experiment=quick")
    (cookie,) = (found for found in context.cookies() if found["name"].startswith("gwas-access-"))
    assert cookie["path"] == "/some/where"


def test_a_page_that_is_served_by_itself_shows_nothing(
    workspace: Path, start_server: StartServer, context: BrowserContext
) -> None:
    server = start_server(
        REPOSITORY / "pages" / "experiments.py",
        environment={"GWAS_WORKSPACE": str(workspace), "GWAS_TOKEN": TOKEN},
    )
    page = context.new_page()
    page.goto(server.url)
    expect(page.get_by_text(SENTENCE)).to_be_visible()
    assert "quick" not in page.locator("body").inner_text()


Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(*command)`` starts a dashboard in a folder whose settings are hostile, and says its printed address."""
    settings = tmp_path / "folder" / ".streamlit"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(
        '[server]\naddress = "0.0.0.0"\nmaxUploadSize = 1\nenableCORS = false\nenableXsrfProtection = false\n'
        '[theme]\nbase = "dark"\nprimaryColor = "#ff0000"\nbackgroundColor = "#ff0000"\n'
        '[theme.light]\nbackgroundColor = "#ff0000"\n[browser]\ngatherUsageStats = true\n'
    )
    started: list[subprocess.Popen[str]] = []

    def run(*command: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith(("GWAS_", "STREAMLIT_"))}
        process = subprocess.Popen(
            [*command, "--server.port", "0"],
            cwd=tmp_path / "folder",
            env={
                **known,
                "PYTHONPATH": str(REPOSITORY),
                "GWAS_WORKSPACE": str(tmp_path / "workspace"),
                "GWAS_NO_DEMO": "1",
                "STREAMLIT_SERVER_HEADLESS": "true",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"The dashboard is at (\S+)", line):
                return process, found.group(1)
        pytest.fail("".join(lines))

    yield run
    for process in started:
        process.kill()
        process.communicate()


WAYS = {
    "the command": [sys.executable, "-P", "-m", "gwas_core", "dashboard"],
    "streamlit run": [sys.executable, "-P", "-m", "streamlit", "run", str(REPOSITORY / "app.py")],
}


@pytest.mark.parametrize("way", WAYS)
def test_address_limit_and_theme_hold_from_any_folder(way: str, start: Start, context: BrowserContext) -> None:
    process, url = start(*WAYS[way])
    port = urlsplit(url).port
    assert urlsplit(url).hostname == "127.0.0.1"
    assert listening(process.pid) == {f"127.0.0.1:{port}"}
    page = context.new_page()
    page.emulate_media(color_scheme="light")
    page.goto(url.replace("/?", "/data?"))
    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("At most 500 MB.")).to_be_visible()
    button = page.get_by_role("button", name="Load the demo data")
    page.get_by_text("Demo data", exact=True).click()
    expect(button).to_be_visible()
    background = "element => getComputedStyle(element).backgroundColor"
    assert button.evaluate(background) == "rgb(11, 110, 79)"
    assert page.locator(".stApp").evaluate(background) == "rgb(255, 255, 255)"
    assert page.evaluate("() => document.cookie").startswith("_streamlit_xsrf"), "the protection of uploads is on"


def listening(pid: int) -> set[str]:
    """The addresses at which a process listens."""
    import psutil

    found = psutil.Process(pid).net_connections(kind="tcp")
    return {f"{entry.laddr.ip}:{entry.laddr.port}" for entry in found if entry.status == psutil.CONN_LISTEN}


def test_it_ends_in_order_when_told_with_a_page_open(start: Start, context: BrowserContext) -> None:
    process, url = start(*WAYS["the command"])
    page = context.new_page()
    page.goto(url)
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()
    process.terminate()
    printed, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert "Traceback" not in printed
    assert "token=" not in printed


def test_the_browser_that_is_opened_is_not_given_the_token_where_others_can_read_it(
    start: Start, tmp_path: Path, context: BrowserContext
) -> None:
    """All accounts of a machine see the command lines of all programs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    opened = tmp_path / "opened"
    (programs / "xdg-open").write_text(f'#!/bin/sh\necho "$@" >{opened}.new\nmv {opened}.new {opened}\n')
    (programs / "xdg-open").chmod(0o755)
    _, url = start(*WAYS["the command"], PATH=f"{programs}:{os.environ['PATH']}", STREAMLIT_SERVER_HEADLESS="false")
    given = wait_until(lambda: opened.is_file() and opened.read_text().strip())
    assert isinstance(given, str)
    assert given.startswith("file:///")
    assert url.split("token=")[1] not in given
    file = Path(given.removeprefix("file://"))
    assert file.stat().st_mode & 0o777 == 0o600
    page = context.new_page()
    page.goto(given)
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()
    assert "token" not in page.url
