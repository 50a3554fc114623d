"""Command ``dashboard``: start of Streamlit, and the address behind a Kubeflow notebook server's proxy.

Also here: ``--no-demo``, and options for Streamlit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gwas_core.workspace import application_folder

_NOTEBOOK_PORT = "8888"


def open_dashboard(options: argparse.Namespace) -> None:
    """Become the Streamlit server of the dashboard; does not return."""
    environment = dashboard_environment(os.environ, options.streamlit_options)
    if options.no_demo:
        environment["GWAS_NO_DEMO"] = "1"
    folder = application_folder()
    # plotly.js is copied there when the first chart is drawn; Streamlit warns at its start where the folder is missing.
    with suppress(OSError):
        (folder / "static").mkdir(exist_ok=True)
    # -P: files of the folder that somebody happens to be in are no modules of ours.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(folder / "app.py"), *options.streamlit_options]
    sys.stderr.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own script, without a shell


def dashboard_environment(environment: Mapping[str, str], streamlit_options: Sequence[str]) -> dict[str, str]:
    """Return the server's environment, with the address that Kubeflow gives a notebook server.

    Port 8888 of a Kubeflow notebook server is seen under ``NB_PREFIX``. Any other port is reached through Jupyter's
    proxy, which takes the prefix off.

    Args:
        environment: of this process.
        streamlit_options: that were given to the command for Streamlit, such as ``--server.port 8888``.
    """
    # Of the programs that the server starts, too.
    found = {**environment, "PYTHONSAFEPATH": "1"}
    if _port(environment, streamlit_options) == _NOTEBOOK_PORT and not found.get("STREAMLIT_SERVER_BASE_URL_PATH"):
        found["STREAMLIT_SERVER_BASE_URL_PATH"] = environment.get("NB_PREFIX") or "/"
    return found


def _port(environment: Mapping[str, str], streamlit_options: Sequence[str]) -> str:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--server.port", dest="port")
    given: str | None = parser.parse_known_args(list(streamlit_options))[0].port
    return given or environment.get("STREAMLIT_SERVER_PORT", "")
