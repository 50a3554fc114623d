"""The report says what a search found, nothing from outside acts in it, and it fetches nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.model.bundle_files import BundleProgram
from gwas_core.model.refit import RefitResult
from gwas_core.model.training import TrialResult
from gwas_core.report.bundled_network import bundled_network
from gwas_core.report.comparison import comparison
from gwas_core.report.loci import training_loci
from gwas_core.report.study_report import StudyReport, study_report, study_report_page
from gwas_core.report.training_gain import training_gain
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import Refit
from gwas_core.workspace import Workspace
from tests.report.test_summary import record, trial

# No script, no picture, no frame, no link; what SVG needs is drawn in place.
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "p"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "text", "rect", "line"),
}
NASTY = '<script>alert("1")</script> <img src=//x.example/p.png onerror=go()> & \'é'


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Tags:
    found = Tags()
    found.feed(page)
    return found


def made(text: str = "height") -> StudyReport:
    """A report whose trait, SNPs, source, notes, baselines and versions say ``text``."""
    dataset = simulate(SimulationSettings(families=2, lines_per_family=30, snps=20, polygenic_qtl=5)).dataset
    snps = dataset.snps.assign(name=[f"{text} {number}" for number in range(20)], chromosome=text)
    dataset = replace(dataset, trait=text, snps=snps)
    split = make_split(dataset, SplitSettings(seed=1))
    best = trial(0, TrialState.SUCCEEDED, seconds=1, value=0.5)
    best = replace(best, result=TrialResult(val_mean_absolute_error=0.5, best_epoch=0, initial_error=0.5))
    refit = Refit(trial=0, result=RefitResult(lines=60, judged_lines=42, epochs=0, seed=9, seconds=1.0))
    judged = replace(record(best, network=0.45, mean=1.0, gblup=0.5, **{text: 0.7}), refit=refit)
    judged = replace(judged, experiment=replace(judged.experiment, source=text))
    return StudyReport(
        record=judged,
        best=best,
        dataset=dataset,
        split=split,
        preparation=(f"The trait {text} was read.",),
        evaluations=((text, f"The network is better than {text}."),),
        test=comparison(judged, "test"),
        validation=comparison(judged, "validation"),
        gain=training_gain(best),
        network=bundled_network(judged),
        loci=training_loci(dataset, split),
        program=BundleProgram(program=text, created="2026-01-01T00:00:00+00:00", versions={text: text}, platform=text),
    )


def test_it_says_what_a_reader_asks_for() -> None:
    report = made()
    said = read(study_report_page(report)).text
    for words in (
        "better than the best baseline, GBLUP (REML) (10.0 % lower error)",
        "the network in the bundle learned all 60 lines afterwards, and has been judged by nobody",
        "Divided at random within families, seed 0.",
        "training did not improve on the closed-form start",
        "Content hash of the data (SHA-256)" + "0" * 64,
        "Seed of the refit9",
        "with family effects as covariates",
    ):
        assert words in said, words
    lead = report.loci.strongest(1)["name"].iloc[0]
    assert said.count(lead) == 1
    # One bar for each method, and the numbers of all of them beside it.
    page = study_report_page(report)
    assert page.count("<rect") == len(report.test) == 4


def test_nothing_from_outside_acts_and_nothing_is_fetched() -> None:
    page = study_report_page(made(NASTY))
    found = read(page)
    assert found.tags <= TAGS
    assert not {name for name in found.attributes if name.startswith("on") or name in ("src", "href", "style")}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import", page)
    # Everywhere it stands as it is.
    assert found.text.count(NASTY) >= 15
    assert read(study_report_page(made())).tags == found.tags


def test_a_search_that_was_not_judged_has_none() -> None:
    with pytest.raises(ExperimentError, match="no network of it has met the test lines yet"):
        study_report(Workspace(record().directory), record())
