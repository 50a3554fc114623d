"""Command messages: notes and errors on stderr for a person, or as JSON for the program that started it.

Also here: that characters which steer a terminal are removed; ``GWAS_MESSAGES``.

A program sets ``GWAS_MESSAGES=json`` in the environment of the command and reads the lines with ``read_messages``. It
then tells a note from an error without looking at the words.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

VARIABLE = "GWAS_MESSAGES"
"""Environment variable that chooses how messages are written: ``text`` (default) or ``json``."""


class MessageKind(StrEnum):
    """Subject of a message."""

    PROGRESS = "progress"
    NOTE = "note"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class CommandMessage:
    """One sentence of a command.

    Attributes:
        kind: a note tells what was guessed or changed; an error is why the command failed.
        text: the sentence, as it is written.
    """

    kind: MessageKind
    text: str


def say(text: str = "", kind: MessageKind = MessageKind.PROGRESS) -> None:
    """Write a message to stderr, so that stdout stays for results.

    Args:
        text: one sentence.
        kind: kinds other than progress are named in front of the text.
    """
    if os.environ.get(VARIABLE) == "json":
        line = json.dumps({"kind": kind.value, "text": text})
    else:
        line = printable(text if kind is MessageKind.PROGRESS else f"{kind.value}: {text}")
    print(line, file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return ``text`` without characters that steer a terminal, wherever it came from.

    Args:
        text: anything, such as a name from a user's file.

    Returns:
        The text with U+FFFD in place of each such character; line ends stay.
    """
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def json_messages(environment: Mapping[str, str]) -> dict[str, str]:
    """Return ``environment`` in which a command writes its messages as JSON."""
    return {**environment, VARIABLE: "json"}


def read_messages(written: bytes) -> tuple[CommandMessage, ...]:
    """Return the messages that a command wrote as JSON; lines that libraries wrote are left out.

    Args:
        written: stderr of the command; it need not be UTF-8.

    Returns:
        Messages in the order in which they were written, without characters that steer a terminal.
    """
    messages = []
    for line in written.splitlines():
        try:
            values = json.loads(line)
            messages.append(CommandMessage(kind=MessageKind(values["kind"]), text=printable(str(values["text"]))))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return tuple(messages)
