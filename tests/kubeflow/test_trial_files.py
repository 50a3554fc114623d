"""What trials leave in their folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gwas_core.errors import FailureKind
from gwas_core.files import write_json
from gwas_core.kubeflow.trial_files import RecordedResult, TrialFailure, read_failure, read_history, read_result
from gwas_core.model.training import TrialResult
from gwas_core.serialization import to_json_values


def test_metrics_are_read_as_far_as_they_are_written(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text(
        '{"epoch": 1, "val_mean_absolute_error": 0.5}\n'
        'not JSON\n{"epoch": 2}\n{"epoch": "x", "val_mean_absolute_error": 1}\n'
        '{"epoch": 3, "val_mean_absolute_error": NaN}\n'
        '{"epoch": 4, "val_mean_absolute_error": 0.25}\n'
        '{"epoch": 5, "val_mean_abs',
        encoding="utf-8",
    )
    assert read_history(tmp_path) == [(1, 0.5), (4, 0.25)]


def test_a_result_is_flat_and_comes_back(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    recorded = RecordedResult(result=TrialResult(val_mean_absolute_error=0.5, best_epoch=3), seed=7)
    write_json(tmp_path / "result.json", recorded.to_dict())
    written = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (written["val_mean_absolute_error"], written["best_epoch"], written["seed"]) == (0.5, 3, 7)
    assert read_result(tmp_path) == recorded


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"val_mean_absolute_error": "low"}', '{"val_mean_absolute_error": 1']
)
def test_what_is_no_result_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text, encoding="utf-8")
    assert read_result(tmp_path) is None


def test_a_result_of_another_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", {"val_mean_absolute_error": 1, "seed": True, "colour": "green"})
    assert read_result(tmp_path) == RecordedResult(result=TrialResult(val_mean_absolute_error=1.0), seed=None)


def test_a_failure_is_a_sentence_and_a_kind(tmp_path: Path) -> None:
    assert read_failure(tmp_path) is None
    failure = TrialFailure(reason="memory ran out", kind=FailureKind.OUT_OF_MEMORY)
    write_json(tmp_path / "failure.json", to_json_values(failure))
    assert read_failure(tmp_path) == failure
    write_json(tmp_path / "failure.json", {"reason": "it rained", "kind": "weather"})
    assert read_failure(tmp_path) == TrialFailure(reason="it rained", kind=FailureKind.UNKNOWN)
    write_json(tmp_path / "failure.json", {"reason": ""})
    assert read_failure(tmp_path) is None
