"""The models of an evaluation: trained on the training lines of a part, predicting its test lines."""

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

Floats = NDArray[np.float64]


def predict_with_baselines(part: PreparedHeldOutSet, *, threads: int) -> dict[str, Floats]:
    """Predictions of every baseline, and of a GBLUP that sees nothing but where genotypes were missing.

    The latter is a control: what it predicts, a model could have learned from missing genotypes instead of alleles.
    """
    predictions = predict_baselines(part.dataset, part.train, part.test, threads=threads)
    if part.missing_pattern is not None:
        try:
            found = predict_baselines(part.missing_pattern, part.train, part.test, threads=threads)["gblup"]
        except InputError:  # genotypes of no training line, or of all of them, are missing: nothing to learn from
            found = predictions["mean"]
        predictions[MISSING_PATTERN] = found
    return predictions


def predict_with_network(
    part: PreparedHeldOutSet, chosen: ChosenHyperparameters, directory: Path, *, number: int, seed: int
) -> dict[str, Floats]:
    """Predictions of a network trained with the chosen hyperparameters.

    Args:
        directory: for its log, metrics and weights.
        number: of the network among those of the part: chooses the validation part by which it stops, and its seed.

    Raises:
        TrialFailed: training diverged, or memory ran out.
    """
    # Here, since it brings TensorFlow in.
    from gwas_core.model.trainer import Standardisation, load_model, predict
    from gwas_core.model.training import run_trial

    split = part.split(number)
    shutil.rmtree(directory, ignore_errors=True)  # an earlier attempt may have left half of its files
    run_trial(
        part.dataset,
        split,
        chosen.hyperparameters,
        directory,
        report=_no_report,
        seed=training_seed(seed, number),
        xla="on" if chosen.xla else "off",
    )
    standardisation = Standardisation.of(part.dataset.phenotype[split.train])
    genotypes = np.ascontiguousarray(part.dataset.genotypes[split.test])
    return {NETWORK: predict(load_model(directory / "model.keras"), genotypes, standardisation)}


def training_seed(seed: int, number: int) -> int:
    """The seed of a part's ``number``-th network."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) & (2**31 - 1)


def _no_report(_epoch: int, _metrics: dict[str, float]) -> None:
    """Nobody prunes these networks; their metrics are in their folder."""
