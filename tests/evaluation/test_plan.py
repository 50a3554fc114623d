from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gwas_core.errors import ExperimentError, InputError, SettingsError
from gwas_core.evaluation.plan import EvaluationPlan, TuningSettings, tuning_name, tuning_split
from gwas_core.evaluation.store import (
    ChosenHyperparameters,
    EvaluationStore,
    EvaluationTask,
    TaskResult,
    check_plan,
    evaluations_of,
)
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import Workspace


def made_plan(**changes: Any) -> EvaluationPlan:
    settings: dict[str, Any] = {
        "name": "height",
        "dataset": "0123456789abcdef",
        "source": "height.txt",
        "preprocessing": PreprocessingSettings(imputation="mean"),
        "made_folds": False,
        "tune_folds": (1, 2, 3),
        "test_folds": (5, 4, 5),
        "experiment": "height-tuning",
        "tuning": TuningSettings(space=SearchSpace.preset("focused"), max_trials=35, xla="auto"),
    }
    return EvaluationPlan(**settings | changes)


def test_a_plan_survives_json() -> None:
    plan = made_plan(leave_family_out=True, families=("b", "a"))
    assert plan.test_folds == (4, 5)
    assert plan.families == ("a", "b")
    assert EvaluationPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_only_given_settings_of_the_search_are_stored() -> None:
    stored = made_plan().to_dict()["tuning"]
    assert stored.keys() == {"space", "max_trials", "xla", "early_stopping"}
    settings = TuningSettings(
        space=SearchSpace.preset("focused"),
        algorithm=AlgorithmSettings(name="random", settings={"random_state": "3"}),
        early_stopping=EarlyStoppingSettings(start_step=2),
    )
    plan = made_plan(tuning=settings)
    assert EvaluationPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert made_plan(tuning=None).to_dict()["tuning"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tune_folds": (3, 4)}, "test_folds"),
        ({"families": ("a",)}, "families"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": True}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"name": "../up"}, "name"),
    ],
)
def test_a_plan_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as refused:
        made_plan(**changes)
    assert refused.value.field == field


@pytest.mark.parametrize("values", [None, [], {}, {"name": "a"}, {**made_plan().to_dict(), "more": 1}])
def test_what_is_no_plan_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match="not the plan of an evaluation"):
        EvaluationPlan.from_dict(values)


def test_a_folder_goes_on_with_the_same_plan_only(tmp_path: Path) -> None:
    folder = EvaluationStore.of(Workspace(tmp_path), "height")
    plan = made_plan()
    check_plan(folder, plan)
    folder.save_plan(plan)
    check_plan(folder, plan)
    check_plan(folder, replace(plan, source="renamed.txt"))
    with pytest.raises(ExperimentError, match="was begun with seeds '1', not '2': use the same settings"):
        check_plan(folder, replace(plan, seeds=2))
    changed = replace(plan, tuning=TuningSettings(space=SearchSpace.preset("focused"), max_trials=9, xla="off"))
    with pytest.raises(ExperimentError, match="max trials '35', not '9', and 1 other settings differ"):
        check_plan(folder, changed)


def test_a_folder_keeps_what_it_is_given(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    folder = EvaluationStore.of(workspace, "height")
    assert (folder.plan(), folder.chosen(), folder.result(), folder.finished_count()) == (None, None, None, 0)
    chosen = ChosenHyperparameters(
        experiment="e", trial=3, value=0.5, hyperparameters={"rate": 0.1}, xla=True, lines=100
    )
    folder.save_chosen(chosen)
    assert folder.chosen() == chosen
    task = EvaluationTask(held_out_set="fold-4", kind="network", number=1)
    assert folder.finished(task) is None
    finished = TaskResult(predictions={"network": [0.1 + 0.2, 1e-300]}, seconds=1.5, sentences=["a"])
    folder.save_finished(task, finished)
    assert folder.finished(task) == finished
    assert folder.finished_count() == 1
    assert folder.finished(replace(task, number=0)) is None


def test_damaged_files_are_named_and_no_list_breaks_over_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert evaluations_of(workspace, "height-tuning") == ()
    folder, broken = (EvaluationStore.of(workspace, name) for name in ("height", "broken"))
    folder.save_plan(made_plan())
    broken.save_plan(made_plan(name="broken"))
    (broken.directory / "plan.json").write_text("{")
    assert [each.directory.name for each in evaluations_of(workspace, "height-tuning")] == ["height"]
    (broken.directory / "plan.json").write_text('{"name": "broken"}')
    with pytest.raises(InputError, match=r"plan\.json of the evaluation broken is damaged"):
        broken.plan()
    (folder.directory / "chosen.json").write_text('{"trial": 1}')
    with pytest.raises(InputError, match=r"chosen\.json of the evaluation height is damaged"):
        folder.chosen()
    for text in ("[]", "{}", "\x00", "[" * 100_000):
        (folder.directory / "result.json").write_text(text)
        with pytest.raises(InputError, match=r"result\.json"):
            folder.result()


def test_the_search_of_an_evaluation() -> None:
    assert tuning_name("height") == "height-tuning"
    assert len(tuning_name("a" * 40)) == 40
    assert tuning_name("a" * 32 + "-bcdefg") == "a" * 32 + "-tuning"
    split = tuning_split((1, 2, 3, 4, 5))
    assert (split.method, split.validation_folds, split.test_folds) == ("folds", (5,), (1,))
    assert tuning_split((1, 2)).method == "random_within_families"
