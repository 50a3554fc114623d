"""The home, and the frame of a study around its tabs."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.studies.about import change_about, read_about
from gwas_core.studies.listing import list_studies
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.pages.conftest import OpenPage
from tests.pages.made_stores import judgement, mixed_store
from tests.pages.test_experiment import words
from tests.studies.test_studies import SPACE, made
from ui.studies.cards import _PER_PAGE

PAGE = "pages/studies.py"


@pytest.fixture
def height(workspace: Workspace) -> Dataset:
    """A dataset of the library, on which nobody has searched."""
    dataset = made()
    DatasetLibrary(workspace).add(dataset, source="height.txt")
    return dataset


def cards(app: AppTest) -> int:
    return sum(button.key.startswith("study-edit-") for button in app.button if button.key)


def test_an_empty_workspace_says_what_this_is_for_and_how_to_begin(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert "Find the loci of a trait" in words(app)
    assert {"home-example", "home-own"} <= {button.key for button in app.button}
    assert cards(app) == 0


def test_the_example_opens_with_its_data(open_page: OpenPage, workspace: Workspace) -> None:
    app = open_page(PAGE)
    app.button(key="home-example").click().run()
    assert not app.exception
    assert app.title[0].value == "Data"
    (entry,) = DatasetLibrary(workspace).entries()
    assert app.query_params["study"] == entry.hash[:16]


def test_a_study_is_renamed_tagged_and_archived(open_page: OpenPage, workspace: Workspace, height: Dataset) -> None:
    key = height.content_hash[:16]
    app = open_page(PAGE)
    app.button(key=f"study-edit-{key}").click().run()
    app.text_input(key=f"study-name-{key}").input("Höhe <b>2019</b>")
    app.text_input(key=f"study-tags-{key}").input("field, drought ,")
    app.text_area(key=f"study-notes-{key}").input("first\nsecond")
    app.checkbox(key=f"study-archived-{key}").check()
    app.button(key=f"study-save-{key}").click().run()
    about = read_about(workspace, key)
    assert (about.name, about.tags, about.notes) == ("Höhe <b>2019</b>", ("field", "drought"), "first\nsecond")
    assert cards(app) == 0, "archived"
    app.toggle(key="studies-archived").set_value(True).run()
    assert cards(app) == 1
    assert "<b>" not in words(app).replace("\\<", "")


def test_what_cannot_be_saved_says_why(open_page: OpenPage, workspace: Workspace, height: Dataset) -> None:
    key = height.content_hash[:16]
    app = open_page(PAGE)
    app.button(key=f"study-edit-{key}").click().run()
    app.text_input(key=f"study-tags-{key}").input("soy, Soy")
    app.button(key=f"study-save-{key}").click().run()
    assert "Two tags of the study are the same" in app.error[0].value
    assert read_about(workspace, key).tags == ()


def test_a_study_is_deleted_with_its_searches_once_that_was_confirmed(
    open_page: OpenPage, workspace: Workspace, height: Dataset
) -> None:
    store, key = Store(workspace), height.content_hash[:16]
    create_experiment(store, height, name="first", source="height.txt", space=SPACE)
    app = open_page(PAGE)
    app.button(key=f"study-edit-{key}").click().run()
    assert app.button(key=f"study-delete-{key}").disabled
    app.text_input(key=f"study-confirm-{key}").input("delete").run()
    app.button(key=f"study-delete-{key}").click().run()
    assert cards(app) == 0
    assert store.experiments() == ()
    assert DatasetLibrary(workspace).entries() == ()


def test_many_studies_are_found_by_words_state_and_order(open_page: OpenPage, workspace: Workspace) -> None:
    library = DatasetLibrary(workspace)
    for seed in range(_PER_PAGE + 2):
        dataset = made(f"trait {seed}", seed=seed, missing=False)
        library.add(dataset, source="table.txt")
        if seed == 3:
            change_about(workspace, dataset.content_hash[:16], notes="of the dry year")
    app = open_page(PAGE)
    assert cards(app) == _PER_PAGE
    app.number_input(key="studies-page").set_value(2).run()
    assert cards(app) == 2
    app.text_input(key="studies-find").input("DRY year").run()
    assert cards(app) == 1
    assert "trait 3" in words(app)
    app.multiselect(key="studies-states").select("answered").run()
    assert "No study fits" in app.info[0].value


def test_each_tab_of_a_study_without_a_search_opens(open_page: OpenPage, height: Dataset) -> None:
    for page in ("data", "loci", "train", "answer", "predict", "machine_room"):
        app = open_page(f"pages/{page}.py", study=height.content_hash[:16])
        assert not app.exception
        assert not app.error
        assert "height · height" in words(app).replace("\\", "")


def test_studies_are_compared_side_by_side(open_page: OpenPage, workspace: Workspace, height: Dataset) -> None:
    mixed = mixed_store(workspace.root, ExperimentState.RUNNING)
    mixed.writer.add_final_evaluation(1, validation=judgement(0.5), test=judgement(0.55))
    mixed.writer.set_status(ExperimentState.SUCCEEDED)
    keys = [
        study.key for study in list_studies(workspace, DatasetLibrary(workspace).entries(), mixed.store.experiments())
    ]
    assert len(keys) == 2
    app = open_page(PAGE)
    app.multiselect(key="studies-compared").set_value(keys).run()
    table = app.dataframe[-1].value.set_index("Fact")
    assert sorted(table.loc["State"]) == ["Answered", "No search yet"]
    assert sorted(table.loc["Error of the network"]) == ["0.55", "–"]
    assert sorted(table.loc["Its error"]) == ["0.6", "–"]
    DatasetLibrary(workspace).delete(height.content_hash)
    app.run()
    assert not app.exception


def test_loci_need_no_search(open_page: OpenPage, height: Dataset) -> None:
    app = open_page("pages/loci.py", study=height.content_hash[:16])
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["All lines"] == "80"
    assert set(app.dataframe[-1].value["name"].head(3)) <= {f"snp-{number}" for number in range(5)}


def test_a_study_that_is_gone_says_so(open_page: OpenPage) -> None:
    for key in ("0" * 16, "../../x", "<b>"):
        assert "no such study" in open_page("pages/data.py", study=key).error[0].value


def test_a_tab_shows_the_searches_of_its_study_only(open_page: OpenPage, workspace: Workspace, height: Dataset) -> None:
    store = Store(workspace)
    create_experiment(store, height, name="ours", source="height.txt", space=SPACE)
    create_experiment(store, made(seed=5), name="theirs", source="other.txt", space=SPACE)
    said = words(open_page("pages/train.py", study=height.content_hash[:16]))
    assert "ours" in said
    assert "theirs" not in said
    assert store.experiments()[0].state is ExperimentState.CREATED


def test_terms_are_explained_and_found(open_page: OpenPage) -> None:
    app = open_page("pages/glossary.py")
    assert "**GBLUP**" in words(app)
    app.text_input(key="glossary-find").input("plant").run()
    assert "**Line**" in words(app)
    assert "**GBLUP**" not in words(app)


def test_a_card_sets_the_number_of_trials(open_page: OpenPage, height: Dataset) -> None:
    app = open_page("pages/train.py", study=height.content_hash[:16])
    (quick,) = (button for button in app.button if button.label == "Choose quick")
    quick.click().run()
    assert not app.exception
    (trials,) = (field for field in app.number_input if field.label == "Trials")
    assert trials.value == 12
    assert [button.disabled for button in app.button if button.label == "Chosen"] == [True]


@pytest.mark.parametrize(("test_error", "is_better"), [(0.55, True), (0.7, False)])
def test_no_page_contradicts_another(
    test_error: float, is_better: bool, open_page: OpenPage, workspace: Workspace
) -> None:
    """The verdict is the same on the home and on Answer; elsewhere figures say that they are those while choosing."""
    workspace.root.mkdir()
    made_one = mixed_store(workspace.root, ExperimentState.RUNNING)
    made_one.writer.add_final_evaluation(1, validation=judgement(0.5), test=judgement(test_error))
    made_one.writer.set_status(ExperimentState.SUCCEEDED)
    verdict = experiment_verdict(made_one.store.load("made"))
    assert verdict.is_better is is_better
    sentence = verdict_sentence(verdict)
    (study,) = list_studies(workspace, (), made_one.store.experiments())
    for page, query in ((PAGE, {}), ("pages/answer.py", {"study": study.key})):
        app = open_page(page, **query)
        said = "\n".join([words(app), *(box.value for box in app.success)])
        assert sentence in said.replace("\\", "").replace("\u2060", "")
    said = words(open_page("pages/machine_room.py", experiment="made")).replace("\\", "")
    assert sentence not in said
    assert "While choosing (validation lines)" in said
    assert "the verdict, on test lines, is on Answer" in said
    answer = open_page("pages/answer.py", experiment="made")
    assert [bool(answer.success), bool(answer.warning)] == [is_better, not is_better]
