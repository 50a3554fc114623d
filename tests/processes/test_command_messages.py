from __future__ import annotations

import pytest

from gwas_core.processes.command_messages import CommandMessage, MessageKind, json_messages, read_messages, say


def test_a_person_reads_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    say("Reading")
    say("1 line was left out.", MessageKind.NOTE)
    say("no \x1b[2J file", MessageKind.ERROR)
    assert (
        capsys.readouterr().err == "Reading\nnote: 1 line was left out.\nerror: no \N{REPLACEMENT CHARACTER}[2J file\n"
    )


def test_a_program_reads_the_kind_of_each_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in json_messages({}).items():
        monkeypatch.setenv(name, value)
    say("note: not a note", MessageKind.PROGRESS)
    say("two\nlines", MessageKind.NOTE)
    say("\x1b[2J", MessageKind.ERROR)
    written = b"W0000 a library's line\n{}\n[1]\n" + capsys.readouterr().err.encode() + b'{"kind": "odd", "text": ""}\n'
    assert read_messages(written) == (
        CommandMessage(kind=MessageKind.PROGRESS, text="note: not a note"),
        CommandMessage(kind=MessageKind.NOTE, text="two\nlines"),
        CommandMessage(kind=MessageKind.ERROR, text="\N{REPLACEMENT CHARACTER}[2J"),
    )
