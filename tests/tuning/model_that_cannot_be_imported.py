"""A model whose libraries are missing where the workers run."""

from gwas_core.errors import InputError
from tests.tuning.quick_trial import finalise, run_trial

__all__ = ["finalise", "import_before_fork", "run_trial"]


def import_before_fork() -> None:
    raise InputError("there is no such library")
