"""Interface of all engines: what each request may do in which state, and following an experiment until it ends.

Also here: messages that nothing is to be stopped, resumed or extended; how long a stop is waited for; whether a
finished experiment still lacks trials or its final evaluation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.messages import quoted
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.records import ExperimentRecord

_STOP_POLL_SECONDS = 0.1


class Engine(Protocol):
    """Interface of what runs experiments whose progress is kept in the store.

    Engines do their work elsewhere: every method returns soon, from any process, and
    returns the experiment as it then is. ``tests/tuning/engine_contract.py`` holds every engine to this.
    """

    def start(self, experiment: Experiment) -> ExperimentRecord:
        """Begin an experiment, add it to the store if it is not there yet, and return its record.

        Args:
            experiment: a complete description; its dataset is in the workspace already.

        Raises:
            SettingsError: it cannot be run as described; nothing was begun or added.
            ExperimentError: its name is taken, or it does not start.
        """

    def stop(self, name: str, *, wait: float = 30.0) -> ExperimentRecord:
        """Stop an experiment and return it: finished trials stay, others are begun again when it is resumed.

        Args:
            wait: seconds to wait until it has stopped; it goes on stopping after that.

        Raises:
            ExperimentError: it is not running.
        """

    def resume(self, name: str) -> ExperimentRecord:
        """Go on with an experiment that was stopped, interrupted, or failed with trials left to do, and return it.

        Failures before do not count towards ``max_failed_trials`` again.

        Raises:
            ExperimentError: it is running, or there is nothing left to do.
        """

    def extend(self, name: str, extra_trials: int) -> ExperimentRecord:
        """Add trials to an experiment, running or not, and return it; it runs afterwards.

        Args:
            name: of the experiment.
            extra_trials: number of trials to add, from 1 up.

        Raises:
            SettingsError: not a number of trials an experiment may have.
            ExperimentError: there is no such experiment.
        """

    def sync(self, name: str) -> ExperimentRecord:
        """Bring the store up to date with what is really going on, and return the experiment.

        Raises:
            ExperimentError: there is no such experiment.
        """


def watch(engine: Engine, name: str, *, seconds: float = 0.5) -> Iterator[ExperimentRecord]:
    """Yield the experiment now, each time it has changed, and last when nothing works on it any more.

    Args:
        engine: that runs the experiment.
        name: of the experiment.
        seconds: between two looks.
    """
    record = engine.sync(name)
    yield record
    while record.state.is_active():
        time.sleep(seconds)
        before, record = record, engine.sync(name)
        if record != before:
            yield record


# What every engine checks and waits for alike.


def check_is_running(record: ExperimentRecord) -> None:
    """Check that there is something to stop.

    Raises:
        ExperimentError: the experiment is not running.
    """
    if not record.state.is_active():
        raise ExperimentError(f"{record.name} is not running: it is {record.state}")


def check_can_go_on(record: ExperimentRecord) -> None:
    """Check that an experiment can be resumed.

    Raises:
        ExperimentError: it is running, or has nothing left to do.
    """
    if record.state.is_active():
        raise ExperimentError(f"{record.name} is already running")
    if record.state.is_finished() and not has_work_left(record):
        trials = record.experiment.max_trials
        raise ExperimentError(f"{record.name} has done all its {trials} trials: extend it to go on")


def check_extra_trials(extra_trials: int) -> None:
    """Check the number of trials by which an experiment is to be extended.

    Raises:
        SettingsError: it is no whole number from 1 up.
    """
    if isinstance(extra_trials, bool) or not isinstance(extra_trials, int) or extra_trials < 1:
        raise SettingsError(
            f"extend by a whole number of trials from 1 up, not {quoted(extra_trials)}", field="max_trials"
        )


def wait_until_stopped(sync: Callable[[str], ExperimentRecord], name: str, *, seconds: float) -> ExperimentRecord:
    """Return the experiment once nothing works on it any more, or as it is after so many seconds.

    Args:
        sync: brings the store up to date with an experiment, and returns it.
        name: of the experiment.
        seconds: most to wait.
    """
    deadline = time.monotonic() + seconds
    while (record := sync(name)).state.is_active() and time.monotonic() < deadline:
        time.sleep(_STOP_POLL_SECONDS)
    return record


def has_work_left(record: ExperimentRecord) -> bool:
    """Return whether a finished experiment lacks trials, or the final evaluation of its best one."""
    is_evaluated = record.best is None or record.evaluated_best is not None
    return record.finished_trials < record.experiment.max_trials or not is_evaluated
