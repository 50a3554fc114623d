"""Channel between a worker and the process it works for: JSON, one object a line; both end together."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

_PR_SET_PDEATHSIG = 1


class Channel:
    """Worker's end of the channel; the worker ends when the other end is closed.

    Messages go over what were stdin and stdout; whatever else prints to stdout ends in the log.
    """

    def __init__(self) -> None:
        # Own copies of both ends first: TensorFlow, and anything in C, prints to descriptor 1.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._in = os.fdopen(os.dup(0), "r", encoding="utf-8")
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._received: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._in:
            self._received.put(json.loads(line))
        # End of input: the other process is gone, or wants this worker to go. At once, in the middle of an epoch too;
        # what a killed trial leaves behind is cleaned when it is rerun.
        os._exit(0)

    def receive(self) -> dict[str, Any]:
        """Return the next job or answer, once it has come."""
        return self._received.get()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        self._out.write(json.dumps(message, allow_nan=False) + "\n")
        self._out.flush()


def die_with(parent: int) -> None:
    """Have the kernel end this process together with its parent (on Linux); end it now if the parent is gone.

    Args:
        parent: process id of the parent. The kernel watches the parent's thread that started this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
