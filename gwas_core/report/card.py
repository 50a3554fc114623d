"""Model card in Markdown: what the model is, how it was evaluated, and what it must not be used for.

Also here: which network the bundle holds; the methods paragraph for a paper; the Markdown table of metrics; warnings
about figures that are optimistic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.messages import counted
from gwas_core.report.bundled_network import BundledNetwork, bundled_network, bundled_network_sentence
from gwas_core.report.comparison import ModelMetrics, comparison
from gwas_core.report.loci import Loci
from gwas_core.report.markdown import markdown_text
from gwas_core.report.titles import MODEL_TITLES, SHORT_FIGURE_TITLES, SPLIT_TITLES
from gwas_core.report.training_gain import training_gain, training_sentence
from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.records import ExperimentRecord


def metrics_table(rows: Iterable[ModelMetrics]) -> str:
    """Return metrics as a Markdown table: a row for each model, a dash for a figure that is not defined.

    Args:
        rows: of one part of the lines, as ``comparison`` returns them.
    """
    lines = [f"| model | {' | '.join(SHORT_FIGURE_TITLES.values())} |", f"|---|{'---:|' * len(SHORT_FIGURE_TITLES)}"]
    for row in rows:
        figures = ("–" if value is None else f"{value:.3f}" for value in row.figures())
        # A model that this version has no title for is called by its name in a record.
        title = row.title if row.title in MODEL_TITLES.values() else markdown_text(row.title)
        lines.append(f"| {title} | {' | '.join(figures)} |")
    return "\n".join(lines)


def model_card(
    record: ExperimentRecord, dataset: Dataset, split: Split, preparation: Iterable[str], *, loci: Loci | None = None
) -> str:
    """Return the model card of an experiment's best trial, in Markdown.

    Args:
        record: of an experiment whose best trial was evaluated on the test lines.
        dataset: prepared.
        split: rows of ``dataset``.
        preparation: sentences about reading, filters and imputation.
        loci: tests of single SNPs that the bundle holds; None if it holds none.

    Raises:
        ValueError: if no trial was evaluated on the test lines.
    """
    experiment, best, evaluation = record.experiment, record.best, record.final_evaluation
    if best is None or evaluation is None:
        raise ValueError("the experiment has no judged trial")
    uses = evaluation.test_evaluations
    times = "once" if uses == 1 else f"{uses} times (the search was extended): read the test figures as optimistic"
    parameters = "\n".join(
        f"| {markdown_text(name)} | {markdown_text(value)} |"
        for name, value in {**experiment.space.fixed, **best.parameters}.items()
    )
    prepared = "\n".join(f"- {markdown_text(sentence)}" for sentence in preparation)
    trait = markdown_text(dataset.trait)
    network = bundled_network(record)
    return f"""# Model card: {trait}, experiment {markdown_text(record.name)}

{verdict_sentence(experiment_verdict(record))}

{bundled_network_sentence(replace(network, reason=markdown_text(network.reason)))}

## Judged on {len(split.test):,} test lines

{metrics_table(comparison(record, "test"))}

The test lines were used {times}. MAE and RMSE are in the unit of {trait}; "within families" is the mean
correlation inside families of at least 8 lines, weighted by their lines.

## Judged on {len(split.validation):,} validation lines

The network was chosen by its error on these lines, so its figures here are optimistic.

{metrics_table(comparison(record, "validation"))}

{training_sentence(training_gain(best))}

## Methods

{methods_paragraph(experiment, dataset, split, best.number, record.finished_trials)}{_refit_methods(network)}

## Hyperparameters

| name | value |
|---|---|
{parameters}

## Data

{prepared or "- Nothing was changed."}

{_loci_text(loci)}Content hash of the prepared dataset (SHA-256): `{experiment.dataset}`.
Seeds: search {experiment.seed}, split {experiment.split.seed}, training {best.seed}.

## Limits

- Meant for lines of the same population, genotyped for the same SNPs with the same allele counted.
- Lines of other families or populations are predicted worse than the figures above say; nothing here measured it
  unless whole families were left out.
- A network that predicts well is no evidence that a SNP is causal.
"""


def _loci_text(loci: Loci | None) -> str:
    if loci is None:
        return ""
    held = "" if loci.table is None else "`loci.csv` holds the association of each SNP with the trait. "
    return f"{held}{loci.sentence}\n\n"


def _refit_methods(network: BundledNetwork) -> str:
    if network.refit is None:
        return ""
    trained = f"trained for {counted(network.refit.epochs, 'epoch')}" if network.refit.epochs else "fitted"
    start = "from the start that these lines give" if network.refit.epochs else "in closed form, without training"
    return (
        f" Then the same network was {trained} on all {network.refit.lines:,} lines, {start} (seed "
        f"{network.refit.seed}), for the prediction of new lines."
    )


def methods_paragraph(experiment: Experiment, dataset: Dataset, split: Split, trial: int, trials: int) -> str:
    """Return how the model came about, as the methods section of a paper would say it, in Markdown.

    Args:
        experiment: as it was created.
        dataset: prepared.
        split: rows of ``dataset``.
        trial: number of the best trial.
        trials: number of finished trials.
    """
    families = "" if dataset.family is None else f" of {len(set(dataset.family.tolist()))} families"
    network = markdown_text(experiment.space.fixed.get("network", "hybrid"))
    return (
        f"{dataset.lines:,} lines{families} with {len(dataset.snps):,} SNPs were divided "
        f"{SPLIT_TITLES[experiment.split.method]} into {len(split.train):,} training, "
        f"{len(split.validation):,} validation "
        f"and {len(split.test):,} test lines (seed {experiment.split.seed}). The phenotype was z-scored by the "
        f"training lines. Hyperparameters of the {network} network were searched with {experiment.algorithm.name} over "
        f"{len(experiment.space.parameters)} parameters in {trials} trials (seed {experiment.seed}), minimising the "
        "mean absolute error of the validation lines; each trial kept the weights of its best epoch. "
        f"Trial {trial} was best and was then judged on the test lines. GBLUP was fitted to the same training lines, "
        "its variance ratio by restricted maximum likelihood."
    )
