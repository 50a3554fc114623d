"""Models of one held-out set: network, baselines, and a control that sees only where genotypes are missing.

Also here: networks that are trained again from the beginning after a kill.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.evaluation.folds import PreparedHeldOutSet
from gwas_core.evaluation.result import MISSING_PATTERN, NETWORK
from gwas_core.evaluation.store import ChosenHyperparameters
from gwas_core.model.baselines import predict_baselines
from gwas_core.model.trial_folder import MODEL_FILE
from gwas_core.seeds import training_seed

Floats = NDArray[np.float64]


def predict_with_baselines(prepared: PreparedHeldOutSet, *, threads: int) -> dict[str, Floats]:
    """Predict the test lines with every baseline and with a control.

    The control is a GBLUP that sees where genotypes were missing and no allele: what it predicts, a model could have
    learned from missing genotypes instead of alleles.

    Args:
        prepared: complete genotypes of training and test lines.
        threads: of linear algebra.

    Returns:
        Predictions by model, `(test lines,)`, in the phenotype's unit; the control under ``MISSING_PATTERN``, only if
        genotypes were missing.
    """
    predictions = predict_baselines(prepared.dataset, prepared.train, prepared.test, threads=threads)
    if prepared.missing_pattern is not None:
        try:
            found = predict_baselines(prepared.missing_pattern, prepared.train, prepared.test, threads=threads)["gblup"]
        except InputError:  # genotypes of no training line, or of all of them, are missing: nothing to learn
            found = predictions["mean"]
        predictions[MISSING_PATTERN] = found
    return predictions


def predict_with_network(
    prepared: PreparedHeldOutSet, chosen: ChosenHyperparameters, directory: Path, *, number: int, seed: int
) -> dict[str, Floats]:
    """Train a network with the chosen hyperparameters and predict the test lines with it.

    Args:
        prepared: complete genotypes of training and test lines.
        chosen: hyperparameters, and whether training is compiled.
        directory: for the network's log, metrics and weights; what is there is removed.
        number: of the network among those of the held-out set; decides its validation lines and its seed.
        seed: of the evaluation.

    Returns:
        Under ``NETWORK``, `(test lines,)`, in the phenotype's unit.

    Raises:
        TrialFailed: if training diverged or memory ran out.
    """
    # Imported here, since they import TensorFlow.
    from gwas_core.model.trainer import Standardisation, load_model, predict
    from gwas_core.model.training import run_trial

    split = prepared.split(number)
    shutil.rmtree(directory, ignore_errors=True)  # an earlier attempt may have left half of its files
    run_trial(
        prepared.dataset,
        split,
        chosen.hyperparameters,
        directory,
        report=_no_report,
        seed=training_seed(seed, number),
        xla="on" if chosen.xla else "off",
    )
    standardisation = Standardisation.of(prepared.dataset.phenotype[split.train])
    genotypes = np.ascontiguousarray(prepared.dataset.genotypes[split.test])
    return {NETWORK: predict(load_model(directory / MODEL_FILE), genotypes, standardisation)}


def _no_report(_epoch: int, _metrics: dict[str, float]) -> None:
    """Do nothing: these networks are not pruned, and their metrics are in their folder."""
