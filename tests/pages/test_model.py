from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from gwas_core.errors import InputError
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.workspace import Workspace
from tests.commands.conftest import Searched, searched  # noqa: F401 - a fixture
from tests.model.hostile_bundles import HONEST, read_members, write_members
from tests.pages.conftest import OpenPage
from tests.pages.made_stores import judgement, mixed_store, new_experiment
from tests.pages.test_experiment import words
from ui.model import current_bundle, judgement_rows, ranked_predictions, read_card
from ui.prediction import Prediction, kept_prediction, lines_predicted, run_prediction, store_upload

PAGE = "pages/answer.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def test_without_experiments_it_says_so(open_page: OpenPage) -> None:
    assert "no experiments yet" in words(open_page(PAGE))


def test_an_unknown_name(open_page: OpenPage, root: Path) -> None:
    new_experiment(root)
    assert "There is no experiment named gone" in words(open_page(PAGE, experiment="gone"))


def test_one_without_trials(open_page: OpenPage, root: Path) -> None:
    new_experiment(root)
    app = open_page(PAGE, experiment="made")
    assert "No trial has succeeded, so there is no model" in words(app)
    assert app.button(key="to-experiment")


def test_a_running_one_says_how_far_it_is(open_page: OpenPage, root: Path) -> None:
    made = mixed_store(root, ExperimentState.RUNNING)
    with experiment_lock(made.directory) as lock:
        assert lock.acquire()
        said = words(open_page(PAGE, experiment="made"))
    assert "Trial 1 is the best so far, but it has not been judged on the test lines yet" in said


def test_the_choice_outlives_a_change_of_state(open_page: OpenPage, root: Path) -> None:
    made = mixed_store(root, ExperimentState.RUNNING)
    with experiment_lock(made.directory) as lock:
        assert lock.acquire()
        app = open_page(PAGE, experiment="made")
    made.writer.set_status(ExperimentState.STOPPED)
    said = words(app.run())
    assert "There is no experiment named" not in said
    assert "Resume the experiment" in said
    assert app.query_params["experiment"] == "made"


def test_a_judged_one_whose_files_are_lost(open_page: OpenPage, root: Path) -> None:
    made = mixed_store(root, ExperimentState.RUNNING)
    made.writer.add_final_evaluation(0, validation=judgement(0.6), test=judgement(0.7))
    made.writer.add_final_evaluation(1, validation=judgement(0.5), test=judgement(0.55))
    made.writer.set_status(ExperimentState.SUCCEEDED)
    app = open_page(PAGE, experiment="made")
    said = words(app)
    assert "The file model.keras of the best trial is missing" in said
    assert "no predictions yet" in said
    assert "used 2 times" in said
    assert "better than the best baseline, GBLUP (REML)" in app.success[0].value.replace("\\", "")
    rows = judgement_rows(made.store.load("made"), "test")
    assert rows["Model"].tolist() == ["★ This network", "GBLUP (REML)", "Training mean"]
    assert rows["MAE"].tolist() == [0.55, 0.6, 1.0]
    assert "r within families" not in rows  # which nobody has


def test_a_real_model_is_judged_packed_and_predicts(
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    searched: Searched,  # noqa: F811
) -> None:
    workspace = Workspace(Path(searched.answer.json["directory"]).parent)
    monkeypatch.setenv("GWAS_WORKSPACE", str(workspace.root))
    app = open_page(PAGE, experiment="searched")
    assert [header.value for header in app.subheader] == [
        "Test lines",
        "Confidence intervals",
        "Download",
        "Observed against predicted",
    ]
    assert len(app.dataframe[0].value) == 5
    said = words(app)
    assert "has been judged by nobody" in said
    assert "While choosing, on the validation lines" in said
    assert not app.error

    bundle = current_bundle(workspace, LocalEngine(workspace).sync("searched"))
    with zipfile.ZipFile(bundle) as archive:
        assert "model.keras" in archive.namelist()
    card = read_card(bundle)
    assert card is not None
    assert card.startswith("# Model card")

    with searched.file.open("rb") as file:
        genotypes = store_upload(workspace, file)
    assert genotypes.read_bytes() == searched.file.read_bytes()
    assert workspace.root in genotypes.parents
    assert kept_prediction(bundle, genotypes) is None
    prediction = run_prediction(bundle, genotypes)
    assert any("150 SNPs of the model's 150 were found" in note for note in prediction.notes)
    table = pd.read_csv(prediction.table)
    assert table.columns.tolist() == ["line", "predicted", "imputed_fraction"]
    assert len(table) == 160
    assert kept_prediction(bundle, genotypes) == prediction
    assert lines_predicted(prediction) == 160

    app = open_page("pages/predict.py", experiment="searched")
    upload = app.file_uploader(key="genotypes-searched")
    upload.set_value(("../../odd <b>name</b>.txt.gz", searched.file.read_bytes(), "application/gzip")).run()
    assert "160 lines predicted." in words(app)
    shown = app.dataframe[-1].value
    assert sorted(shown["line"]) == sorted(table["line"])
    assert shown["predicted"].is_monotonic_decreasing
    assert shown["rank"].tolist() == list(range(1, 161))
    assert shown["learned"].all()
    app.slider(key="predicted-best-searched").set_value(10).run()
    assert len(app.dataframe[-1].value) == 16
    assert {path.name for path in (workspace.root / "_predictions").iterdir()} == {genotypes.parent.name}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit")
def test_a_prediction_that_takes_too_much_memory_says_so(
    monkeypatch: pytest.MonkeyPatch,
    searched: Searched,  # noqa: F811
) -> None:
    workspace = Workspace(Path(searched.answer.json["directory"]).parent)
    bundle = current_bundle(workspace, LocalEngine(workspace).sync("searched"))
    genotypes = store_upload(workspace, io.BytesIO(b"Gm01_1\tname\n" + b"0\t" * 10_000_000 + b"\n"))
    monkeypatch.setattr("ui.prediction._LEAST_MEMORY", 0)
    monkeypatch.setenv("GWAS_READING_MEMORY", "300 MiB")
    with pytest.raises(InputError) as refusal:
        run_prediction(bundle, genotypes)
    assert str(refusal.value) == (
        "the prediction takes more than 300 MiB of memory, the limit: use a smaller file, or raise the limit by "
        "GWAS_READING_MEMORY"
    )


def test_many_predicted_lines_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    table = tmp_path / "predictions.csv"
    table.write_text("line,predicted,imputed_fraction\n" + "a,1,0\n" * 3_000_000)
    assert lines_predicted(Prediction(table=table, notes=())) == 3_000_000


def test_a_file_that_does_not_fit_is_refused_in_the_command_lines_words(
    tmp_path: Path,
    searched: Searched,  # noqa: F811
) -> None:
    workspace = Workspace(Path(searched.answer.json["directory"]).parent)
    bundle = current_bundle(workspace, LocalEngine(workspace).sync("searched"))
    other = tmp_path / "other.txt"
    other.write_text("strain\tS1_1\tS1_2\na\t0\t2\nb\t2\t0\n")
    with other.open("rb") as file:
        genotypes = store_upload(workspace, file)
    with pytest.raises(InputError, match="SNPs"):
        run_prediction(bundle, genotypes)
    assert kept_prediction(bundle, genotypes) is None


def test_the_card_is_read_and_nothing_else_of_the_bundle(tmp_path: Path) -> None:
    members = {**read_members(HONEST), "model.keras": b"no network"}
    card = read_card(write_members(members, tmp_path / "best.zip"))
    assert card is not None
    assert card.startswith("# Model card")


def test_predictions_are_ranked_and_lines_of_the_study_flagged() -> None:
    table = pd.DataFrame({"line": ["a", "b", "c"], "predicted": [1.0, 3.0, 2.0], "imputed_fraction": 0.0})
    ranked = ranked_predictions(table, learned=["c", "d"], percent=50)
    assert ranked["line"].tolist() == ["b", "c"]
    assert ranked["rank"].tolist() == [1, 2]
    assert ranked["learned"].tolist() == [False, True]
    assert "learned" not in ranked_predictions(table, learned=(), percent=1)
    assert len(ranked_predictions(table, learned=(), percent=1)) == 1


def test_what_is_no_bundle_has_no_card(tmp_path: Path) -> None:
    (tmp_path / "best.zip").write_bytes(b"no zip")
    assert read_card(tmp_path / "best.zip") is None
    assert read_card(tmp_path / "none.zip") is None
