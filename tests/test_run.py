"""What ``./run`` makes of its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LIMIT

REPOSITORY = Path(__file__).resolve().parent.parent
DASHBOARD = "-m gwas_core dashboard"
COMMAND = "-m gwas_core"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script beside an environment that is set up, whose Python says what it is asked."""
    for name in ("run", "requirements.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    (tmp_path / "run").chmod(0o755)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*"\necho "$PWD $GWAS_WORKSPACE $GWAS_PROGRAM"\n')
    python.chmod(0o755)
    with (tmp_path / "requirements.txt").open("rb") as lock:
        done = subprocess.run(["cksum"], stdin=lock, capture_output=True, check=True)
    (tmp_path / ".venv" / ".lock").write_bytes(done.stdout)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("", DASHBOARD),
        ("dashboard", DASHBOARD),
        ("--no-demo", f"{DASHBOARD} --no-demo"),
        ("--server.port 8600", f"{DASHBOARD} --server.port 8600"),
        ("dashboard --no-demo --server.port 8600", f"{DASHBOARD} --no-demo --server.port 8600"),
        ("demo --detach", f"{COMMAND} demo --detach"),
        ("--help", f"{COMMAND} --help"),
        ("--workspace elsewhere status", f"{COMMAND} --workspace elsewhere status"),
    ],
)
def test_arguments_go_where_they_belong(arguments: str, asked: str, project: Path) -> None:
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWAS_")}
    done = subprocess.run(
        [project / "run", *arguments.split()],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    # A dashboard's files are the project's, a command's are the caller's.
    folder = project if asked.startswith(DASHBOARD) else elsewhere
    assert done.stdout.splitlines() == [asked, f"{folder} {project / 'workspace'} ./run"]


def test_code_of_the_folder_one_is_in_is_not_run(project: Path) -> None:
    """In no Python that is started, nor in those that they start."""
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    for name in ("pandas", "numpy", "json", "venv", "ensurepip", "pip", "gwas_core", "sitecustomize"):
        (elsewhere / f"{name}.py").write_text("raise SystemExit('this file is not the library')\n")
    (project / "gwas_core").symlink_to(REPOSITORY / "gwas_core")
    (project / "data").symlink_to(REPOSITORY / "data")
    python = project / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GWAS_", "PYTHON"))}
    file = project / "data" / "demo_height.txt.gz"
    for arguments in (["inspect", str(file), "--json"], ["status"], ["pipeline", "--help"]):
        done = subprocess.run(
            [project / "run", *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stderr


def test_set_up_runs_no_code_of_the_folder_one_is_in(machine: Machine, tmp_path: Path) -> None:
    """Pythons before 3.11 do not know ``PYTHONSAFEPATH``; uv takes the environment and the settings of its folder."""
    machine.python("python3", "3.14.0", fits=False, has_venv=False)
    for name in ("python3", "by-uv/python", "a-uv"):
        path = machine.tools / name
        text = path.read_text().replace("#!/bin/sh\n", '#!/bin/sh\necho "$PWD|$*" >>"$SAID.folders"\n')
        path.write_text(text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert machine.run(folder=elsewhere)[0] == 0
    lines = Path(f"{machine.said}.folders").read_text().splitlines()
    asked = [line.split("|", 1) for line in lines if "|" in line]
    assert any("venv" in what for _, what in asked)
    assert any(what.startswith("python find") for _, what in asked)
    # What only a Python that fits is asked, is asked with PYTHONSAFEPATH.
    by_one_that_fits = (
        "-m gwas_core ",
        f"-m venv {machine.root}/.venv",
        "-m pip install --disable-pip-version-check --q",
    )
    for folder, what in asked:
        is_safe = what.startswith(("--version", "-c ", *by_one_that_fits))
        assert folder == str(machine.root) or is_safe, (folder, what)


# A machine on which ./run has nothing set up: the few programs it needs, and what a test puts beside them.
NEEDED = ("bash", "env", "dirname", "cksum", "cat", "rm", "mkdir", "chmod", "ln")

# What ./run asks of a Python: its version, whether it will do, an environment, and packages for that.
PYTHON = """#!/bin/sh
case "$*" in
  --version) echo "Python {version}" ;;
  *'sys.exit(not'*) exit {does_not_fit} ;;
  '-m venv '*)
    [ {has_venv} = 1 ] || exit 1
    mkdir -p "$3/bin"
    ln -s "$0" "$3/bin/python"
    echo "$0 -m venv" >>"$SAID" ;;
  '-m pip install '*uv)
    echo "$0 -m pip install uv" >>"$SAID"
    [ "$HAS_NETWORK" = 1 ] || exit 1
    for folder; do case $folder in */.uv) target=$folder/bin ;; esac; done
    target=${{target:-$(dirname "$0")}}
    mkdir -p "$target"
    cat "$TOOLS/a-uv" >"$target/uv"
    chmod +x "$target/uv" ;;
  '-m pip install '*) echo "$0 -m pip install the lock" >>"$SAID" ;;
  '-m gwas_core '*) echo "$0 $*" >>"$SAID" ;;
  *) exit 1 ;;
esac
"""

UV = """#!/bin/sh
echo "uv $* in $UV_PYTHON_INSTALL_DIR" >>"$SAID"
case "$2" in
  find) [ -d "$TOOLS/of-uv" ] && echo "$TOOLS/of-uv/python" || { echo "error: No interpreter found" >&2; exit 2; } ;;
  install) [ "$HAS_NETWORK" = 1 ] && ln -s by-uv "$TOOLS/of-uv" || { echo "error: Failed to download" >&2; exit 2; } ;;
esac
"""


class Machine:
    """A folder of programs, and the project beside it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.tools, self.said = folder / "project", folder / "tools", folder / "said"
        self.root.mkdir()
        self.tools.mkdir()
        for name in ("run", "requirements.txt"):
            (self.root / name).write_bytes((REPOSITORY / name).read_bytes())
        for name in NEEDED:
            found = next(Path(place) / name for place in ("/usr/bin", "/bin") if (Path(place) / name).exists())
            (self.tools / name).symlink_to(found)
        self.add("a-uv", UV)
        self.python("by-uv/python", "3.13.9")  # of-uv, once it was fetched

    def add(self, name: str, text: str) -> None:
        (self.tools / name).parent.mkdir(exist_ok=True)
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def python(self, name: str, version: str, *, fits: bool = True, has_venv: bool = True) -> None:
        self.add(name, PYTHON.format(version=version, does_not_fit=int(not fits), has_venv=int(has_venv)))

    def run(self, *, network: bool = True, folder: Path | None = None) -> tuple[int, list[str], list[str]]:
        """Exit code, what ./run says, and what was asked of the programs."""
        done = subprocess.run(
            [str(self.tools / "bash"), str(self.root / "run"), "status"],
            cwd=folder,
            env={
                "PATH": str(self.tools),
                "TOOLS": str(self.tools),
                "SAID": str(self.said),
                "HAS_NETWORK": str(int(network)),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        asked = self.said.read_text().replace(str(self.tools.parent), "").splitlines() if self.said.exists() else []
        return done.returncode, done.stderr.splitlines(), asked


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


FETCHES = "Python 3.11, 3.12 or 3.13 is needed, and Python 3.14.0 was found: uv fetches Python 3.13 into .uv ..."
SETS_UP = "Setting up in .venv (about 2.7 GB, a few minutes, only this once) ..."
IS_SET_UP = "Set-up is done."
LOOKS = "uv python find >=3.11,<3.14 in "
BY_UV = [LOOKS, *(f"uv python {order} 3.13 in /project/.uv/python" for order in ("install", "find"))]
WITH_PYTHON_OF_UV = [
    "/tools/of-uv/python -m venv",
    "/project/.venv/bin/python -m pip install the lock",
    "/project/.venv/bin/python -m gwas_core status",
]


def sentence(found: str) -> str:
    return (
        f"Python 3.11, 3.12 or 3.13 with its venv module is needed, {found} was found, and uv could not fetch one "
        "(.uv.log says why): install one (Debian: apt-get install python3-venv; "
        "Ubuntu: add-apt-repository ppa:deadsnakes/ppa && apt-get install python3.13-venv; "
        "Fedora: dnf install python3.13; macOS: brew install python@3.13) or name it in GWAS_PYTHON."
    )


def test_a_python_that_fits_is_taken(machine: Machine) -> None:
    machine.python("python3", "3.14.0", fits=False)
    machine.python("python3.12", "3.12.4")
    machine.add("uv", UV)
    code, says, asked = machine.run()
    assert (code, says) == (0, [SETS_UP, IS_SET_UP])
    assert asked[0] == "/tools/python3.12 -m venv"


def test_a_newer_python_alone_is_helped_by_uv(machine: Machine) -> None:
    machine.python("python3", "3.14.0", fits=False)
    machine.add("uv", UV)
    assert machine.run() == (0, [FETCHES, SETS_UP, IS_SET_UP], [*BY_UV, *WITH_PYTHON_OF_UV])


def test_a_python_that_uv_has_is_taken(machine: Machine) -> None:
    machine.python("python3", "3.14.0", fits=False)
    machine.add("uv", UV)
    (machine.tools / "of-uv").symlink_to("by-uv")
    assert machine.run(network=False) == (0, [SETS_UP, IS_SET_UP], [LOOKS, *WITH_PYTHON_OF_UV])


@pytest.mark.parametrize("has_venv", [True, False])
def test_uv_is_installed_in_a_folder_of_its_own_by_any_python(has_venv: bool, machine: Machine) -> None:
    machine.python("python3", "3.14.0", fits=False, has_venv=has_venv)
    code, says, asked = machine.run()
    assert (code, says) == (0, ["Installing uv in .uv ...", FETCHES, SETS_UP, IS_SET_UP])
    by_venv = ["/tools/python3 -m venv", "/project/.uv/bin/python -m pip install uv"]
    assert asked == [*(by_venv if has_venv else ["/tools/python3 -m pip install uv"]), *BY_UV, *WITH_PYTHON_OF_UV]
    assert os.access(machine.root / ".uv" / "bin" / "uv", os.X_OK)


def test_a_failed_download_is_one_clear_sentence(machine: Machine) -> None:
    machine.python("python3", "3.14.0", fits=False)
    machine.add("uv", UV)
    code, says, _ = machine.run(network=False)
    assert (code, says) == (1, [FETCHES, sentence("Python 3.14.0")])
    assert (machine.root / ".uv.log").read_text().splitlines()[-1] == "error: Failed to download"
    assert not (machine.root / ".venv").exists()


@pytest.mark.parametrize("python", ["Python 3.9.2", "no python3"])
def test_a_machine_that_has_nothing_is_told_what_to_install(python: str, machine: Machine) -> None:
    if python != "no python3":
        machine.python("python3", python.removeprefix("Python "), fits=False, has_venv=False)
    code, says, _ = machine.run(network=False)
    assert (code, says) == (1, ["Installing uv in .uv ...", sentence(python)])
    assert not (machine.root / ".venv").exists()
