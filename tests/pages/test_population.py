"""The section Population of the page Data: closed until somebody opens it, and whole, or with a reason, when open."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.model.population_report import kept_population, make_population
from gwas_core.workspace import Workspace
from tests.pages.conftest import OpenPage

PAGE = "pages/data.py"
SIMULATED = simulate(
    SimulationSettings(families=4, lines_per_family=10, snps=60, chromosomes=3, large_qtl=1, polygenic_qtl=20, seed=1)
).dataset


@pytest.fixture
def computed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the report computed without a process of its own, which has a test in ``tests/model``."""

    def here(_function: str, arguments: dict[str, str], **_options: object) -> None:
        make_population(**arguments)

    monkeypatch.setattr("gwas_core.model.population_report.call_limited", here)


def opened(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> tuple[AppTest, str]:
    """The page with the section of this dataset open, and the dataset's hash."""
    library = DatasetLibrary(workspace)
    content_hash = library.add(dataset, source="my table.txt")
    library.quality(content_hash)
    app = open_page(PAGE, dataset=content_hash)
    assert not [label for label in charts(app) if "components" in label]
    app.session_state[f"population-{content_hash[:8]}-open"] = True
    app.run()
    assert not app.exception
    return app, content_hash


def charts(app: AppTest) -> list[str]:
    return [json.loads(element.proto.json)["label"] for element in app.get("bidi_component")]


def written(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.caption, app.error)
    return " ".join(element.value for kind in kinds for element in kind).replace("\\", "")


def test_nothing_is_computed_before_it_is_opened_and_all_is_shown_after(
    open_page: OpenPage, workspace: Workspace, computed_here: None
) -> None:
    app, content_hash = opened(open_page, workspace, SIMULATED)
    assert not app.error
    shown = charts(app)[-4:]
    assert shown == [
        "Principal components of 40 lines",
        "Variance of 60 SNPs on each component",
        "Kinship of lines",
        "Decay of linkage disequilibrium",
    ]
    report = kept_population(workspace, content_hash)
    assert report is not None
    assert report.heritability is not None
    figures = f"{report.heritability.estimate:.2f} ± {report.heritability.standard_error:.2f} (standard error)"
    assert f"SNP heritability {figures}" in written(app)
    assert "family structure inflates it" in written(app)
    key = f"population-{content_hash[:8]}"
    app.selectbox(key=f"{key}-y").set_value("PC3").run()
    app.segmented_control(key=f"{key}-colour").set_value("Trait").run()
    assert not app.exception
    (plot,) = [
        json.loads(json.loads(element.proto.json)["figure"])
        for element in app.get("bidi_component")
        if json.loads(element.proto.json)["label"].startswith("Principal")
    ]
    assert plot["layout"]["yaxis"]["title"]["text"].startswith("PC3")
    assert len(plot["data"]) == 1


def test_what_is_missing_says_why(open_page: OpenPage, workspace: Workspace, computed_here: None) -> None:
    nowhere = replace(
        SIMULATED.take(lines=np.arange(12)), snps=snp_table([f"rs{snp}" for snp in range(60)]), family=None
    )
    app, _ = opened(open_page, workspace, nowhere)
    assert charts(app)[-1] == "Kinship of lines"
    assert "The positions of the SNPs are not known" in written(app)
    assert "A heritability needs at least 20 lines with a phenotype, and there are 12 lines." in written(app)
    assert "Relatives lie beside each other." in written(app)


def test_lines_that_are_all_alike_are_told_once(open_page: OpenPage, workspace: Workspace, computed_here: None) -> None:
    app, _ = opened(open_page, workspace, replace(SIMULATED, genotypes=np.ones_like(SIMULATED.genotypes)))
    assert written(app).count("No SNP varies among these lines") == 1
    assert "Kinship of lines" not in charts(app)


def test_a_dataset_that_went_meanwhile_is_an_error_in_words(
    open_page: OpenPage, workspace: Workspace, computed_here: None
) -> None:
    app, content_hash = opened(open_page, workspace, SIMULATED.take(lines=np.arange(2)))
    assert "Relatedness needs at least 3 lines, not 2" in written(app)
    (workspace.root / "_library" / content_hash / "dataset.json").write_text("{}")
    (workspace.root / "_library" / content_hash / "population.json").unlink()
    st.cache_resource.clear()
    app = open_page(PAGE, dataset=content_hash)
    app.session_state[f"population-{content_hash[:8]}-open"] = True
    for _ in range(2):
        app.run()
        assert "load the genotypes again" in written(app)
        assert not app.exception
