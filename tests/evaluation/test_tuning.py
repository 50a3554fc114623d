"""Which hyperparameters an evaluation trains with, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.evaluation.tuning import _best_of
from gwas_core.model.calibration import Calibration, Timing
from gwas_core.model.training import TrialResult
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.tuning.quick_experiments import quick_experiment

TIMING = Timing(start_seconds=1.0, epoch_seconds=1.0)
HASH = "0123456789abcdef" * 4


def calibration(*, xla: bool) -> Calibration:
    return Calibration(xla=xla, device="cpu", with_xla=TIMING, without_xla=TIMING)


@pytest.mark.parametrize("taken", [True, False])
def test_networks_are_compiled_as_the_chosen_trial_was(tmp_path: Path, taken: bool) -> None:
    """Not as the search measured: trials on a cluster measure for themselves, and leave no calibration here."""
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH, xla="auto"))
    writer = ExperimentWriter(store, "quick")
    writer.set_calibration(calibration(xla=not taken))
    for value in (0.5, 0.4):
        number = writer.study.ask(writer.experiment.space.to_distributions()).number
        writer.begin(number)
        result = TrialResult(val_mean_absolute_error=value, xla=taken)
        writer.finish(number, Outcome(state=TrialState.SUCCEEDED, result=result))
    chosen = _best_of(store.load("quick"), lines=80)
    assert (chosen.trial, chosen.xla, chosen.lines) == (1, taken, 80)


@pytest.mark.parametrize("measured", [True, False])
def test_a_trial_that_does_not_tell_was_compiled_as_its_search_measured(tmp_path: Path, measured: bool) -> None:
    store = Store(Workspace(tmp_path))
    store.create(quick_experiment(HASH, xla="auto"))
    writer = ExperimentWriter(store, "quick")
    writer.set_calibration(calibration(xla=measured))
    number = writer.study.ask(writer.experiment.space.to_distributions()).number
    writer.begin(number)
    writer.finish(number, Outcome(state=TrialState.SUCCEEDED, result=TrialResult(val_mean_absolute_error=0.5)))
    assert _best_of(store.load("quick"), lines=80).xla is measured
