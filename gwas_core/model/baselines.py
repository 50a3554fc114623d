"""Baselines that a network has to beat: mean, family mean, GBLUP, and GBLUP with a family effect.

Also here: a family without training lines; the predictions for an evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics, compute_metrics
from gwas_core.model.mixed_model import (
    VarianceComponents,
    decompose,
    fit_mixed_model,
    genomic_relationship,
)
from gwas_core.serialization import to_json_values

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

BASELINES = ("mean", "family_mean", "gblup", "gblup_family")
"""Names of all baselines; ``family_mean`` and ``gblup_family`` need a dataset with families."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BaselineResult:
    """Metrics and predictions of a baseline that was fitted to the training lines of a split.

    Attributes:
        validation: metrics on the validation lines.
        test: metrics on the test lines.
        validation_predictions: float64 (validation lines,), in the order of the split, so that a network's errors can
            be compared with them line by line.
        test_predictions: float64 (test lines,), in the order of the split.
        variance: REML estimates of a GBLUP baseline; None for the means.
    """

    validation: PredictionMetrics
    test: PredictionMetrics
    validation_predictions: Floats
    test_predictions: Floats
    variance: VarianceComponents | None = None

    @property
    def stored(self) -> BaselineMetrics:
        """Metrics and variances, without the predictions."""
        variance = None
        if self.variance is not None:
            variance = to_json_values(self.variance) | {
                "ratio": self.variance.ratio,
                "proportion_explained": self.variance.proportion_explained,
            }
        return BaselineMetrics(validation=self.validation, test=self.test, variance=variance)


def evaluate_baselines(dataset: Dataset, split: Split, *, threads: int = 1) -> dict[str, BaselineResult]:
    """Fit every baseline to the training lines and evaluate it on the validation and the test lines.

    Takes about 12 s and 0.5 GB for 4,000 training lines on one thread; time grows with the cube of their number,
    memory (three matrices of lines × lines) with its square.

    Args:
        dataset: data without missing genotypes.
        split: rows of ``dataset``.
        threads: maximum number of threads for linear algebra.

    Returns:
        Results by the names in ``BASELINES``, in that order; ``family_mean`` and ``gblup_family`` only if the lines
        have families.

    Raises:
        InputError: missing genotypes, rows outside the dataset, or training lines that do not vary.
    """
    others = np.concatenate([split.validation, split.test])
    border = len(split.validation)
    results = {}
    for name, (predictions, variance) in _fit(dataset, split.train, others, threads=threads).items():
        validation, test = np.split(predictions, [border])
        results[name] = BaselineResult(
            validation=_metrics(dataset, split.validation, validation),
            test=_metrics(dataset, split.test, test),
            validation_predictions=validation,
            test_predictions=test,
            variance=variance,
        )
    return results


def predict_baselines(dataset: Dataset, train: Rows, predict_lines: Rows, *, threads: int = 1) -> dict[str, Floats]:
    """Fit every baseline to training lines and predict other lines, whose phenotypes are not used.

    Args:
        dataset: data without missing genotypes.
        train: rows of the training lines.
        predict_lines: rows of the lines to predict.
        threads: maximum number of threads for linear algebra.

    Returns:
        Predictions (len(predict_lines),) in the phenotype's unit, by the names in ``BASELINES``; those with a family
        only if the lines have families.

    Raises:
        InputError: missing genotypes, rows outside the dataset, or training lines that do not vary.
    """
    fits = _fit(dataset, train, predict_lines, threads=threads)
    return {name: predictions for name, (predictions, _) in fits.items()}


def family_means(phenotype: Floats, family: NDArray[np.str_], predicted_family: NDArray[np.str_]) -> Floats:
    """Predict each line by the mean phenotype of its family.

    Args:
        phenotype: (n,) of the training lines.
        family: (n,) of the training lines.
        predicted_family: (m,) of the lines to predict.

    Returns:
        (m,); the mean of all training lines for a family without training lines.
    """
    names, number = np.unique(family, return_inverse=True)
    mean = dict(zip(names.tolist(), np.bincount(number, phenotype) / np.bincount(number), strict=True))
    overall = float(phenotype.mean())
    return np.array([mean.get(name, overall) for name in predicted_family.tolist()])


def _fit(
    dataset: Dataset, train: Rows, predicted: Rows, *, threads: int
) -> dict[str, tuple[Floats, VarianceComponents | None]]:
    if dataset.has_missing:
        raise InputError("baselines need genotypes without missing values: prepare the dataset (impute) first")
    if (np.concatenate([train, predicted]) >= dataset.lines).any():
        raise InputError(f"the split names lines beyond the {dataset.lines} of this dataset: it belongs to another one")
    phenotype = dataset.phenotype[train]
    fits: dict[str, tuple[Floats, VarianceComponents | None]] = {
        "mean": (np.full(len(predicted), phenotype.mean()), None)
    }
    if dataset.family is not None:
        fits["family_mean"] = (family_means(phenotype, dataset.family[train], dataset.family[predicted]), None)
    with threadpool_limits(limits=threads, user_api="blas"):
        return fits | _fit_gblup(dataset, train, predicted)


def _fit_gblup(dataset: Dataset, train: Rows, predicted: Rows) -> dict[str, tuple[Floats, VarianceComponents | None]]:
    """Fit GBLUP with variances by REML and, if lines have families, also GBLUP with a random family effect.

    The family effect is random, so a family without training lines has the effect 0, the mean of the distribution,
    and one with few lines is shrunk towards it.
    """
    among, across = genomic_relationship(dataset.genotypes, train=train, predicted=predicted)
    spectrum = decompose(among)
    groups: dict[str, Floats | None] = {"gblup": None}
    if dataset.family is not None:
        names = np.unique(dataset.family[train])
        groups["gblup_family"] = (dataset.family[:, None] == names).astype(np.float64)
    intercept = np.ones((dataset.lines, 1))
    fits: dict[str, tuple[Floats, VarianceComponents | None]] = {}
    for name, group in groups.items():
        model = fit_mixed_model(
            spectrum,
            dataset.phenotype[train],
            covariates=intercept[train],
            groups=None if group is None else group[train],
        )
        predictions = model.predict(
            covariates=intercept[predicted],
            groups=None if group is None else group[predicted],
            relationship=across,
        )
        fits[name] = (predictions, model.variance)
    return fits


def _metrics(dataset: Dataset, rows: Rows, predictions: Floats) -> PredictionMetrics:
    family = None if dataset.family is None else dataset.family[rows]
    return compute_metrics(dataset.phenotype[rows], predictions, family=family)
