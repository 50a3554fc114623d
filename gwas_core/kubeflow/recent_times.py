"""Recent times: when an experiment was last synchronised or its files were last copied by this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path


class RecentTimes:
    """Bounded record of when something was last done for each folder; safe to share between threads.

    Shared by all engines of a process: every page makes its own engine at each rerun.

    Args:
        most: number of folders that are remembered, the latest.
    """

    def __init__(self, *, most: int = 1000) -> None:
        self._most = most
        self._times: OrderedDict[Path, float] = OrderedDict()
        self._lock = threading.Lock()

    def mark(self, folder: Path) -> None:
        """Remember that it was done just now.

        Args:
            folder: of the experiment for which it was done.
        """
        with self._lock:
            self._times[folder] = time.monotonic()
            self._times.move_to_end(folder)
            while len(self._times) > self._most:
                self._times.popitem(last=False)

    def is_within(self, folder: Path, seconds: float) -> bool:
        """Return whether it was done a short while ago.

        Args:
            folder: of the experiment.
            seconds: longest time since then.
        """
        with self._lock:
            last = self._times.get(folder)
        return last is not None and time.monotonic() - last < seconds
