"""Progress of a search, and whether it has come to its end (all trials, too many failures, no point left).

Also here: whether another trial may begin; the most frequent reason of failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from gwas_core.tuning.attributes import OUTCOME, StoredOutcome
from gwas_core.tuning.experiment import ExperimentState


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Numbers of trials by state.

    Attributes:
        succeeded, pruned, failed: finished, and so counted towards ``max_trials``.
        running: begun, or about to be.
        waiting: to be begun again.
        best: number of the best trial; None until one succeeded.
        reasons: why trials failed, by how often.
    """

    succeeded: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    waiting: int = 0
    best: int | None = None
    reasons: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, trials: Iterable[FrozenTrial]) -> Progress:
        """Return the counts of a study's trials.

        Args:
            trials: of one study, in any state.
        """
        trials = list(trials)
        counts = Counter(trial.state for trial in trials)
        succeeded = [trial for trial in trials if trial.state is OptunaState.COMPLETE]
        best = min(succeeded, key=lambda trial: (trial.value, trial.number), default=None)
        reasons = Counter(
            (StoredOutcome.read(trial.user_attrs.get(OUTCOME)) or StoredOutcome()).reason
            for trial in trials
            if trial.state is OptunaState.FAIL
        )
        return cls(
            succeeded=len(succeeded),
            pruned=counts[OptunaState.PRUNED],
            failed=counts[OptunaState.FAIL],
            running=counts[OptunaState.RUNNING],
            waiting=counts[OptunaState.WAITING],
            best=None if best is None else best.number,
            reasons=tuple(reasons.most_common()),
        )

    @property
    def finished(self) -> int:
        """Number of trials that count towards ``max_trials``."""
        return self.succeeded + self.pruned + self.failed

    def has_room(self, max_trials: int) -> bool:
        """Return whether another trial may be begun, new or again.

        Args:
            max_trials: finished trials that end the search, as extended so far.
        """
        return self.waiting > 0 or self.finished + self.running < max_trials


@dataclass(frozen=True, kw_only=True)
class Ending:
    """State in which an experiment ends, and why."""

    state: ExperimentState
    reason: str = ""


def search_ending(
    progress: Progress, *, max_trials: int, max_failed_trials: int, forgiven_failures: int = 0, exhausted: str = ""
) -> Ending | None:
    """Return how the search for a better trial ends, or None while it goes on.

    As in Katib, a trial that failed or was pruned counts towards ``max_trials``, and the
    ``max_failed_trials``-th failure ends the search even if trials are still running.

    Args:
        progress: trials so far.
        max_trials: finished trials that end the search.
        max_failed_trials: failed trials that end the search.
        forgiven_failures: number of failures before the experiment was resumed, which do not count.
        exhausted: why the space has no more points; empty while it has some.

    Returns:
        State in which the search ends and why, or None.
    """
    if progress.failed - forgiven_failures >= max_failed_trials:
        return Ending(
            state=ExperimentState.FAILED,
            reason=f"{_trials(progress.failed - forgiven_failures)} failed, which is the limit{_mostly(progress)}",
        )
    all_done = progress.finished >= max_trials
    if not all_done and not (exhausted and progress.running == 0 and progress.waiting == 0):
        return None
    if progress.succeeded == 0:
        return Ending(
            state=ExperimentState.FAILED,
            reason=f"none of {_trials(progress.finished)} succeeded: {progress.failed} failed, "
            f"{progress.pruned} were pruned{_mostly(progress)}",
        )
    return Ending(state=ExperimentState.SUCCEEDED, reason="" if all_done else exhausted)


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"


def _mostly(progress: Progress) -> str:
    if not progress.reasons:
        return ""
    reason, _ = progress.reasons[0]
    return f"; {'most often' if len(progress.reasons) > 1 else 'each time'} because: {reason}"
