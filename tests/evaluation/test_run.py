from __future__ import annotations

import os
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.evaluation.run import minutes_left, remaining_task_seconds
from gwas_core.evaluation.store import EvaluationTask
from gwas_core.evaluation.team import Team


def test_time_left_waits_for_one_of_each_kind() -> None:
    assert remaining_task_seconds([], ["network"], parallel=2) is None
    assert remaining_task_seconds([("baselines", 10.0)], ["network", "baselines"], parallel=2) is None
    finished = [("network", 60.0), ("network", 80.0), ("baselines", 10.0)]
    assert remaining_task_seconds(finished, ["network"] * 4 + ["baselines"] * 2, parallel=2) == 150.0
    # Less than one round is not done in less than one task.
    assert remaining_task_seconds(finished, ["network"], parallel=4) == 70.0
    assert remaining_task_seconds(finished, [], parallel=2) == 0.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3.0, "less than a minute left"), (61.0, "about 2 min left"), (7200.0, "about 2.0 h left")],
)
def test_time_left_in_words(seconds: float, said: str) -> None:
    assert minutes_left(seconds) == said


def test_a_process_that_dies_is_begun_again_once(tmp_path: Path) -> None:
    """Each process leaves a line in the log and is gone before it has read its task."""
    (tmp_path / "dies.py").write_text("import sys\nprint('no memory', file=sys.stderr)\n")
    log = tmp_path / "log"
    team = Team(1, ("dies",), {**os.environ, "PYTHONPATH": str(tmp_path)}, log)
    try:
        with pytest.raises(ExperimentError, match=r"died twice while it worked on network 2 of fold-6.*no memory"):
            list(team.do([EvaluationTask(held_out_set="fold-6", kind="network", number=2)]))
    finally:
        team.close()
    assert log.read_text() == "no memory\n" * 2


def test_a_task_that_fails_ends_the_work(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(
        'import sys\nfor line in sys.stdin:\n    print(\'{"error": "it diverged"}\', flush=True)\n'
    )
    team = Team(2, ("fails",), {**os.environ, "PYTHONPATH": str(tmp_path)}, tmp_path / "log")
    try:
        with pytest.raises(ExperimentError, match="the baselines of fold-6 failed: it diverged"):
            list(team.do([EvaluationTask(held_out_set="fold-6", kind="baselines")] * 3))
    finally:
        team.close()


def test_a_team_without_tasks_begins_no_process(tmp_path: Path) -> None:
    team = Team(1, ("missing",), dict(os.environ), tmp_path / "log")
    assert list(team.do([])) == []
    team.close()
    assert not (tmp_path / "log").exists()
