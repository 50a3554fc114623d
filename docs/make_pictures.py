"""Make the pictures of README.md, docs/guide.md and docs/kubeflow.md from the running dashboard.

    .venv/bin/python docs/make_pictures.py [--out docs/pictures] [--workspace FOLDER]
    .venv/bin/python docs/make_pictures.py --kubeflow

Runs the demo (about a minute), starts the dashboard on it, walks through the pages in Chromium and writes one PNG a
page. ``--workspace`` takes an existing one and its newest finished experiment instead. ``--kubeflow`` makes those
of docs/kubeflow.md: in place of a cluster stands the small Katib of the project's tests, whose jobs are processes of
this machine (a few minutes). Needs Debian's ``chromium``, or
whatever ``GWAS_CHROMIUM`` names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.chromium import NOT_HERE, chromium, find_chromium  # noqa: E402
from gwas_core.processes.detached import import_environment  # noqa: E402

WAIT = 60_000  # milliseconds


NAMESPACE = "kubeflow-user-example-com"
# A real search, small enough to be over in minutes.
SPACE = """
fixed: {network: hybrid, epochs: 12}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-4, maximum: 1.0e-2, scale: log}
  - {name: dropout_rate, kind: double, minimum: 0.0, maximum: 0.4}
"""


def command(*arguments: str, workspace: Path) -> str:
    """What a command of the program printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gwas_core", *arguments],
        cwd=ROOT,
        env=import_environment({**os.environ, "GWAS_WORKSPACE": str(workspace)}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def dashboard(workspace: Path) -> Iterator[str]:
    """The address of a dashboard that serves ``workspace`` while the context lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "streamlit", "run", "app.py", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "GWAS_WORKSPACE": str(workspace),
            "GWAS_NO_DEMO": "1",
            "GWAS_PROGRAM": "./run",
            "GWAS_TOKEN": "off",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the dashboard did not start") from None
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def open_page(browser: Browser, url: str, *, dark: bool = False, width: int = 1280) -> Page:
    """A page that has finished drawing itself."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page.set_default_timeout(WAIT)
    page.goto(url)
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until the script has run to its end and every plot is drawn."""
    page.locator('[data-testid="stMain"] h1').first.wait_for()
    page.wait_for_function(
        """() => !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"], [data-testid="stSpinner"]')
          && document.querySelector('.stApp')?.dataset.testScriptState !== 'running'
          && ![...document.querySelectorAll('.gwas-live-plot')].some((plot) => plot.ariaBusy !== 'false')"""
    )
    page.wait_for_timeout(700)  # what fades in


def picture(page: Page, path: Path, *, most_pixels: int = 100_000) -> None:
    """The whole page, also what lies below the window, at most ``most_pixels`` high."""
    width = page.evaluate("() => window.innerWidth")
    height = 0
    for _ in range(3):  # a plot that comes into view may grow
        found = page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
        if min(max(500, found), most_pixels) == height:
            break
        height = min(max(500, found), most_pixels)
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
    page.screenshot(path=path)
    print(path, file=sys.stderr)


def brush(page: Page, axis: int, *, top: float, bottom: float) -> None:
    """Drag along the axis with this place from the left, between shares of its height counted from above."""
    box = page.locator('.gwas-live-plot[aria-label^="Parallel"] .axis-brush .background').nth(axis).bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * top)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * bottom, steps=8)
    page.mouse.up()
    page.locator('[class*="-chip-"] button:visible').first.wait_for()
    settle(page)


def tour(browser: Browser, address: str, *, experiment: str, out: Path) -> None:
    """One picture a page, in the order of the guide."""
    query = urlencode({"experiment": experiment})
    for name, url, most in (
        ("home", "studies", 900),
        ("data", f"data?{query}", 1500),
        ("loci", f"loci?{query}", 1500),
        ("train", f"train?{query}", 1100),
        ("answer", f"answer?{query}", 1700),
        ("experiments", "experiments", 700),
    ):
        page = open_page(browser, f"{address}/{url}")
        picture(page, out / f"{name}.png", most_pixels=most)
        page.close()
    page = open_page(browser, f"{address}/machine-room?{query}")
    page.set_viewport_size({"width": 1280, "height": 2400})
    settle(page)
    brush(page, 0, top=0.1, bottom=0.75)
    picture(page, out / "machine-room.png", most_pixels=1300)
    page.close()
    page = open_page(browser, f"{address}/machine-room?{query}", dark=True)
    picture(page, out / "machine-room-dark.png", most_pixels=1300)
    page.close()


@contextlib.contextmanager
def local_katib(folder: Path, workspace: Path) -> Iterator[None]:
    """The environment of a dashboard whose cluster is the Katib of the tests, on this machine."""
    from tests.kubeflow.katib_server import KatibServer

    folder.mkdir()
    with KatibServer(folder) as server:
        os.environ |= {
            "KUBECONFIG": str(server.kubeconfig),
            "GWAS_KUBEFLOW_NAMESPACE": NAMESPACE,
            "GWAS_KUBEFLOW_TRIAL_KIND": "job",
            "GWAS_KUBEFLOW_MOUNT_PATH": str(workspace),
            "GWAS_KUBEFLOW_CPU": "1",
        }
        yield


def kubeflow_tour(browser: Browser, address: str, *, out: Path) -> None:
    """The pages of docs/kubeflow.md: the choice, an experiment that runs, what else is on the cluster."""
    page = open_page(browser, f"{address}/machine-room?{urlencode({'experiment': 'height'})}", width=1440)
    picture(page, out / "kubeflow-experiment.png", most_pixels=1230)
    page.close()
    page = open_page(browser, f"{address}/train", width=1440)
    page.get_by_text("Kubeflow cluster", exact=True).click()
    page.get_by_text("Is the cluster ready?").click()
    page.get_by_role("button", name="Check the cluster").click()
    page.get_by_role("table").wait_for()
    settle(page)
    picture_of(page, page.get_by_text("Run on", exact=True), out / "kubeflow-search.png", height=755)
    page.close()
    page = open_page(browser, f"{address}/experiments", width=1440)
    page.get_by_role("button", name="Look for experiments on the cluster").click()
    page.get_by_role("button", name="Open to view").wait_for()
    picture(page, out / "kubeflow-experiments.png", most_pixels=500)
    page.close()


def picture_of(page: Page, first: Locator, path: Path, *, height: int) -> None:
    """The part of a page that begins with an element."""
    page.set_viewport_size({"width": 1440, "height": 2600})
    settle(page)
    box = first.bounding_box()
    assert box is not None
    page.screenshot(path=path, clip={"x": 360, "y": box["y"] - 28, "width": 1020, "height": height})
    print(path, file=sys.stderr)


def make_kubeflow_pictures(folder: Path, out: Path) -> None:
    """A search on the cluster, half-way through, beside one that somebody else made."""
    workspace = folder / "workspace"
    (folder / "space.yaml").write_text(SPACE, encoding="utf-8")
    with contextlib.ExitStack() as stack:
        stack.enter_context(local_katib(folder / "cluster", workspace))
        from gwas_core.kubeflow.cluster import connect
        from gwas_core.kubeflow.settings import ClusterSettings
        from tests.kubeflow.quick_cluster import external_manifest

        api = connect(ClusterSettings.from_environment())
        api.create("experiments", external_manifest("'sleep 5; echo loss=${trialParameters.rate}'"))
        command(
            "tune", "data/demo_height.txt.gz", "--engine", "kubeflow", "--name", "height", "--space",
            str(folder / "space.yaml"), "--max-trials", "40", "--parallel-trials", "2", "--detach", "--json",
            workspace=workspace,
        )  # fmt: skip
        until = time.monotonic() + 900
        while json.loads(command("status", "height", "--json", workspace=workspace))["trials"]["succeeded"] < 6:
            if time.monotonic() > until:
                raise SystemExit("The search on the local Katib takes too long.")
            time.sleep(10)  # the command takes a second, of processors that the trials need
        address = stack.enter_context(dashboard(workspace))
        kubeflow_tour(stack.enter_context(chromium()), address, out=out)
        command("stop", "height", workspace=workspace)


def newest_finished(workspace: Path) -> str:
    experiments = json.loads(command("status", "--json", workspace=workspace))
    names = [entry["name"] for entry in experiments if entry["state"] == "succeeded"]
    if not names:
        raise SystemExit(f"No experiment in {workspace} has finished.")
    return str(names[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--kubeflow", action="store_true", help="those of docs/kubeflow.md")
    options = parser.parse_args()
    if find_chromium() is None:
        raise SystemExit(NOT_HERE)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.kubeflow:
        with tempfile.TemporaryDirectory() as folder:
            make_kubeflow_pictures(Path(folder), options.out)
        return
    with contextlib.ExitStack() as stack:
        workspace = options.workspace
        if workspace is None:
            workspace = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "workspace"
            command("demo", "--json", workspace=workspace)
        address = stack.enter_context(dashboard(workspace.absolute()))
        browser = stack.enter_context(chromium())
        tour(browser, address, experiment=newest_finished(workspace.absolute()), out=options.out)


if __name__ == "__main__":
    main()
