"""What trials leave in their folders."""

from __future__ import annotations

from pathlib import Path

from gwas_core.kubeflow.trial_files import read_history


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
