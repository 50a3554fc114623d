"""The demo experiment that is already tuning when somebody opens the dashboard for the first time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import streamlit as st

from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.tuning.demo import DEMO_FILE, DEMO_NAME, first_start_is_over
from gwas_core.tuning.records import ExperimentSummary
from gwas_core.workspace import Workspace
from ui.store import sentence
from ui.text import markdown_text

_LEFT_OUT = "GWAS_NO_DEMO"
_COMMAND = ("demo", "--first-start", "--detach")


@dataclass(frozen=True)
class DemoStart:
    """The process that prepares and starts the demo experiment, and what it writes."""

    process: subprocess.Popen[bytes] | None
    log: IO[bytes] | None
    reason: str = ""

    def is_under_way(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def problem(self) -> str:
        """Why there is no demo experiment; empty while it is under way and once it runs."""
        if self.process is None or self.log is None:
            return self.reason
        if self.process.poll() in (None, 0):
            return ""
        return last_line(Path(self.log.name)).removeprefix("error: ") or "its process ended without a word"


def start_demo() -> DemoStart | None:
    """See to it that a demo experiment runs if this is the first start; None where there is nothing to do.

    Asked in every run of every page. The process of this server is started once, and of all servers' processes
    one finds that it is the first (``gwas_core.tuning.demo``).
    """
    if os.environ.get(_LEFT_OUT, "") not in ("", "0"):
        return None
    return _start(str(Workspace.from_environment().root))


@st.cache_resource(max_entries=4, show_spinner=False)
def _start(root: str) -> DemoStart | None:
    try:
        if first_start_is_over(Workspace(Path(root))):
            return None
        log = tempfile.NamedTemporaryFile(prefix="gwas-demo-", suffix=".log")  # noqa: SIM115 - as long as the server
        # Stopping the server in these seconds must not leave half an experiment.
        process = start_detached(
            module_command("gwas_core", *_COMMAND),
            log=Path(log.name),
            environment={**os.environ, "GWAS_WORKSPACE": root},
        )
    except OSError as error:
        return DemoStart(None, None, f"this computer does not allow it ({error.strerror})")
    return DemoStart(process, log)


def demo_is_starting() -> bool:
    """Whether the demo experiment is about to appear, or about to run."""
    start = start_demo()
    return start is not None and start.is_under_way()


def show_first_start(summaries: Sequence[ExperimentSummary]) -> None:
    """What a newcomer should know of the demo experiment, as long as there is no other one."""
    names = [(summary.name, summary.source) for summary in summaries]
    if names not in ([], [(DEMO_NAME, DEMO_FILE.name)]):
        return
    start = start_demo()
    if start is not None and (problem := start.problem()):
        st.warning(
            f"The demo experiment could not be started: {markdown_text(sentence(problem))}", icon=":material/warning:"
        )
    elif names:
        st.info(
            f"**{DEMO_NAME}** tunes a network on simulated soybean lines, so that there is something to look at from "
            "the first minute: open it, and stop or delete it whenever you like.",
            icon=":material/potted_plant:",
        )
    elif start is not None and start.is_under_way():
        st.info("A demo experiment on simulated soybean lines is about to start …", icon=":material/hourglass_top:")
