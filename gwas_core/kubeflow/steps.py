"""Steps of the pipeline: preprocess, train, attribute, associate, draw and pack, as functions over folders.

Also here: names of trials that may be folders; what a failed step leaves to be read; whose measurement of XLA counts
for all trials of an experiment; whole numbers that pipelines pass as floats; the facts that Kubeflow shows of a result;
the bundle of a single trial.

A step's container calls one of them. They pass results on in folders: ``prepared`` (dataset, split, and how they were
made) and ``model`` (network and hyperparameters). What people watch while a trial runs, and take home from it, is also
written to the trial's folder in the workspace.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import pandas as pd

from gwas_core.association.regression import COUNTED_ALLELE, associate
from gwas_core.association.thresholds import genomic_inflation
from gwas_core.errors import FailureKind, GwasError, InputError, SettingsError
from gwas_core.files import read_json, read_regular_file, write_json, write_text
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import Split, SplitSettings, load_split, make_split, save_split
from gwas_core.kubeflow.trial_files import BUNDLE_FILE, CALIBRATION_FILE, STEP_LOGS, RecordedResult, read_result
from gwas_core.messages import counted, quoted
from gwas_core.model.bundle import BundleDescription, BundleMetrics, NetworkMetrics, write_bundle
from gwas_core.model.calibration import Calibration
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.training import OBJECTIVE, Report, TrialResult
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, LOG_FILE, MODEL_FILE, RESULT_FILE
from gwas_core.report.attribution_plot import CAVEAT, attribution_figure, attribution_plot
from gwas_core.report.bundle_export import bundle_program, data_files
from gwas_core.report.manhattan import manhattan, manhattan_figure
from gwas_core.report.page import html_page
from gwas_core.report.quantile_plot import quantile_figure, quantile_plot
from gwas_core.report.text import plot_text
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.spreadsheets import csv_text, read_csv
from gwas_core.tuning.model_functions import model_functions
from gwas_core.workspace import Workspace, check_experiment_name

PIPELINE_RUNS = "_pipelines"
"""Name in place of the experiment's for runs that belong to none."""

_DATASET = "dataset"
_LARGEST_CALIBRATION = 1024**2
_KIND_SUFFIX = ".kind"  # beside a step's log: the ``FailureKind``
_LONGEST_KIND = 100
_LARGEST_SETTINGS = 1_000_000
_MODEL_FILES = (MODEL_FILE, HYPERPARAMETERS_FILE, LOG_FILE)
_TRIAL_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def trial_directory(workspace: Path, experiment: str, trial: str) -> Path:
    """Return the folder of a trial on the workspace volume.

    Args:
        workspace: folder of the volume.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.

    Raises:
        SettingsError: a name could be a path.
    """
    if not _TRIAL_NAME.fullmatch(trial):
        raise SettingsError(f"{quoted(trial)} is not a trial's name", field="trial")
    return experiment_directory(workspace, experiment) / trial


def experiment_directory(workspace: Path, experiment: str) -> Path:
    """Return the folder of an experiment, or of the runs that belong to none.

    Args:
        workspace: folder of the volume.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.

    Raises:
        SettingsError: the name could be a path.
    """
    return workspace / (experiment if experiment == PIPELINE_RUNS else check_experiment_name(experiment))


@contextmanager
def record_failure(directory: Path, step: str) -> Iterator[None]:
    """Write to a folder why the step inside failed, for people who have no access to the pod's log.

    Args:
        directory: of the trial, or of the experiment for a step that its trials share.
        step: name of the step, and of its log.
    """
    log = directory / STEP_LOGS / f"{step}.log"
    # A log of an earlier attempt would be taken for one of this attempt.
    log.unlink(missing_ok=True)
    try:
        yield
    except GwasError as error:
        # The log last: who finds it takes the kind to be there.
        write_text(log.with_suffix(_KIND_SUFFIX), FailureKind.of(error))
        write_text(log, f"{error}\n")
        raise
    except Exception as error:
        write_text(log.with_suffix(_KIND_SUFFIX), FailureKind.of(error))
        write_text(log, traceback.format_exc())
        raise


def read_failure_kind(log: Path) -> FailureKind:
    """Return why a step failed, by the log that ``record_failure`` left of it.

    Args:
        log: file in ``STEP_LOGS``; the kind stands in another one beside it.
    """
    try:
        content = read_regular_file(log.with_suffix(_KIND_SUFFIX), limit=_LONGEST_KIND)
        return FailureKind.read(content.decode("ascii").strip())
    except (OSError, ValueError, InputError):
        return FailureKind.UNKNOWN


def restore_integers(value: Any) -> Any:
    """Return a JSON value with its whole numbers as integers: pipelines pass all numbers in a dictionary as floats.

    Args:
        value: what a pipeline passed to a step.
    """
    if isinstance(value, Mapping):
        return {name: restore_integers(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [restore_integers(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Facts about results, which Kubeflow shows as their metadata: dictionaries, because compiled pipelines expect these.


class PreparationFacts(TypedDict):
    """Facts about prepared data: sizes, and the content hash of the dataset."""

    content_hash: str
    trait: str
    lines: int
    snps: int
    training_lines: int
    validation_lines: int
    test_lines: int


class AttributionFacts(TypedDict):
    """Facts about a table of attributions: numbers of SNPs and lines, and the trait."""

    snps: int
    validation_lines: int
    trait: str


class AssociationFacts(TypedDict):
    """Facts about a table of associations; the genomic inflation is left out if it is not known."""

    snps: int
    training_lines: int
    family_effects: bool
    genomic_inflation: NotRequired[float]


# Preprocessing


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedData:
    """Result of the preprocessing step.

    Attributes:
        dataset: without missing genotypes.
        split: of its lines.
        preparation: how the dataset was made.
        settings: of the preprocessing.
    """

    dataset: Dataset
    split: Split
    preparation: Preparation
    settings: PreprocessingSettings

    def save(self, directory: Path) -> None:
        """Write the result to a folder, which is made if it is not there."""
        directory.mkdir(parents=True, exist_ok=True)
        self.dataset.save(directory / _DATASET)
        save_split(self.split, directory)
        self.preparation.save(directory)
        write_json(directory / "settings.json", to_json_values(self.settings))

    @classmethod
    def load(cls, directory: Path) -> PreparedData:
        """Return the result that ``save`` wrote to a folder.

        Args:
            directory: output folder of the preprocessing step.

        Raises:
            InputError: the folder does not hold what ``save`` wrote.
        """
        try:
            settings = read_json(directory / "settings.json", limit=_LARGEST_SETTINGS)
        except (OSError, InputError) as error:
            raise InputError(
                "the result of the preprocessing step is lost or damaged: run the pipeline again"
            ) from error
        return cls(
            dataset=Dataset.load(directory / _DATASET),
            split=load_split(directory),
            preparation=Preparation.load(directory),
            settings=from_json_values(PreprocessingSettings, settings, name="preprocessing"),
        )


def prepare(
    *,
    workspace: Path,
    experiment: str,
    dataset: str,
    preprocessing: JsonObject,
    split: JsonObject,
    prepared: Path,
    report: Path,
) -> PreparationFacts:
    """Filter, impute and split a dataset of the workspace.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``. The dataset of an experiment was prepared when the
            experiment was created: it is checked and split here, and how it was prepared is read from the
            experiment's folder.
        dataset: content hash of the dataset.
        preprocessing: fields of ``PreprocessingSettings``, as JSON values.
        split: fields of ``SplitSettings``, as JSON values.
        prepared: folder to write.
        report: HTML file to write, which says what was changed.

    Returns:
        Facts about the result, JSON-ready: content hash, trait, numbers of lines and SNPs, sizes of the split.

    Raises:
        InputError: there is no such dataset, or it is not what its hash says.
        SettingsError: the settings do not fit the dataset.
    """
    folder = experiment_directory(workspace, experiment)
    with record_failure(folder, "preprocessing"):
        stored = Dataset.load(Workspace(workspace).dataset_directory(dataset))
        if stored.content_hash != dataset:
            raise InputError(f"the stored dataset {dataset[:12]} was damaged: load the genotypes again")
        settings = from_json_values(PreprocessingSettings, restore_integers(preprocessing), name="preprocessing")
        if experiment == PIPELINE_RUNS:
            made = preprocess(stored, settings)
            preparation = Preparation(
                imputation=made.imputation,
                report=made.report,
                sentences=tuple(made.report.sentences()),
            )
            stored = made.dataset
        else:
            preparation = Preparation.load(folder)
        parts = make_split(stored, from_json_values(SplitSettings, restore_integers(split), name="split"))
        PreparedData(dataset=stored, split=parts, preparation=preparation, settings=settings).save(prepared)
        sizes = (
            f"{len(parts.train):,} lines train, {len(parts.validation):,} validate, "
            f"{len(parts.test):,} wait for the final test."
        )
        write_text(report, html_page(f"Preprocessing of {stored.trait}", [*preparation.sentences, sizes]))
    return {
        "content_hash": stored.content_hash,
        "trait": stored.trait,
        "lines": stored.lines,
        "snps": len(stored.snps),
        "training_lines": len(parts.train),
        "validation_lines": len(parts.validation),
        "test_lines": len(parts.test),
    }


# Training


def run_and_record(
    dataset: Dataset,
    split: Split,
    hyperparameters: Mapping[str, HyperparameterValue],
    directory: Path,
    *,
    report: Report,
    seed: int,
    xla: str,
) -> RecordedResult:
    """Run a trial and write its result to the trial's folder, where the dashboard and the driver find it.

    Args:
        dataset: without missing genotypes.
        split: of its lines.
        hyperparameters: of the network.
        directory: of the trial.
        report: called after each epoch.
        seed: of the training.
        xla: ``on``, ``off`` or ``auto``; for ``auto`` the experiment's first trial measures which is faster.

    Returns:
        What was written.
    """
    functions = model_functions()
    # A result of an earlier pod must not be taken for one of this pod.
    (directory / RESULT_FILE).unlink(missing_ok=True)
    if xla == "auto" and functions.calibrate is not None and directory.parent.name != PIPELINE_RUNS:
        xla = _measured_xla(dataset, split, hyperparameters, directory.parent / CALIBRATION_FILE, functions.calibrate)
    result = functions.run_trial(dataset, split, hyperparameters, directory, report=report, seed=seed, xla=xla)
    recorded = RecordedResult(result=result, seed=seed)
    write_json(directory / RESULT_FILE, recorded.to_dict())
    return recorded


def _measured_xla(
    dataset: Dataset,
    split: Split,
    hyperparameters: Mapping[str, HyperparameterValue],
    path: Path,
    calibrate: Callable[..., Calibration],
) -> str:
    """Return ``on`` if XLA is faster, else ``off``: measured by the experiment's first trial, read by the others."""
    calibration = _read_calibration(path)
    if calibration is None:
        calibration = _first_written(path, calibrate(dataset, split, hyperparameters))
    return "on" if calibration.xla else "off"


def _read_calibration(path: Path) -> Calibration | None:
    """Return the calibration in a file, or None if there is none that can be read."""
    try:
        values = read_json(path, limit=_LARGEST_CALIBRATION)
        return from_json_values(Calibration, values, name="calibration", error=InputError, ignore_unknown=True)
    except (OSError, ValueError):  # ``InputError`` is a ``ValueError``
        return None


def _first_written(path: Path, calibration: Calibration) -> Calibration:
    """Write a calibration, and return the one that counts.

    Trials that begin together measure at the same time and may find differently; the first one that is written counts
    for all, or trials of one search would differ in their last digits.
    """
    own = path.with_name(f".{path.name}.{os.getpid()}")
    write_json(own, to_json_values(calibration))
    try:
        os.link(own, path)
    except OSError:
        found = _read_calibration(path)
        if found is not None:
            return found
        # No volume that links, or a damaged file.
        write_json(path, to_json_values(calibration))
    finally:
        own.unlink(missing_ok=True)
    return calibration


def train(
    *,
    workspace: Path,
    experiment: str,
    trial: str,
    prepared: Path,
    hyperparameters: Mapping[str, HyperparameterValue],
    seed: int,
    xla: str,
    model: Path,
    log_metric: Callable[[str, float], None],
) -> float:
    """Train one network; its epochs can be watched in ``metrics.jsonl`` of the trial's folder.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        prepared: folder of the preprocessing step's result.
        hyperparameters: of the network.
        seed: of the training.
        xla: ``on``, ``off`` or ``auto``.
        model: folder to write: network and hyperparameters.
        log_metric: called with the name and value of each figure on the validation lines.

    Returns:
        The mean absolute error on the validation lines, in the phenotype's unit.

    Raises:
        TrialFailed: training failed.
    """
    directory = trial_directory(workspace, experiment, trial)
    with record_failure(directory, "train"):
        given = PreparedData.load(prepared)
        recorded = run_and_record(
            given.dataset,
            given.split,
            restore_integers(hyperparameters),
            directory,
            report=_say_epoch,
            seed=seed,
            xla=xla,
        )
        model.mkdir(parents=True, exist_ok=True)
        for name in _MODEL_FILES:
            shutil.copyfile(directory / name, model / name)
        for name, value in _figures(recorded.result).items():
            log_metric(name, value)
    return recorded.result.val_mean_absolute_error


def _say_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    print(f"epoch {epoch}: validation error {metrics['val_mean_absolute_error']:.5f}", flush=True)


def _figures(result: TrialResult) -> dict[str, float]:
    """Return the figures of a result that are finite numbers."""
    validation = {} if result.validation is None else {"lines": result.validation.lines, **result.validation.figures()}
    values: dict[str, float | None] = {
        **{f"val_{name}": value for name, value in validation.items()},
        OBJECTIVE: result.val_mean_absolute_error,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds": result.seconds,
        "weights": result.weights,
    }
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}


# Attribution and association


def attribute_snps(
    *, workspace: Path, experiment: str, trial: str, prepared: Path, model: Path, attributions: Path
) -> AttributionFacts:
    """Attribute the network's predictions on the validation lines to each SNP; see ``model.attribution``.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        prepared: folder of the preprocessing step's result.
        model: folder of the training step's result.
        attributions: CSV file to write, a row for each SNP.

    Returns:
        Numbers of SNPs and lines, and the trait, JSON-ready.
    """
    from gwas_core.model.attribution import attribute
    from gwas_core.model.trainer import Standardisation, load_model

    with record_failure(trial_directory(workspace, experiment, trial), "attribution"):
        given = PreparedData.load(prepared)
        dataset, lines = given.dataset, given.split.validation
        genotypes = np.ascontiguousarray(dataset.genotypes[lines])
        standardisation = Standardisation.of(dataset.phenotype[given.split.train])
        result = attribute(load_model(model / MODEL_FILE), genotypes, standardisation)
        table = pd.DataFrame(
            {
                "name": dataset.snps["name"],
                "chromosome": dataset.snps["chromosome"],
                "base_pair_location": dataset.snps["position"],
                "effect_allele": dataset.snps.get("effect_allele", COUNTED_ALLELE),
                "effect": result.effect,
                "magnitude": result.magnitude,
                "effect_allele_frequency": genotypes.mean(axis=0) / 2,
            }
        )
        _write_table(table, attributions)
    return {"snps": len(table), "validation_lines": len(lines), "trait": dataset.trait}


def associate_snps(
    *, workspace: Path, experiment: str, trial: str, prepared: Path, associations: Path
) -> AssociationFacts:
    """Test each SNP on the training lines, within families if they are known.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        prepared: folder of the preprocessing step's result.
        associations: CSV file to write, a row for each SNP, with the columns of GWAS-SSF.

    Returns:
        Numbers of SNPs and lines, whether families were used, and the genomic inflation if it is known; JSON-ready.
    """
    with record_failure(trial_directory(workspace, experiment, trial), "association"):
        given = PreparedData.load(prepared)
        families = given.dataset.family is not None
        table = associate(given.dataset, given.split.train, family_effects=families)
        _write_table(table, associations)
    inflation = genomic_inflation(table["neg_log10_p_value"].to_numpy())
    facts = AssociationFacts(snps=len(table), training_lines=len(given.split.train), family_effects=families)
    if inflation is not None:
        facts["genomic_inflation"] = inflation
    return facts


def _write_table(table: pd.DataFrame, path: Path) -> None:
    write_text(path, csv_text(table))


def _read_table(path: Path) -> pd.DataFrame:
    table = read_csv(path, dtype={"name": str, "chromosome": str}, keep_default_na=False, na_values=[""])
    return table.fillna({"chromosome": ""})


# Pictures


def draw_attributions(
    *, workspace: Path, experiment: str, trial: str, attributions: Path, trait: str, plot: Path
) -> None:
    """Draw the network's attributions along the genome, as an HTML file.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        attributions: CSV file of ``attribute_snps``.
        trait: name of the trait, for the axis.
        plot: HTML file to write.
    """
    with record_failure(trial_directory(workspace, experiment, trial), "manhattan_predicted"):
        figure = attribution_figure(attribution_plot(_read_table(attributions)), trait=plot_text(trait))
        write_text(plot, html_page("What the network looks at", [CAVEAT], figure))


def draw_associations(*, workspace: Path, experiment: str, trial: str, associations: Path, plot: Path) -> None:
    """Draw the Manhattan plot of the observed phenotype, as an HTML file.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        associations: CSV file of ``associate_snps``.
        plot: HTML file to write.
    """
    with record_failure(trial_directory(workspace, experiment, trial), "manhattan_observed"):
        facts = manhattan(_read_table(associations))
        sentence = f"One linear regression for each of {counted(facts.tests, 'SNP')}, on the training lines."
        write_text(plot, html_page("Association of each SNP with the trait", [sentence], manhattan_figure(facts)))


def draw_quantiles(*, workspace: Path, experiment: str, trial: str, associations: Path, plot: Path) -> None:
    """Draw the QQ plot of the observed phenotype's p-values, as an HTML file.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        associations: CSV file of ``associate_snps``.
        plot: HTML file to write.
    """
    with record_failure(trial_directory(workspace, experiment, trial), "qq"):
        sentence = "The p-values against those of SNPs that have nothing to do with the trait."
        figure = quantile_figure(quantile_plot(_read_table(associations)))
        write_text(plot, html_page("Observed and expected p-values", [sentence], figure))


# To take home


def pack(
    *, workspace: Path, experiment: str, trial: str, prepared: Path, model: Path, error: float, bundle: Path
) -> None:
    """Pack the trial's model into a bundle, to ``bundle`` and to the trial's folder.

    It holds the figures on the validation lines only: the test lines are for the one model that is chosen in the end.

    Args:
        workspace: folder of the workspace.
        experiment: name of the experiment, or ``PIPELINE_RUNS``.
        trial: name of the trial.
        prepared: folder of the preprocessing step's result.
        model: folder of the training step's result.
        error: mean absolute error that the training step returned.
        bundle: file to write.

    Raises:
        InputError: the trial's folder holds the result of another training.
    """
    directory = trial_directory(workspace, experiment, trial)
    with record_failure(directory, "bundle"):
        given = PreparedData.load(prepared)
        recorded = read_result(directory)
        if recorded is None or not math.isclose(recorded.result.val_mean_absolute_error, error):
            raise InputError("the trial's folder holds the result of another training: run the pipeline again")
        assert recorded.result.validation is not None  # ``run_trial`` gives all fields
        metrics = BundleMetrics(network=NetworkMetrics(validation=recorded.result.validation))
        files: dict[str, bytes | Path] = {
            **data_files(given.dataset, given.split, given.preparation, given.settings),
            **{name: model / name for name in _MODEL_FILES},
            "metrics.json": json.dumps(metrics.to_dict(), indent=1).encode(),
        }
        description = BundleDescription(
            experiment=experiment,
            trial=trial,
            seeds={"trial": recorded.seed},
            dataset_sha256=given.dataset.content_hash,
        )
        write_bundle(directory / BUNDLE_FILE, files, description=description, program=bundle_program())
        bundle.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(directory / BUNDLE_FILE, bundle)
