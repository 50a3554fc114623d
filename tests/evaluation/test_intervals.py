"""Intervals against an independent program, against the truth, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from gwas_core.errors import InputError
from gwas_core.evaluation.intervals import FIGURES, HeldOutPredictions, compare, held_out_metrics
from gwas_core.model.metrics import compute_metrics


def predictions(
    random: np.random.Generator, *, families: int = 5, lines: int = 13, effects: np.ndarray | None = None
) -> HeldOutPredictions:
    """Lines of families with different means; the network knows a little more of them than the baseline."""
    if effects is None:
        effects = np.linspace(-1.5, 1.5, families)
    family = np.repeat([f"{number:02d}" for number in range(families)], lines)
    genetic = random.normal(size=len(family))
    base = np.repeat(effects, lines)
    network = base + 0.6 * genetic + 0.65 * random.normal(size=len(family))
    baseline = 0.4 * network + 0.6 * (base + 0.5 * genetic + 0.65 * random.normal(size=len(family)))
    return HeldOutPredictions(
        observed=base + genetic, predicted={"network": network, "gblup": baseline}, family=family.astype(np.str_)
    )


def test_estimates_are_means_over_held_out_sets() -> None:
    random = np.random.default_rng(1)
    held_out = [predictions(random), predictions(random, lines=9), predictions(random, families=3)]
    comparison = compare(held_out, resamples=50)
    for name in ("network", "gblup"):
        judged = [compute_metrics(each.observed, each.predicted[name], family=each.family) for each in held_out]
        assert judged == [entry[name] for entry in held_out_metrics(held_out)]
        for figure in FIGURES:
            mean = np.mean([getattr(judgement, figure) for judgement in judged])
            assert comparison.models[name][figure].value == pytest.approx(mean, rel=1e-12)
    difference = comparison.differences["gblup"]["pearson"].value
    network, gblup = (comparison.models[name]["pearson"].value for name in ("network", "gblup"))
    assert network is not None
    assert gblup is not None
    assert difference == pytest.approx(network - gblup, rel=1e-12)


def test_scipy_finds_the_same_intervals() -> None:
    """One stratum, where scipy can do the same: 20,000 resamples each, so that both know their limits."""
    random = np.random.default_rng(2)
    made = predictions(random, families=1, lines=250)
    observed, network, gblup = made.observed, made.predicted["network"], made.predicted["gblup"]
    ours = compare([HeldOutPredictions(observed=observed, predicted=made.predicted)], resamples=20_000, seed=3)

    def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        x, y = x - x.mean(axis, keepdims=True), y - y.mean(axis, keepdims=True)
        return (x * y).sum(axis) / np.sqrt((x**2).sum(axis) * (y**2).sum(axis))

    def error(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.abs(x - y).mean(axis)

    for figure, statistic in (("pearson", correlation), ("mean_absolute_error", error)):
        cases = (
            (ours.models["network"][figure], (observed, network), statistic),
            (
                ours.differences["gblup"][figure],
                (observed, network, gblup),
                lambda x, a, b, axis=-1, s=statistic: s(x, a, axis) - s(x, b, axis),
            ),
        )
        for estimate, data, function in cases:
            found = scipy.stats.bootstrap(
                data, function, paired=True, vectorized=True, n_resamples=20_000, batch=2000, method="percentile", rng=4
            )
            assert estimate.interval is not None
            lower, upper = estimate.interval
            width = found.confidence_interval.high - found.confidence_interval.low
            # scipy neither moves the resamples to the estimate nor widens for the lost degree of freedom.
            shift = found.bootstrap_distribution.mean() - estimate.value
            widening = np.sqrt(250 / 249)
            assert lower == pytest.approx(
                estimate.value + widening * (found.confidence_interval.low - shift - estimate.value), abs=0.03 * width
            )
            assert upper == pytest.approx(
                estimate.value + widening * (found.confidence_interval.high - shift - estimate.value), abs=0.03 * width
            )


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """300 populations of 2 held_out x 6 families x 13 lines; the truth is the mean over 1,000 others."""
    random = np.random.default_rng(5)
    effects = random.normal(size=6)

    def draw() -> list[HeldOutPredictions]:
        return [predictions(random, families=6, effects=effects) for _ in range(2)]

    def values(held_out: list[HeldOutPredictions]) -> np.ndarray:
        judged = held_out_metrics(held_out)
        network, gblup = (
            np.mean([[getattr(entry[name], figure) for figure in FIGURES] for entry in judged], axis=0)
            for name in ("network", "gblup")
        )
        return np.concatenate([network, network - gblup])

    truth = np.mean([values(draw()) for _ in range(1000)], axis=0)
    covered = np.zeros(6)
    repeats = 300
    for repeat in range(repeats):
        comparison = compare(draw(), resamples=300, seed=repeat)
        estimates = [figures[name] for figures in (comparison.models["network"], comparison.differences["gblup"])
                     for name in FIGURES]  # fmt: skip
        covered += [
            estimate.interval[0] <= true <= estimate.interval[1]  # type: ignore[index]
            for estimate, true in zip(estimates, truth, strict=True)
        ]
    # The standard error of a coverage of 0.95 in 300 is 0.013.
    assert (covered / repeats > 0.915).all(), covered / repeats
    assert (covered / repeats < 0.985).all(), covered / repeats


def test_a_pairing_makes_differences_surer_than_their_terms() -> None:
    made = predictions(np.random.default_rng(6), families=4, lines=60)
    comparison = compare([made], resamples=400)
    for figure in FIGURES:
        alone, together = comparison.models["network"][figure], comparison.differences["gblup"][figure]
        assert together.interval is not None
        assert alone.interval is not None
        assert np.ptp(together.interval) < 0.9 * np.ptp(alone.interval)


def test_a_model_against_itself_differs_by_nothing() -> None:
    made = predictions(np.random.default_rng(7))
    same = HeldOutPredictions(
        observed=made.observed,
        family=made.family,
        predicted={"network": made.predicted["network"], "twin": made.predicted["network"].copy()},
    )
    for estimate in compare([same], resamples=50).differences["twin"].values():
        assert (estimate.value, estimate.interval) == (0.0, (0.0, 0.0))


def test_the_same_seed_draws_the_same() -> None:
    held_out = [predictions(np.random.default_rng(8))]
    assert compare(held_out, resamples=80, seed=1) == compare(held_out, resamples=80, seed=1)
    assert compare(held_out, resamples=80, seed=1) != compare(held_out, resamples=80, seed=2)


def test_means_have_no_correlation_and_no_interval_of_it() -> None:
    made = predictions(np.random.default_rng(9))
    assert made.family is not None
    mean = np.full(len(made.observed), made.observed.mean())
    family_mean = np.array([made.observed[made.family == name].mean() for name in made.family])
    flat = HeldOutPredictions(
        observed=made.observed,
        family=made.family,
        predicted={"network": made.predicted["network"], "mean": mean, "family_mean": family_mean},
    )
    comparison = compare([flat], resamples=50)
    assert comparison.models["mean"]["pearson"].interval is None
    assert comparison.differences["mean"]["pearson"].value is None
    assert comparison.models["mean"]["mean_absolute_error"].interval is not None
    assert comparison.models["family_mean"]["pearson"].interval is not None
    assert comparison.models["family_mean"]["within_family_pearson"].value is None
    entry = comparison.to_dict()["mean"]
    assert (entry["pearson"], entry["intervals"]["pearson"]) == (None, None)


def test_a_network_that_collapsed_in_one_held_out_set_is_not_spared_it() -> None:
    random = np.random.default_rng(10)
    good, other = predictions(random), predictions(random)
    collapsed = HeldOutPredictions(
        observed=other.observed,
        family=other.family,
        predicted={**other.predicted, "network": np.zeros(len(other.observed))},
    )
    alone, both = compare([good], resamples=50), compare([good, collapsed], resamples=50)
    whole = alone.models["network"]["pearson"].value
    assert whole is not None
    assert both.models["network"]["pearson"].value == pytest.approx(whole / 2)
    assert both.models["network"]["within_family_pearson"].interval is not None


def test_without_families_there_is_nothing_within_them() -> None:
    made = predictions(np.random.default_rng(11))
    plain = HeldOutPredictions(observed=made.observed, predicted=made.predicted)
    comparison = compare([plain], resamples=50)
    assert comparison.models["network"]["within_family_pearson"].value is None
    assert comparison.models["network"]["pearson"].interval is not None


def test_what_does_not_fit_together_is_refused() -> None:
    made = predictions(np.random.default_rng(12))
    with pytest.raises(InputError, match="no predictions"):
        compare([])
    with pytest.raises(InputError, match="same models"):
        compare([made, HeldOutPredictions(observed=made.observed, predicted={"network": made.observed})])
    with pytest.raises(InputError, match="finite value for each of 65 lines"):
        HeldOutPredictions(observed=made.observed, predicted={"network": made.observed[1:]})
    with pytest.raises(InputError, match="finite"):
        HeldOutPredictions(observed=made.observed, predicted={"network": np.full(65, np.nan)})
