"""Inputs of a trial on a cluster: its experiment, as the engine wrote it to the claim, and its seed."""

from __future__ import annotations

from pathlib import Path

from gwas_core.errors import InputError
from gwas_core.files import read_json
from gwas_core.kubeflow.steps import experiment_directory
from gwas_core.seeds import named_training_seed
from gwas_core.tuning.experiment import Experiment

_LARGEST_FILE = 64 * 1024**2

EXPERIMENT_FILE = "experiment.json"
"""In an experiment's folder: the experiment, as ``Experiment.to_dict`` gives it."""


def read_experiment(workspace: Path, name: str) -> Experiment:
    """Return the experiment that a trial belongs to.

    Args:
        workspace: folder of the workspace volume.
        name: of the experiment.

    Raises:
        InputError: it is not on this volume, or was written by another version.
    """
    path = experiment_directory(workspace, name) / EXPERIMENT_FILE
    try:
        return Experiment.from_dict(read_json(path, limit=_LARGEST_FILE))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): is the volume the one the experiment was submitted from?"
        ) from error


def trial_seed(experiment: Experiment, trial: str) -> int:
    """Return the seed of a trial, from the experiment's seed and the trial's name, as Katib does not number trials.

    It is the same whenever the trial is repeated, and unrelated between trials.

    Args:
        experiment: with the seed that its trials' seeds come from.
        trial: name that Katib gave the trial.
    """
    return named_training_seed(experiment.seed, trial)
