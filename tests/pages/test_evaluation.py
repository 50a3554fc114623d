"""The evaluation on the page of the model: made, under way, damaged, and not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gwas_core.evaluation.store import EvaluationStore, EvaluationTask, TaskResult
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.workspace import Workspace
from tests.evaluation.test_plan import made_plan
from tests.pages.conftest import OpenPage
from tests.pages.made_stores import judgement, mixed_store
from tests.pages.test_experiment import words
from tests.report.test_evaluation import made_result

PAGE = "pages/answer.py"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With an experiment that was judged on its test lines."""
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    made = mixed_store(workspace.root, ExperimentState.RUNNING)
    made.writer.add_final_evaluation(1, validation=judgement(0.5), test=judgement(0.55))
    made.writer.set_status(ExperimentState.SUCCEEDED)
    return workspace


def begun(workspace: Workspace, name: str) -> EvaluationStore:
    folder = EvaluationStore.of(workspace, name)
    folder.save_plan(made_plan(name=name, experiment="made"))
    return folder


def finish(folder: EvaluationStore) -> None:
    folder.save_result(made_result())
    (folder.directory / "predictions.csv").write_text("line,network\na,1\n")


def subheaders(app: AppTest) -> list[str]:
    return [header.value for header in app.subheader]


def test_where_there_is_none_it_says_how_to_make_one(
    open_page: OpenPage, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GWAS_PROGRAM", "./run")
    app = open_page(PAGE, experiment="made")
    assert "Confidence intervals" in subheaders(app)
    assert [code.value for code in app.code][:1] == ["./run evaluate quick.txt"]


def test_one_under_way_says_how_far_it_is(open_page: OpenPage, workspace: Workspace) -> None:
    folder = begun(workspace, "height")
    finished = TaskResult(predictions={"network": [1.0]}, seconds=1.0, sentences=[])
    folder.save_finished(EvaluationTask(held_out_set="fold-4", kind="network"), finished)
    assert "The evaluation height has no result yet: 1 model trained so far" in words(
        open_page(PAGE, experiment="made")
    )


def test_a_result_is_shown_with_its_sentence_tables_and_notes(open_page: OpenPage, workspace: Workspace) -> None:
    finish(begun(workspace, "height"))
    app = open_page(PAGE, experiment="made")
    said = words(app)
    assert "The network is better than GBLUP + family (REML) in Pearson correlation" in said
    assert "A note with *stars*." in said
    tables = [frame.value for frame in app.dataframe if "Pearson within families" in frame.value.columns]
    assert [table.columns[0] for table in tables] == ["Figures", "Network less"]
    assert tables[0]["Figures"].tolist()[0] == "Network"
    assert tables[1]["Network less"].tolist()[0] == "GBLUP + family (REML)"


def test_several_can_be_chosen_from_and_a_damaged_one_is_named(open_page: OpenPage, workspace: Workspace) -> None:
    finish(begun(workspace, "height"))
    damaged = begun(workspace, "height-families")
    (damaged.directory / "result.json").write_text("{}")
    app = open_page(PAGE, experiment="made")
    chooser = app.selectbox(key="evaluation")
    assert sorted(chooser.options) == ["height", "height-families"]
    chooser.select("height-families").run()
    assert "result.json of the evaluation height-families is damaged" in words(app)
    app.selectbox(key="evaluation").select("height").run()
    assert "The network is better than" in words(app)


def test_one_with_a_result_comes_before_a_newer_one_without(open_page: OpenPage, workspace: Workspace) -> None:
    finish(begun(workspace, "height"))
    begun(workspace, "height-families")
    app = open_page(PAGE, experiment="made")
    assert app.selectbox(key="evaluation").options == ["height", "height-families"]
    assert "The network is better than" in words(app)
