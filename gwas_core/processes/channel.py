"""Channel between a worker and the process it works for: JSON, one object a line; both end together.

Also here: that what libraries print ends in the log; signs of life every few seconds, also while a network is compiled.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time

from gwas_core.processes.signs_of_life import HEARTBEAT_SECONDS
from gwas_core.processes.worker_messages import WORKER_MESSAGES, Alive, Report, WorkerMessage
from gwas_core.serialization import JsonObject

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
        self._received: queue.SimpleQueue[JsonObject] = queue.SimpleQueue()
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._give_signs_of_life, daemon=True).start()

    def _listen(self) -> None:
        for line in self._in:
            self._received.put(json.loads(line))
        # End of input: the other process is gone, or wants this worker to go. At once, in the middle of an epoch too;
        # what a killed trial leaves behind is cleaned when it is rerun.
        os._exit(0)

    def _give_signs_of_life(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            try:
                self.send(Alive())
            except OSError:
                return  # the other process is gone, which _listen notices

    def receive(self) -> JsonObject:
        """Return the next job, or the answer to a report, once it has come."""
        return self._received.get()

    def send(self, message: WorkerMessage) -> None:
        """Send one message.

        Raises:
            ValueError: it holds a number that is not finite.
        """
        line = json.dumps(WORKER_MESSAGES.to_json_values(message), allow_nan=False) + "\n"
        with self._sending:
            self._out.write(line)
            self._out.flush()

    def report(self, content: JsonObject) -> JsonObject:
        """Report how the job goes on, and return the answer once it has come.

        Args:
            content: finite JSON values; the answer comes from whoever called ``WorkerPool.answer``.
        """
        self.send(Report(content=content))
        return self.receive()


def die_with(parent: int) -> None:
    """Have the kernel end this process together with its parent (on Linux); end it now if the parent is gone.

    Args:
        parent: process id of the parent. The kernel watches the parent's thread that started this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
