"""The dashboard behind proxies, as Kubeflow has them: under ``NB_PREFIX``, and behind Jupyter, which takes it off.

A real nginx stands where Kubeflow's gateway does: it keeps the path, and answers 404 to whatever leaves the prefix.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gwas_core.tuning.demo import DEMO_FILE
from gwas_core.tuning.local import LocalEngine
from tests.browser.conftest import REPOSITORY, NewPage, StartServer
from tests.browser.mouse import wait_for_plot
from tests.notebooks.jupyter_environment import jupyter_environment
from tests.tuning.quick_experiments import quick_experiment, quick_model, quick_workspace
from tests.waiting import LIMIT, MILLISECONDS, wait_until

# A name other than the servers' own, since browsers and servers look at where a request came from.
HOST = "kubeflow.localhost"
DASHBOARD, LAB = "/notebook/user/gwas", "/notebook/user/lab"
TRIALS = 200

# The first test of Jupyter may have it to install.
pytestmark = pytest.mark.timeout(3600)

NGINX = """
daemon off;
user {user};
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  log_format plain '$status $uri';
  access_log {folder}/access.log plain;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass http://127.0.0.1:{target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
    location / {{ return 404; }}
  }}
}}
"""


@dataclass(frozen=True)
class Gateway:
    """An nginx that leads to a server; ``url`` is where its prefix is, without a slash at its end."""

    url: str
    log: Path

    def refused(self) -> list[str]:
        """What was asked for outside the prefix, or not found inside it.

        Browsers ask for an icon by themselves; Streamlit tries, under a deep link, where the app begins.
        """
        tried = re.compile(r"/favicon\.ico$|/(machine-room|loci|train|data|studies)/_stcore/(health|host-config)$")
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line[0] in "45" and not tried.search(line)]


StartGateway = Callable[[str, int], Gateway]
StartJupyter = Callable[[], int]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a workspace in which an experiment is at work for as long as these tests are."""
    workspace, dataset = quick_workspace(tmp_path_factory.mktemp("workspace"))
    engine = LocalEngine(workspace)
    with quick_model():
        engine.start(quick_experiment(dataset, fixed={"epoch_seconds": 0.3}, max_trials=TRIALS, parallel_trials=1))
    yield workspace.root
    engine.stop("quick")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """``gateway(prefix, port)`` starts an nginx that leads a prefix to a port of this machine."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("no proxy was tried: nginx is not here (Debian: apt-get install nginx)")
    started: list[subprocess.Popen[bytes]] = []

    def start(prefix: str, target: int) -> Gateway:
        port = free_port()
        configuration = tmp_path / "nginx.conf"
        values = {"folder": tmp_path, "port": port, "prefix": prefix, "target": target}
        # Uploads are buffered in a folder that only we may write.
        configuration.write_text(NGINX.format(user=getpass.getuser(), **values))
        started.append(subprocess.Popen([nginx, "-c", str(configuration), "-p", str(tmp_path)], start_new_session=True))
        wait_for(f"http://127.0.0.1:{port}{prefix}/")
        return Gateway(f"http://{HOST}:{port}{prefix}", tmp_path / "access.log")

    yield start
    end(started)


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[StartJupyter]:
    """``jupyter()`` starts JupyterLab as the container does, under its prefix, and says on which port."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        port = free_port()
        programs = jupyter_environment()
        environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "NB_PREFIX": LAB,
            "GWAS_WORKSPACE": str(tmp_path),
        }
        started.append(
            subprocess.Popen(
                [REPOSITORY / "deploy" / "entrypoint", "jupyter", f"--ServerApp.port={port}", "--allow-root"],
                env=environment,
                start_new_session=True,
            )
        )
        wait_for(f"http://127.0.0.1:{port}{LAB}/api")
        return port

    yield start
    end(started)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=LIMIT).close()
        except OSError:
            return False
        return True

    wait_until(answers, told=lambda: f"{url} did not answer")


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_under_the_prefix_of_a_notebook_server(
    experiment: Path, start_server: StartServer, gateway: StartGateway, new_page: NewPage, tmp_path: Path
) -> None:
    server = start_server(
        REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(experiment)}, base_path=DASHBOARD.strip("/")
    )
    port = int(server.url.split(":")[2].split("/")[0])
    front = gateway(DASHBOARD, port)
    go_through_it(new_page(width=1300), front.url, tmp_path)
    assert front.refused() == []


def test_behind_jupyter_which_takes_the_prefix_off(
    experiment: Path,
    start_server: StartServer,
    gateway: StartGateway,
    jupyter: StartJupyter,
    new_page: NewPage,
    tmp_path: Path,
) -> None:
    server = start_server(REPOSITORY / "app.py", environment={"GWAS_WORKSPACE": str(experiment)})
    port = server.url.rsplit(":", 1)[1]
    front = gateway(LAB, jupyter())
    go_through_it(new_page(width=1300), f"{front.url}/proxy/{port}", tmp_path)
    assert front.refused() == []


def test_from_the_tile_of_jupyters_launcher(gateway: StartGateway, jupyter: StartJupyter, new_page: NewPage) -> None:
    front = gateway(LAB, jupyter())
    page = new_page(width=1300)
    page.goto(f"{front.url}/lab")
    with page.expect_popup() as opened:
        page.get_by_text("Deep GWAS Dashboard").first.click(timeout=MILLISECONDS)
    dashboard = opened.value
    expect(dashboard.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible(timeout=MILLISECONDS)
    assert dashboard.url.startswith(f"{front.url}/dashboard/")
    dashboard.close()


def go_through_it(page: Page, base: str, folder: Path) -> None:
    """What needs more than one request: links, web socket, live refresh, plotly.js, upload, download."""
    page.goto(f"{base}/machine-room?experiment=quick")
    expect(page.get_by_role("heading", name="Machine room", exact=True)).to_be_visible()
    watch(page)
    wait_for_plot(page)
    for name in ("Loci", "Train"):
        page.get_by_test_id("stMain").get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        assert page.url.split("?")[0] == f"{base}/{name.lower()}"
    page.goto(f"{base}/data")
    upload(page)
    wait_until_all_is_there(page)
    page.goto(f"{base}/loci?experiment=quick")
    download(page, folder)
    wait_until_all_is_there(page)
    page.goto(f"{base}/")
    expect(page.get_by_role("heading", name="Deep GWAS", exact=True)).to_be_visible()
    assert page.url.startswith(base)
    assert page.get_by_test_id("stException").count() == 0
    wait_until_all_is_there(page)


def wait_until_all_is_there(page: Page) -> None:
    """What a page still asks for when it is left counts as given up by the browser (499), which is no answer."""
    page.wait_for_load_state("networkidle")


def watch(page: Page) -> None:
    """The number of trials goes up by itself."""
    progress = page.get_by_test_id("stProgress")
    expect(progress).to_contain_text(re.compile(rf"^\d+ of {TRIALS} "))
    done = int(progress.inner_text().split()[0])
    later = "|".join(str(done + more) for more in range(2, 40))
    expect(progress).to_contain_text(re.compile(rf"^({later}) of"), timeout=MILLISECONDS)


def upload(page: Page) -> None:
    page.get_by_role("radio", name="Upload").or_(page.get_by_role("button", name="Upload")).first.click()
    page.locator('input[type="file"]').set_input_files(DEMO_FILE)
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    lines = page.get_by_test_id("stMetric").filter(has_text="Lines").get_by_test_id("stMetricValue")
    expect(lines).to_have_text("800")


def download(page: Page, folder: Path) -> None:
    with page.expect_download() as started:
        page.get_by_role("button", name="Download in GWAS-SSF columns").click()
    started.value.save_as(folder / "associations.tsv")
    assert (folder / "associations.tsv").read_text().startswith("chromosome\tbase_pair_location\t")
