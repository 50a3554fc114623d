"""A real but quick model to test engines with: ridge regression on the SNPs, in closed form.

Its "epochs" are weaker and weaker penalties. How a trial behaves otherwise is a
hyperparameter: ``behaviour`` names the ways in which trials go wrong.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gwas_core.errors import TrialFailed
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.metrics import PredictionMetrics, compute_metrics
from gwas_core.model.training import TrialResult
from gwas_core.processes.worker import MOST_GROWTH
from tests.waiting import wait_while_held

MODEL = "tests.tuning.quick_trial"
"""This module, as ``GWAS_MODEL`` names it."""


def run_trial(
    dataset: Dataset,
    split: Split,
    hyperparameters: Mapping[str, Any],
    directory: Path,
    *,
    report: Callable[[int, dict[str, float]], None],
    seed: int = 0,
    xla: str = "auto",
) -> TrialResult:
    """Fit, reporting each penalty as an epoch; misbehave as told."""
    directory.mkdir(parents=True)  # fails if an earlier attempt's folder is still there
    write_json(directory / "hyperparameters.json", dict(hyperparameters))
    print("printed to stdout by a trial", flush=True)
    epochs = int(hyperparameters.get("epochs", 3))
    behaviour = str(hyperparameters.get("behaviour", "good"))
    errors = []
    with (directory / "metrics.jsonl").open("w", encoding="utf-8") as metrics:
        for epoch in range(1, epochs + 1):
            penalty = float(hyperparameters["penalty"]) * 2.0 ** (epochs - epoch)
            predicted = predict(dataset, split, penalty, split.validation)
            error = float(np.abs(predicted - dataset.phenotype[split.validation]).mean())
            errors.append(error)
            metrics.write(json.dumps({"epoch": epoch, "val_mean_absolute_error": error, "seed": seed}) + "\n")
            time.sleep(float(hyperparameters.get("epoch_seconds", 0.0)))
            misbehave(behaviour, directory, epoch)
            report(epoch, {"val_mean_absolute_error": math.nan if behaviour == "not_finite" else error})
    wait_while_held(directory)
    write_json(directory / "model.json", {"penalty": float(hyperparameters["penalty"]), "worker": os.getpid()})
    observed = dataset.phenotype[split.validation]
    return TrialResult(
        val_mean_absolute_error=math.inf if behaviour == "infinite" else errors[-1],
        best_epoch=epochs,
        epochs=epochs,
        validation=compute_metrics(observed, predict(dataset, split, penalty, split.validation)),
    )


_kept: list[bytes] = []


def misbehave(behaviour: str, directory: Path, epoch: int) -> None:
    """Do what the behaviour says, in the second epoch or the only one."""
    if behaviour == "fails":
        raise TrialFailed("this trial was told to fail")
    if behaviour == "raises":
        raise RuntimeError("this trial was told\nto raise")
    if behaviour == "grows" and epoch == 1:
        _kept.append(b"x" * (MOST_GROWTH * 4 // 5))
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "exits":
        os._exit(7)
    once = directory.parent / f"{directory.name}-was-full"
    if behaviour == "full_once" and epoch == 2 and not once.exists():
        once.touch()
        Path("/dev/full").write_text("no room for this")
    once = directory.parent / f"{directory.name}-was-killed"
    if behaviour == "killed_once" and epoch == 2 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def finalise(
    dataset: Dataset, split: Split, experiment_directory: Path, trial_directory: Path
) -> dict[str, PredictionMetrics]:
    """Judge the stored model on the validation and test lines."""
    penalty = json.loads((trial_directory / "model.json").read_text(encoding="utf-8"))["penalty"]
    return {
        part: compute_metrics(dataset.phenotype[lines], predict(dataset, split, penalty, lines))
        for part, lines in (("validation", split.validation), ("test", split.test))
    }


def predict(dataset: Dataset, split: Split, penalty: float, lines: np.ndarray) -> np.ndarray:
    """Phenotypes of ``lines`` predicted by ridge regression fitted to the training lines."""
    train = dataset.genotypes[split.train].astype(float)
    mean = train.mean(axis=0)
    centred = train - mean
    phenotype = dataset.phenotype[split.train]
    kernel = centred @ centred.T / centred.shape[1]
    weights = np.linalg.solve(kernel + penalty * np.eye(len(kernel)), phenotype - phenotype.mean())
    return (dataset.genotypes[lines] - mean) @ centred.T @ weights / centred.shape[1] + phenotype.mean()
