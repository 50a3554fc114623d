"""Messages of workers: what is sent is what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gwas_core.errors import FailureKind, InputError
from gwas_core.processes.worker_messages import WORKER_MESSAGES, Done, Failed, Ready, Report, WorkerMessage


@pytest.mark.parametrize(
    "message",
    [
        Ready(pid=17),
        Report(content={"epoch": 3, "value": 0.1 + 0.2}),
        Done(result={}),
        Done(result={"nested": [1, 2.0, None, "ä", True]}, spent=True),
        Failed(reason="memory ran out", kind=FailureKind.OUT_OF_MEMORY, spent=True),
    ],
)
def test_a_message_survives_the_channel(message: WorkerMessage) -> None:
    read = WORKER_MESSAGES.from_json_values(json.loads(json.dumps(WORKER_MESSAGES.to_json_values(message))))
    assert repr(read) == repr(message)  # which also tells 2.0 from 2


@pytest.mark.parametrize(
    "values", [None, [], {}, {"type": "dance"}, {"type": ["ready"]}, {"type": "ready"}, {"type": "done", "result": 3}]
)
def test_anything_else_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match="message"):
        WORKER_MESSAGES.from_json_values(values)
