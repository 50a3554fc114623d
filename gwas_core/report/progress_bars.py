"""Progress bars of searches and evaluations on stderr, for the command line and notebooks.

Also here: where there are none (files and pipes); lines above them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from gwas_core.messages import duration, duration_range
from gwas_core.report.estimate import remaining_seconds

if TYPE_CHECKING:
    # The evaluation and its worker pool, which most commands with a bar do without.
    from gwas_core.evaluation.run import TaskProgress
    from gwas_core.tuning.records import ExperimentRecord


class ProgressBars:
    """Progress bars of a search and of training and predicting in an evaluation, each from its first call on.

    Args:
        is_shown: whether bars are drawn; if None, only on a terminal, since in a file they would fill it.
        search_title: shown before the bar of the search.
    """

    def __init__(self, *, is_shown: bool | None = None, search_title: str = "") -> None:
        self._is_hidden = None if is_shown is None else not is_shown
        self._search_title = search_title
        self._search: tqdm[Any] | None = None
        self._tasks: tqdm[Any] | None = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in (self._search, self._tasks):
            if bar is not None:
                bar.close()

    def show_search(self, record: ExperimentRecord) -> None:
        """Show how many trials of a search are finished, its lowest error, and how long it may still take."""
        if self._search is None:
            self._search = self._bar(self._search_title, "trial", done=record.finished_trials)
        parts = [] if record.best is None else [f"best {record.best.value:.4g}"]
        if (left := remaining_seconds(record)) is not None:
            parts.append(f"{duration_range(*left)} left")
        # The number of trials may be raised while the search runs.
        _update(self._search, record.finished_trials, record.experiment.max_trials, ", ".join(parts))

    def show_tasks(self, progress: TaskProgress) -> None:
        """Show how many models of an evaluation were trained, and how long the others may take."""
        if self._tasks is None:
            self._tasks = self._bar("training and predicting", "model", done=progress.done)
        _update(self._tasks, progress.done, progress.total, time_left(progress))

    def write(self, line: str) -> None:
        """Write a line above the bars.

        Args:
            line: without characters that steer a terminal.
        """
        tqdm.write(line, file=sys.stderr)

    def _bar(self, title: str, unit: str, *, done: int) -> tqdm[Any]:
        return tqdm(
            total=0,
            initial=done,
            desc=title or None,
            unit=unit,
            file=sys.stderr,
            disable=self._is_hidden,
            dynamic_ncols=True,
        )


def time_left(progress: TaskProgress) -> str:
    """Return in words how long training and predicting may still take; empty if it is not known."""
    return "" if progress.seconds_left is None else f"about {duration(progress.seconds_left)} left"


def _update(bar: tqdm[Any], done: int, total: int, words: str) -> None:
    bar.total, bar.n = total, done
    bar.set_postfix_str(words)
