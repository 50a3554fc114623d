"""Messages that a worker sends to the process that feeds it (ready, alive, report, done, failed): lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass

from gwas_core.errors import FailureKind
from gwas_core.serialization import JsonObject, TaggedRecords


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Message: the worker takes jobs from now on.

    Attributes:
        pid: process id of the worker.
    """

    pid: int


@dataclass(frozen=True, kw_only=True)
class Alive:
    """Message: the worker lives, whatever it works on and however long that takes."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Message: how the job goes on; the worker waits for the answer before it works on.

    Attributes:
        content: whatever the program that sends the job and its worker agreed on.
    """

    content: JsonObject


@dataclass(frozen=True, kw_only=True)
class Done:
    """Message: the job is done.

    Attributes:
        result: what doing the job returned.
        spent: whether the worker should be replaced.
    """

    result: JsonObject
    spent: bool = False


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Message: the job failed.

    Attributes:
        reason: one sentence.
        kind: kind of the reason.
        spent: whether the worker should be replaced.
    """

    reason: str
    kind: FailureKind
    spent: bool = False


WorkerMessage = Ready | Alive | Report | Done | Failed

WORKER_MESSAGES = TaggedRecords[WorkerMessage](
    "type", {"ready": Ready, "alive": Alive, "report": Report, "done": Done, "failed": Failed}, name="message"
)
"""Reader and writer of the messages."""
