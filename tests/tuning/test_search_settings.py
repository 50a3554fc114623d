from __future__ import annotations

import pytest

from gwas_core.errors import SettingsError
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.search_settings import free_name, search_settings, whole_numbers
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, check_experiment_name


def test_what_is_not_given_keeps_its_default() -> None:
    assert search_settings(preprocessing={"imputation": None}, split={"seed": None}, max_trials=None, seed=3) == {
        "preprocessing": PreprocessingSettings(),
        "split": SplitSettings(),
        "early_stopping": None,
        "seed": 3,
    }


def test_what_is_given_is_used() -> None:
    settings = search_settings(
        preprocessing={"imputation": "mean"},
        split={"method": "folds", "test_folds": "1-2", "validation_folds": (3,)},
        algorithm="tpe",
        early_stopping="medianstop",
    )
    assert settings == {
        "preprocessing": PreprocessingSettings(imputation="mean"),
        "split": SplitSettings(method="folds", test_folds=(1, 2), validation_folds=(3,)),
        "algorithm": AlgorithmSettings(name="tpe"),
        "early_stopping": EarlyStoppingSettings(),
    }


@pytest.mark.parametrize(("text", "numbers"), [("1", (1,)), ("1,2", (1, 2)), (" 6 - 8 , 1", (6, 7, 8, 1))])
def test_whole_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert whole_numbers(text, field="test_folds") == numbers


@pytest.mark.parametrize("text", ["", "a", "1;2", "-1", "1.5", "1234567"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="whole numbers") as caught:
        whole_numbers(text, field="test_folds")
    assert caught.value.field == "test_folds"


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("IMP_height.txt.gz", "imp-height"),
        ("demo", "demo"),
        ("2024 trial.csv", "experiment-2024-trial"),
        ("", "experiment"),
        ("../../<b>.txt", "experiment"),
        ("ÄÖ.txt", "experiment"),
        ("x" * 300, "x" * (MAXIMUM_NAME_LENGTH - 5)),
    ],
)
def test_a_name_is_made_from_the_file(file_name: str, name: str) -> None:
    assert free_name(file_name, taken=()) == name
    assert check_experiment_name(name) == name
    assert free_name(file_name, taken={name, f"{name}-2"}) == f"{name}-3"
