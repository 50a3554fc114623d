"""Start the demo experiment by itself on the first start of a workspace, and tell newcomers about it.

Also here: ``GWAS_NO_DEMO``; why there is no demo.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import streamlit as st

from gwas_core.processes.command_messages import MessageKind, json_messages, read_messages
from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.tuning.demo import DEMO_FILE, DEMO_NAME, first_start_is_over
from gwas_core.tuning.records import ExperimentSummary
from gwas_core.workspace import Workspace
from ui.store import sentence
from ui.text import markdown_text

_NO_DEMO = "GWAS_NO_DEMO"
_COMMAND = ("demo", "--first-start", "--detach")


@dataclass(frozen=True)
class DemoStart:
    """Process that prepares and starts the demo experiment.

    Attributes:
        process: None if the system refused to start it.
        log: file with the messages of the process.
        reason: why it was not started.
    """

    process: subprocess.Popen[bytes] | None
    log: IO[bytes] | None
    reason: str = ""

    def is_under_way(self) -> bool:
        """Return whether the process is still at work."""
        return self.process is not None and self.process.poll() is None

    def problem(self) -> str:
        """Return why there is no demo experiment; empty while the process works, and after it succeeded."""
        if self.process is None or self.log is None:
            return self.reason
        if self.process.poll() in (None, 0):
            return ""
        path = Path(self.log.name)
        errors = [entry.text for entry in read_messages(path.read_bytes()) if entry.kind is MessageKind.ERROR]
        return errors[-1] if errors else last_line(path) or "its process ended and gave no reason"


def start_demo() -> DemoStart | None:
    """Start the demo experiment if this is the first start of the workspace, and return its process, or None.

    Every run of every page calls it. A server starts the process once; if several servers do, one of the processes
    finds that it is the first (``gwas_core.tuning.demo``) and the others do nothing.
    """
    if os.environ.get(_NO_DEMO, "") not in ("", "0"):
        return None
    return _start(str(Workspace.from_environment().root))


@st.cache_resource(max_entries=4, show_spinner=False)
def _start(root: str) -> DemoStart | None:
    try:
        if first_start_is_over(Workspace(Path(root))):
            return None
        log = tempfile.NamedTemporaryFile(prefix="gwas-demo-", suffix=".log")  # noqa: SIM115 - as long as the server
        # Detached, so that stopping the server in these seconds leaves no half-made experiment.
        process = start_detached(
            module_command("gwas_core", *_COMMAND),
            log=Path(log.name),
            environment=json_messages({**os.environ, "GWAS_WORKSPACE": root}),
        )
    except OSError as error:
        return DemoStart(None, None, f"this computer does not allow it ({error.strerror})")
    return DemoStart(process, log)


def demo_is_starting() -> bool:
    """Return whether the demo experiment is about to appear."""
    start = start_demo()
    return start is not None and start.is_under_way()


def show_first_start(summaries: Sequence[ExperimentSummary]) -> None:
    """Tell a newcomer about the demo experiment, as long as there is no other experiment.

    Args:
        summaries: all experiments of the workspace.
    """
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
            "the first minute. Open it; you can stop or delete it at any time.",
            icon=":material/potted_plant:",
        )
    elif start is not None and start.is_under_way():
        st.info("A demo experiment on simulated soybean lines is about to start …", icon=":material/hourglass_top:")
