"""What judges a model and does not survive it."""

from __future__ import annotations

import os
import signal
from typing import Any


def finalise(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
