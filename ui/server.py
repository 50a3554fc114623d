"""Say at which address the server is, with its token, when it has started; open it in a browser; end in order.

Also here: that no program's command line shows the token; that the folder somebody starts it from sets nothing.
"""

from __future__ import annotations

import html
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from streamlit import cli_util, config

from gwas_core.workspace import Workspace
from ui.access import access

_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
_REDIRECT = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}"><title>…</title>'


def forget_settings_of_folder(script: Path) -> None:
    """Take back what ``.streamlit/config.toml`` of the current folder has set, unless it is the folder of ``script``.

    Streamlit reads the file of whatever folder it is started from. That of ``script`` goes before it, but only for what
    is written there.
    """
    folder = Path.cwd().absolute()
    if folder == script.parent:
        return
    foreign = str(folder / ".streamlit" / "config.toml")
    for name, option in config.get_config_options().items():
        # Whether there is a screen is found out by a function, which is lost when a file says it.
        if foreign in str(option.where_defined) and name != "server.headless":
            option.set_value(option.default_val)


@asynccontextmanager
async def announced(_app: Any) -> AsyncIterator[None]:
    """Tell the person at the terminal where the dashboard is, for as long as it serves."""
    url = address()
    sys.stdout.write(f"\n  The dashboard is at {url}\n{_note()}\n")
    sys.stdout.flush()
    with _opened(url):
        yield
    if os.name == "posix":
        # uvicorn ends in order and then sends itself the signal that ended it, which would look like a crash.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))


def address() -> str:
    """Return the address of the server, with the token if one is asked for."""
    is_named = config.is_manually_set("browser.serverAddress")
    host = str(st.get_option("browser.serverAddress" if is_named else "server.address") or "")
    host = "localhost" if host in _EVERY_ADDRESS else host
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    port = st.get_option("server.port")
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/{base + '/' if base else ''}"
    token = access().token
    return url if token is None else f"{url}?token={quote(token, safe='')}"


def _note() -> str:
    if access().token is None:
        return "  It asks for no token: whoever reaches this address may use it.\n"
    return "  Whoever has this address may do there what you may do here. Your browser is remembered for 30 days.\n"


@contextmanager
def _opened(url: str) -> Iterator[None]:
    """Open an address in the person's browser, unless the server is to run without one.

    All accounts of a machine may read the command lines of all programs, so the browser is given the path of a private
    file that leads to the address.
    """
    if st.get_option("server.headless"):
        yield
        return
    folder = Workspace.from_environment().root
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix=".open-", suffix=".html", dir=folder if folder.is_dir() else None
    ) as file:
        file.write(_REDIRECT.format(url=html.escape(url)))
        file.flush()
        # Beside the server, which answers only after this.
        threading.Thread(target=_open, args=(Path(file.name).absolute().as_uri(),), daemon=True).start()
        yield


def _open(url: str) -> None:
    # No browser is no reason to end: the address is printed.
    with suppress(Exception):
        cli_util.open_browser(url)
