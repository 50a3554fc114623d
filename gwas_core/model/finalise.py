"""Final evaluation: the best trial's network on validation and test lines, and the file of its predictions.

Also here: columns of that file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from gwas_core.files import write_text
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.metrics import PredictionMetrics, compute_metrics
from gwas_core.model.trainer import Standardisation, load_model, predict
from gwas_core.model.trial_folder import MODEL_FILE
from gwas_core.spreadsheets import csv_text

PREDICTIONS_FILE = "predictions.csv"


def finalise(
    dataset: Dataset, split: Split, experiment_directory: Path, trial_directory: Path
) -> dict[str, PredictionMetrics]:
    """Evaluate the best trial's network on the validation and the test lines.

    Writes ``predictions.csv`` into the experiment's folder, for the chart of observed against predicted phenotypes:
    columns line, part (validation or test), family (only if lines have one), observed, predicted.

    Args:
        dataset: data the trial was trained on.
        split: rows of ``dataset``.
        experiment_directory: folder that gets the predictions.
        trial_directory: folder of the best trial, with its network.

    Returns:
        Metrics of the two parts, ``validation`` and ``test``.

    Raises:
        InputError: the trial's network cannot be loaded.
    """
    model = load_model(trial_directory / MODEL_FILE)
    standardisation = Standardisation.of(dataset.phenotype[split.train])
    metrics: dict[str, PredictionMetrics] = {}
    tables = []
    for part, lines in (("validation", split.validation), ("test", split.test)):
        observed = dataset.phenotype[lines]
        predicted = predict(model, np.ascontiguousarray(dataset.genotypes[lines]), standardisation)
        family = None if dataset.family is None else dataset.family[lines]
        metrics[part] = compute_metrics(observed, predicted, family=family)
        table = pd.DataFrame({"line": [dataset.line_names[i] for i in lines], "part": part})
        if family is not None:
            table["family"] = family
        tables.append(table.assign(observed=observed, predicted=predicted))
    write_text(experiment_directory / PREDICTIONS_FILE, csv_text(pd.concat(tables)))
    return metrics
