"""Files that a trial on a cluster leaves in its folder, and reading them: epochs, result, bundle, logs of steps.

Also here: lines half written and values that are not finite are left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gwas_core.errors import FailureKind, InputError
from gwas_core.files import read_json, read_regular_file
from gwas_core.model.training import OBJECTIVE, TrialResult
from gwas_core.model.trial_folder import FAILURE_FILE, METRICS_FILE, RESULT_FILE
from gwas_core.serialization import CustomForm, JsonObject, from_json_values, to_json_values

_LARGEST_FILE = 64 * 1024**2

BUNDLE_FILE = "bundle.zip"
"""In a trial's folder, once its pipeline has ended: its model, to take home."""

STEP_LOGS = "steps"
"""In a trial's folder: why a step failed, one file per step."""

CALIBRATION_FILE = "calibration.json"
"""In an experiment's folder: whether XLA is faster here."""


def read_history(directory: Path, metric: str = OBJECTIVE) -> list[tuple[int, float]]:
    """Return the values of a metric by epoch, as far as they are written.

    A line that is still being written is left out, and so are values that are not finite.

    Args:
        directory: of the trial.
        metric: name of the metric in the file.

    Returns:
        (epoch from 1, value), in the order of epochs.
    """
    try:
        content = read_regular_file(directory / METRICS_FILE, limit=_LARGEST_FILE)
        text = content.decode("utf-8", errors="replace")
    except (OSError, InputError):
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


@dataclass(frozen=True, kw_only=True)
class RecordedResult(CustomForm):
    """Contents of a trial's ``result.json``; its form is flat, with the seed beside the fields of the result.

    Attributes:
        result: what the trial function returned.
        seed: of the training; None if the file does not say it.
    """

    result: TrialResult
    seed: int | None = None

    def to_dict(self) -> JsonObject:
        """Return the contents of the file."""
        return {**to_json_values(self.result), "seed": self.seed}

    @classmethod
    def from_dict(cls, values: Any) -> RecordedResult:
        """Return the result that untrusted JSON values describe.

        Args:
            values: content of ``result.json``, perhaps of another version.

        Raises:
            InputError: they do not describe one.
        """
        result = from_json_values(TrialResult, values, name="result", error=InputError, ignore_unknown=True)
        seed = values.get("seed")
        return cls(result=result, seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None)


@dataclass(frozen=True, kw_only=True)
class TrialFailure:
    """Contents of a trial's ``failure.json``: why the trial failed, as a sentence and by its kind."""

    reason: str
    kind: FailureKind = FailureKind.UNKNOWN


def read_result(directory: Path) -> RecordedResult | None:
    """Return the result in a trial's folder, or None if there is none that can be read."""
    try:
        return RecordedResult.from_dict(read_json(directory / RESULT_FILE, limit=_LARGEST_FILE))
    except (OSError, ValueError):
        return None


def read_failure(directory: Path) -> TrialFailure | None:
    """Return the failure in a trial's folder, or None if there is none with a reason."""
    try:
        values = read_json(directory / FAILURE_FILE, limit=_LARGEST_FILE)
    except (OSError, ValueError):
        return None
    reason = values.get("reason") if isinstance(values, dict) else None
    if not isinstance(reason, str) or not reason:
        return None
    # Another version may know other kinds.
    return TrialFailure(reason=reason, kind=FailureKind.read(values.get("kind")))


def finite_number(value: Any) -> float | None:
    """Return a finite number, or None for anything else.

    Args:
        value: number, or text of one.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
