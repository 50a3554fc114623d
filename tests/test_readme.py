"""The README's commands, run as written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import gwas_core
from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table
from tests.waiting import LIMIT

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
# Those with names to fill in are run in this order: each uses what the one before left.
ON_A_FILE = [command for command in COMMANDS if re.search(r"\b(FILE|NAME|NEW_LINES)\b", command)]


def test_the_readme_starts_with_the_name_and_shows_the_two_commands() -> None:
    assert README.startswith("# Deep GWAS Dashboard\n")
    assert {"./run", "./run test", "./run demo"} <= set(COMMANDS)
    assert len(ON_A_FILE) == 5


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(command),
        cwd=folder,
        env={**os.environ, "GWAS_WORKSPACE": str(folder / "workspace")},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_commands_on_a_file_work_as_written(tmp_path: Path) -> None:
    # The set-up done once by whoever runs these tests is the one ./run must find.
    if not (REPOSITORY / ".venv" / ".lock").is_file():
        pytest.skip("these tests were not started by ./run test, so ./run would set up first")
    settings = SimulationSettings(families=4, lines_per_family=40, snps=150, seed=3)
    write_table(simulate(settings), tmp_path / "heights.txt.gz")
    filled = {"FILE": "heights.txt.gz", "NAME": "heights", "NEW_LINES": "heights.txt.gz", "35": "2"}
    filled["./run"] = str(REPOSITORY / "run")
    for command in ON_A_FILE:
        words = [filled.get(word, word) for word in command.split()]
        done = shell(" ".join(words), tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (tmp_path / "best.zip").is_file()
    assert len((tmp_path / "predicted.csv").read_text().splitlines()) == 161


def test_the_layout_shown_is_what_the_reader_reads(tmp_path: Path) -> None:
    from gwas_core.genotypes.column_roles import guess_roles
    from gwas_core.genotypes.readers import read_table

    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    (tmp_path / "shown.txt").write_text(shown[1].replace("  ...", ""))
    table = read_table(tmp_path / "shown.txt")
    assert table.genotypes.tolist() == [[2, 0]]
    assert guess_roles(table).line_name == "strain"


def test_every_function_that_is_named_exists() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    compile(block, "README.md", "exec")
    called = set(re.findall(r"\bgwas_core\.(\w+)\(", block))
    assert called
    assert called <= set(gwas_core.__all__)


def test_every_command_that_is_named_exists() -> None:
    from gwas_core.cli import build_parser

    help_text = build_parser().format_help()
    for name in re.findall(r"\./run (?!test|setup|benchmark)([a-z]+)", README):
        assert re.search(rf"^ +{name}\b", help_text, re.MULTILINE), name
