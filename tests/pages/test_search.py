from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import NumberInput, Selectbox

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.serialization import to_json_values
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.parallel_trials import parallel_trials_here
from gwas_core.tuning.space import PRESETS, SearchSpace
from gwas_core.workspace import Workspace
from tests import waiting
from tests.pages.conftest import OpenPage
from tests.tuning.quick_experiments import processes_of, wait_until
from ui.search.space_editor import opened_space
from ui.search.space_rows import missing_hyperparameters, read_space, space_rows

PAGE = "pages/train.py"
QUICK = """
fixed: {network: hybrid, epochs: 1, conv_filters: 2, num_dense_units: 2}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 1.0e-2, scale: log, default: 3.0e-3}
"""
# Rows 1 to 5 are searched, 6 to 8 stay.
SPACE = """
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-5, maximum: 1.0e-2, scale: log, default: 3.0e-4}
  - {name: batch_size, kind: discrete, choices: [16, 32, 64, 128], default: 32}
  - {name: conv_activation, kind: categorical, choices: [elu, relu], default: elu}
  - {name: dropout_rate, kind: double, minimum: 0.0, maximum: 0.7, default: 0.3}
  - {name: num_dense_units, kind: int, minimum: 2, maximum: 64, scale: log, default: 16}
fixed: {network: hybrid, loss: mean_squared_error, epochs: 30}
"""
FOCUSED = [row.name for row in space_rows(SearchSpace.preset("focused"))]


@pytest.fixture
def content_hash(workspace: Workspace, dataset: Dataset) -> str:
    return DatasetLibrary(workspace).add(dataset, source="my table.txt", notes=("A note.",))


def plain(app: AppTest) -> list[str]:
    return [error.value.replace("\\", "") for error in app.error]


def form(app: AppTest, *, version: int = 0) -> str:
    """Names the form of the dataset that is shown."""
    content_hash: str = app.selectbox(key="search-dataset").value
    return f"{content_hash[:16]}-{version}"


def number(app: AppTest, name: str) -> NumberInput:
    return app.number_input(key=f"search-{name}-{form(app)}")


def choice(app: AppTest, name: str) -> Selectbox:
    return app.selectbox(key=f"search-{name}-{form(app)}")


def upload_space(app: AppTest, content: str | bytes) -> AppTest:
    uploader = next(entry for entry in app.file_uploader if "Search space" in entry.label)
    raw = content if isinstance(content, bytes) else content.encode()
    return uploader.set_value(("space.yaml", raw, "application/yaml")).run()


def table(app: AppTest) -> pd.DataFrame:
    """The search space as it is drawn."""
    frame: pd.DataFrame = app.data_editor[0].value
    return frame


def edit(app: AppTest, row: int, **cells: Any) -> AppTest:
    """Change cells of the row with this number as typing would, beside what was changed before."""
    editor = app.data_editor[0].key
    assert editor is not None
    edits = {**app.session_state[editor]["edited_rows"]}
    edits[row - 1] = edits.get(row - 1, {}) | cells
    app.session_state[editor] = {"edited_rows": edits, "added_rows": [], "deleted_rows": []}
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
    number(app, "validation-fraction").set_value(0.01).run()
    assert "validation part would get" in plain(app)[0]
    assert app.button(key="search-launch").disabled
    choice(app, "split").set_value("folds").run()
    assert not app.error
    app.multiselect(key=f"search-test-folds-{form(app)}").set_value([1]).run()
    app.multiselect(key=f"search-validation-folds-{form(app)}").set_value([1]).run()
    assert "fold 1 cannot be both validation and test" in plain(app)[0].casefold()


def test_filters_that_leave_nothing_are_refused(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    genotypes = np.zeros_like(dataset.genotypes)
    genotypes[0] = 1  # every SNP has an allele frequency of 1 in 160
    DatasetLibrary(workspace).add(replace(dataset, genotypes=genotypes), source="rare.txt")
    app = open_page(PAGE)
    assert "No SNP is left: " in plain(app)[0]
    assert app.button(key="search-launch").disabled
    number(app, "minimum_allele_frequency").set_value(0.0).run()
    assert not app.error
    assert not app.button(key="search-launch").disabled


BAD_CELLS = [
    (1, {"Minimum": "abc"}, "Row 1, Minimum: Minimum of learning_rate must be a number, not 'abc'."),
    (
        1,
        {"Minimum": "0.1"},
        "Row 1, Minimum: Minimum of learning_rate must be below maximum, but 0.1 is not below 0.01.",
    ),
    (
        1,
        {"Minimum": "0"},
        "Row 1, Minimum: Minimum of learning_rate must be above 0 on a log scale, but is 0.0; raise it or use uniform.",
    ),
    (1, {"Maximum": ""}, "Row 1, Maximum: Maximum of learning_rate is missing: give a number."),
    (1, {"Value": "1"}, "Row 1, Value: The default must lie within 1e-05 to 0.01, but is 1.0."),
    (
        1,
        {"Step": "0.001"},
        "Row 1, Step: Step of learning_rate does not go with a log scale: leave the step out or use the uniform scale.",
    ),
    (2, {"Choices": ""}, "Row 2, Choices: Choices of batch_size must hold at least one value, but the list is empty."),
    (2, {"Choices": "16, x"}, "Row 2, Choices: A choice of batch_size must be a number, not 'x'."),
    (2, {"Value": "17"}, "Row 2, Value: The default must be one of 16, 32, 64, 128, not 17."),
    (2, {"Scale": "log"}, "Row 2, Scale: Scale of batch_size does not go with kind discrete: leave it out."),
    (3, {"Kind": ""}, "Row 3, Kind: conv_activation needs a kind: double, int, discrete or categorical."),
    (
        3,
        {"Choices": "elu, tanh"},
        "Row 3, Choices: conv_activation must be one of elu, relu, gelu, linear, not 'tanh'.",
    ),
    (4, {"Step": "2"}, "Row 4, Step: Step of dropout_rate must not be larger than the range (0.0 to 0.7), but is 2.0."),
    (4, {"Maximum": "7"}, "Row 4, Maximum: dropout_rate must be between 0 and 0.99, not 7.0."),
    (5, {"Minimum": "2.5"}, "Row 5, Minimum: Minimum of num_dense_units must be a whole number, not 2.5."),
    (5, {"Hyperparameter": "loss"}, "Row 7, Hyperparameter: Loss is in row 5 already: keep one of the two."),
    (
        5,
        {"Hyperparameter": "é"},
        (
            "Row 5, Hyperparameter: A parameter's name holds letters, digits and underscores and starts with no digit; "
            "'é' does not."
        ),
    ),
    (6, {"Value": "deeper"}, "Row 6, Value: Network must be one of hybrid, tutorial, not 'deeper'."),
    (8, {"Value": "many"}, "Row 8, Value: Epochs must be a whole number, not 'many'."),
]


@pytest.mark.usefixtures("content_hash")
def test_a_bad_cell_is_named_by_row_and_column(open_page: OpenPage) -> None:
    app = upload_space(open_page(PAGE), SPACE)
    for row, cells, expected in BAD_CELLS:
        before = {title: table(app).loc[row, title] for title in cells}
        assert plain(edit(app, row, **cells)) == [expected]
        marked = int(expected.split(",")[0].removeprefix("Row "))
        column = expected.split(": ")[0].split(", ")[1]
        marks = table(app)["Problem"]
        assert marks[marks != ""].to_dict() == {marked: f"⚠ {column}"}
        assert app.button(key="search-launch").disabled
        (reason,) = (caption.value for caption in app.caption if "Launch waits" in caption.value)
        assert f"row {marked}, {column} of the search space" in reason.replace("\\", "")
        edit(app, row, **before)
        assert not app.error
        assert not app.button(key="search-launch").disabled


@pytest.mark.usefixtures("content_hash")
def test_every_bad_row_is_named(open_page: OpenPage) -> None:
    app = edit(edit(upload_space(open_page(PAGE), SPACE), 4, Minimum="x"), 1, Maximum="0")
    assert [text.split(":")[0] for text in plain(app)] == ["Row 1, Minimum", "Row 4, Minimum"]
    marks = table(app)["Problem"]
    assert marks[marks != ""].to_dict() == {1: "⚠ Minimum", 4: "⚠ Minimum"}


@pytest.mark.usefixtures("content_hash")
def test_a_name_the_network_lacks_is_refused_in_its_row(open_page: OpenPage) -> None:
    for row in (1, 7):  # searched, and staying
        (text,) = plain(edit(upload_space(open_page(PAGE), SPACE), row, Hyperparameter="no_such"))
        assert text.startswith(f"Row {row}, Hyperparameter: The network has no hyperparameter 'no_such'; it has ")


@pytest.mark.usefixtures("content_hash")
def test_what_is_not_ticked_stays_at_its_value(open_page: OpenPage) -> None:
    app = edit(upload_space(open_page(PAGE), SPACE), 1, Search=False)
    assert not app.error
    assert any("4 hyperparameters to search" in caption.value for caption in app.caption)
    for row in range(2, 6):
        edit(app, row, Search=False)
    assert plain(app) == ["A search space needs at least one parameter to vary."]
    assert app.button(key="search-launch").disabled


@pytest.mark.usefixtures("content_hash")
def test_presets_replace_the_table(open_page: OpenPage) -> None:
    app = edit(open_page(PAGE), 1, Hyperparameter="mine")
    for preset in reversed(PRESETS):
        app.button(key=f"space-preset-{preset}").click().run()
        shown = table(app)
        assert shown["Hyperparameter"][shown["Search"]].tolist() == list(SearchSpace.preset(preset).names)
        assert not app.error


@pytest.mark.usefixtures("content_hash")
def test_a_hyperparameter_is_added_and_its_range_asked_for(open_page: OpenPage) -> None:
    app = edit(upload_space(open_page(PAGE), SPACE), 1, Minimum="1e-4")
    adding = app.selectbox(key=f"space-add-{form(app)}")
    assert "patience" in adding.options
    assert "epochs" not in adding.options
    adding.set_value("patience").run()
    app.button(key=f"space-added-{form(app)}").click().run()
    assert plain(app) == ["Row 9, Minimum: Minimum of patience is missing: give a number."]
    assert table(app).loc[1, "Minimum"] == "1e-4"
    edit(app, 9, Minimum="3", Maximum="9")
    assert not app.error


HOSTILE_SPACES = [
    (b"parameters: [", "is not readable as YAML (line 1, column 14)"),
    (b"!!python/object/apply:os.system [echo]", "is not readable as YAML (line 1, column 1)"),
    (b"a: &a [x, x, x]\nb: &b [*a, *a, *a]\nparameters: [*b, *b, *b]", "A search space has no entry 'a'"),
    (b"parameters: &p [*p]", "parameters[0] must hold named entries"),
    (b"[" * 20_000, "is not readable as YAML text in UTF-8"),
    (b"\xff\xfe\x00", "is not readable as YAML text in UTF-8"),
    (b"parameters: [{name: __import__, kind: double, minimum: .nan, maximum: .inf}]", "must be a finite number"),
    (b'parameters: [{name: "<img src=x>", kind: double}]', "'<img src=x>' does not"),
    (b"parameters: [{name: epochs, kind: int, minimum: 1, maximum: 9" + b"9" * 5000 + b"}]", "is not readable as YAML"),
]


@pytest.mark.parametrize(("content", "expected"), HOSTILE_SPACES, ids=range(len(HOSTILE_SPACES)))
@pytest.mark.usefixtures("content_hash")
def test_a_hostile_space_file_is_refused_beside_its_field(open_page: OpenPage, content: bytes, expected: str) -> None:
    app = upload_space(upload_space(open_page(PAGE), SPACE), content)
    (text,) = plain(app)
    assert expected in text
    assert not re.search(r"(?<!\\)<", app.error[0].value)
    assert table(app)["Search"].sum() == 5


def test_a_space_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="larger than 1000 kB"):
        opened_space(b" " * 1_000_001, "x.yaml")


def go(app: AppTest, page: str) -> AppTest:
    app.switch_page(page)
    app.run()
    assert not app.exception
    return app


def test_what_was_chosen_outlives_other_pages_and_other_datasets(
    open_page: OpenPage, workspace: Workspace, dataset: Dataset, content_hash: str
) -> None:
    other = DatasetLibrary(workspace).add(replace(dataset, trait="other"), source="second.txt")
    app = upload_space(open_page(PAGE, dataset=content_hash), SPACE)
    number(app, "max_trials").set_value(7)
    choice(app, "algorithm").set_value("random")
    choice(app, "split").set_value("folds")
    app.run()
    app.multiselect(key=f"search-test-folds-{form(app)}").set_value([2]).run()
    app.text_input[0].set_value("mine").run()
    edit(app, 1, Minimum="5e-5")
    edit(app, 2, Choices="")
    for place in ("pages/data.py", "pages/experiments.py"):
        go(app, place)
    app.query_params["dataset"] = content_hash
    go(app, PAGE)

    def is_as_it_was() -> bool:
        return (
            number(app, "max_trials").value == 7
            and choice(app, "algorithm").value == "random"
            and choice(app, "split").value == "folds"
            and app.multiselect(key=f"search-test-folds-{form(app)}").value == [2]
            and app.text_input[0].value == "mine"
            and table(app).loc[1, "Minimum"] == "5e-5"
            and [text.split(":")[0] for text in plain(app)] == ["Row 2, Choices"]
        )

    assert is_as_it_was()
    # Editing goes on where it was, and the table still takes edits.
    edit(app, 2, Choices="16, 32")
    assert not app.error
    edit(app, 2, Choices="")
    app.selectbox(key="search-dataset").set_value(other).run()
    assert number(app, "max_trials").value == 35
    assert table(app)["Hyperparameter"].tolist() == FOCUSED
    assert not app.error
    app.selectbox(key="search-dataset").set_value(content_hash).run()
    assert is_as_it_was()


@pytest.mark.usefixtures("content_hash")
def test_a_reset_asks_nothing_and_can_be_undone(open_page: OpenPage) -> None:
    app = upload_space(open_page(PAGE), SPACE)
    number(app, "max_trials").set_value(7).run()
    edit(app, 1, Minimum="5e-5")
    app.button(key="search-reset").click().run()
    assert app.number_input(key=f"search-max_trials-{form(app, version=1)}").value == 35
    assert table(app)["Hyperparameter"].tolist() == FOCUSED
    assert app.button(key="search-reset").label == "Undo the reset"
    app.button(key="search-reset").click().run()
    assert number(app, "max_trials").value == 7
    assert table(app).loc[1, "Minimum"] == "5e-5"
    assert app.button(key="search-reset").label == "Reset"


@pytest.mark.usefixtures("content_hash")
def test_an_algorithm_that_cannot_search_the_space_is_refused_before_launch(open_page: OpenPage) -> None:
    app = upload_space(open_page(PAGE), SPACE)
    choice(app, "algorithm").set_value("grid").run()
    assert "grid" in plain(app)[0].casefold()
    assert app.button(key="search-launch").disabled
    assert any("how to search" in caption.value for caption in app.caption)


def test_what_was_measured_is_projected_and_handed_to_the_search(
    open_page: OpenPage, workspace: Workspace, content_hash: str
) -> None:
    app = open_page(PAGE, dataset=content_hash)
    upload_space(app, QUICK)
    assert figures(app)["Projected time"] == "not known yet"
    app.button(key="search-measure").click().run()
    assert not app.error
    assert any("Measuring on this machine" in text.value for text in app.markdown)
    assert app.button(key="search-measure-cancel")
    waiting.wait_until(lambda: not any("Measuring on this machine" in text.value for text in app.run().markdown))
    assert not app.error
    assert figures(app)["Projected time"] != "not known yet"
    assert any(caption.value.startswith("From what was measured on this machine") for caption in app.caption)
    number(app, "price").set_value(3600.0).run()
    assert "Projected cost" in figures(app)
    number(app, "max_trials").set_value(1).run()
    app.button(key="search-launch").click().run()
    assert not app.error
    engine = LocalEngine(workspace)
    record = wait_until(lambda: engine.sync("my-table"), lambda found: found.state.is_finished())
    assert record.state is ExperimentState.SUCCEEDED, record.reason
    (folder,) = (workspace.root / "_measurements").iterdir()
    assert record.calibration is not None
    measured = json.loads((folder / "result.json").read_text())["calibration"]
    assert to_json_values(record.calibration) == measured


def test_a_measurement_can_be_cancelled(open_page: OpenPage, workspace: Workspace, content_hash: str) -> None:
    app = upload_space(open_page(PAGE, dataset=content_hash), QUICK)
    app.button(key="search-measure").click().run()
    app.button(key="search-measure-cancel").click().run()
    assert not app.error
    assert app.button(key="search-measure").label == "Measure on this machine"
    assert processes_of(workspace, "gwas_core.tuning.measurement") == []


def test_a_search_is_launched_with_what_was_chosen(
    open_page: OpenPage, workspace: Workspace, content_hash: str
) -> None:
    app = open_page(PAGE, dataset=content_hash)
    upload_space(app, QUICK)
    assert table(app)["Hyperparameter"].tolist() == ["learning_rate", *yaml.safe_load(QUICK)["fixed"]]
    number(app, "max_trials").set_value(2)
    number(app, "parallel_trials").set_value(1)
    choice(app, "algorithm").set_value("random")
    choice(app, "xla").set_value("off")
    number(app, "test-fraction").set_value(0.2)
    app.run()
    name = app.text_input[0]
    assert name.value == "my-table"
    name.set_value("Not A Name").run()
    assert "starts with a lower-case letter" in plain(app)[0]
    assert app.button(key="search-launch").disabled
    app.text_input[0].set_value("chosen").run()
    app.button(key="search-launch").click().run()
    assert not app.exception
    assert not app.error
    engine = LocalEngine(workspace)
    record = wait_until(lambda: engine.sync("chosen"), lambda found: found.state.is_finished())
    assert record.state is ExperimentState.SUCCEEDED, record.reason
    experiment = record.experiment
    assert (experiment.max_trials, experiment.parallel_trials, experiment.xla) == (2, 1, "off")
    assert experiment.algorithm.name == "random"
    assert experiment.split.test_fraction == 0.2
    assert experiment.source == "my table.txt"
    # The next one is proposed another name, and knows how long the first one took.
    app = open_page(PAGE)
    assert app.text_input[0].value == "my-table"
    number(app, "price").set_value(3600.0).run()
    assert "Projected cost" in figures(app)
    assert any(caption.value.startswith("From the trials of chosen") for caption in app.caption)
    app.text_input[0].set_value("chosen").run()
    assert app.button(key="search-launch").disabled
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
    reading = read_space(space_rows(space))
    assert reading.problems == ()
    assert reading.space == space


def test_a_row_without_a_tick_may_be_half_empty() -> None:
    rows = space_rows(opened_space(SPACE.encode(), "x.yaml"))
    rows[0] = rows[0].edited({"Search": False, "Minimum": "nonsense"})
    rows[3] = rows[3].edited({"Search": False, "Value": ""})
    space = read_space(rows).space
    assert space is not None
    assert space.fixed["learning_rate"] == 3e-4
    assert "dropout_rate" not in space.fixed
    assert "dropout_rate" not in space.names


def test_what_can_be_added_is_what_the_network_has_and_the_table_has_not() -> None:
    rows = space_rows(SearchSpace.preset("tutorial"))
    added = missing_hyperparameters(rows)
    assert set(added) == {"patience", "layout", "loss"} - {row.name for row in rows}
    assert added["layout"].choices == "channels, flat"
    assert read_space([*rows, added["layout"]]).problems == ()


def test_an_uploaded_space_may_be_yaml_or_json() -> None:
    space = SearchSpace.preset("focused")
    assert opened_space(yaml.safe_dump(space.to_dict()).encode(), "../../x.yml") == space
    assert opened_space(json.dumps(space.to_dict()).encode(), "x.JSON") == space
    with pytest.raises(InputError):
        opened_space(b"\xff", "x.yaml")
    with pytest.raises(SettingsError):
        opened_space(b"[]", "x.json")


def test_fewer_trials_at_a_time_than_asked_for_are_said(
    open_page: OpenPage, workspace: Workspace, content_hash: str
) -> None:
    asked = 64
    if parallel_trials_here(asked, genotypes=1).used == asked:
        pytest.skip(f"this machine has cores and memory for {asked} trials at a time")

    def said(app: AppTest) -> list[str]:
        return [caption.value for caption in app.caption if "instead of" in caption.value]

    app = open_page(PAGE, dataset=content_hash)
    number(app, "parallel_trials").set_value(1).run()
    assert said(app) == []
    number(app, "parallel_trials").set_value(asked).run()
    (caption,) = said(app)
    assert f"instead of {asked} at a time" in caption.replace("\\", "")
    assert number(app, "parallel_trials").value == asked, "what was asked for stays"
