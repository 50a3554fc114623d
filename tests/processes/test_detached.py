from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gwas_core.processes.detached import import_environment, last_line, module_command, run_module, start_detached

WAIT = 120


def test_a_process_of_its_own_writes_its_log_and_inherits_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os, sys\nos.write(int(sys.argv[1]), b'here')\nprint(os.getsid(0) == os.getpid(), file=sys.stderr)\n"
    )
    log = tmp_path / "log"
    log.write_text("an earlier process\n")
    for append, kept in ((True, ["an earlier process", "True"]), (False, ["True"])):
        reader, writer = os.pipe()
        process = start_detached(
            module_command("program", str(writer)),
            log=log,
            environment={**os.environ, "PYTHONPATH": str(tmp_path)},
            append=append,
            inherit=(writer,),
        )
        os.close(writer)
        assert os.read(reader, 100) == b"here"
        os.close(reader)
        assert process.wait(WAIT) == 0
        assert log.read_text().splitlines() == kept, "it leads a session of its own"


def test_files_of_the_folder_it_runs_in_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('this file is not the library')\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "program.py").write_text("import json\nprint('fine')\n")
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere")}
    process = start_detached(module_command("program"), log=tmp_path / "log", environment=environment)
    assert process.wait(WAIT) == 0
    assert last_line(tmp_path / "log") == "fine"
    done = run_module("program", environment=environment, timeout=WAIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"fine\n", b"")


def test_the_core_is_imported_from_any_folder(tmp_path: Path) -> None:
    environment = import_environment({"PYTHONPATH": "/kept", "OTHER": "1"})
    assert environment["OTHER"] == "1"
    assert environment["PYTHONSAFEPATH"] == "1", "what such a process starts imports nothing of its folder either"
    root, kept = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(root) / "gwas_core" / "__init__.py").is_file()
    assert kept == "/kept"
    assert module_command("gwas_core", "status")[0] == sys.executable


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", ""), (b"\n \n", ""), (b"one\ntwo\n\n", "two"), (b"a\x1b[31mb\n", "a?[31mb"), (b"x" * 500, "x" * 300)],
)
def test_the_last_line_is_short_and_harmless(tmp_path: Path, content: bytes, line: str) -> None:
    (tmp_path / "log").write_bytes(content)
    assert last_line(tmp_path / "log") == line


def test_a_pipe_in_place_of_a_log_has_no_last_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    assert last_line(tmp_path / "log") == ""


def test_a_log_that_is_not_there_has_no_last_line(tmp_path: Path) -> None:
    assert last_line(tmp_path / "log") == ""
