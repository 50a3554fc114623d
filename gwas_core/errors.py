"""Errors that the project raises on purpose.

A message states the rule, the value found and what to do about it, in one sentence a biologist can act on. Any other
error is a bug.
"""

from __future__ import annotations


class GwasError(Exception):
    """Base class of all errors that this project raises on purpose."""


class InputError(GwasError, ValueError):
    """Input from outside (a file, an archive, a table) that cannot be used."""


class SettingsError(GwasError, ValueError):
    """Setting that is refused.

    Attributes:
        field: name of the setting (``"learning_rate.min"``), so that a form can show the reason beside it.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class TrialFailed(GwasError, RuntimeError):
    """Failure of one trial for a reason of its own (non-finite loss, out of memory); the search goes on."""


class TrialPruned(GwasError):
    """Early end of a trial that the reporter asked for; the best epoch so far is kept."""


class ExperimentError(GwasError, RuntimeError):
    """Experiment that does not exist, or is in a state that does not allow what was asked."""


class SpaceExhausted(GwasError):
    """End of a search of which every point was suggested."""


class BundleError(InputError):
    """Model bundle that is damaged, tampered with, or was not made by this program."""


def describe_unexpected(error: BaseException) -> str:
    """Return an unexpected error as one line of text."""
    if isinstance(error, MemoryError):
        return "memory ran out: use fewer parallel trials, a smaller batch size or fewer units"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
