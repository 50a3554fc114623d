"""The quick model of ``quick_trial``, refitted on all lines; a file ``_no_refit`` in the workspace makes that fail."""

from __future__ import annotations

from pathlib import Path

from gwas_core.errors import TrialFailed
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.refit import RefitResult
from gwas_core.seeds import refit_seed
from tests.tuning.quick_trial import finalise, run_trial

__all__ = ["finalise", "refit", "run_trial"]

MODEL = "tests.tuning.refitted_trial"
"""This module, as ``GWAS_MODEL`` names it."""


def refit(dataset: Dataset, trial_directory: Path, *, judged_lines: int, epochs: int, seed: int) -> RefitResult:
    """Say what was asked, in place of a network."""
    if (trial_directory.parents[1] / "_no_refit").exists():
        raise TrialFailed("this refit was told to fail")
    (trial_directory / "refit").mkdir(exist_ok=True)
    write_json(trial_directory / "refit" / "asked.json", {"lines": dataset.lines, "epochs": epochs, "seed": seed})
    return RefitResult(
        lines=dataset.lines, judged_lines=judged_lines, epochs=epochs, seed=refit_seed(seed), seconds=0.5
    )
