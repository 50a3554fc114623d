from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.readers import read_table
from gwas_core.workspace import Workspace
from tests.genotypes.bad_input import BAD_INPUT, GOOD, BadInput, as_text, good_rows
from tests.pages.conftest import OpenPage
from ui.text import markdown_text

PAGE = "pages/data.py"
# These need a limit of their own to be refused quickly, which the page does not have.
AS_THEY_ARE = [bad for bad in BAD_INPUT if bad.size_limit is None]


def opened(app: AppTest, path: str) -> AppTest:
    """Read a file by its path on the server."""
    app.segmented_control(key="data-way").set_value("Path on the server").run()
    app.text_input(key="data-path").set_value(path).run()
    assert not app.exception
    return app


def uploaded(app: AppTest, content: bytes, name: str) -> AppTest:
    app.segmented_control(key="data-way").set_value("Upload").run()
    app.file_uploader[0].set_value((name, content, "text/plain")).run()
    assert not app.exception
    return app


def main_buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button if button.proto.type == "primary"]


def entries(tmp_path: Path) -> list[str]:
    return [entry.source for entry in DatasetLibrary(Workspace(tmp_path / "workspace")).entries()]


def test_an_empty_workspace_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert app.title[0].value == "Data"
    assert "Load the demo data" in app.info[0].value
    assert not app.error


def test_the_demo_data_are_one_click_away_and_reported(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page(PAGE)
    app.button(key="data-demo").click().run()
    assert not app.exception
    assert entries(tmp_path) == ["demo_height.txt.gz"]
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Lines"] == "800"
    assert figures["SNPs"] == "1,200"
    assert figures["Families"] == "16"
    assert len(app.query_params["dataset"]) == 64


def test_an_upload_is_read_and_used(open_page: OpenPage, tmp_path: Path) -> None:
    app = uploaded(open_page(PAGE), GOOD.encode(), "my table.txt")
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}["Lines"] == "40"
    assert app.selectbox[0].value == "norm_phe"
    assert app.selectbox[1].value == "strain"
    app.button(key="data-use").click().run()
    assert not app.exception
    assert entries(tmp_path) == ["my table.txt"]
    assert [path.suffix for path in (tmp_path / "workspace" / "_uploads").iterdir()] == [".txt"]


def test_an_upload_that_cannot_be_stored_is_refused_beside_the_field_and_forgotten(
    open_page: OpenPage, tmp_path: Path
) -> None:
    uploads = tmp_path / "workspace" / "_uploads"
    uploads.parent.mkdir(exist_ok=True)
    uploads.write_text("a file where the folder should be")
    app = uploaded(open_page(PAGE), GOOD.encode(), "my <b>table.txt")
    (text,) = (error.value.replace("\\", "") for error in app.error)
    assert text.startswith("'my <b>table.txt' cannot be stored (File exists): free some disk space")
    # The file is not held on to, and the reason stays until there is another one.
    assert app.file_uploader[0].value is None
    assert len(app.run().error) == 1
    uploads.unlink()
    app = uploaded(app, GOOD.encode(), "my table.txt")
    assert not app.error
    assert app.button(key="data-use")
    # One that is refused takes the place of the one before.
    app.file_uploader[0].set_value(("bad.txt", b"\x00", "text/plain")).run()
    assert len(app.error) == 1
    assert not [button for button in app.button if button.key == "data-use"]


def test_the_limit_of_an_upload_is_stated(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app.segmented_control(key="data-way").set_value("Upload").run()
    limit = st.get_option("server.maxUploadSize")
    (said,) = (caption.value for caption in app.caption if f"At most {limit:,} MB" in caption.value)
    assert "Path on the server" in said


def test_the_next_step_is_said_first_and_only_one_button_stands_out(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert "Load the demo data" in app.markdown[0].value
    assert main_buttons(app) == ["Load the demo data"]
    app.button(key="data-demo").click().run()
    app = open_page(PAGE)
    assert app.markdown[0].value.startswith("Press **Train** beside a dataset")
    assert main_buttons(app) == ["Train", "Delete it"]  # the latter behind a click


def test_the_histogram_names_the_trait(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    app.button(key="data-demo").click().run()
    assert any(text.value == r"**Trait norm\_phe**" for text in app.markdown)
    assert not any("henotype norm" in text.value for text in app.markdown)


def test_roles_can_be_changed_and_refusals_stand_beside_the_field(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "good.txt"
    path.write_text(GOOD)
    app = opened(open_page(PAGE), str(path))
    app.selectbox[0].set_value("height").run()
    assert "'height'" in " ".join(text.value for text in app.markdown).replace("\\", "")
    app.selectbox[0].set_value("strain").run()
    assert "cannot be both phenotype and line" in app.error[0].value.replace("\\", "")
    app.selectbox[0].set_value("norm_phe").run()
    assert not app.error
    app.selectbox[3].set_value(("characters", "")).run()
    app.number_input[0].set_value(6).run()
    app.number_input[1].set_value(7).run()
    assert any("4 families" in text.value for text in app.markdown)
    app.number_input[1].set_value(150).run()
    assert "too short to hold its family" in app.error[0].value.replace("\\", "")


def test_lines_without_phenotype_can_be_left_out(open_page: OpenPage, tmp_path: Path) -> None:
    rows = good_rows()
    rows[8][1] = "NA"
    path = tmp_path / "gap.txt"
    path.write_text(as_text(rows))
    app = opened(open_page(PAGE), str(path))
    assert "1 line of 40 has no value" in app.error[0].value.replace("\\", "")
    app.checkbox[0].check().run()
    assert not app.error
    assert "Left out, since they have no phenotype" in app.markdown[-1].value


def test_snp_columns_can_be_chosen(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    path.write_text(GOOD.replace("Gm01_100", "marker", 1))
    app = opened(open_page(PAGE), str(path))
    assert {metric.label: metric.value for metric in app.metric}["SNPs"] == "5"
    app.radio(key="data-snps").set_value("All after a column").run()
    app.text_input(key="data-snps-text").set_value("height").run()
    assert {metric.label: metric.value for metric in app.metric}["SNPs"] == "6"
    app.text_input(key="data-snps-text").set_value("nowhere").run()
    assert "no column is named 'nowhere'" in app.error[0].value.replace("\\", "").casefold()


@pytest.mark.parametrize("bad", AS_THEY_ARE, ids=lambda bad: bad.name)
def test_a_bad_file_is_refused_with_the_sentence_of_the_command_line(
    open_page: OpenPage, tmp_path: Path, bad: BadInput
) -> None:
    path = bad.write(tmp_path)
    app = open_page(PAGE)
    app = uploaded(app, path.read_bytes(), path.name) if path.is_file() else opened(app, str(path))
    sentences = [error.value for error in app.error]
    assert len(sentences) == 1
    for piece in bad.expected:
        assert piece.casefold() in sentences[0].casefold() or markdown_text(piece).casefold() in sentences[0].casefold()
    assert not [button for button in app.button if button.key == "data-use"]
    assert entries(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit")
def test_an_upload_that_takes_too_much_memory_is_refused_with_its_limit(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the process that reads it: this one, which is the page's, has no such limit."""
    monkeypatch.setenv("GWAS_READING_MEMORY", "256 MiB")
    content = b"Gm01_1\tname\n" + b"0\t" * 10_000_000 + b"\n"
    app = uploaded(open_page(PAGE), content, "wide.txt")
    (text,) = (error.value.replace("\\", "") for error in app.error)
    assert text.startswith("Reading 'wide.txt' takes more than 256 MiB of memory, the limit")
    assert "GWAS_READING_MEMORY" in text
    # The page goes on, and takes another file.
    monkeypatch.delenv("GWAS_READING_MEMORY")
    app.file_uploader[0].set_value(("good.txt", GOOD.encode(), "text/plain")).run()
    assert not app.error
    assert app.button(key="data-use")


def test_nothing_in_the_preview_is_a_formula_when_it_is_saved(open_page: OpenPage, tmp_path: Path) -> None:
    """Streamlit offers to save each of its tables as CSV, as it shows it."""
    rows = good_rows()
    rows[0][3] = "=height"
    rows[1][2] = "@SUM(A1)" + rows[1][2]
    path = tmp_path / "formulas.txt"
    path.write_text(as_text(rows))
    preview = opened(open_page(PAGE), str(path)).dataframe[0].value
    assert "'=height" in preview.columns
    assert preview["strain"][0].startswith("'@SUM(A1)")


@pytest.mark.parametrize("path", ["/dev/zero", "a\0b", "x" * 5000, "~nobody-of-this-name/x", "\x1b[2J"])
def test_what_is_no_file_is_refused(open_page: OpenPage, path: str) -> None:
    app = opened(open_page(PAGE), path)
    assert len(app.error) == 1
    assert "\x1b" not in app.error[0].value


def test_markup_in_names_is_shown_as_text(open_page: OpenPage, tmp_path: Path) -> None:
    header = ["folds", "<b>phenotype</b> **x**", "strain", "<script>alert(1)</script>", *good_rows()[0][4:]]
    path = tmp_path / "<img src=x>.txt"
    path.write_text(as_text([header, *good_rows()[1:]]))
    app = opened(open_page(PAGE), str(path))
    assert not app.error
    assert "<script>alert(1)</script>" in app.dataframe[0].value.columns
    app.button(key="data-use").click().run()
    app = open_page(PAGE)
    assert not app.error
    written = [element.value for kind in (app.markdown, app.subheader, app.caption) for element in kind]
    assert any(r"\<b\>phenotype\<\/b\>" in text for text in written)
    for text in written:
        assert not re.search(r"(?<!\\)<", text), text


def test_a_dataset_is_deleted_from_its_confirmation(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "good.txt"
    path.write_text(GOOD)
    table = read_table(path)
    dataset, _ = make_dataset(table, guess_roles(table))
    content_hash = DatasetLibrary(Workspace(tmp_path / "workspace")).add(dataset, source="good.txt")
    app = open_page(PAGE)
    assert "Experiments keep their own copy" in " ".join(text.value for text in app.markdown)
    assert entries(tmp_path) == ["good.txt"]
    app.button(key=f"data-delete-{content_hash[:16]}").click().run()
    assert not app.exception
    assert entries(tmp_path) == []


@pytest.mark.parametrize("damage", ["", "{}", "no json"])
def test_a_half_deleted_dataset_breaks_nothing(open_page: OpenPage, tmp_path: Path, damage: str) -> None:
    open_page(PAGE).button(key="data-demo").click().run()
    (folder,) = (tmp_path / "workspace" / "_library").iterdir()
    (folder / "quality.json").write_text(damage)
    (folder / "dataset.json").write_text(damage)
    app = open_page(PAGE, dataset="../../etc")
    assert len(app.error) == 1
    assert "load the genotypes again" in app.error[0].value.replace("\\", "")
