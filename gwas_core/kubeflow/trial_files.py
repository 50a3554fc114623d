"""Files that a trial on a cluster leaves in its folder, and reading them: epochs, result, bundle, logs of steps.

Also here: lines half written and values that are not finite are left out.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gwas_core.model.training import OBJECTIVE
from gwas_core.model.trial_folder import METRICS_FILE

BUNDLE_FILE = "bundle.zip"
"""In a trial's folder, once its pipeline has ended: its model, to take home."""

STEP_LOGS = "steps"
"""In a trial's folder: why a step failed, one file per step."""

CALIBRATION_FILE = "calibration.json"
"""In an experiment's folder: whether XLA is faster here."""


def read_history(directory: Path, metric: str = OBJECTIVE) -> list[tuple[int, float]]:
    """Return (epoch, value of the metric) of every complete line of the folder's metrics, in the order of epochs.

    A line that is still being written is left out, and so are values that are not finite.
    """
    try:
        text = (directory / METRICS_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    history: dict[int, float] = {}
    for line in text.split("\n")[:-1]:
        try:
            entry = json.loads(line)
            epoch, value = entry["epoch"], finite_number(entry[metric])
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(epoch, int) and epoch > 0 and value is not None:
            history[epoch] = value
    return sorted(history.items())


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a trial wrote; empty if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def finite_number(value: Any) -> float | None:
    """Return a finite number from a number or a text, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
