"""What the pipeline's steps do, as plain functions over folders."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwas_core.association.regression import associate
from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.kubeflow import steps
from gwas_core.kubeflow.steps import PIPELINE_RUNS, PreparedData, record_failure, restore_integers, trial_directory
from gwas_core.model.bundle import open_bundle
from gwas_core.model.calibration import Calibration, Timing
from gwas_core.serialization import to_json_values
from gwas_core.workspace import Workspace

TRIAL = "height-1"
SPLIT = SplitSettings(seed=4)
SETTINGS = PreprocessingSettings(minimum_allele_frequency=0.05)


@dataclass
class Run:
    """A run of the steps on simulated data with missing genotypes, as far as it has come."""

    workspace: Path
    dataset: Dataset
    out: Path

    @property
    def trial(self) -> dict[str, Any]:
        return {"workspace": self.workspace, "experiment": PIPELINE_RUNS, "trial": TRIAL}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    workspace = tmp_path_factory.mktemp("workspace")
    settings = SimulationSettings(
        families=4, lines_per_family=40, snps=90, polygenic_qtl=40, missing_fraction=0.05, seed=5
    )
    dataset = simulate(settings).dataset
    dataset.save(Workspace(workspace).dataset_directory(dataset.content_hash))
    made = Run(workspace, dataset, tmp_path_factory.mktemp("artifacts"))
    prepare(made, out=made.out)
    return made


def prepare(run: Run, *, out: Path, experiment: str = PIPELINE_RUNS, dataset: str | None = None) -> dict[str, Any]:
    # Numbers as pipelines hand them on.
    settings = {
        name: as_floats(to_json_values(value)) for name, value in (("preprocessing", SETTINGS), ("split", SPLIT))
    }
    return steps.prepare(
        workspace=run.workspace,
        experiment=experiment,
        dataset=dataset or run.dataset.content_hash,
        prepared=out / "prepared",
        report=out / "report.html",
        **settings,
    )


def as_floats(values: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, int) else value for name, value in values.items()}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_preprocessing_is_that_of_every_other_way(run: Run) -> None:
    prepared = PreparedData.load(run.out / "prepared")
    expected = preprocess(run.dataset, SETTINGS)
    assert prepared.dataset.content_hash == expected.dataset.content_hash
    assert prepared.settings == SETTINGS
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(prepared.split, part), getattr(make_split(expected.dataset, SPLIT), part))
    np.testing.assert_array_equal(prepared.preparation.imputation.values, expected.imputation.values)
    assert expected.report.sentences()[-1] in text(run.out / "report.html")


def test_preprocessing_of_an_experiment_takes_its_data_as_they_are(run: Run, tmp_path: Path) -> None:
    expected = preprocess(run.dataset, SETTINGS)
    expected.dataset.save(Workspace(run.workspace).dataset_directory(expected.dataset.content_hash))
    preparation = Preparation(imputation=expected.imputation, report=expected.report, sentences=("As it was told.",))
    preparation.save(run.workspace / "soy")
    facts = prepare(run, out=tmp_path, experiment="soy", dataset=expected.dataset.content_hash)
    assert facts["content_hash"] == expected.dataset.content_hash
    assert facts["training_lines"] + facts["validation_lines"] + facts["test_lines"] == facts["lines"]
    assert "As it was told." in text(tmp_path / "report.html")
    assert PreparedData.load(tmp_path / "prepared").preparation.sentences == ("As it was told.",)


def test_a_damaged_dataset_is_not_used(run: Run, tmp_path: Path) -> None:
    stored = Workspace(run.workspace).dataset_directory(run.dataset.content_hash)
    damaged = Workspace(run.workspace).dataset_directory("ab" * 32)
    damaged.mkdir()
    for file in stored.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="damaged"):
        prepare(run, out=tmp_path, dataset="ab" * 32)
    assert "damaged" in text(run.workspace / PIPELINE_RUNS / "steps" / "preprocessing.log")
    with pytest.raises(InputError, match="is gone or damaged"):
        prepare(run, out=tmp_path, dataset="cd" * 32)
    # A later success takes the old reason away.
    prepare(run, out=tmp_path)
    assert not (run.workspace / PIPELINE_RUNS / "steps" / "preprocessing.log").exists()


def test_association_is_that_of_the_training_lines_within_families(run: Run) -> None:
    facts = steps.associate_snps(**run.trial, prepared=run.out / "prepared", associations=run.out / "associations.csv")
    prepared = PreparedData.load(run.out / "prepared")
    expected = associate(prepared.dataset, prepared.split.train, family_effects=True)
    table = pd.read_csv(run.out / "associations.csv")
    np.testing.assert_allclose(table["neg_log10_p_value"], expected["neg_log10_p_value"])
    assert facts["family_effects"] is True
    assert facts["training_lines"] == len(prepared.split.train)
    for name, draw in (("manhattan", steps.draw_associations), ("qq", steps.draw_quantiles)):
        draw(**run.trial, associations=run.out / "associations.csv", plot=run.out / f"{name}.html")
        check_page(run.out / f"{name}.html", expected["name"][0])


def check_page(page: Path, snp: str) -> None:
    """It holds the SNPs, plotly.js, and nothing that has to be fetched."""
    content = text(page)
    assert len(content) > 3_000_000
    assert snp in content
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", content)


def test_training_attribution_and_bundle(run: Run, tmp_path: Path) -> None:
    logged: dict[str, float] = {}
    hyperparameters = {"epochs": 2.0, "batch_size": 16.0}
    error = steps.train(
        **run.trial,
        prepared=run.out / "prepared",
        hyperparameters=hyperparameters,
        seed=3,
        xla="off",
        model=run.out / "model",
        log_metric=logged.__setitem__,
    )
    directory = trial_directory(run.workspace, PIPELINE_RUNS, TRIAL)
    assert logged["val_mean_absolute_error"] == error
    assert {"best_epoch", "epochs", "seconds", "weights", "val_lines"} <= logged.keys()
    assert len(text(directory / "metrics.jsonl").splitlines()) == 3  # the start, and two epochs
    result = json.loads(text(directory / "result.json"))
    assert (result["val_mean_absolute_error"], result["seed"]) == (error, 3)
    assert json.loads(text(run.out / "model" / "hyperparameters.json"))["batch_size"] == 16

    facts = steps.attribute_snps(
        **run.trial,
        prepared=run.out / "prepared",
        model=run.out / "model",
        attributions=run.out / "attributions.csv",
    )
    table = pd.read_csv(run.out / "attributions.csv")
    prepared = PreparedData.load(run.out / "prepared")
    assert table["name"].tolist() == prepared.dataset.snps["name"].tolist()
    assert (table["magnitude"] >= table["effect"].abs() - 1e-12).all()
    assert facts["trait"] == run.dataset.trait
    steps.draw_attributions(
        **run.trial, attributions=run.out / "attributions.csv", trait=facts["trait"], plot=run.out / "predicted.html"
    )
    check_page(run.out / "predicted.html", table["name"][0])
    assert "says nothing about significance" in text(run.out / "predicted.html")

    given = {**run.trial, "prepared": run.out / "prepared", "model": run.out / "model"}
    steps.pack(**given, error=error, bundle=tmp_path / "bundle.zip")
    bundle = open_bundle(tmp_path / "bundle.zip")
    assert bundle.trait == run.dataset.trait
    assert bundle.metrics is not None
    assert bundle.metrics.to_dict() == {"network": {"validation": result["validation"]}}
    assert bundle.manifest.trial == TRIAL
    assert (directory / "bundle.zip").read_bytes() == (tmp_path / "bundle.zip").read_bytes()
    with pytest.raises(InputError, match="another training"):
        steps.pack(**given, error=error + 0.1, bundle=tmp_path / "bundle.zip")


def test_trials_that_measure_at_the_same_time_take_what_the_first_one_found(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"

    def found(xla: bool) -> Calibration:
        timing = Timing(start_seconds=1.0, epoch_seconds=1.0)
        return Calibration(xla=xla, device="cpu", with_xla=timing, without_xla=timing)

    def slower(*_: object) -> Calibration:
        # While this one measures, another one has ended.
        assert steps._measured_xla(nothing, nothing, {}, path, lambda *_: found(True)) == "on"
        return found(False)

    nothing: Any = None
    assert steps._measured_xla(nothing, nothing, {}, path, slower) == "on"
    assert steps._measured_xla(nothing, nothing, {}, path, slower) == "on"
    path.write_text("{", encoding="utf-8")  # damaged: measured again
    assert steps._measured_xla(nothing, nothing, {}, path, lambda *_: found(False)) == "off"
    assert [entry.name for entry in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "A", "-a", "a" * 64])
def test_names_that_could_be_paths(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        trial_directory(tmp_path, "soy", name)
    with pytest.raises(SettingsError):
        trial_directory(tmp_path, name if name != "a" * 64 else "..", "trial")


def test_why_a_step_failed_is_left_on_the_volume(tmp_path: Path) -> None:
    with pytest.raises(InputError), record_failure(tmp_path, "train"):
        raise InputError("what is wrong")
    assert text(tmp_path / "steps" / "train.log") == "what is wrong\n"
    with pytest.raises(ZeroDivisionError), record_failure(tmp_path, "train"):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in text(tmp_path / "steps" / "train.log")
    assert "Traceback" in text(tmp_path / "steps" / "train.log")
    with record_failure(tmp_path, "train"):
        pass
    assert not (tmp_path / "steps" / "train.log").exists()


def test_whole_numbers_come_back() -> None:
    given = {"a": 3.0, "b": 0.5, "c": [1.0, {"d": 2.0}], "e": "x", "f": True, "g": float("inf")}
    back = restore_integers(given)
    assert back == given
    assert [type(value) for value in (back["a"], back["b"], back["c"][0], back["f"], back["g"])] == [
        int,
        float,
        int,
        bool,
        float,
    ]
