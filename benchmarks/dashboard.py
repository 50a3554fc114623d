"""A dashboard in a process of its own, and sessions that look at it as browsers do, without browsers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.common import ROOT
from gwas_core.processes.detached import import_environment

_START_SECONDS = 900.0
_LARGEST_MESSAGE = 64 * 1024**2


class Dashboard:
    """Running dashboard on a workspace; ended with the ``with`` block.

    Args:
        workspace: that it shows.
        log: file for what it prints.
        environment: further environment variables.
    """

    def __init__(self, workspace: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"),
                    "--server.port", str(self.port), "--server.address", "127.0.0.1", "--server.headless", "true",
                ],
                cwd=ROOT,
                env={
                    **import_environment(os.environ),
                    "GWAS_WORKSPACE": str(workspace), "GWAS_NO_DEMO": "1", "GWAS_TOKEN": "off",
                    **(environment or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._seen = psutil.Process(self._process.pid)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"the dashboard did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def processor_seconds(self) -> float:
        """Return the processor time that it has taken so far."""
        times = self._seen.cpu_times()
        return times.user + times.system

    def resident_bytes(self) -> int:
        return int(self._seen.memory_info().rss)

    def descriptors(self) -> int:
        return self._seen.num_fds()

    def threads(self) -> int:
        return self._seen.num_threads()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session(threading.Thread):
    """Session of the dashboard that opens a page and asks for its live parts as often as the page wants.

    Args:
        dashboard: to look at.
        page: as in its address.
        query: parameters of its address.

    Attributes:
        runs: how often the page, or a live part of it, was drawn, by how that ended.
        errors: boxes for errors that were drawn.
    """

    def __init__(self, dashboard: Dashboard, page: str, query: str = "") -> None:
        super().__init__(daemon=True)
        self.runs: Counter[str] = Counter()
        self.errors: list[str] = []
        self._address = f"ws://127.0.0.1:{dashboard.port}/_stcore/stream"
        self._origin = f"http://127.0.0.1:{dashboard.port}"
        self._page, self._query = page, query
        self._page_hash = ""
        self._live: dict[str, tuple[float, float]] = {}  # fragment: seconds between two runs, when the next is due
        self._over = threading.Event()

    @property
    def drawn(self) -> int:
        """How often the page, or a live part of it, was drawn to its end."""
        return self.runs["FINISHED_SUCCESSFULLY"] + self.runs["FINISHED_FRAGMENT_RUN_SUCCESSFULLY"]

    @property
    def is_live(self) -> bool:
        """Whether the page has a part that wants to be drawn again and again."""
        return bool(self._live)

    def end(self) -> None:
        self._over.set()
        self.join()

    def check(self) -> None:
        """Raise if a page showed an error, or the session broke off."""
        if self.errors:
            raise RuntimeError(f"a session met an error: {self.errors[0]}")

    def run(self) -> None:
        try:
            self._look()
        except Exception as error:
            self.errors.append(repr(error))
            raise

    def _look(self) -> None:
        with connect(
            self._address,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=self._origin,  # type: ignore[arg-type]
            max_size=_LARGEST_MESSAGE,
        ) as connection:
            connection.send(self._request())
            while not self._over.is_set():
                now = time.monotonic()
                for fragment, (interval, due) in list(self._live.items()):
                    if now >= due:
                        self._live[fragment] = (interval, now + interval)
                        connection.send(self._request(fragment))
                next_due = min((due for _, due in self._live.values()), default=now + 0.5)
                try:
                    data = connection.recv(timeout=max(0.01, min(0.5, next_due - time.monotonic())))
                except TimeoutError:
                    continue
                except ConnectionClosed:
                    self.errors.append("the connection was closed")
                    return
                assert isinstance(data, bytes)
                self._take(ForwardMsg.FromString(data))

    def _request(self, fragment: str = "") -> bytes:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_script_hash = self._page_hash
        if not self._page_hash:
            message.rerun_script.page_name = self._page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = bool(fragment)
        return message.SerializeToString()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page_hash = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:
                self._live.clear()  # the whole page is drawn: live parts announce themselves again
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self._live[message.auto_rerun.fragment_id] = (interval, time.monotonic() + interval)
        elif kind == "script_finished":
            self.runs[ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)] += 1
        elif kind == "delta":
            element = message.delta.new_element
            what = element.WhichOneof("type")
            if what == "exception":
                self.errors.append(element.exception.message)
            elif what == "alert" and element.alert.format == element.alert.ERROR:
                self.errors.append(element.alert.body)
