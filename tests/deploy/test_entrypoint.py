"""The container's entry point as a plain process, on the image's files, as the image's user."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import gwas_core
from tests.deploy.image import environment, lay_out
from tests.notebooks.jupyter_environment import jupyter_environment
from tests.waiting import LIMIT, wait_until

# The first of these tests may have Jupyter to install.
pytestmark = pytest.mark.timeout(3600)

PREFIX = "/notebook/user/gwas"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The image's files, which everybody may read and nobody but us may write."""
    root = Path(tempfile.mkdtemp(prefix="gwas-image-"))
    root.chmod(0o755)
    lay_out(root)
    # What the Dockerfile runs once the files are there.
    subprocess.run(
        [sys.executable, "-c", "from ui.live_plot import plotly_script; plotly_script()"],
        cwd=root,
        check=True,
        timeout=LIMIT,
    )
    yield root
    shutil.rmtree(root)


@pytest.fixture
def workspace(as_jovyan: list[str]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gwas-workspace-"))
    if as_jovyan:
        os.chown(folder, 1000, 100)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def programs() -> Path:
    """The image's packages."""
    return jupyter_environment()


@pytest.fixture(scope="module")
def as_jovyan(programs: Path) -> list[str]:
    """What runs a command as the image's user; nothing where the tests are not root's anyway."""
    if os.getuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    command = [setpriv or "", "--reuid", "1000", "--regid", "100", "--clear-groups"]
    if setpriv is None or subprocess.run([*command, str(programs / "python"), "-c", ""], check=False).returncode:
        pytest.skip("the entry point was not run: user 1000 may not use this Python, or setpriv is not here")
    return command


@pytest.fixture
def start(image: Path, workspace: Path, programs: Path, as_jovyan: list[str]) -> Iterator[Start]:
    """``start(*arguments, **environment)`` runs the entry point from a folder of no interest."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        given = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(workspace),
            "PYTHONPATH": str(image),
            "PYTHONUNBUFFERED": environment()["PYTHONUNBUFFERED"],
            "GWAS_WORKSPACE": str(workspace),
            "GWAS_NO_DEMO": "1",
            **variables,
        }
        process = subprocess.Popen(
            [*as_jovyan, str(image / "deploy" / "entrypoint"), *arguments],
            cwd="/",
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        # All of its session: Jupyter may leave the dashboard it started.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(process: subprocess.Popen[str], url: str) -> str:
    """What a server says, once it does."""

    def said() -> str:
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as response:
                return str(response.read().decode())
        except OSError:
            return ""

    found = wait_until(lambda: said() or process.poll() is not None)
    if isinstance(found, str):
        return found
    pytest.fail(f"{url} did not answer: {process.communicate()[0][-3000:]}")


def test_the_dashboard_is_served_under_the_prefix_and_ends_when_told(start: Start) -> None:
    port = free_port()
    process = start(NB_PREFIX=PREFIX, STREAMLIT_SERVER_PORT=str(port))
    base = f"http://127.0.0.1:{port}{PREFIX}"
    assert answer(process, f"{base}/_stcore/health") == "ok"
    # The pages themselves are tried in a browser; a deep link is answered by the app, plotly.js by its file.
    assert "<title>" in answer(process, f"{base}/experiment?experiment=none")
    assert "plotly.js v" in answer(process, f"{base}/app/static/{plotly_name()}")[:500]
    process.terminate()
    printed, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert "Traceback" not in printed
    assert PREFIX in printed
    assert "token=" not in printed, "Kubeflow's gateway has asked who it is"


def test_without_a_gateway_the_dashboard_asks_for_its_token(start: Start) -> None:
    port = free_port()
    process = start(STREAMLIT_SERVER_PORT=str(port), NB_PREFIX=environment()["NB_PREFIX"])
    base = f"http://127.0.0.1:{port}"
    assert answer(process, f"{base}/_stcore/health") == "ok"
    with pytest.raises(OSError, match="403"):
        urllib.request.urlopen(f"{base}/experiments", timeout=LIMIT)
    process.terminate()
    printed, _ = process.communicate(timeout=LIMIT)
    (token,) = re.findall(r"The dashboard is at http://localhost:\d+/\?token=([0-9a-f]{48})\s", printed)
    assert printed.count(token) == 1


def plotly_name() -> str:
    from importlib.metadata import version

    return f"plotly-{version('plotly')}.min.js"


def test_a_workspace_that_cannot_be_written_ends_it_at_once_with_a_sentence(start: Start) -> None:
    process = start(GWAS_WORKSPACE="/proc/workspace")
    printed, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert printed.count("\n") == 1
    assert printed.startswith("error: the workspace /proc/workspace cannot be written by user ")


def test_any_other_command_is_run_as_it_is(start: Start) -> None:
    process = start("python", "-m", "gwas_core", "--version")
    printed, _ = process.communicate(timeout=LIMIT)
    assert (process.returncode, printed.strip()) == (0, gwas_core.__version__)
    process = start("sh", "-c", "exit 7")
    process.communicate(timeout=LIMIT)
    assert process.returncode == 7
    # Nor does it run what lies in the folder that somebody is in.
    process = start("python", "-c", "import sys; print(sys.flags.safe_path)")
    printed, _ = process.communicate(timeout=LIMIT)
    assert printed == "True\n"


def test_jupyter_is_served_under_the_prefix_with_the_dashboard_behind_it(start: Start) -> None:
    port = free_port()
    process = start("jupyter", f"--ServerApp.port={port}", NB_PREFIX=PREFIX)
    base = f"http://127.0.0.1:{port}{PREFIX}"
    assert '"version"' in answer(process, f"{base}/api")
    # Kubeflow's gateway has asked who it is: no token here.
    assert "Deep GWAS Dashboard" in answer(process, f"{base}/server-proxy/servers-info")
    assert answer(process, f"{base}/dashboard/_stcore/health") == "ok"
    # Jupyter has let us in, and shows the dashboard the token that only it knows.
    assert "<title>Streamlit</title>" in answer(process, f"{base}/dashboard/experiments")
    assert "jupyterlab-kubeflow-kale" in answer(process, f"{base}/lab")
    process.terminate()
    process.communicate(timeout=LIMIT)
    assert process.returncode is not None


def test_jupyter_without_a_gateway_keeps_its_token(start: Start) -> None:
    port = free_port()
    process = start("jupyter", f"--ServerApp.port={port}")
    base = f"http://127.0.0.1:{port}"
    assert '"version"' in answer(process, f"{base}/api")
    with pytest.raises(OSError, match="403"):
        urllib.request.urlopen(f"{base}/api/contents", timeout=10)
