"""What a trial knows of its experiment: what the engine wrote on the workspace volume."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gwas_core.errors import InputError
from gwas_core.kubeflow.steps import experiment_directory
from gwas_core.tuning.experiment import Experiment

EXPERIMENT_FILE = "experiment.json"
"""In an experiment's folder: its description."""

_LARGEST_SEED = 2**31


def read_experiment(workspace: Path, name: str) -> Experiment:
    """The experiment a trial belongs to.

    Raises:
        InputError: it is not on this volume, or was written by another version.
    """
    path = experiment_directory(workspace, name) / EXPERIMENT_FILE
    try:
        return Experiment.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): is the volume the one the experiment was submitted from?"
        ) from error


def trial_seed(experiment: Experiment, trial: str) -> int:
    """The seed of a trial: the same whenever it is repeated, unrelated between trials, which Katib does not number."""
    digest = hashlib.sha256(f"{experiment.seed}/{trial}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _LARGEST_SEED
