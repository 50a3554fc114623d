from __future__ import annotations

import pytest

from gwas_core.errors import SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.calibration import Timing, cost_settings, time_training


def test_a_trial_is_its_start_and_its_epochs() -> None:
    assert Timing(start_seconds=5.0, epoch_seconds=2.0).trial_seconds(10) == 25.0


def test_an_epoch_is_timed_whole(dataset: Dataset, split: Split) -> None:
    settings = {"network": "hybrid", "num_dense_units": 2, "conv_filters": 2}
    timing = time_training(dataset, split, {**settings, "batch_size": 2}, xla=False)
    assert timing.start_seconds > 0
    assert timing.epoch_seconds > 0


def test_rates_and_the_number_of_epochs_do_not_decide_the_time_of_a_step() -> None:
    settings = cost_settings({"network": "tutorial"})
    assert settings["network"] == "tutorial"
    assert settings["num_dense_layers"] == 3
    assert settings["conv_activation"] == "elu"
    assert not {"learning_rate", "dropout_rate", "conv_1_kernel_l1", "epochs", "patience"} & set(settings)
    same = {"network": "tutorial", "learning_rate": "0.5", "epochs": 99}
    assert cost_settings(same) == settings
    assert cost_settings({"network": "tutorial", "num_dense_units": "21"}) != settings
    with pytest.raises(SettingsError):
        cost_settings({"network": "tutorial", "nonsense": 1})
