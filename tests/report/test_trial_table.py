from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gwas_core.errors import FailureKind
from gwas_core.report.trial_table import (
    compare_trials,
    next_step,
    ranked,
    searched_names,
    trial_rows,
    trials_json,
    trials_since_improvement,
)
from gwas_core.tuning.experiment import TrialState
from tests.report.made_records import made_trial, searched_record


def test_the_best_come_first_and_failed_ones_last() -> None:
    trials = [
        made_trial(0, parameters={}, value=None, state=TrialState.FAILED),
        made_trial(1, parameters={}, value=0.1, state=TrialState.PRUNED),
        made_trial(2, parameters={}, value=0.5),
        made_trial(3, parameters={}, value=None, state=TrialState.RUNNING),
        made_trial(4, parameters={}, value=0.3),
    ]
    assert [trial.number for trial in ranked(trials)] == [4, 2, 1, 3, 0]


def test_numbers_stay_numbers_and_mixed_columns_become_text() -> None:
    trials = [
        made_trial(0, parameters={"rate": 0.1, "units": 4, "kind": "elu", "mixed": 1}, value=0.5),
        made_trial(1, parameters={"rate": None, "units": 8, "kind": "relu", "mixed": "two"}, value=None),
    ]
    rows = trial_rows(trials, ["rate", "units", "kind", "mixed"])
    assert [str(rows[name].dtype) for name in ("rate", "units")] == ["float64", "int64"]
    assert rows["mixed"].tolist() == ["1", "two"]
    assert rows["Error"].isna().tolist() == [False, True]


def test_what_differs_comes_first() -> None:
    trials = [
        made_trial(3, parameters={"same": 1, "rate": 0.00012346}, value=0.5),
        made_trial(5, parameters={"same": 1, "rate": 0.1}, value=0.4),
    ]
    table = compare_trials(trials)
    parameters = table[table["What"].isin(["rate", "same"])]
    assert parameters["What"].tolist() == ["rate", "same"]
    assert parameters["Differs"].tolist() == [True, False]
    assert parameters.iloc[0][["Trial 3", "Trial 5"]].tolist() == ["0.0001235", "0.1"]


def test_json_holds_the_curves_and_no_paths() -> None:
    record = searched_record(12, all_succeed=False)
    content = json.loads(trials_json(record, record.trials))
    assert len(content["trials"]) == 12
    assert content["trials"][0]["history"] == [list(entry) for entry in record.trials[0].history]
    assert all("directory" not in trial for trial in content["trials"])


def test_trials_since_the_best_one_count_by_time_not_by_number() -> None:
    record = searched_record(30)
    best = record.best
    assert best is not None
    later = 29 - best.number
    assert trials_since_improvement(record) == later
    assert trials_since_improvement(replace(record, trials=())) == 0


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (FailureKind.NOT_FINITE, "learning rate"),
        (FailureKind.OUT_OF_MEMORY, "fewer trials in parallel"),
        (FailureKind.WORKER_DIED, "fewer trials in parallel"),
        (FailureKind.DISK_FULL, "disk space"),
        (FailureKind.FILES_LOST, "resume"),
        (FailureKind.PROGRAM_ERROR, "log"),
        (FailureKind.UNKNOWN, "log"),
        (None, "log"),
    ],
)
def test_a_failure_comes_with_a_next_step(failure: FailureKind | None, advice: str) -> None:
    assert advice in next_step(failure)


def test_searched_names_are_those_of_the_space() -> None:
    record = searched_record(1)
    assert searched_names(record) == list(record.experiment.space.names)
