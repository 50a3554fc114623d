"""What a command says where the system gives it too little memory, or is one it does not run on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gwas_core.cli import main
from gwas_core.processes.detached import import_environment, module_command
from tests.genotypes.bad_input import as_text

# Run before the command: so much that what is imported has room, and the file has not.
_LITTLE_MEMORY = """
import resource, sys
import gwas_core.commands.data
from gwas_core.cli import main
resource.setrlimit(resource.RLIMIT_DATA, (256 * 1024**2, 256 * 1024**2))
sys.exit(main(sys.argv[1:]))
"""
_OUT_OF_MEMORY = (
    "error: memory ran out: use a smaller file, close other programs, or raise the limit of this shell (ulimit -v) "
    "or of the container\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps this limit")
def test_too_little_memory_for_a_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    file.write_text(as_text([["Gm01_1", "name"], ["0"] * 10_000_000]))
    done = subprocess.run(
        [sys.executable, "-P", "-c", _LITTLE_MEMORY, "inspect", file],
        env=import_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", _OUT_OF_MEMORY)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps this limit")
def test_too_little_memory_for_the_program_is_one_sentence() -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", 'ulimit -v 60000; exec "$@"', "bash", *module_command("gwas_core"), "inspect", "x.txt"],
        env=import_environment({**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", _OUT_OF_MEMORY)


@pytest.mark.parametrize("arguments", [["--version"], ["status"], ["inspect", "x.txt"], ["dashboard"]])
def test_a_system_without_locks_is_told_so_in_one_sentence(arguments: list[str]) -> None:
    program = "import sys; sys.modules['fcntl'] = None; from gwas_core.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        env=import_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: this program needs Linux or macOS: on Windows, install WSL (https://learn.microsoft.com/windows/wsl/) "
        "and start it there\n"
    )


def test_a_notebook_on_such_a_system_gets_the_sentence_too() -> None:
    program = "import sys; sys.modules['fcntl'] = None; import gwas_core.processes.locks"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=import_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: this program needs Linux or macOS")


def test_an_error_of_the_disk_is_one_sentence_wherever_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "/data/genotypes.txt")

    monkeypatch.setattr("gwas_core.commands.data.inspect", fail)
    assert main(["inspect", "genotypes.txt"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "/data/genotypes.txt" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_behind_stdout_is_one_sentence() -> None:
    """Python itself would say at its exit that it could not write, and end with another code."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            module_command("gwas_core", "space", "focused"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=import_environment(os.environ),
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the disk is full")
    assert done.stderr.count("\n") == 1
