from __future__ import annotations

from dataclasses import replace

import pytest

from gwas_core.model.calibration import Calibration, Timing
from gwas_core.report.projection import PastSearch, duration, project
from gwas_core.tuning.space import SearchSpace

SPACE = SearchSpace.preset("focused")  # 30 epochs
CALIBRATION = Calibration(
    xla=False,
    without_xla=Timing(start_seconds=5.0, epoch_seconds=2.0),
    with_xla=Timing(start_seconds=50.0, epoch_seconds=3.0),
    device="cpu",
)
PAST = PastSearch(name="past", genotypes=1000, network="hybrid", trial_seconds=(10.0, 20.0), calibration=CALIBRATION)


def projected(*past: PastSearch, genotypes: int = 1000, space: SearchSpace = SPACE) -> tuple[float, float] | None:
    found = project(past, genotypes=genotypes, space=space, max_trials=35, parallel_trials=3)
    return None if found is None else (found.low, found.high)


def test_trials_of_an_earlier_search_are_spread_over_those_at_a_time() -> None:
    assert projected(PAST) == (12 * 10.0, 12 * 20.0)


def test_time_grows_with_the_genotypes() -> None:
    assert projected(PAST, genotypes=1200) == pytest.approx((12 * 12.0, 12 * 24.0))


def test_without_trials_the_calibration_tells() -> None:
    assert projected(replace(PAST, trial_seconds=None)) == (12 * (5 + 10 * 2.0), 12 * (5 + 30 * 2.0))


def test_the_tutorial_searches_its_epochs() -> None:
    past = replace(PAST, trial_seconds=None, network="tutorial")
    assert projected(past, space=SearchSpace.preset("tutorial")) == (12 * (5 + 5 * 2.0), 12 * (5 + 15 * 2.0))


@pytest.mark.parametrize(
    "past",
    [
        replace(PAST, genotypes=100),
        replace(PAST, genotypes=10_000),
        replace(PAST, genotypes=0),
        replace(PAST, network="tutorial"),
        replace(PAST, trial_seconds=None, calibration=None),
    ],
)
def test_nothing_is_said_from_what_is_too_different(past: PastSearch) -> None:
    assert projected(past) is None


def test_the_most_similar_one_counts() -> None:
    other = replace(PAST, name="other", genotypes=1300, trial_seconds=(1.0, 1.0))
    assert projected(other, PAST) == (120.0, 240.0)


def test_cost() -> None:
    found = project([PAST], genotypes=1000, space=SPACE, max_trials=35, parallel_trials=3)
    assert found is not None
    assert found.cost(30.0) == pytest.approx((1.0, 2.0))
    assert found.basis == "the trials of past"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (40, "40 s"), (720, "12 min"), (12_000, "3 h 20 min"), (187_200, "2 days 4 h")],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text
