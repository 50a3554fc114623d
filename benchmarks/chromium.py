"""Pictures of pages and figures, made with Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Software drawing, so that it works without a screen; parallel coordinates need WebGL.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
]
NOT_HERE = "Chromium is needed: install it (Debian: apt-get install chromium) or name it in GWAS_CHROMIUM."


def find_chromium() -> str | None:
    """Return the path of Chromium (``GWAS_CHROMIUM``, or from the search path); None if there is none."""
    return os.environ.get("GWAS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium with a new profile, and close it at the end.

    Raises:
        FileNotFoundError: there is no Chromium; the message says what to do.
    """
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise FileNotFoundError(NOT_HERE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def save_picture(figure: Any, path: Path, *, width: int) -> None:
    """Save a plotly figure as PNG, on white, in double resolution.

    Raises:
        FileNotFoundError: there is no Chromium.
    """
    figure.update_layout(width=width, paper_bgcolor="white", plot_bgcolor="white")
    page_text = figure.to_html(include_plotlyjs=True, config={"staticPlot": True})
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width + 40, "height": 1200}, device_scale_factor=2)
        page.set_content(page_text)
        plot = page.locator(".js-plotly-plot")
        plot.locator(".main-svg").first.wait_for()
        path.write_bytes(plot.screenshot())
