"""One real search, through the command line, that many tests look at."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gwas_core.cli import main
from tests.waiting import LIMIT

REPOSITORY = Path(__file__).resolve().parents[2]
SPACE = """
fixed: {network: hybrid, epochs: 3, conv_filters: 2, num_dense_units: 2}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 1.0e-2, scale: log, default: 3.0e-3}
  - {name: start_l2, kind: double, minimum: 1.0e-4, maximum: 1.0e-1, scale: log, default: 1.0e-2}
"""


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Answer]


def command(workspace: Path) -> Command:
    """Run ``python -m gwas_core ...`` with a workspace, as a person would: a process of its own."""
    environment = {**os.environ, "GWAS_WORKSPACE": str(workspace), "PYTHONPATH": str(REPOSITORY)}

    def run(*arguments: str | Path) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "gwas_core", *map(str, arguments)],
            env=environment,
            cwd=workspace,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


def command_here(workspace: Path) -> Command:
    """The same in this process, for what only looks or refuses: it saves the second in which a process imports."""

    def run(*arguments: str | Path) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, chdir(workspace), redirect_stdout(out), redirect_stderr(err):
            patch.setenv("GWAS_WORKSPACE", str(workspace))
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def run(tmp_path: Path) -> Command:
    """Commands on a workspace of the test's own."""
    return command(tmp_path)


@pytest.fixture
def here(tmp_path: Path) -> Command:
    """The same in this process."""
    return command_here(tmp_path)


@dataclass(frozen=True)
class Searched:
    """A finished search; commands on its workspace run in a process of their own, or here."""

    run: Command
    here: Command
    file: Path
    answer: Answer


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """``simulate`` and ``tune --json``, three trials of three epochs."""
    workspace = tmp_path_factory.mktemp("workspace")
    run = command(workspace)
    file = workspace / "Füße & <b>height</b>.txt.gz"
    made = run("simulate", file, "--families", "4", "--lines-per-family", "40", "--snps", "150", "--seed", "3")
    assert made.code == 0, made.err
    (workspace / "space.yaml").write_text(SPACE)
    answer = run(
        "tune", file, "--name", "searched", "--space", "space.yaml", "--max-trials", "3", "--parallel-trials", "2",
        "--xla", "off", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return Searched(run, command_here(workspace), file, answer)
