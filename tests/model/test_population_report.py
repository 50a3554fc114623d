"""The population report: whole on simulated data, in a process of its own, and with a reason for what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.linkage_disequilibrium import linkage_decay
from gwas_core.genotypes.relatedness import kinship, kinship_picture, principal_components
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.model.heritability import snp_heritability
from gwas_core.model.population_report import kept_population, limited_population, population_report
from gwas_core.serialization import to_json_values
from gwas_core.workspace import Workspace

DATASET = simulate(
    SimulationSettings(families=4, lines_per_family=10, snps=60, chromosomes=3, large_qtl=1, polygenic_qtl=20, seed=1)
).dataset


def test_the_report_holds_what_its_parts_say() -> None:
    report = population_report(DATASET)
    assert DATASET.family is not None
    assert report.lines == DATASET.line_names
    assert report.families == tuple(DATASET.family)
    assert report.phenotype == tuple(DATASET.phenotype)
    assert (report.trait, report.all_lines, report.snps) == (DATASET.trait, 40, 60)
    components = principal_components(DATASET.genotypes)
    np.testing.assert_allclose(report.scores, components.scores, atol=1e-6)
    np.testing.assert_array_equal(report.shares, components.shares)
    matrix = kinship(DATASET.genotypes)
    assert report.kinship == kinship_picture(matrix, DATASET.line_names, DATASET.family.tolist())
    assert report.decay == linkage_decay(DATASET)
    assert report.heritability == snp_heritability(matrix, DATASET.phenotype)
    assert not report.structure_refusal + report.decay_refusal + report.heritability_refusal


def test_what_is_missing_has_its_reason() -> None:
    few = population_report(DATASET.take(lines=np.arange(10)))
    assert few.heritability is None
    assert "at least 20 lines" in few.heritability_refusal
    assert few.kinship is not None
    nowhere = population_report(replace(DATASET, snps=snp_table([f"rs{snp}" for snp in range(60)])))
    assert nowhere.decay is None
    assert "positions of the SNPs are not known" in nowhere.decay_refusal
    assert nowhere.heritability is not None
    alike = population_report(replace(DATASET, genotypes=np.ones_like(DATASET.genotypes)))
    assert (alike.kinship, alike.scores, alike.heritability, alike.decay) == (None, (), None, None)
    assert "no SNP varies" in alike.structure_refusal == alike.heritability_refusal
    json.dumps([to_json_values(report) for report in (few, nowhere, alike)], allow_nan=False)


def test_of_very_many_lines_a_sample_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gwas_core.genotypes.relatedness._MOST_LINES", 25)
    report = population_report(DATASET)
    assert (report.all_lines, len(report.lines), len(report.scores)) == (40, 25, 25)
    rows = [DATASET.line_names.index(name) for name in report.lines]
    np.testing.assert_array_equal(report.phenotype, DATASET.phenotype[rows])
    assert DATASET.family is not None
    assert report.families == tuple(DATASET.family[rows])
    assert report.heritability is not None
    assert report.heritability.lines == 25


def test_it_is_computed_once_in_a_process_of_its_own_and_again_when_damaged(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    content_hash = DatasetLibrary(workspace).add(DATASET, source="simulated")
    assert kept_population(workspace, content_hash) is None
    expected = population_report(DATASET)
    found = limited_population(workspace, content_hash)
    # The same computation in another process may differ in the last digits.
    assert (found.lines, found.snps, found.decay) == (expected.lines, expected.snps, expected.decay)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)
    assert found.heritability is not None
    file = tmp_path / "_library" / content_hash / "population.json"
    file.write_text(file.read_text().replace('"trait": "height"', '"trait": "weight"', 1))
    assert limited_population(workspace, content_hash).trait == "weight"  # read, not computed
    whole = json.loads(file.read_text())
    for damage in ({"scores": whole["scores"][1:]}, {"shares": []}, {"phenotype": [0.5]}, {"lines": 5}):
        file.write_text(json.dumps(whole | damage))
        assert kept_population(workspace, content_hash) is None


def test_a_dataset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="content hash"):
        limited_population(Workspace(tmp_path), "../../etc")
    with pytest.raises(InputError, match="there is no dataset"):
        limited_population(Workspace(tmp_path), "0" * 64)
