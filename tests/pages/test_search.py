from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from streamlit.testing.v1 import AppTest

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.readers import guess_roles, make_dataset, read_table
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.space import PRESETS, SearchSpace
from gwas_core.workspace import Workspace
from tests.genotypes.bad_input import as_text, good_rows
from tests.pages.conftest import OpenPage
from tests.tuning.quick_experiments import wait_until
from ui.space_editor import fixed_table, opened_space, read_space, space_table

PAGE = "pages/search.py"
QUICK = """
fixed: {network: hybrid, epochs: 1, conv_filters: 2, num_dense_units: 2}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 1.0e-2, scale: log, default: 3.0e-3}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "my table.txt"
    path.write_text(as_text(good_rows(lines=80)))
    table = read_table(path)
    return make_dataset(table, guess_roles(table))[0]


@pytest.fixture
def content_hash(workspace: Workspace, dataset: Dataset) -> str:
    return DatasetLibrary(workspace).add(dataset, source="my table.txt", notes=("A note.",))


def plain(app: AppTest) -> list[str]:
    return [error.value.replace("\\", "") for error in app.error]


def edit(app: AppTest, row: int, **cells: str) -> AppTest:
    """Change cells of the table of the space as typing would."""
    key = f"space-table-{app.session_state['space-revision']}"
    app.session_state[key] = {"edited_rows": {row: cells}, "added_rows": [], "deleted_rows": []}
    return app.run()


def figures(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_without_a_dataset_the_page_says_where_to_get_one(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert "needs a dataset" in app.info[0].value
    assert not app.button


def test_the_url_says_which_dataset(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    library = DatasetLibrary(workspace)
    first = library.add(dataset, source="first.txt")
    second = library.add(replace(dataset, trait="other"), source="second.txt")
    assert open_page(PAGE).selectbox(key="search-dataset").value == second
    assert open_page(PAGE, dataset=first).selectbox(key="search-dataset").value == first
    app = open_page(PAGE, dataset="<b>nonsense")
    assert app.query_params["dataset"] in (second, [second])


@pytest.mark.usefixtures("content_hash")
def test_lines_are_counted_and_refusals_stand_at_the_split(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert (figures(app)["Training lines"], figures(app)["Validation lines"]) == ("56", "12")
    app.number_input(key="search-validation-fraction").set_value(0.01).run()
    assert "validation part would get" in plain(app)[0]
    assert app.button(key="search-launch").disabled
    app.selectbox(key="search-split").set_value("folds").run()
    assert not app.error
    app.multiselect(key="search-test-folds").set_value([1]).run()
    app.multiselect(key="search-validation-folds").set_value([1]).run()
    assert "fold 1 cannot be both validation and test" in plain(app)[0].casefold()


def test_filters_that_leave_nothing_are_refused(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    genotypes = np.zeros_like(dataset.genotypes)
    genotypes[0] = 1  # every SNP has an allele frequency of 1 in 160
    DatasetLibrary(workspace).add(replace(dataset, genotypes=genotypes), source="rare.txt")
    app = open_page(PAGE)
    assert "No SNP is left: " in plain(app)[0]
    assert app.button(key="search-launch").disabled
    app.number_input(key="search-minimum_allele_frequency").set_value(0.0).run()
    assert not app.error
    assert not app.button(key="search-launch").disabled


@pytest.mark.usefixtures("content_hash")
def test_refusals_of_the_space_name_row_and_column(open_page: OpenPage) -> None:
    app = edit(open_page(PAGE), 0, Minimum="abc")
    assert plain(app) == ["Row 1, Minimum: Minimum of learning_rate must be a number, not 'abc'."]
    assert app.button(key="search-launch").disabled
    app = edit(app, 0, Minimum="1e-4")
    assert not app.error
    app = edit(app, 0, Name="no_such_hyperparameter")
    assert "Row 1" in plain(app)[0]
    assert "no hyperparameter" in plain(app)[0]


@pytest.mark.usefixtures("content_hash")
def test_presets_replace_the_table(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert len(app.data_editor[0].value) == 8
    app.segmented_control(key="space-preset").set_value("tutorial").run()
    assert len(app.data_editor[0].value) == 29
    assert not app.error


@pytest.mark.usefixtures("content_hash")
def test_a_damaged_space_file_is_refused_beside_its_field(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    uploader = next(entry for entry in app.file_uploader if "Search space" in entry.label)
    uploader.set_value(("x.yaml", b"parameters: [", "application/yaml")).run()
    assert "not readable as YAML" in plain(app)[0]


def test_a_search_is_launched_with_what_was_chosen(
    open_page: OpenPage, workspace: Workspace, content_hash: str
) -> None:
    app = open_page(PAGE, dataset=content_hash)
    assert any("the time is not known" in caption.value for caption in app.caption)
    uploader = next(entry for entry in app.file_uploader if "Search space" in entry.label)
    uploader.set_value(("quick.yaml", QUICK.encode(), "application/yaml")).run()
    assert app.data_editor[0].value["Name"].tolist() == ["learning_rate"]
    app.number_input(key="search-max_trials").set_value(2)
    app.number_input(key="search-parallel_trials").set_value(1)
    app.selectbox(key="search-algorithm").set_value("random")
    app.selectbox(key="search-xla").set_value("off")
    app.number_input(key="search-test-fraction").set_value(0.2)
    app.run()
    name = app.text_input[0]
    assert name.value == "my-table"
    name.set_value("Not A Name").run()
    app.button(key="search-launch").click().run()
    assert "starts with a lower-case letter" in plain(app)[0]
    app.text_input[0].set_value("chosen").run()
    app.button(key="search-launch").click().run(timeout=120)
    assert not app.exception
    assert not app.error
    engine = LocalEngine(workspace)
    record = wait_until(lambda: engine.sync("chosen"), lambda found: found.state.is_finished(), seconds=200)
    assert record.state is ExperimentState.SUCCEEDED, record.reason
    experiment = record.experiment
    assert (experiment.max_trials, experiment.parallel_trials, experiment.xla) == (2, 1, "off")
    assert experiment.algorithm.name == "random"
    assert experiment.split.test_fraction == 0.2
    assert experiment.source == "my table.txt"
    # The next one is proposed another name, and knows how long the first one took.
    app = open_page(PAGE)
    assert app.text_input[0].value == "my-table"
    app.number_input(key="search-price").set_value(3600.0).run()
    (text,) = (caption.value for caption in app.caption if "Probably" in caption.value)
    assert "at a cost of" in text
    app.text_input[0].set_value("chosen").run()
    app.button(key="search-launch").click().run()
    assert "there is already an experiment named chosen" in plain(app)[0].casefold()


def test_markup_in_names_is_shown_as_text(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    DatasetLibrary(workspace).add(dataset, source="<img src=x>**b**.txt", notes=("<b>x</b>",))
    app = open_page(PAGE)
    assert not app.error
    for element in (*app.markdown, *app.caption, *app.subheader):
        assert "<img" not in element.value


def test_a_damaged_dataset_is_a_sentence(open_page: OpenPage, workspace: Workspace, content_hash: str) -> None:
    (workspace.root / "_library" / content_hash / "dataset.json").write_text("{}")
    app = open_page(PAGE)
    assert "load the genotypes again" in plain(app)[0]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_space_survives_the_table(preset: str) -> None:
    space = SearchSpace.preset(preset)
    reading = read_space(space_table(space).to_dict("records"), fixed_table(space).to_dict("records"))
    assert reading.problems == ()
    assert reading.space == space


@pytest.mark.parametrize(
    ("row", "described"),
    [
        ({"Name": "learning_rate", "Kind": "double"}, "Row 1, Minimum: Minimum of learning_rate is missing"),
        ({"Name": "learning_rate"}, "Row 1, Kind: Learning_rate needs a kind"),
        ({"Kind": "double"}, "Row 1, Name: A parameter's name holds"),
        ({"Name": "batch_size", "Kind": "discrete", "Choices": "16, x"}, "Row 1, Choices: A choice of batch_size"),
        ({"Name": "batch_size", "Kind": "discrete", "Choices": "16", "Scale": "log"}, "Row 1, Scale: "),
        (
            {"Name": "dropout_rate", "Kind": "double", "Minimum": "0", "Maximum": "0.7", "Default": "0.9"},
            "Row 1, Default: ",
        ),
        ({"Name": "dropout_rate", "Kind": "double", "Minimum": "0", "Maximum": "7"}, "Row 1: Dropout_rate must be"),
    ],
)
def test_every_fault_is_described_with_its_place(row: dict[str, Any], described: str) -> None:
    reading = read_space([row], [])
    assert reading.space is None
    assert reading.problems[0].describe().startswith(described)


def test_all_rows_at_fault_are_named_and_empty_rows_passed_over() -> None:
    rows: list[dict[str, Any]] = [{}, {"Name": "a", "Kind": "x"}, {"Name": None, "Kind": ""}, {"Name": "b"}]
    assert [problem.row for problem in read_space(rows, []).problems] == [2, 4]
    assert "at least one parameter" in read_space([{}], []).problems[0].describe()


def test_an_uploaded_space_may_be_yaml_or_json() -> None:
    space = SearchSpace.preset("focused")
    assert opened_space(yaml.safe_dump(space.to_dict()).encode(), "../../x.yml") == space
    assert opened_space(json.dumps(space.to_dict()).encode(), "x.JSON") == space
    with pytest.raises(InputError):
        opened_space(b"\xff", "x.yaml")
    with pytest.raises(SettingsError):
        opened_space(b"[]", "x.json")
