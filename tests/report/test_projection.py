from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.model.calibration import Calibration, Timing
from gwas_core.report.projection import PastSearch, Projection, past_search, project, project_measured
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.measurement import Measurement, MeasurementRequest
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from tests.report.made_records import made_record

RATE = {"name": "learning_rate", "kind": "double", "minimum": 1e-5, "maximum": 1e-2}
SPACE = SearchSpace.from_dict({"parameters": [RATE], "fixed": {"network": "hybrid", "epochs": 30, "patience": 5}})
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


# Eight cores, two threads a trial, as for three or four trials at a time.
REQUEST = MeasurementRequest(
    dataset="a" * 64,
    preprocessing=PreprocessingSettings(),
    split=SplitSettings(),
    hyperparameters=SPACE.fixed,
    batch_sizes=(16, 64),
    typical_batch_size=16,
    xla="off",
    cores=8,
    threads=2,
    machine="this one",
)
# The baselines, one start, the last judgement.
ONCE = 11 + 20 + 5
MEASURED = Measurement(
    request=REQUEST,
    genotypes=1000,
    startup_seconds=7.0,
    first_start_seconds=20.0,
    baseline_seconds=11.0,
    calibration=None,
    timings={16: Timing(start_seconds=4.0, epoch_seconds=3.0), 64: Timing(start_seconds=6.0, epoch_seconds=1.0)},
    device="cpu",
    busy=False,
    finished="",
)


def measured(measurement: Measurement = MEASURED, **changes: Any) -> Projection | None:
    settings: dict[str, Any] = {"genotypes": 1000, "space": SPACE, "max_trials": 35, "parallel_trials": 3}
    return project_measured(measurement, **settings | changes)


def ends(projection: Projection | None) -> tuple[float, float]:
    assert projection is not None
    return projection.low, projection.high


def test_trials_are_short_at_best_and_take_all_epochs_at_worst() -> None:
    # 5 s and 10 or 30 epochs of 2 s, which is the mean over the batch sizes.
    assert ends(measured()) == pytest.approx((7 + (ONCE + 35 * 25) / 3, 14 + ONCE + 13 * 65))


def test_a_patience_that_outlasts_a_third_of_the_epochs_counts() -> None:
    space = SearchSpace(SPACE.parameters, {**SPACE.fixed, "patience": 19})
    assert ends(measured(space=space))[0] == pytest.approx(7 + (ONCE + 35 * (5 + 20 * 2)) / 3)
    space = SearchSpace(SPACE.parameters, {**SPACE.fixed, "patience": 100})
    assert ends(measured(space=space))[0] == pytest.approx(7 + (ONCE + 35 * (5 + 30 * 2)) / 3)


def test_stopping_early_shortens_the_best_case_only() -> None:
    stopping = EarlyStoppingSettings(start_step=4)
    assert ends(measured(early_stopping=stopping)) == pytest.approx(
        (7 + (ONCE + 35 * (5 + 7 * 2)) / 3, ends(measured())[1])
    )


def test_more_trials_than_the_processors_have_room_for_slow_each_other_down() -> None:
    crowded = replace(MEASURED, request=replace(REQUEST, cores=2, threads=1))
    assert ends(measured(crowded)) == pytest.approx((7 + (ONCE + 35 * 25) / 2, 14 + ONCE + 13 * 65 * 3 / 2))
    assert ends(measured(crowded, max_trials=1)) == pytest.approx((7 + ONCE + 25, 14 + ONCE + 2 * 65))


def test_what_networks_start_from_is_worked_out_once_for_each_block_size() -> None:
    sizes = Parameter(name="conv_kernel_size", kind=ParameterKind.DISCRETE, choices=(5, 10, 20), default=10)
    space = SearchSpace((*SPACE.parameters, sizes), SPACE.fixed)
    more = [after - before for before, after in zip(ends(measured()), ends(measured(space=space)), strict=True)]
    assert more == pytest.approx([2 * 20 / 3, 2 * 20])
    assert ends(measured(space=space, max_trials=1)) == pytest.approx(ends(measured(max_trials=1)))


def test_a_machine_that_was_busy_is_said() -> None:
    quiet, busy = measured(), measured(replace(MEASURED, busy=True))
    assert quiet is not None
    assert busy is not None
    assert quiet.basis == "what was measured on this machine"
    assert busy.basis == "what was measured on this machine, while it was busy with other work"


def test_an_accelerator_may_be_shared_or_not() -> None:
    assert ends(measured(replace(MEASURED, device="gpu"))) == pytest.approx(
        (7 + (ONCE + 35 * 25) / 3, 14 + ONCE + 39 * 65)
    )


def test_other_filters_are_counted_in_proportion_and_other_data_not_at_all() -> None:
    assert ends(measured(genotypes=1200))[1] == pytest.approx(14 + ONCE + 13 * (5 + 30 * 2 * 1.2))
    assert measured(genotypes=2000) is None
    assert measured(genotypes=100) is None
    assert measured(replace(MEASURED, genotypes=0)) is None


def test_a_search_whose_calibration_failed_still_tells_by_its_trials() -> None:
    record = replace(made_record([], space=SPACE), calibration=None)
    assert past_search(record, genotypes=10).calibration is None
