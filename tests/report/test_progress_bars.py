"""Progress bars, as they appear on stderr."""

from __future__ import annotations

import pytest

from gwas_core.evaluation.run import TaskProgress
from gwas_core.report.progress_bars import ProgressBars, time_left
from tests.report.example_records import searched


def test_bars_say_how_much_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    record = searched(4)
    with ProgressBars(is_shown=True, search_title="soy") as bars:
        bars.show_search(record)
        bars.show_tasks(TaskProgress(done=3, total=8, seconds_left=240.0))
        bars.write("a line")
    said = capsys.readouterr().err
    assert "soy:" in said
    assert f"{record.finished_trials}/{record.experiment.max_trials}" in said
    assert "3/8" in said
    assert "about 4 min left" in said
    assert "a line\n" in said


@pytest.mark.parametrize("is_shown", [None, False])
def test_there_are_no_bars_in_a_file(is_shown: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars(is_shown=is_shown) as bars:
        bars.show_tasks(TaskProgress(done=3, total=8, seconds_left=None))
    assert capsys.readouterr().err == ""


def test_time_that_is_not_known_is_not_told() -> None:
    assert time_left(TaskProgress(done=0, total=8, seconds_left=None)) == ""
