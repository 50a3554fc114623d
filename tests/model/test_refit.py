"""The network that is taken home learns every line, for as many epochs as were best, and nothing is chosen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.initial_weights import TrainingLines, fit_initial_weights
from gwas_core.model.refit import refit
from gwas_core.model.trainer import Standardisation, load_model, predict
from gwas_core.seeds import refit_seed

SMALL = {"network": "hybrid", "conv_filters": 2, "num_dense_units": 2, "learning_rate": 1e-3, "seed": 3, "xla": False}


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """The folder of a trial, as far as a refit reads it."""
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "hyperparameters.json").write_text(json.dumps(SMALL))
    return folder


def predicted(trial: Path, dataset: Dataset) -> np.ndarray:
    return predict(
        load_model(trial / "refit" / "model.keras"), dataset.genotypes, Standardisation.of(dataset.phenotype)
    )


def test_without_epochs_it_is_the_closed_form_start_of_all_lines(dataset: Dataset, trial: Path) -> None:
    result = refit(dataset, trial, judged_lines=112, epochs=0, seed=3)
    assert (result.lines, result.judged_lines, result.epochs, result.seed) == (160, 112, 0, refit_seed(3))
    scale = Standardisation.of(dataset.phenotype)
    lines = TrainingLines(
        genotypes=dataset.genotypes, target=scale.standardise(dataset.phenotype), family=dataset.family
    )
    start = fit_initial_weights(lines, block=10, prototypes=2, sharpness=2.0)
    expected = scale.unstandardise(start.predict(dataset.genotypes))
    # Sums of 32-bit floats in another order, in the phenotype's unit.
    np.testing.assert_allclose(predicted(trial, dataset), expected, atol=1e-3)
    assert not (trial / "model.keras").exists(), "what was judged is another file"


def test_it_trains_for_the_epochs_that_it_is_told_and_repeats(dataset: Dataset, trial: Path) -> None:
    refit(dataset, trial, judged_lines=112, epochs=0, seed=3)
    start = predicted(trial, dataset)
    refit(dataset, trial, judged_lines=112, epochs=2, seed=3)
    first = predicted(trial, dataset)
    log = (trial / "refit" / "log.txt").read_text()
    assert "160 lines to train on, none kept back, for 2 epochs" in log
    assert [f"epoch {epoch}:" in log for epoch in (1, 2, 3)] == [True, True, False]
    assert np.abs(first - start).max() > 1e-3
    refit(dataset, trial, judged_lines=112, epochs=2, seed=3)
    np.testing.assert_array_equal(predicted(trial, dataset), first)
    written = json.loads((trial / "refit" / "hyperparameters.json").read_text())
    assert (written["seed"], written["xla"], written["conv_filters"]) == (refit_seed(3), False, 2)


def test_a_trial_without_hyperparameters_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hyperparameters of the trial are lost"):
        refit(dataset, tmp_path, judged_lines=112, epochs=0, seed=3)
    (tmp_path / "hyperparameters.json").write_text("[]")
    with pytest.raises(InputError, match="holds no hyperparameters"):
        refit(dataset, tmp_path, judged_lines=112, epochs=0, seed=3)
    assert not (tmp_path / "refit").exists()
