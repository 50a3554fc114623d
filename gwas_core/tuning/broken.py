"""Broken experiments: what in the store cannot be read (half made, damaged, of another version), in words."""

from __future__ import annotations

from collections import Counter

from gwas_core.errors import BrokenExperimentError, InputError, SettingsError, describe_unexpected
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.records import ExperimentSummary

HALF_MADE = "its creation was broken off"
"""Reason of a study without content."""

UNREADABLE = (InputError, SettingsError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a record raises that somebody damaged, or that another version wrote."""


def broken_reason(error: Exception) -> str:
    """Return why an experiment cannot be read.

    Args:
        error: one of ``UNREADABLE``.
    """
    if isinstance(error, (InputError, SettingsError)):
        return str(error)
    return f"it is damaged ({describe_unexpected(error)})"


def broken_error(name: str, error: Exception) -> BrokenExperimentError:
    """Return the error for an experiment that cannot be read, with what to do.

    Args:
        name: of the experiment.
        error: one of ``UNREADABLE``.
    """
    reason = broken_reason(error)
    return BrokenExperimentError(
        f"experiment {name} is broken and cannot be read: {reason}; use the version that wrote it, or {_removal(name)}",
        reason=reason,
    )


def half_made_error(name: str) -> BrokenExperimentError:
    """Return the error for a study without content, with what to do.

    Args:
        name: of the study.
    """
    return BrokenExperimentError(
        f"experiment {name} is a study of another program, or {HALF_MADE}: {_removal(name)}", reason=HALF_MADE
    )


def _removal(name: str) -> str:
    return f"delete it (on the page All searches, or by `delete {name}`)"


def broken_summary(name: str, reason: str) -> ExperimentSummary:
    """Return the entry of the list of experiments for one that cannot be read.

    Args:
        name: of the study.
        reason: why it cannot be read.
    """
    return ExperimentSummary(
        name=name,
        source="",
        created="",
        engine="local",
        state=ExperimentState.BROKEN,
        reason=reason,
        max_trials=0,
        counts=Counter(),
        values=(),
        baselines=None,
    )
