"""Report of a finished search: one HTML page that prints, needs no script, and fetches nothing.

Also here: what it says of population, trait, split, verdict, methods, training, loci, settings, seeds and versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gwas_core.errors import ExperimentError, InputError
from gwas_core.evaluation.store import evaluations_of
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.splits import PARTS, Split, load_split
from gwas_core.messages import counted
from gwas_core.model.bundle_files import BundleProgram
from gwas_core.report.bundle_export import bundle_program
from gwas_core.report.bundled_network import BundledNetwork, bundled_network, bundled_network_sentence
from gwas_core.report.comparison import ModelMetrics, comparison
from gwas_core.report.loci import Loci, training_loci
from gwas_core.report.methods_picture import methods_svg
from gwas_core.report.page import html_table, paragraph, printed_page, section
from gwas_core.report.text import figure_text, p_value_text
from gwas_core.report.titles import SHORT_FIGURE_TITLES, SPLIT_TITLES
from gwas_core.report.training_gain import TrainingGain, training_gain, training_sentence
from gwas_core.report.verdict import evaluation_verdict, experiment_verdict, verdict_sentence
from gwas_core.tuning.records import ExperimentRecord, TrialRecord, iso
from gwas_core.workspace import Workspace

_TOP_LOCI = 10
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyReport:
    """Facts of a report, which ``study_report_page`` draws.

    Attributes:
        record: of an experiment whose best trial was evaluated on the test lines.
        best: that trial.
        dataset: prepared; genotypes may stay on disk.
        split: rows of ``dataset``.
        preparation: sentences about reading, filters and imputation.
        evaluations: verdicts of evaluations that took the experiment's hyperparameters, with 95 % intervals, each with
            the evaluation's name; empty if there are none.
        test: all methods on the test lines, lowest error first.
        validation: the same on the validation lines.
        gain: whether training helped; None if nothing is known.
        network: that a bundle holds.
        loci: tests of single SNPs on the training lines.
        program: this program and machine, now.
    """

    record: ExperimentRecord
    best: TrialRecord
    dataset: Dataset
    split: Split
    preparation: tuple[str, ...]
    evaluations: tuple[tuple[str, str], ...]
    test: Sequence[ModelMetrics]
    validation: Sequence[ModelMetrics]
    gain: TrainingGain | None
    network: BundledNetwork
    loci: Loci
    program: BundleProgram


def study_report(workspace: Workspace, record: ExperimentRecord) -> StudyReport:
    """Return the facts of the report of an experiment; testing every SNP takes seconds.

    Args:
        workspace: of the experiment.
        record: of an experiment whose best trial was evaluated on the test lines.

    Raises:
        ExperimentError: no trial has succeeded, or the best one has not met the test lines yet.
        InputError: the dataset, the split or the preparation is lost or damaged.
    """
    best = record.best
    if best is None or record.evaluated_best is None:
        raise ExperimentError(
            f"{record.name} is {record.state.value}, and no network of it has met the test lines yet: a report needs "
            f"one; wait for it, or let the search finish with `resume {record.name}`"
        )
    dataset = Dataset.load(workspace.dataset_directory(record.experiment.dataset))
    split = load_split(record.directory)
    return StudyReport(
        record=record,
        best=best,
        dataset=dataset,
        split=split,
        preparation=Preparation.load(record.directory).sentences,
        evaluations=_evaluations(workspace, record.name),
        test=comparison(record, "test"),
        validation=comparison(record, "validation"),
        gain=training_gain(best),
        network=bundled_network(record),
        loci=training_loci(dataset, split),
        program=bundle_program(),
    )


def _evaluations(workspace: Workspace, name: str) -> tuple[tuple[str, str], ...]:
    found = []
    for store in evaluations_of(workspace, name):
        try:
            result = store.result()
        except InputError:
            continue
        if result is not None:
            found.append((store.directory.name, verdict_sentence(evaluation_verdict(result))))
    return tuple(found)


def study_report_page(report: StudyReport) -> str:
    """Return a report as an HTML page in which every text from outside is escaped.

    Args:
        report: its facts.
    """
    return printed_page(
        f"{report.dataset.trait}: report of the search {report.record.name}",
        [
            _verdict(report),
            _population(report),
            _lines(report),
            _methods(report),
            _while_choosing(report),
            _loci(report.loci),
            _settings(report),
            _versions(report),
        ],
    )


def _verdict(report: StudyReport) -> str:
    parts = [paragraph(verdict_sentence(experiment_verdict(report.record)), kind="verdict")]
    for name, sentence in report.evaluations:
        parts.append(paragraph(f"Evaluation {name}: {sentence}"))
    if not report.evaluations:
        parts.append(paragraph("One split has no confidence interval; the command evaluate computes one.", kind="note"))
    return section("Verdict", *parts, paragraph(bundled_network_sentence(report.network)))


def _population(report: StudyReport) -> str:
    dataset = report.dataset
    families = 0 if dataset.family is None else len(np.unique(dataset.family))
    mean, deviation = float(dataset.phenotype.mean()), float(dataset.phenotype.std())
    if abs(mean) < _ROUNDING * deviation:
        mean = 0.0  # of a phenotype that was centred
    rows = [
        ("Trait", dataset.trait),
        ("Unit of the trait", "that of the file, which names none"),
        ("Mean and standard deviation", f"{figure_text(mean)} and {figure_text(deviation)} over all lines"),
        ("Data came from", report.record.experiment.source),
        ("Lines", f"{dataset.lines:,}"),
        ("Families", f"{families:,}" if families else "not known"),
        ("SNPs", f"{len(dataset.snps):,} on {counted(dataset.snps['chromosome'].nunique(), 'chromosome')}"),
    ]
    return section("Population and trait", html_table((), rows), *map(paragraph, report.preparation))


def _lines(report: StudyReport) -> str:
    settings = report.record.experiment.split
    uses = {
        "train": "networks and baselines learned them",
        "validation": "they chose the epoch and the trial",
        "test": "they judged the chosen network",
    }
    titles = {"train": "training", "validation": "validation", "test": "test"}
    rows = [(titles[part], f"{len(getattr(report.split, part)):,}", uses[part]) for part in PARTS]
    return section(
        "How the lines were divided",
        paragraph(f"Divided {SPLIT_TITLES[settings.method]}, seed {settings.seed}."),
        html_table(("part", "lines", "use"), rows, numbers=(1,)),
    )


def _methods(report: StudyReport) -> str:
    evaluation = report.record.evaluated_best
    times = 1 if evaluation is None else evaluation.test_evaluations
    used = (
        "These lines were used once, after the search."
        if times == 1
        else f"These lines were used {times} times, since the search was extended, so the figures are optimistic."
    )
    return section(
        "All methods on the test lines",
        _metrics_table(report.test),
        methods_svg(report.test),
        paragraph("Mean absolute error of each method; a shorter bar is better.", kind="note"),
        paragraph(f"{used} Errors are in the unit of the trait.", kind="note"),
    )


def _metrics_table(rows: Sequence[ModelMetrics]) -> str:
    cells = [(row.title, *("–" if value is None else figure_text(value) for value in row.figures())) for row in rows]
    titles = tuple(SHORT_FIGURE_TITLES.values())
    return html_table(("method", *titles), cells, numbers=range(1, len(titles) + 1))


def _while_choosing(report: StudyReport) -> str:
    return section(
        "While choosing, on the validation lines",
        paragraph(training_sentence(report.gain)),
        _metrics_table(report.validation),
        paragraph(
            "The network was chosen by its error on these lines, so its figures here are optimistic.", kind="note"
        ),
    )


def _loci(loci: Loci) -> str:
    strongest = loci.strongest(_TOP_LOCI)
    parts = [paragraph(loci.sentence)]
    if not strongest.empty:
        header = ("SNP", "chromosome", "position", "allele", "frequency", "beta", "standard error", "p-value")
        rows = [_locus(row) for _, row in strongest.iterrows()]
        parts.append(html_table(header, rows, numbers=(2, 4, 5, 6, 7), kind="wide"))
        parts.append(
            paragraph(
                "The SNPs with the smallest p-values; neighbours may stand for one locus. Beta is in the unit of the "
                "trait, for each copy of the allele. The file loci.csv of the bundle has all SNPs.",
                kind="note",
            )
        )
    return section("Strongest associations", *parts)


def _locus(row: pd.Series) -> tuple[object, ...]:
    return (
        row["name"],
        row["chromosome"],
        f"{row['position']:,}",
        row["effect_allele"],
        f"{row['effect_allele_frequency']:.3f}",
        figure_text(row["beta"], digits=3),
        figure_text(row["standard_error"], digits=3),
        p_value_text(float(row["neg_log10_p_value"])),
    )


def _settings(report: StudyReport) -> str:
    experiment, best = report.record.experiment, report.best
    refit = report.network.refit
    rows: list[tuple[object, object]] = [
        ("Search", f"{experiment.algorithm.name}, {counted(report.record.finished_trials, 'finished trial')}"),
        ("Searched hyperparameters", ", ".join(parameter.name for parameter in experiment.space.parameters)),
        ("Best trial", f"{best.number}, best epoch {'not known' if best.best_epoch is None else best.best_epoch}"),
        *sorted({**experiment.space.fixed, **best.parameters}.items()),
        ("Seed of the search", experiment.seed),
        ("Seed of the split", experiment.split.seed),
        ("Seed of the best trial", "not known" if best.seed is None else best.seed),
        *([] if refit is None else [("Seed of the refit", refit.seed), ("Epochs of the refit", refit.epochs)]),
        ("XLA", {None: "not known", True: "on", False: "off"}[best.xla]),
        ("Content hash of the data (SHA-256)", experiment.dataset),
    ]
    return section("Settings and seeds", html_table((), rows))


def _versions(report: StudyReport) -> str:
    program, record = report.program, report.record
    rows = [
        ("Search finished", iso(record.finished) or "not yet"),
        ("Report written", program.created),
        ("By", program.program),
        ("On", program.platform),
        *program.versions.items(),
    ]
    note = (
        "Versions are those of the program that wrote this report; the manifest of a bundle has those that packed it."
    )
    return section("Versions", html_table((), rows), paragraph(note, kind="note"))
