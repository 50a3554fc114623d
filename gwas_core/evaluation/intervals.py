"""Confidence intervals of models' figures and of their differences, by a paired bootstrap over lines.

Also here: 2,000 resamples, strata by family; when an interval is not defined; metrics of each held-out set; means over
held-out sets; a prediction that is the same for all lines counts as 0.

Lines are drawn with replacement inside each stratum (a family within a held-out set), the same lines for every model:
Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13. Two corrections keep the coverage of
intervals right in the small strata of a breeding population, as the tests check:

- The resampled values are shifted so that their mean is the estimate. A correlation within a family of 13 lines comes
  out about 0.015 smaller when its lines are drawn again, which is more than the standard error of a mean over 200 such
  families.
- Deviations of figures over all lines of a held-out set are widened by √(N / (N - H)) for N lines in H strata, since
  the bootstrap underestimates the variance within a stratum of n lines by the factor (n - 1) / n. Correlations within
  families are not widened: drawing few lines again makes them vary by more than that.

Intervals cover which lines of the same families were tested. They do not cover that networks trained again, on other
lines, come out differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.model.metrics import (
    MINIMUM_FAMILY_LINES,
    PredictionMetrics,
    compute_metrics,
    pearson,
    within_family_pearson,
)
from gwas_core.serialization import JsonObject

Floats = NDArray[np.float64]

FIGURES = ("pearson", "within_family_pearson", "mean_absolute_error")
"""Figures that models are compared by, as named in ``metrics.PredictionMetrics``."""

RESAMPLES = 2000
"""Number of bootstrap resamples."""

CONFIDENCE = 0.95
"""Coverage of the intervals."""

# Standardised values with a smaller standard deviation than this do not vary.
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutPredictions:
    """Predictions for the lines of one held-out set, which were never trained on.

    Attributes:
        observed: phenotype, `(lines,)`.
        predicted: by model, `(lines,)`, in the phenotype's unit.
        family: name of each line's family, `(lines,)`; None if lines have none.

    Raises:
        InputError: if an array does not have one finite value for each line.
    """

    observed: Floats
    predicted: Mapping[str, Floats]
    family: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        for name, values in {"observed": self.observed, **self.predicted}.items():
            if values.shape != self.observed.shape or not np.isfinite(values).all():
                raise InputError(f"{name} must have a finite value for each of {len(self.observed)} lines")

    def strata(self) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of each family, or all rows if lines have no families."""
        if self.family is None:
            yield np.arange(len(self.observed))
            return
        for name in np.unique(self.family):
            yield np.flatnonzero(self.family == name)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Value of a figure with its 95 % confidence interval.

    Attributes:
        value: None if the figure is not defined, such as the correlation of a constant prediction.
        interval: lower and upper end; None if there is no value, or some resample has none.
    """

    value: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures of several models, and how the first model differs from each of the others.

    Attributes:
        models: estimates by model and by the names in ``FIGURES``.
        differences: the first model's value less the other model's, by the other model and figure.
    """

    models: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]

    def to_dict(self) -> JsonObject:
        """Return the comparison as JSON takes it.

        Returns:
            By model, and under ``differences`` by other model: a value by each figure's name, the two ends of each
            interval (or None) under ``intervals``.
        """
        return {
            **{name: _flat(figures) for name, figures in self.models.items()},
            "differences": {name: _flat(figures) for name, figures in self.differences.items()},
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> Comparison:
        """Return the comparison that ``to_dict`` described, whatever other entries lie beside its models.

        Args:
            values: of a comparison, or of a whole ``EvaluationResult``.

        Raises:
            KeyError, TypeError, ValueError: if figures or intervals are missing.
        """
        return cls(
            models={
                name: _estimates_of(entry)
                for name, entry in values.items()
                if isinstance(entry, dict) and "intervals" in entry
            },
            differences={name: _estimates_of(entry) for name, entry in values["differences"].items()},
        )


def _flat(figures: Mapping[str, Estimate]) -> JsonObject:
    return {
        **{name: estimate.value for name, estimate in figures.items()},
        "intervals": {
            name: None if estimate.interval is None else list(estimate.interval) for name, estimate in figures.items()
        },
    }


def _estimates_of(entry: JsonObject) -> dict[str, Estimate]:
    found = {}
    for figure in FIGURES:
        ends = entry["intervals"][figure]
        interval = None
        if ends is not None:
            lower, upper = ends
            interval = float(lower), float(upper)
        value = entry[figure]
        found[figure] = Estimate(value=None if value is None else float(value), interval=interval)
    return found


def compare(held_out: Sequence[HeldOutPredictions], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Estimate the figures of every model, and the differences of the first model from each other one.

    A figure is the mean over held-out sets of the values that ``compute_metrics`` gives. If a correlation can be
    computed for a held-out set, a model that predicts the same value for all of its lines counts as 0 there; one that
    does so in every held-out set has no correlation.

    Args:
        held_out: at least one, all with the same models.
        resamples: number of bootstrap resamples; 2,000 of one held-out set take 20 MB.
        seed: of the resamples; the same seed draws the same lines.

    Raises:
        InputError: if there is no held-out set, or models differ between them.
    """
    if not held_out:
        raise InputError("there are no predictions to judge")
    names = tuple(held_out[0].predicted)
    if any(tuple(entry.predicted) != names for entry in held_out):
        raise InputError("every held-out set must have predictions of the same models")
    counted = np.array([_countable(entry) for entry in held_out])
    values = _mean_over_sets(np.array([_metrics_of(entry) for entry in held_out]), counted)
    random = np.random.default_rng(seed)
    resampled = _mean_over_sets(
        np.array([_resampled(entry, resamples, random) for entry in held_out]), counted, defined=~np.isnan(values)
    )
    widening = _widening(held_out)
    return Comparison(
        models={name: _estimates(values[:, model], resampled[:, model], widening) for model, name in enumerate(names)},
        differences={
            name: _estimates(values[:, 0] - values[:, model], resampled[:, 0] - resampled[:, model], widening)
            for model, name in enumerate(names)
            if model
        },
    )


def held_out_metrics(held_out: Sequence[HeldOutPredictions]) -> list[dict[str, PredictionMetrics]]:
    """Judge every model on every held-out set by ``metrics.compute_metrics``.

    Args:
        held_out: with families where figures within families are wanted.

    Returns:
        One entry for each held-out set: metrics by model.
    """
    return [
        {
            name: compute_metrics(entry.observed, predicted, family=entry.family)
            for name, predicted in entry.predicted.items()
        }
        for entry in held_out
    ]


def _metrics_of(entry: HeldOutPredictions) -> Floats:
    """Return the metrics, (figures, models); NaN for a figure that is not defined."""
    (by_model,) = held_out_metrics([entry])
    return np.array([[getattr(found, figure) for found in by_model.values()] for figure in FIGURES], dtype=np.float64)


def _countable(entry: HeldOutPredictions) -> list[bool]:
    """Return for each figure whether a perfect prediction of these lines would have it, (figures,)."""
    family = entry.family
    return [
        pearson(entry.observed, entry.observed) is not None,
        family is not None and within_family_pearson(entry.observed, entry.observed, family) is not None,
        True,
    ]


def _mean_over_sets(values: Floats, counted: NDArray[np.bool_], *, defined: NDArray[np.bool_] | None = None) -> Floats:
    """Return means over held-out sets.

    Args:
        values: (held-out sets, figures, models, ...).
        counted: (held-out sets, figures), from ``_countable``.
        defined: (figures, models), as found for the estimates; by default where any value is known.

    Returns:
        (figures, models, ...); NaN for what is not defined.
    """
    means = np.full(values.shape[1:], np.nan)
    for figure, kept in enumerate(counted.T):
        for model in range(values.shape[2]):
            of_sets = values[kept, figure, model]
            known = (~np.isnan(of_sets)).any() if defined is None else defined[figure, model]
            if known and len(of_sets):
                means[figure, model] = np.nan_to_num(of_sets).mean(axis=0)
    return means


def _resampled(entry: HeldOutPredictions, resamples: int, random: np.random.Generator) -> Floats:
    """Return the figures of every resample, (figures, models, resamples).

    Every figure follows from sums over lines, so a resample is a vector of counts of each line times a table of
    terms. Columns of the table: one, observed, its square, and four for each model (see ``_column``).
    """
    observed = _standardised(entry.observed)
    models = list(entry.predicted.values())
    columns = [np.ones_like(observed), observed, observed**2]
    for values in models:
        predicted = _standardised(values)
        columns += [predicted, predicted**2, observed * predicted, np.abs(values - entry.observed)]
    table = np.column_stack(columns)
    total = np.zeros((resamples, table.shape[1]))
    weighted, weights = np.zeros((len(models), resamples)), np.zeros((len(models), resamples))
    for rows in entry.strata():
        counts = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
        sums = counts @ table[rows]
        total += sums
        if entry.family is None or len(rows) < MINIMUM_FAMILY_LINES:
            continue
        for model, values in enumerate(models):
            if pearson(entry.observed[rows], values[rows]) is not None:
                correlation = _correlation(sums, model)
                known = ~np.isnan(correlation)
                weighted[model] += np.where(known, len(rows) * correlation, 0.0)
                weights[model] += len(rows) * known
    figures = np.full((len(FIGURES), len(models), resamples), np.nan)
    for model, values in enumerate(models):
        if pearson(entry.observed, values) is not None:
            figures[0, model] = _correlation(total, model)
        figures[2, model] = total[:, _column(model) + 3] / total[:, 0]
    np.divide(weighted, weights, out=figures[1], where=weights > 0)
    return figures


def _column(model: int) -> int:
    """Return the first column of a model: its prediction, the square, the product with observed, absolute error."""
    return 3 + 4 * model


def _correlation(sums: Floats, model: int) -> Floats:
    """Return a model's correlation in each resample from its sums (resamples, columns); NaN if it does not vary."""
    lines, first = sums[:, 0], _column(model)
    observed, predicted = sums[:, 1] / lines, sums[:, first] / lines
    variances = (sums[:, 2] / lines - observed**2) * (sums[:, first + 1] / lines - predicted**2)
    covariance = sums[:, first + 2] / lines - observed * predicted
    varies = variances > _CONSTANT**2
    correlation = np.full(len(sums), np.nan)
    np.divide(covariance, np.sqrt(np.where(varies, variances, 1.0)), out=correlation, where=varies)
    return correlation


def _standardised(values: Floats) -> Floats:
    """Return values with mean 0 and variance 1, so that differences of sums of squares keep their digits."""
    centred = values - values.mean()
    deviation = float(centred.std())
    return np.asarray(centred / (deviation or 1.0), dtype=np.float64)


def _widening(held_out: Sequence[HeldOutPredictions]) -> dict[str, float]:
    """Return by figure the factor for deviations from the estimate, √(N / (N - H)) or 1 (see the module)."""
    lines = sum(len(entry.observed) for entry in held_out)
    strata = sum(1 for entry in held_out for _ in entry.strata())
    factor = float(np.sqrt(lines / (lines - strata))) if lines > strata else 1.0
    return {"pearson": factor, "within_family_pearson": 1.0, "mean_absolute_error": factor}


def _estimates(values: Floats, resampled: Floats, widening: Mapping[str, float]) -> dict[str, Estimate]:
    """Return estimates by figure from values (figures,) and resampled values (figures, resamples)."""
    return {
        figure: _estimate(float(value), draws, widening[figure])
        for figure, value, draws in zip(FIGURES, values, resampled, strict=True)
    }


def _estimate(value: float, draws: Floats, widening: float) -> Estimate:
    if np.isnan(value) or np.isnan(draws).any():
        return Estimate(value=None if np.isnan(value) else value)
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(draws - draws.mean(), (tail, 1 - tail))
    return Estimate(value=value, interval=(value + widening * float(lower), value + widening * float(upper)))
