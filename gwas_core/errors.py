"""Every error the project raises on purpose.

A message states the rule, the value found and what to do about it, in one
sentence a biologist can act on. Anything else that escapes is a bug.
"""

from __future__ import annotations


class GwasError(Exception):
    """Base class: catching it catches everything this project raises on purpose."""


class InputError(GwasError, ValueError):
    """Something that came from outside (a file, an archive, a table) cannot be used."""


class SettingsError(GwasError, ValueError):
    """A setting is refused.

    ``field`` names the setting (``"learning_rate.min"``), so that a form can show the
    reason beside it.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class TrialFailed(GwasError, RuntimeError):
    """This trial failed for a reason of its own (non-finite loss, out of memory); the search goes on."""


class TrialPruned(GwasError):
    """The reporter asked the trial to end early; what was learned so far is kept."""


class ExperimentError(GwasError, RuntimeError):
    """The experiment is not in a state that allows what was asked, or does not exist."""


class SpaceExhausted(GwasError):
    """Every point of a finite search space has been suggested: the search is complete."""


class BundleError(InputError):
    """A model bundle is damaged, tampered with, or not one of ours."""


def describe_unexpected(error: BaseException) -> str:
    """An error nobody foresaw, on one line."""
    if isinstance(error, MemoryError):
        return "memory ran out: use fewer parallel trials, a smaller batch size or fewer units"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
