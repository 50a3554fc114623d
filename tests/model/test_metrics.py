"""The four figures, against scipy and against cases worked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from gwas_core.errors import InputError
from gwas_core.model.metrics import PredictionMetrics, compute_metrics, pearson, within_family_pearson
from gwas_core.serialization import JsonObject, from_json_values, to_json_values


def test_a_case_worked_by_hand() -> None:
    metrics = compute_metrics([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 8.0])
    assert metrics.lines == 4
    assert metrics.mean_absolute_error == 1.0
    assert metrics.root_mean_squared_error == 2.0
    assert metrics.pearson == pytest.approx(11 / np.sqrt(5 * 29), abs=1e-12)
    assert metrics.within_family_pearson is None


def test_a_constant_prediction_has_errors_but_no_correlation() -> None:
    metrics = compute_metrics([1.0, 2.0, 3.0], np.full(3, 0.1) * 20)
    assert metrics.pearson is None
    assert metrics.mean_absolute_error == pytest.approx(2 / 3)


def test_rounding_alone_is_not_variation() -> None:
    predicted = 0.3 + np.array([0.0, 1e-17, 5e-17, 1e-16, 0.0])
    assert compute_metrics(np.arange(5.0), predicted).pearson is None


def test_within_family_pearson_weights_families_by_lines_and_leaves_out_small_ones() -> None:
    rng = np.random.default_rng(1)
    family = np.repeat(["a", "b", "small"], [10, 30, 7])
    observed, predicted = rng.normal(size=47), rng.normal(size=47)
    expected = sum(
        size * pearsonr(observed[family == name], predicted[family == name]).statistic
        for name, size in (("a", 10), ("b", 30))
    )
    metrics = compute_metrics(observed, predicted, family=family)
    assert metrics.within_family_pearson == pytest.approx(expected / 40, abs=1e-12)


def test_family_means_are_rewarded_between_families_and_never_within() -> None:
    rng = np.random.default_rng(2)
    family = np.repeat(["a", "b"], 20)
    level = np.where(family == "a", -3.0, 3.0)
    metrics = compute_metrics(level + rng.normal(size=40), level, family=family)
    assert metrics.pearson is not None
    assert metrics.pearson > 0.9
    assert metrics.within_family_pearson is None


def test_a_family_without_variation_is_left_out_not_counted_as_zero() -> None:
    rng = np.random.default_rng(3)
    family = np.repeat(["a", "b"], 10)
    observed = rng.normal(size=20)
    predicted = np.where(family == "a", observed, 1.0)
    assert within_family_pearson(observed, predicted, family) == pytest.approx(1.0)


# A busy machine must not fail a test of what is right.
@settings(deadline=None)
@given(
    arrays(np.float64, st.integers(3, 40), elements=st.floats(-1e6, 1e6)),
    st.integers(0, 2**32 - 1),
)
def test_pearson_agrees_with_scipy_and_stays_in_range(observed: np.ndarray, seed: int) -> None:
    predicted = np.random.default_rng(seed).normal(size=len(observed))
    correlation = pearson(observed, predicted)
    if np.ptp(observed) <= 1e-9 * np.abs(observed).max():
        assert correlation is None
    else:
        assert correlation is not None
        assert -1 <= correlation <= 1
        if np.ptp(observed) > 1e-6 * np.abs(observed).max():
            assert correlation == pytest.approx(pearsonr(observed, predicted).statistic, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_pearson_does_not_depend_on_the_unit(scale: float) -> None:
    observed = np.array([1.0, 2.0, 4.0, 3.0])
    assert pearson(observed * scale, observed[::-1] * scale) == pytest.approx(pearson(observed, observed[::-1]))


def test_a_column_as_keras_returns_it_is_accepted() -> None:
    assert compute_metrics([1.0, 2.0, 3.0], np.array([[1.0], [2.0], [2.0]])).mean_absolute_error == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("observed", "predicted", "family", "message"),
    [
        ([1.0, 2.0], [1.0], None, "have 2, 1"),
        ([1.0, 2.0], [1.0, 2.0], ["a"], "and 1"),
        ([], [], None, "at least one line"),
        ([1.0, 2.0], [1.0, np.nan], None, "predicted holds 1 values that are not finite"),
        ([1.0, np.inf], [1.0, 2.0], None, "observed holds 1 values"),
        ([[1.0, 2.0]], [1.0, 2.0], None, "shape"),
    ],
)
def test_what_cannot_be_judged_is_refused(observed, predicted, family, message) -> None:
    with pytest.raises(InputError, match=message):
        compute_metrics(observed, predicted, family=family)


def read(values: JsonObject) -> PredictionMetrics:
    return from_json_values(PredictionMetrics, values, name="metrics", error=InputError)


def test_metrics_survive_json() -> None:
    metrics = compute_metrics([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert read(json.loads(json.dumps(to_json_values(metrics), allow_nan=False))) == metrics


@pytest.mark.parametrize("change", [{"lines": 0}, {"pearson": 1.2}, {"mean_absolute_error": -1.0}, {"lines": None}])
def test_damaged_metrics_are_refused(change) -> None:
    with pytest.raises(InputError):
        read(to_json_values(compute_metrics([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])) | change)


def test_metrics_with_a_missing_figure_are_refused() -> None:
    values = to_json_values(compute_metrics([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]))
    del values["root_mean_squared_error"]
    with pytest.raises(InputError, match="root_mean_squared_error"):
        read(values)
