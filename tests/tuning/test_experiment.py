"""Experiments as values: checked on creation, and back from whatever JSON may hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwas_core.errors import SettingsError
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings

SPACE = SearchSpace.preset("focused")
HASH = "0123456789abcdef" * 4


def experiment(**changes: Any) -> Experiment:
    values: dict[str, Any] = {
        "name": "soy-height",
        "dataset": HASH,
        "source": "IMP_height.txt.gz",
        "space": SPACE,
    }
    return Experiment(**values | changes)


def test_defaults_are_those_of_the_tutorial() -> None:
    default = experiment()
    assert (default.max_trials, default.parallel_trials) == (35, 3)
    assert default.algorithm == AlgorithmSettings(name="bayesianoptimization")
    assert default.objective == "val_mean_absolute_error"
    assert default.early_stopping is None


def test_survives_json() -> None:
    full = experiment(
        preprocessing=PreprocessingSettings(imputation="mean"),
        split=SplitSettings(method="folds", validation_folds=(1,), test_folds=(2, 3)),
        algorithm=AlgorithmSettings(settings={"acq_func": "EI"}),
        early_stopping=EarlyStoppingSettings(start_step=2),
        max_trials=7,
        seed=3,
        xla="off",
    )
    assert Experiment.from_dict(json.loads(json.dumps(full.to_dict(), allow_nan=False))) == full
    assert Experiment.from_dict(experiment(created=full.created).to_dict()) != full


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Soy"}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": 7}, "name"),
        ({"dataset": "../../etc"}, "dataset"),
        ({"dataset": None}, "dataset"),
        ({"source": "a\x1b[31m"}, "source"),
        ({"source": "x" * 201}, "source"),
        ({"space": {}}, "space"),
        ({"split": None}, "split"),
        ({"early_stopping": "medianstop"}, "early_stopping"),
        ({"max_trials": 0}, "max_trials"),
        ({"max_trials": 10_001}, "max_trials"),
        ({"max_trials": 3.0}, "max_trials"),
        ({"max_trials": True}, "max_trials"),
        ({"parallel_trials": 0}, "parallel_trials"),
        ({"parallel_trials": 65}, "parallel_trials"),
        ({"max_failed_trials": -1}, "max_failed_trials"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"xla": "yes"}, "xla"),
        ({"xla": ["on"]}, "xla"),
        ({"engine": "slurm"}, "engine"),
        ({"objective": "loss"}, "objective"),
        ({"created": "yesterday"}, "created"),
        ({"created": "2026-01-01T00:00:00"}, "created"),
        # What the algorithm refuses about the space is refused here, not in the night.
        ({"algorithm": AlgorithmSettings(name="grid")}, "learning_rate.step"),
    ],
)
def test_refuses_naming_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        experiment(**changes)
    assert refusal.value.field == field
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"format": 2}, "format"),
        ({"format": True}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"space": None}, "space"),
        ({"space": []}, "space"),
        ({"split": "random"}, "split"),
        ({"split": {"extra": 1}}, "split.extra"),
        ({"preprocessing": [1]}, "preprocessing"),
        ({"algorithm": {"name": "magic"}}, "algorithm.name"),
        ({"early_stopping": []}, "early_stopping"),
    ],
)
def test_refuses_hostile_json(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Experiment.from_dict(experiment().to_dict() | changes)
    assert refusal.value.field == field


@pytest.mark.parametrize("missing", ["name", "dataset", "source", "space"])
def test_says_what_is_missing(missing: str) -> None:
    values = experiment().to_dict()
    del values[missing]
    with pytest.raises(SettingsError, match=f"needs {missing}"):
        Experiment.from_dict(values)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(experiment().to_dict())), value=JSON_VALUES)
def test_any_json_is_refused_in_words_or_fits(field: str, value: Any) -> None:
    refusal = None
    try:
        read = Experiment.from_dict(experiment().to_dict() | {field: value})
    except SettingsError as error:
        refusal = error
    if refusal is None:
        assert Experiment.from_dict(read.to_dict()) == read
    else:
        assert str(refusal)
        assert refusal.field


@given(value=JSON_VALUES)
def test_anything_but_an_experiment_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError):
        Experiment.from_dict(value)


def test_trials_have_seeds_of_their_own() -> None:
    seeds = [experiment(seed=seed).trial_seed(number) for seed in range(5) for number in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert experiment(seed=1).trial_seed(0) == experiment(seed=1, name="other").trial_seed(0)


def test_states_answer_questions() -> None:
    assert [state for state in ExperimentState if state.is_active()] == ["running", "stopping"]
    assert [state for state in ExperimentState if state.is_finished()] == ["succeeded", "failed"]
    assert [state for state in ExperimentState if state.can_resume()] == ["created", "stopped", "interrupted", "failed"]
    assert [state for state in TrialState if state.is_finished()] == ["succeeded", "pruned", "failed"]
