"""When a search ends, and what is then said."""

from __future__ import annotations

import optuna
import pytest

from gwas_core.tuning.attributes import OUTCOME
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.progress import Progress, search_ending

LIMITS = {"max_trials": 5, "max_failed_trials": 3}


@pytest.mark.parametrize(
    "progress",
    [
        Progress(),
        Progress(succeeded=4, running=1),
        Progress(succeeded=1, pruned=1, failed=2, running=1, waiting=1),
        Progress(failed=2),
    ],
)
def test_goes_on(progress: Progress) -> None:
    assert search_ending(progress, **LIMITS) is None


@pytest.mark.parametrize(
    ("progress", "state", "words"),
    [
        (Progress(succeeded=5), ExperimentState.SUCCEEDED, ""),
        (Progress(succeeded=1, pruned=2, failed=2), ExperimentState.SUCCEEDED, ""),
        # The n-th failure ends it, whatever else is under way.
        (
            Progress(succeeded=1, failed=3, running=1, reasons=(("no memory", 2), ("other", 1))),
            ExperimentState.FAILED,
            "3 trials failed, which is the limit; most often because: no memory",
        ),
        (
            Progress(pruned=4, failed=1, reasons=(("diverged", 1),)),
            ExperimentState.FAILED,
            "none of 5 trials succeeded: 1 failed, 4 were pruned; each time because: diverged",
        ),
    ],
)
def test_ends(progress: Progress, state: ExperimentState, words: str) -> None:
    ending = search_ending(progress, **LIMITS)
    assert ending is not None
    assert (ending.state, ending.reason) == (state, words)


def test_failures_before_a_resume_are_forgiven() -> None:
    progress = Progress(succeeded=1, failed=3)
    assert search_ending(progress, **LIMITS, forgiven_failures=1) is None
    assert search_ending(progress, **LIMITS, forgiven_failures=0) is not None


def test_a_used_up_space_ends_it_once_nothing_runs() -> None:
    assert search_ending(Progress(succeeded=2, running=1), **LIMITS, exhausted="no more") is None
    assert search_ending(Progress(succeeded=2, waiting=1), **LIMITS, exhausted="no more") is None
    ending = search_ending(Progress(succeeded=2), **LIMITS, exhausted="no more")
    assert ending is not None
    assert (ending.state, ending.reason) == (ExperimentState.SUCCEEDED, "no more")


def test_room_for_trials() -> None:
    assert Progress(succeeded=3, running=1).has_room(5)
    assert not Progress(succeeded=3, running=2).has_room(5)
    # A trial to be begun again needs no new number.
    assert Progress(succeeded=4, waiting=1).has_room(5)


def test_counts_a_study() -> None:
    study = optuna.create_study()
    for _ in range(7):
        study.ask()
    study.tell(0, 2.0)
    study.tell(1, 1.0)
    study.tell(2, 1.0)
    study.tell(3, state=optuna.trial.TrialState.PRUNED)
    for number, reason in ((4, "b"), (5, "a")):
        optuna.Trial(study, number).set_user_attr(OUTCOME, {"reason": reason})
        study.tell(number, state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial({})
    progress = Progress.of(study.get_trials())
    expected = Progress(succeeded=3, pruned=1, failed=2, running=1, waiting=1, best=1, reasons=(("b", 1), ("a", 1)))
    assert progress == expected
    assert progress.finished == 6
