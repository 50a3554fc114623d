"""Accuracy of initial weights of the network, without the folds that evaluations test on.

    python -m benchmarks.initial_weights [FILE] [--blocks 5 10 20]

Each of the folds to tune on is predicted from the others. A lasso and boosted trees of scikit-learn, which share no
code with ours, show whether the accuracy is plausible.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import REAL_DATA
from gwas_core.evaluation.folds import (
    PreparedHeldOutSet,
    held_out_folds,
    prepare_held_out_set,
    usable_lines,
    with_folds,
)
from gwas_core.evaluation.plan import default_folds
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.readers import read_table
from gwas_core.model.baselines import family_means, predict_baselines
from gwas_core.model.effects import ROUNDS
from gwas_core.model.hyperparameters import HybridHyperparameters
from gwas_core.model.initial_weights import TrainingLines, fit_initial_weights
from gwas_core.model.metrics import compute_metrics
from gwas_core.model.trainer import Standardisation
from gwas_core.processes.threads import usable_cores

Floats = NDArray[np.float64]
_LASSO = 0.006


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=REAL_DATA / "IMP_height.txt.gz")
    parser.add_argument("--blocks", type=int, nargs="+", default=[5, 10, 20], help="SNPs in a block (default: 5 10 20)")
    parser.add_argument("--folds", type=int, nargs="+", help="to predict; all of those to tune on where not given")
    options = parser.parse_args()
    settings = PreprocessingSettings()
    table = read_table(options.file)
    dataset, _ = make_dataset(table, guess_roles(table))
    dataset, _ = usable_lines(dataset, settings)
    if dataset.folds is None:
        dataset = with_folds(dataset, seed=0)
    tune, _ = default_folds(dataset)
    dataset = dataset.take(lines=np.flatnonzero(np.isin(dataset.folds, tune)))
    divided = held_out_folds(dataset, options.folds or tune)
    parts = [prepare_held_out_set(dataset, part, settings) for part in divided]
    observed = [dataset.phenotype[part.test] for part in divided]
    print("| model | PCC | within | MAE | s a fold |\n|---|---|---|---|---|", flush=True)
    for name, model in models(options.blocks).items():
        began = time.monotonic()
        predicted = [model(part) for part in parts]
        seconds = (time.monotonic() - began) / len(parts)
        judgements = [
            compute_metrics(
                values, found, family=None if part.dataset.family is None else part.dataset.family[part.test]
            )
            for values, found, part in zip(observed, predicted, parts, strict=True)
        ]
        figures = [
            np.mean([getattr(judgement, figure) for judgement in judgements])
            for figure in ("pearson", "within_family_pearson", "mean_absolute_error")
        ]
        print(f"| {name} | {figures[0]:.3f} | {figures[1]:.3f} | {figures[2]:.3f} | {seconds:.0f} |", flush=True)


def models(blocks: list[int]) -> dict[str, Callable[[PreparedHeldOutSet], Floats]]:
    """Return functions that predict the test lines of a part, by the name in the table."""
    found: dict[str, Callable[[PreparedHeldOutSet], Floats]] = {
        "GBLUP + family": _baseline,
        "lasso of SNPs and families": _lasso,
        "boosted trees of SNPs and family mean": _trees,
    }
    for block in blocks:
        for rounds in (0, ROUNDS):
            variances = "each its own" if rounds else "one"
            found[f"initial weights, blocks of {block}, variance: {variances}"] = _initial_weights(block, rounds)
    return found


def _baseline(part: PreparedHeldOutSet) -> Floats:
    return predict_baselines(part.dataset, part.train, part.test, threads=usable_cores())["gblup_family"]


def _initial_weights(block: int, rounds: int) -> Callable[[PreparedHeldOutSet], Floats]:
    def predict(part: PreparedHeldOutSet) -> Floats:
        phenotype = part.dataset.phenotype[part.train]
        standardisation = Standardisation.of(phenotype)
        defaults = HybridHyperparameters()
        initial = fit_initial_weights(
            TrainingLines(
                genotypes=part.dataset.genotypes[part.train],
                target=standardisation.standardise(phenotype),
                family=None if part.dataset.family is None else part.dataset.family[part.train],
            ),
            block=block,
            prototypes=defaults.conv_filters,
            sharpness=defaults.haplotype_sharpness,
            rounds=rounds,
        )
        return standardisation.unstandardise(initial.predict(part.dataset.genotypes[part.test]))

    return predict


def _lasso(part: PreparedHeldOutSet) -> Floats:
    from sklearn.linear_model import Lasso

    family = part.dataset.family
    member = np.zeros((part.dataset.lines, 0)) if family is None else 3.0 * (family[:, None] == np.unique(family))
    return _by(Lasso(alpha=_LASSO, max_iter=3000), part, np.concatenate([_scaled(part), member], axis=1))


def _trees(part: PreparedHeldOutSet) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor

    columns = [part.dataset.genotypes.astype(np.float32)]
    if (family := part.dataset.family) is not None:
        means = family_means(part.dataset.phenotype[part.train], family[part.train], family)
        columns.append(means[:, None].astype(np.float32))
    trees = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, max_features=0.1, random_state=0)
    return _by(trees, part, np.concatenate(columns, axis=1))


def _scaled(part: PreparedHeldOutSet) -> NDArray[np.float32]:
    counts = part.dataset.genotypes.astype(np.float32)
    counts -= counts[part.train].mean(axis=0)
    return np.asarray(counts / np.sqrt(np.square(counts[part.train]).mean()), dtype=np.float32)


def _by(model: Any, part: PreparedHeldOutSet, columns: NDArray[Any]) -> Floats:
    model.fit(columns[part.train], part.dataset.phenotype[part.train])
    return np.asarray(model.predict(columns[part.test]), dtype=np.float64)


if __name__ == "__main__":
    main()
