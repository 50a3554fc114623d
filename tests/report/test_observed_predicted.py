"""Predictions read back as they were written, and refused where they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwas_core.errors import InputError
from gwas_core.files import write_text
from gwas_core.model.metrics import compute_metrics
from gwas_core.report.observed_predicted import (
    observed_predicted,
    observed_predicted_figure,
    read_predictions,
    trait_of,
)
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.store import Store
from tests.tuning.quick_experiments import quick_experiment, quick_workspace


def write_predictions(folder: Path, *, family: bool = True) -> pd.DataFrame:
    """As ``finalise`` writes them; names look like numbers, missing values, markup and formulas."""
    random = np.random.default_rng(0)
    observed = random.normal(90, 10, 40)
    table = pd.DataFrame(
        {
            "line": ["007", "NA", "<b>x</b>", "=1+1", "'=1", *(f"line{number}" for number in range(35))],
            "part": ["validation"] * 15 + ["test"] * 25,
            "family": ["01", "NA"] * 20,
            "observed": observed,
            "predicted": 0.8 * observed + 18 + random.normal(0, 4, 40),
        }
    )
    if not family:
        table = table.drop(columns="family")
    write_text(folder / "predictions.csv", csv_text(table))
    return table


def test_names_stay_text(tmp_path: Path) -> None:
    table = write_predictions(tmp_path)
    pd.testing.assert_frame_equal(read_predictions(tmp_path), table)
    assert read_predictions(tmp_path)["family"].tolist()[:2] == ["01", "NA"]


def test_parts_are_judged_as_everywhere_else(tmp_path: Path) -> None:
    table = write_predictions(tmp_path)
    facts = observed_predicted(read_predictions(tmp_path))
    test = table[table["part"] == "test"]
    assert facts.metrics["test"] == compute_metrics(test["observed"], test["predicted"], family=test["family"])
    assert set(facts.metrics) == {"test", "validation"}
    np.testing.assert_allclose(facts.table["error"], table["predicted"] - table["observed"])
    only = observed_predicted(read_predictions(tmp_path), parts=["test"])
    assert only.table["part"].unique().tolist() == ["test"]
    assert set(only.metrics) == {"test"}


def test_the_figure_has_square_axes_and_escaped_names(tmp_path: Path) -> None:
    write_predictions(tmp_path)
    facts = observed_predicted(read_predictions(tmp_path))
    figure = observed_predicted_figure(facts, trait="height <cm>")
    identity, validation, test = figure.data
    assert identity.x == identity.y == facts.limits
    assert figure.layout.xaxis.range == figure.layout.yaxis.range == facts.limits
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.xaxis.title.text == "Observed height &lt;cm&gt;"
    assert figure.layout.yaxis.title.text == "Predicted height &lt;cm&gt;"
    assert validation.hovertext[2].startswith("<b>&lt;b&gt;x&lt;/b&gt;</b>, family 01<br>observed ")
    assert test.name.startswith("25 test lines: MAE ")
    assert validation.marker.symbol != test.marker.symbol
    rows = [row for (row,) in test.customdata]
    assert facts.table.loc[rows, "part"].unique().tolist() == ["test"]


def test_the_trait_is_known_for_as_long_as_the_dataset_is_there(tmp_path: Path) -> None:
    workspace, content_hash = quick_workspace(tmp_path)
    store = Store(workspace)
    store.create(quick_experiment(content_hash))
    record = store.load("quick")
    assert trait_of(record) == "height"
    shutil.rmtree(workspace.dataset_directory(content_hash))
    assert trait_of(record) == ""
    write_predictions(tmp_path)
    figure = observed_predicted_figure(observed_predicted(read_predictions(tmp_path)), trait="")
    assert figure.layout.xaxis.title.text == "Observed"


def test_lines_without_families(tmp_path: Path) -> None:
    write_predictions(tmp_path, family=False)
    predictions = read_predictions(tmp_path)
    assert (predictions["family"] == "").all()
    facts = observed_predicted(predictions)
    assert facts.metrics["test"].within_family_pearson is None
    assert "family" not in observed_predicted_figure(facts).data[1].hovertext[0]
    nothing = observed_predicted(predictions, parts=[])
    assert observed_predicted_figure(nothing).to_json()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"line,part\na,test\n",
        b"line,part,observed,predicted\na,test,1,high\n",
        b"line,part,observed,predicted\na,test,1,\n",
        b"line,part,observed,predicted\na,test,1,inf\n",
        b"line,part,observed,predicted\na,somewhere,1,2\n",
        b"line,part,observed,predicted\na,test,1,2\nb,test,1,2,3,4,5\n",
        b"line,part,observed,predicted\n\xff\xfe,test,1,2\n",
    ],
)
def test_damaged_files_are_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "predictions.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"predictions\.csv of .* is damaged"):
        read_predictions(tmp_path)


def test_before_the_end_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no predictions yet"):
        read_predictions(tmp_path)
