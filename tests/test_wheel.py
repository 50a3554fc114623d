"""The package that ``pip install`` makes: built, unpacked, and used from a folder that is no clone.

Unpacked beside the developer's packages rather than installed into an environment of its own, which takes 2.7 GB.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from email.parser import Parser
from pathlib import Path

import pytest

import gwas_core

REPOSITORY = Path(__file__).resolve().parent.parent
DASHBOARD = ("pages", "ui", "assets", "data", ".streamlit")
# As an installer writes the script deep-gwas.
SCRIPT = (
    "import sys; from importlib.metadata import entry_points; sys.argv[0] = 'deep-gwas'; "
    "(entry,) = entry_points(group='console_scripts', name='deep-gwas'); sys.exit(entry.load()())"
)
WAIT_SECONDS = 240


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=WAIT_SECONDS,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``site-packages`` gets."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def environment(site: Path, folder: Path) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("GWAS_", "STREAMLIT_"))}
    return {**known, "PYTHONPATH": str(site), "GWAS_WORKSPACE": str(folder / "workspace"), "OMP_NUM_THREADS": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-c", SCRIPT, *arguments]


def run(*arguments: str, site: Path, folder: Path) -> str:
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(site, folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: str) -> set[str]:
    """The files of a folder of the clone that belong to the project."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", folder],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in found.stdout.splitlines() if (REPOSITORY / name).is_file()}


def test_it_holds_the_package_and_the_dashboard_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert "gwas_core/py.typed" in names
    assert "gwas_core/tuning/presets/focused.yaml" in names
    assert "gwas_core/__init__.pyi" in names
    dashboard = {"app.py"}.union(*map(files, DASHBOARD))
    assert names == files("gwas_core") | {f"gwas_core/_dashboard/{name}" for name in dashboard}


def test_what_it_says_of_itself(site: Path) -> None:
    text = next(site.glob("*.dist-info/METADATA")).read_text(encoding="utf-8")
    metadata = Parser().parsestr(text)
    assert (metadata["Name"], metadata["Version"]) == ("deep-gwas-dashboard", gwas_core.__version__)
    assert any(re.match(r"cyvcf2\b.*; sys_platform != 'win32'", need) for need in metadata.get_all("Requires-Dist", []))
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_version_has_its_section_in_the_changelog() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(gwas_core.__version__)}\]", changelog, re.MULTILINE)


def test_the_command_calls_itself_by_its_name(site: Path, tmp_path: Path) -> None:
    text = run("--help", site=site, folder=tmp_path)
    assert text.startswith("usage: deep-gwas ")
    assert "  deep-gwas tune " in text
    assert "./run" not in text
    assert run("--version", site=site, folder=tmp_path).strip() == gwas_core.__version__


def test_the_demo_runs_outside_a_clone(site: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.json"
    quick = {
        "format": 1,
        "fixed": {"epochs": 1},
        "parameters": [{"name": "learning_rate", "kind": "double", "minimum": 0.001, "maximum": 0.01, "scale": "log"}],
    }
    space.write_text(json.dumps(quick), encoding="utf-8")
    printed = run(
        "demo", "--json", "--space", "space.json", "--max-trials", "2", "--algorithm", "random", "--xla", "off",
        site=site, folder=tmp_path,
    )  # fmt: skip
    summary = json.loads(printed)
    assert (summary["state"], summary["trials"]["succeeded"]) == ("succeeded", 2)
    assert Path(summary["bundle"]).is_relative_to(tmp_path / "workspace")


def test_every_page_finds_what_it_shows(site: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest; import gwas_core\n"
        "assert gwas_core.__file__.startswith(sys.argv[1]), gwas_core.__file__\n"
        "page = AppTest.from_file(sys.argv[1] + '/gwas_core/_dashboard/app.py', default_timeout=200).run()\n"
        "names = 'studies data loci train answer predict machine_room experiments glossary'\n"
        "for name in names.split():\n"
        "    page.switch_page(f'pages/{name}.py').run()\n"
        "    assert not page.exception, (name, page.exception)\n"
        "    assert page.title, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(site)],
        cwd=tmp_path,
        env={**environment(site, tmp_path), "GWAS_NO_DEMO": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def dashboard(site: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the dashboard as ``deep-gwas dashboard`` serves it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command("dashboard", "--no-demo", "--server.port", str(port), "--server.headless", "true"),
            cwd=tmp_path,
            env=environment(site, tmp_path),
            stdout=log,
            stderr=log,
        )
    yield f"http://localhost:{port}"
    process.terminate()
    process.wait(timeout=60)


def test_the_dashboard_is_served_outside_a_clone(dashboard: str, tmp_path: Path) -> None:
    until = time.monotonic() + WAIT_SECONDS
    answer = b""
    while answer != b"ok" and time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{dashboard}/_stcore/health", timeout=10) as response:
            answer = response.read()
        time.sleep(0.2)
    assert answer == b"ok", (tmp_path / "log.txt").read_text()
