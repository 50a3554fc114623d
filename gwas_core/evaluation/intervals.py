"""How sure a figure, and a difference between two models, is: a paired bootstrap over lines.

Lines are drawn with replacement inside each stratum (a part, that is a test fold or a family left out, and in it a
family), the same lines for every model: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and
13. Two corrections keep intervals right in the small strata of a breeding population; tests hold them to it:

- The resampled values are moved so that their mean is the estimate. A correlation inside a family of 13 lines comes
  out about 0.015 smaller when the lines are drawn anew, and the mean of 200 of them is surer than that.
- Deviations of what is computed over all lines of a part are widened by √(N / (N - H)), N lines in H strata: the
  variance inside a stratum is underestimated by the factor (n - 1) / n. Correlations inside families need no
  widening: drawing few lines anew makes them vary by more than that.

Intervals are about other lines of the same families. Networks trained anew, on other lines, vary beyond them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

Floats = NDArray[np.float64]

FIGURES = ("pearson", "within_family_pearson", "mean_absolute_error")
RESAMPLES = 2000
CONFIDENCE = 0.95

# Enough memory for nothing else: 2,000 resamples of one part are 20 MB.
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutPredictions:
    """Lines of one part that were never trained on, and what each model predicted for them.

    Attributes:
        observed: (lines,) phenotype.
        predicted: by model, (lines,) in the same unit.
        family: (lines,), or None where lines have none.

    Raises:
        InputError: the parts do not have one finite value a line.
    """

    observed: Floats
    predicted: Mapping[str, Floats]
    family: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        for name, values in {"observed": self.observed, **self.predicted}.items():
            if values.shape != self.observed.shape or not np.isfinite(values).all():
                raise InputError(f"{name} must have a finite value for each of {len(self.observed)} lines")

    def strata(self) -> Iterator[NDArray[np.int64]]:
        """Rows of each family; all rows where there are no families."""
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

    def to_dict(self) -> dict[str, Any]:
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
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Return the comparison that ``to_dict`` described, whatever other entries lie beside its models.

        Raises:
            KeyError, TypeError, ValueError: if figures or intervals are missing.
        """
        return cls(
            models={
                name: _estimates_of(entry)
                for name, entry in values.items()
                if isinstance(entry, Mapping) and "intervals" in entry
            },
            differences={name: _estimates_of(entry) for name, entry in values["differences"].items()},
        )


def _flat(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        **{name: estimate.value for name, estimate in figures.items()},
        "intervals": {
            name: None if estimate.interval is None else list(estimate.interval) for name, estimate in figures.items()
        },
    }


def _estimates_of(entry: Mapping[str, Any]) -> dict[str, Estimate]:
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


def compare(parts: Sequence[HeldOutPredictions], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Judge every model, and the first one against each other.

    A figure is the mean of its values in the parts, as ``compute_metrics`` gives them. Where lines of a part have a
    correlation to be found, a model that predicts the same for all of them counts as 0 there; one that does so in
    every part has none.

    Args:
        parts: at least one, all with the same models.
        resamples: of the lines; the same seed draws the same.

    Raises:
        InputError: no part, or parts with other models.
    """
    if not parts:
        raise InputError("there are no predictions to judge")
    names = tuple(parts[0].predicted)
    if any(tuple(part.predicted) != names for part in parts):
        raise InputError("every part must have predictions of the same models")
    counted = np.array([_countable(part) for part in parts])
    values = _mean_over_parts(np.array([_judged(part) for part in parts]), counted)
    random = np.random.default_rng(seed)
    resampled = _mean_over_parts(
        np.array([_resampled(part, resamples, random) for part in parts]), counted, defined=~np.isnan(values)
    )
    widening = _widening(parts)
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


def _judged(part: HeldOutPredictions) -> Floats:
    """(figures, models); NaN where a figure is not defined."""
    (metrics,) = held_out_metrics([part])
    return np.array(
        [[getattr(judgement, figure) for judgement in metrics.values()] for figure in FIGURES], dtype=np.float64
    )


def _countable(part: HeldOutPredictions) -> list[bool]:
    """(figures,): whether a perfect prediction of the part would have the figure."""
    family = part.family
    return [
        pearson(part.observed, part.observed) is not None,
        family is not None and within_family_pearson(part.observed, part.observed, family) is not None,
        True,
    ]


def _mean_over_parts(values: Floats, counted: NDArray[np.bool_], *, defined: NDArray[np.bool_] | None = None) -> Floats:
    """(parts, figures, models, ...) to (figures, models, ...); ``defined`` as found for the estimates."""
    means = np.full(values.shape[1:], np.nan)
    for figure, kept in enumerate(counted.T):
        for model in range(values.shape[2]):
            of_parts = values[kept, figure, model]
            known = (~np.isnan(of_parts)).any() if defined is None else defined[figure, model]
            if known and len(of_parts):
                means[figure, model] = np.nan_to_num(of_parts).mean(axis=0)
    return means


def _resampled(part: HeldOutPredictions, resamples: int, random: np.random.Generator) -> Floats:
    """(figures, models, resamples), from weighted sums over the lines of each stratum."""
    observed = _standardised(part.observed)
    models = list(part.predicted.values())
    columns = [np.ones_like(observed), observed, observed**2]
    for values in models:
        predicted = _standardised(values)
        columns += [predicted, predicted**2, observed * predicted, np.abs(values - part.observed)]
    table = np.column_stack(columns)
    total = np.zeros((resamples, table.shape[1]))
    weighted, weights = np.zeros((len(models), resamples)), np.zeros((len(models), resamples))
    for rows in part.strata():
        counts = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
        sums = counts @ table[rows]
        total += sums
        if part.family is None or len(rows) < MINIMUM_FAMILY_LINES:
            continue
        for model, values in enumerate(models):
            if pearson(part.observed[rows], values[rows]) is not None:
                correlation = _correlation(sums, model)
                known = ~np.isnan(correlation)
                weighted[model] += np.where(known, len(rows) * correlation, 0.0)
                weights[model] += len(rows) * known
    figures = np.full((len(FIGURES), len(models), resamples), np.nan)
    for model, values in enumerate(models):
        if pearson(part.observed, values) is not None:
            figures[0, model] = _correlation(total, model)
        figures[2, model] = total[:, _column(model) + 3] / total[:, 0]
    np.divide(weighted, weights, out=figures[1], where=weights > 0)
    return figures


def _column(model: int) -> int:
    return 3 + 4 * model


def _correlation(sums: Floats, model: int) -> Floats:
    """(resamples,) from sums (resamples, columns); NaN where a resample does not vary."""
    lines, first = sums[:, 0], _column(model)
    observed, predicted = sums[:, 1] / lines, sums[:, first] / lines
    variances = (sums[:, 2] / lines - observed**2) * (sums[:, first + 1] / lines - predicted**2)
    covariance = sums[:, first + 2] / lines - observed * predicted
    varies = variances > _CONSTANT**2
    correlation = np.full(len(sums), np.nan)
    np.divide(covariance, np.sqrt(np.where(varies, variances, 1.0)), out=correlation, where=varies)
    return correlation


def _standardised(values: Floats) -> Floats:
    """Mean 0, variance 1, so that differences of sums of squares keep their digits."""
    centred = values - values.mean()
    deviation = float(centred.std())
    return np.asarray(centred / (deviation or 1.0), dtype=np.float64)


def _widening(parts: Sequence[HeldOutPredictions]) -> dict[str, float]:
    lines = sum(len(part.observed) for part in parts)
    strata = sum(1 for part in parts for _ in part.strata())
    factor = float(np.sqrt(lines / (lines - strata))) if lines > strata else 1.0
    return {"pearson": factor, "within_family_pearson": 1.0, "mean_absolute_error": factor}


def _estimates(values: Floats, resampled: Floats, widening: Mapping[str, float]) -> dict[str, Estimate]:
    """From (figures,) and (figures, resamples)."""
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
