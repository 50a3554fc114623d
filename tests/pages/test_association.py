from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from gwas_core.tuning.local import LocalEngine
from gwas_core.workspace import Workspace
from tests.pages.conftest import OpenPage
from tests.tuning.quick_experiments import quick_experiment, quick_model, quick_workspace
from ui.association import summary_statistics


def started(root: Path) -> Workspace:
    """A workspace with an experiment that has its split and was stopped at once."""
    workspace, dataset = quick_workspace(root)
    engine = LocalEngine(workspace)
    with quick_model():
        engine.start(quick_experiment(dataset, fixed={"epoch_seconds": 0.2}, max_trials=40))
    engine.stop("quick")
    return workspace


def test_no_experiment_says_so(open_page: OpenPage) -> None:
    assert "no experiments yet" in open_page("pages/loci.py").markdown[0].value


def test_every_snp_is_tested_on_the_training_lines(tmp_path: Path, open_page: OpenPage) -> None:
    started(tmp_path / "workspace")
    app = open_page("pages/loci.py", experiment="quick")
    assert not app.error
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Training lines"] == "56"
    assert metrics["SNPs tested"] == "40"
    table = app.dataframe[-1].value
    assert len(table) == 40
    assert table["neg_log10_p_value"].is_monotonic_decreasing
    # The first five SNPs make the phenotype.
    assert set(table["name"].head(3)) <= {f"snp-{number}" for number in range(5)}
    assert app.toggle[0].disabled  # no families here


def test_a_lost_dataset_is_a_sentence(tmp_path: Path, open_page: OpenPage) -> None:
    workspace = started(tmp_path / "workspace")
    shutil.rmtree(workspace.datasets)
    app = open_page("pages/loci.py", experiment="quick")
    assert "load the genotypes again" in app.error[0].value.replace("\\", "")


def test_the_download_has_the_columns_of_gwas_ssf() -> None:
    row = {
        "name": "snp-1", "chromosome": "1", "base_pair_location": 7, "effect_allele": "counted", "beta": 0.5,
        "standard_error": 0.1, "effect_allele_frequency": 0.2, "p_value": float("nan"),
        "neg_log10_p_value": 1.0, "n": 5,
    }  # fmt: skip
    table = summary_statistics(pd.DataFrame([row]))
    assert table.columns.tolist() == [
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
        "effect_allele_frequency", "p_value", "variant_id",
    ]  # fmt: skip
    assert table.iloc[0].tolist() == ["1", 7, "counted", "NA", 0.5, 0.1, 0.2, "NA", "snp-1"]
