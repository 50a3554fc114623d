"""Worker's loop: do one job after the other, answer each, and say when to be replaced (memory, unforeseen error)."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from gwas_core.errors import FailureKind, GwasError, describe_unexpected
from gwas_core.processes.channel import Channel
from gwas_core.processes.memory import give_back_memory, held_bytes
from gwas_core.processes.worker_messages import Done, Failed, Ready
from gwas_core.serialization import JsonObject

MOST_GROWTH = 200_000_000
"""Bytes by which a worker may have grown since its first job. Then it is replaced, in seconds: TensorFlow keeps
about 100 MB of every network whose shapes it had not seen before."""


def serve_jobs(channel: Channel, do: Callable[[JsonObject], JsonObject]) -> NoReturn:
    """Do jobs for as long as the other end of the channel sends them.

    Every job is answered by ``Done`` with what ``do`` returned, or by ``Failed``. The answer also says whether the
    worker should be replaced: after an unforeseen error, or once it has grown by more than ``MOST_GROWTH``.

    Args:
        channel: to the process that sends the jobs.
        do: function that does a job and returns its result; a ``GwasError`` it raises becomes the reason of a failure.
    """
    channel.send(Ready(pid=os.getpid()))
    held_at_first: int | None = None
    while True:
        job = channel.receive()
        answer = _answer(do, job)
        give_back_memory()
        held = held_bytes()
        held_at_first = held if held_at_first is None else held_at_first
        if held - held_at_first > MOST_GROWTH:
            answer = replace(answer, spent=True)
        channel.send(answer)


def _answer(do: Callable[[JsonObject], JsonObject], job: JsonObject) -> Done | Failed:
    try:
        return Done(result=do(job))
    except GwasError as error:
        return Failed(reason=str(error), kind=FailureKind.of(error))
    except Exception as error:  # noqa: BLE001 - whatever a job raises is the job's end, never the search's
        with suppress(OSError):  # the log's disk is full: the answer below needs none
            traceback.print_exc()
        # After an error nobody foresaw, or without memory, this process is not to be trusted with another job.
        return Failed(reason=describe_unexpected(error), kind=FailureKind.of(error), spent=True)
