"""Early stopping of unpromising trials, as Katib's ``medianstop`` does it.

Also here: the median rule, from which epoch on and after how many trials it may stop one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted

ALGORITHMS = ("medianstop",)
_LARGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings:
    """Settings of early stopping as Katib has them, with its defaults.

    Attributes:
        algorithm: ``medianstop``, the only one Katib has.
        min_trials_required: how many trials must have succeeded before any is stopped.
        start_step: how many values (epochs) a trial must have reported before it may be stopped.

    Raises:
        SettingsError: on creation, for a value Katib would refuse.
    """

    algorithm: str = "medianstop"
    min_trials_required: int = 3
    start_step: int = 4

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise SettingsError(
                f"early stopping must be {', '.join(ALGORITHMS)}, not {quoted(self.algorithm)}",
                field="early_stopping.algorithm",
            )
        for name in ("min_trials_required", "start_step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
                raise SettingsError(
                    f"{name} must be a whole number from 1 on, not {quoted(value)}", field=f"early_stopping.{name}"
                )

    def make_pruner(self) -> MedianStop:
        """Return the pruner that applies these settings."""
        return MedianStop(min_trials_required=self.min_trials_required, start_step=self.start_step)


class MedianStop(BasePruner):
    """Pruner that stops a trial whose best value is worse than the median of the early means of other trials.

    Each trial that succeeded counts with the mean of its first ``start_step`` values; once there are
    ``min_trials_required`` of them, a trial with at least ``start_step`` values of its own is
    stopped when the best of these is worse than their median. Trials that were stopped or failed do not count.

    Katib 0.19 differs from its own documentation in two ways that are not copied: it takes the
    arithmetic mean of the means, so that one diverged trial keeps every other from being stopped, and
    its collector looks once, at report ``start_step``, with what was known when the trial began.

    Source: D. Golovin et al., Google Vizier, KDD 2017, section 3.2.2; Katib, pkg/earlystopping/v1beta1/medianstop.
    """

    def __init__(self, *, min_trials_required: int = 3, start_step: int = 4) -> None:
        self._settings = EarlyStoppingSettings(min_trials_required=min_trials_required, start_step=start_step)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to stop the trial now.

        Args:
            study: its direction says which values are better, and its succeeded trials are what the trial is compared
                with.
            trial: with the values it has reported so far.
        """
        sign = -1.0 if study.direction is StudyDirection.MAXIMIZE else 1.0
        succeeded = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return is_worse_than_median(
            [sign * value for value in reported_values(trial)],
            [[sign * value for value in reported_values(other)] for other in succeeded],
            min_trials_required=self._settings.min_trials_required,
            start_step=self._settings.start_step,
        )


def reported_values(trial: FrozenTrial) -> list[float]:
    """Return the values that a trial has reported, in the order of its steps.

    Returns:
        One value for each epoch that was reported.
    """
    return [value for _, value in sorted(trial.intermediate_values.items())]


def is_worse_than_median(
    values: Sequence[float], succeeded: Sequence[Sequence[float]], *, min_trials_required: int, start_step: int
) -> bool:
    """Return whether a trial with these values, to be minimised, is to be stopped (see ``MedianStop``).

    Args:
        values: what the trial has reported; values that are not finite count as reports but never as the best.
        succeeded: what each succeeded trial has reported; those without a finite value do not count.
    """
    early = (_finite(others[:start_step]) for others in succeeded)
    means = [statistics.fmean(others) for others in early if others]
    if len(values) < start_step or len(means) < min_trials_required:
        return False
    return min(_finite(values), default=math.inf) > statistics.median(means)


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
