from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from gwas_core.model.training import TrialResult
from gwas_core.processes.locks import experiment_lock
from gwas_core.report.importance import parameter_importance
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.workspace import Workspace
from tests.counting import counted_statements
from tests.pages.conftest import OpenPage
from tests.pages.made_stores import (
    DIVERGED,
    begin,
    fail,
    judgement,
    mixed_store,
    new_experiment,
    succeed,
    thousand_trials,
)
from tests.tuning.quick_experiments import quick_experiment, quick_workspace, wait_until, wait_until_gone
from tests.waiting import hold_trials, release_trials

PAGE = "pages/machine_room.py"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def words(app: AppTest) -> str:
    """Everything the page says in sentences, without the backslashes of Markdown."""
    kinds = (app.error, app.warning, app.info, app.caption, app.markdown)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def enabled(app: AppTest) -> set[str]:
    return {button.label for button in app.button if not button.disabled}


def table(app: AppTest) -> list[int]:
    """The numbers in the trial table, from top to bottom."""
    (frame,) = (element.value for element in app.dataframe if "Trial" in element.value.columns)
    return [int(number) for number in frame["Trial"]]


def test_without_experiments_it_says_so(open_page: OpenPage) -> None:
    assert "no experiments yet" in words(open_page(PAGE))


def test_an_unknown_name_leads_to_the_others(open_page: OpenPage, root: Path) -> None:
    new_experiment(root)
    app = open_page(PAGE, experiment="<b>gone</b>")
    assert "There is no experiment named <b>gone</b>" in words(app)
    app.selectbox(key="experiment-experiment").set_value("made").run()
    assert app.query_params["experiment"] == "made"
    assert "has no trials yet" in words(app)


def test_one_that_was_only_created(open_page: OpenPage, root: Path) -> None:
    new_experiment(root)
    app = open_page(PAGE, experiment="made")
    assert "not started" in words(app)
    assert {"Resume", "Delete"} <= enabled(app)
    assert "Stop" not in enabled(app)


def test_a_running_one(open_page: OpenPage, root: Path) -> None:
    made = mixed_store(root, ExperimentState.RUNNING)
    with experiment_lock(made.directory) as lock:
        assert lock.acquire()
        app = open_page(PAGE, experiment="made")
    assert metrics(app)["Best error, trial 1"] == "0.5000"
    assert metrics(app)["Best baseline"] == "0.6000"
    assert [metrics(app)[name] for name in ("Succeeded", "Stopped early", "Failed", "Running")] == ["2", "1", "1", "1"]
    # Chosen by these lines, it is no verdict: neither green nor red, and the page that has the verdict is named.
    assert not app.metric[0].delta
    assert "While choosing (validation lines): 16.7 % lower error than GBLUP (REML); the verdict, on test" in words(app)
    assert "Stop" in enabled(app)
    assert not {"Resume", "Delete"} & enabled(app)
    assert table(app) == [1, 0, 2, 4, 3]


def drawn(app: AppTest) -> list[str]:
    """The keys of the charts that the browser is sent, from top to bottom."""
    return [json.loads(element.proto.json)["key"] for element in app.get("bidi_component")]


def test_one_chart_is_drawn_and_it_stays_chosen(open_page: OpenPage, root: Path) -> None:
    made = new_experiment(root, max_trials=20)
    made.writer.set_status(ExperimentState.RUNNING)
    for number in range(7):
        succeed(made, 0.5 + 0.01 * number, 0.6)
    fail(made)
    made.writer.set_status(ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made")
    assert drawn(app) == ["brush", "history"]
    for chart, keys in {
        "Curves": ["brush", "curves"],
        "Slices": ["brush", "slices"],
        "Distribution": ["brush", "distribution"],
        "Timeline": ["brush", "timeline"],
    }.items():
        app.segmented_control(key="chart").set_value(chart).run()
        assert drawn(app) == keys
        assert not app.exception
    app.run()
    assert drawn(app) == ["brush", "timeline"]
    assert "At most 1 trial at a time" in words(app)
    app.segmented_control(key="chart").set_value("Importance").run()
    assert "Importance is shown from 12 finished trials on: 5 more are needed." in words(app)
    # Another page in between, and the choice is still there.
    app.switch_page("pages/experiments.py").run()
    app.switch_page(PAGE)
    app.run()
    assert app.segmented_control(key="chart").value == "Importance"


def test_the_two_axes_of_the_contour_can_be_chosen(open_page: OpenPage, root: Path) -> None:
    thousand_trials(root, 30)
    app = open_page(PAGE, experiment="made")
    app.segmented_control(key="chart").set_value("Contour").run()
    first, second = (app.selectbox(key=f"contour-made-{place}") for place in (0, 1))
    # At first the two most important ones, of a list in the order of the search space.
    record = LocalEngine(Workspace(root)).sync("made")
    assert [first.value, second.value] == parameter_importance(record).table["parameter"].tolist()[:2]
    assert first.options == second.options == list(record.experiment.space.names)
    other = next(name for name in first.options if name not in (first.value, second.value))
    second.set_value(other).run()
    app.segmented_control(key="contour-view").set_value("Rank").run()
    assert drawn(app)[-1] == f"contour-Rank-{first.value}-{other}"
    second.set_value(first.value).run()
    assert "Choose two different hyperparameters" in words(app)


def test_a_start_that_training_did_not_improve_is_said(open_page: OpenPage, root: Path) -> None:
    made = new_experiment(root)
    number = begin(made, 0.6, 0.7)
    result = TrialResult(val_mean_absolute_error=0.5, best_epoch=0, epochs=2, validation=judgement(0.5))
    made.writer.finish(number, Outcome(state=TrialState.SUCCEEDED, result=result))
    app = open_page(PAGE, experiment="made")
    app.segmented_control(key="chart").set_value("Curves").run()
    assert "The start was not improved by training: trial 0, the best" in words(app)
    (curves,) = (json.loads(e.proto.json) for e in app.get("bidi_component") if "curves" in e.proto.json[:4000])
    assert "best epoch 0" in curves["figure"]


def test_a_trial_is_shown_beside_where_it_was_chosen(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made", trial="1")
    headings = [header.value for header in app.subheader]
    assert headings == ["Trials", "Trial table", "Trial 1"]
    app.session_state["trials-beside"] = "chart"  # as a click on a point leaves it
    app.run()
    assert [header.value for header in app.subheader] == ["Trials", "Trial 1", "Trial table"]


def test_one_whose_process_is_gone_was_interrupted(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.RUNNING)
    app = open_page(PAGE, experiment="made")
    assert "Resume continues the search" in words(app)
    assert "Resume" in enabled(app)


def test_a_failed_one_says_why(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.FAILED, reason="10 trials failed, which is the limit")
    app = open_page(PAGE, experiment="made")
    assert "10 trials failed, which is the limit." in words(app)


def test_where_every_trial_failed_no_empty_chart_is_drawn(open_page: OpenPage, root: Path) -> None:
    made = new_experiment(root, max_trials=3)
    made.writer.set_status(ExperimentState.RUNNING)
    fail(made)
    made.writer.set_status(ExperimentState.FAILED, "1 trial failed, which is the limit")
    assert "Every trial so far has failed" in words(open_page(PAGE, experiment="made"))


def test_a_trial_in_the_address_is_shown_in_full(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made", trial="1")
    assert [header.value for header in app.subheader][-1] == "Trial 1"
    assert "best of the experiment" in words(app)
    assert app.code[0].value == "trial 1 says hello"
    app.button(key="trial-close").click().run()
    assert "trial" not in app.query_params


def test_why_a_trial_failed_and_what_to_do(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    said = words(open_page(PAGE, experiment="made", trial="3"))
    assert DIVERGED[1:] in said
    assert "Lower the highest learning rate" in said


def test_two_trials_side_by_side(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made", trial="0,1,77,x")
    assert "made has no trial 77" in words(app)
    compared = app.dataframe[-1].value
    assert compared.columns.tolist() == ["What", "Differs", "Trial 0", "Trial 1"]
    rows = compared.set_index("What")
    assert rows.loc["validation error"].tolist() == [True, "0.7", "0.5"]
    assert rows.loc["penalty", "Differs"]


def test_an_address_from_before_the_last_choice_undoes_nothing(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    succeed(new_experiment(root, "other"), 0.5)
    app = open_page(PAGE, experiment="made", trial="1")
    app.button(key="trial-close").click().run()
    app.query_params["trial"] = "1"  # as the browser had it when it asked for a refresh
    app.run()
    assert "trial" not in app.query_params
    assert "Trial 1" not in [header.value for header in app.subheader]
    app.selectbox(key="experiment-experiment").set_value("other").run()
    for name, value in (("experiment", "made"), ("trial", "1"), ("brush", "learning_rate~..0.1")):
        app.query_params[name] = value
    app.run()
    assert app.selectbox(key="experiment-experiment").value == "other"
    assert {name: app.query_params[name] for name in app.query_params} == {"experiment": "other"}


def test_who_comes_from_another_page_sees_what_the_address_says(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made", trial="1")
    app.button(key="trial-close").click().run()
    app.switch_page("pages/experiments.py").run()
    app.switch_page(PAGE)
    app.query_params["trial"] = "1"
    app.run()
    assert [header.value for header in app.subheader][-1] == "Trial 1"


def test_the_menu_leads_to_the_experiment_looked_at_last(open_page: OpenPage, root: Path) -> None:
    for name in ("first", "second", "third"):
        new_experiment(root, name)
    app = open_page(PAGE, experiment="second")
    for page in ("pages/loci.py", PAGE):
        app.switch_page(page)
        app.query_params.clear()
        app.run()
        assert app.query_params["experiment"] == "second"


def test_states_filter_the_table(open_page: OpenPage, root: Path) -> None:
    mixed_store(root, ExperimentState.STOPPED)
    app = open_page(PAGE, experiment="made")
    app.button_group(key="states-made").set_value(["failed"]).run()
    assert table(app) == [3]


def test_lost_files_are_no_catastrophe(open_page: OpenPage, root: Path) -> None:
    made = mixed_store(root, ExperimentState.STOPPED)
    shutil.rmtree(made.directory)
    app = open_page(PAGE, experiment="made", trial="1")
    assert "There is no log" in words(app)
    assert "The folder with its files was deleted" in words(app)


def test_a_long_time_without_a_better_trial_is_said(open_page: OpenPage, root: Path) -> None:
    made = new_experiment(root, max_trials=20)
    made.writer.set_status(ExperimentState.RUNNING)
    succeed(made, 0.4)
    for _ in range(10):
        succeed(made, 0.5)
    fail(made)
    made.writer.set_status(ExperimentState.STOPPED)
    assert "No improvement in the last 11 trials" in words(open_page(PAGE, experiment="made"))


@pytest.mark.usefixtures("quick_model")
def test_stop_resume_extend_and_delete(open_page: OpenPage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, dataset = quick_workspace(root)
    engine = LocalEngine(workspace)
    monkeypatch.setattr("ui.actions.engines", lambda: LocalEngine(Workspace(root)))
    hold_trials(root, 2)
    engine.start(quick_experiment(dataset, max_trials=6))
    try:
        app = open_page(PAGE, experiment="quick")
        app.button(key="experiment-quick-stop").click().run()
        wait_until(lambda: engine.sync("quick"), lambda record: record.state is ExperimentState.STOPPED)
        app.run()
        assert "It was stopped" in words(app)
        release_trials(root)
        app.button(key="experiment-quick-resume").click().run()
        wait_until(lambda: engine.sync("quick"), lambda record: record.state is ExperimentState.SUCCEEDED)
        app.run()
        app.number_input(key="experiment-quick-extra").set_value(2).run()
        app.button(key="experiment-quick-extend").click().run()
        wait_until(lambda: engine.sync("quick"), lambda record: record.finished_trials == 8)
        wait_until(lambda: engine.sync("quick"), lambda record: record.state is ExperimentState.SUCCEEDED)
        app.run()
        app.button(key="experiment-quick-delete").click().run()
        app.text_input(key="delete-quick-name").set_value("another").run()
        assert app.button(key="delete-quick-yes").disabled
        app.text_input(key="delete-quick-name").set_value("quick").run()
        app.button(key="delete-quick-yes").click().run()
        assert engine.experiments() == ()
        assert app.title[0].value == "All searches"
        assert not app.exception
    finally:
        if any(summary.state.is_active() for summary in engine.experiments()):
            engine.stop("quick")
        wait_until_gone(workspace)


def test_a_thousand_trials_are_shown(open_page: OpenPage, root: Path) -> None:
    thousand_trials(root)
    app = open_page(PAGE, experiment="made", trial="7,8")
    assert metrics(app)["Failed"] == "100"
    assert len(table(app)) == 1000


def test_drawing_a_thousand_trials_anew_is_no_more_work_than_drawing_a_hundred(
    open_page: OpenPage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes is measured by ``benchmarks.page_rerun``."""
    work = {}
    for trials in (100, 1000):
        folder = root / str(trials)
        folder.mkdir()
        thousand_trials(folder, trials)
        monkeypatch.setenv("GWAS_WORKSPACE", str(folder))
        st.cache_resource.clear()
        st.cache_data.clear()
        app = open_page(PAGE, experiment="made", trial="7,8")
        with counted_statements() as statements:
            app.run()
        assert len(table(app)) == trials
        charts = len(app.get("plotly_chart")), len(app.get("bidi_component"))
        work[trials] = (len(statements), charts, len(app.main))
    assert work[1000] == work[100]
    assert 0 < work[100][0] < 100, "statements are not counted by the trial"
