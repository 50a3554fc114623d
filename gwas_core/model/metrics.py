"""Metrics of predictions: MAE, RMSE, Pearson correlation, and Pearson within families.

Also here: when a correlation is undefined; from how many lines on a family counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwas_core.errors import InputError

MINIMUM_FAMILY_LINES = 8
"""Minimum number of lines of a family whose correlation counts; with fewer it is too uncertain."""

# A prediction that varies by less than this share of its size varies only by rounding.
_CONSTANT = 1e-9


@dataclass(frozen=True, kw_only=True)
class PredictionMetrics:
    """Metrics of one model on one set of lines.

    Attributes:
        lines: number of lines.
        mean_absolute_error: in the phenotype's unit.
        root_mean_squared_error: in the phenotype's unit.
        pearson: correlation of observed and predicted; None if undefined, as for a constant prediction.
        within_family_pearson: mean of the correlations inside families of at least ``MINIMUM_FAMILY_LINES`` lines,
            weighted by their numbers of lines; None without families, or if no such family has a correlation.

    Raises:
        InputError: a value is impossible, such as a negative error.
    """

    lines: int
    mean_absolute_error: float
    root_mean_squared_error: float
    pearson: float | None
    within_family_pearson: float | None

    def __post_init__(self) -> None:
        if self.lines < 1:
            raise InputError(f"metrics need at least one line, not {self.lines}")
        for name in ("mean_absolute_error", "root_mean_squared_error"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise InputError(f"{name} must be a finite number that is not negative, not {value}")
        for name in ("pearson", "within_family_pearson"):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise InputError(f"{name} must lie between -1 and 1, not {value}")

    def figures(self) -> dict[str, float | None]:
        """Return the figures by name, without the number of lines; None marks a correlation that is not defined."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lines"}


@dataclass(frozen=True, kw_only=True)
class BaselineMetrics:
    """Stored part of a baseline's result: everything but the predictions.

    Attributes:
        validation: metrics on the validation lines.
        test: metrics on the test lines.
        variance: REML estimates of a GBLUP baseline by name, with ratio and proportion explained; None for the means.
    """

    validation: PredictionMetrics
    test: PredictionMetrics
    variance: Mapping[str, float] | None = None


def pearson(observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation of two vectors.

    Args:
        observed: (lines,).
        predicted: (lines,), in the same order.

    Returns:
        None if it is not defined: for fewer than 3 lines, or if either vector is constant.
    """
    if len(observed) < 3 or _is_constant(observed) or _is_constant(predicted):
        return None
    centred_observed = _unit_centred(observed)
    centred_predicted = _unit_centred(predicted)
    return float(np.clip(centred_observed @ centred_predicted, -1.0, 1.0))


def within_family_pearson(
    observed: NDArray[np.float64], predicted: NDArray[np.float64], family: NDArray[np.str_]
) -> float | None:
    """Return the mean correlation within families, weighted by their numbers of lines.

    It measures what a model predicts beyond the family a line belongs to. Families with fewer than
    ``MINIMUM_FAMILY_LINES`` lines, and families in which either vector is constant, are left out.

    Args:
        observed: (lines,) phenotype.
        predicted: (lines,), in the same order.
        family: (lines,) name of each line's family.

    Returns:
        None if no family is left.
    """
    correlations, weights = [], []
    for members in (family == name for name in np.unique(family)):
        if members.sum() < MINIMUM_FAMILY_LINES:
            continue
        correlation = pearson(observed[members], predicted[members])
        if correlation is not None:
            correlations.append(correlation)
            weights.append(int(members.sum()))
    if not correlations:
        return None
    # Rounding may carry a mean of ones past one.
    return float(np.clip(np.average(correlations, weights=weights), -1.0, 1.0))


def compute_metrics(observed: ArrayLike, predicted: ArrayLike, *, family: ArrayLike | None = None) -> PredictionMetrics:
    """Compute the metrics of predictions.

    Args:
        observed: (lines,) phenotype.
        predicted: (lines,) or (lines, 1), in the same order and unit.
        family: (lines,) name of each line's family; None if lines have none.

    Raises:
        InputError: different numbers of lines, no line at all, or a value that is not finite.
    """
    observed = _vector("observed", observed)
    predicted = _vector("predicted", predicted)
    families = None if family is None else np.asarray(family, dtype=np.str_)
    if predicted.shape != observed.shape or (families is not None and families.shape != observed.shape):
        raise InputError(
            f"observed, predicted and family must have one value per line; they have {len(observed)}, {len(predicted)}"
            + ("" if families is None else f" and {len(families)}")
        )
    error = predicted - observed
    return PredictionMetrics(
        lines=len(observed),
        mean_absolute_error=float(np.abs(error).mean()),
        root_mean_squared_error=float(np.sqrt(np.square(error).mean())),
        pearson=pearson(observed, predicted),
        within_family_pearson=None if families is None else within_family_pearson(observed, predicted, families),
    )


def _vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim == 2 and vector.shape[1] == 1:
        # What Keras returns for one output.
        vector = vector[:, 0]
    if vector.ndim != 1 or not len(vector):
        raise InputError(f"{name} must have one value per line, for at least one line, not of shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise InputError(f"{name} holds {int((~np.isfinite(vector)).sum())} values that are not finite numbers")
    return vector


def _is_constant(values: NDArray[np.float64]) -> bool:
    return bool(np.ptp(values) <= _CONSTANT * np.abs(values).max())


def _unit_centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    # Scaled first, so that the squares of very small or very large values stay in range.
    centred /= np.abs(centred).max()
    return np.asarray(centred / np.linalg.norm(centred), dtype=np.float64)
