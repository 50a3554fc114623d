"""Make the pictures of README.md and docs/guide.md from the running dashboard.

    .venv/bin/python docs/make_pictures.py [--out docs/pictures] [--workspace FOLDER]

Runs the demo (about a minute), starts the dashboard on it, walks through the pages in Chromium and writes one PNG a
page. ``--workspace`` takes an existing one and its newest finished experiment instead. Needs Debian's ``chromium``, or
whatever ``GWAS_CHROMIUM`` names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
# Parallel coordinates are drawn by WebGL, here in software.
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
]
WAIT = 60_000  # milliseconds


def command(*arguments: str, workspace: Path) -> str:
    """What a command of the program printed."""
    done = subprocess.run(
        [sys.executable, "-m", "gwas_core", *arguments],
        cwd=ROOT,
        env={**os.environ, "GWAS_WORKSPACE": str(workspace)},
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
        [sys.executable, "-m", "streamlit", "run", "app.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "GWAS_WORKSPACE": str(workspace), "GWAS_NO_DEMO": "1"},
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


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    path = os.environ.get("GWAS_CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise SystemExit(
            "Chromium is needed: install it (Debian: apt-get install chromium) or name it in GWAS_CHROMIUM."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


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
        ("data", "data", 1500),
        ("search", "search", 1500),
        ("experiments", "experiments", 700),
        ("association", f"association?{query}", 1500),
        ("model", f"model?{query}", 1700),
    ):
        page = open_page(browser, f"{address}/{url}")
        picture(page, out / f"{name}.png", most_pixels=most)
        page.close()
    page = open_page(browser, f"{address}/experiment?{query}")
    page.set_viewport_size({"width": 1280, "height": 2400})
    settle(page)
    brush(page, 0, top=0.1, bottom=0.75)
    picture(page, out / "experiment.png", most_pixels=1300)
    page.close()
    page = open_page(browser, f"{address}/experiment?{query}", dark=True)
    picture(page, out / "experiment-dark.png", most_pixels=1300)
    page.close()


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
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
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
