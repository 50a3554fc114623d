"""Export of an experiment's best model as a bundle: what it holds beside the network, and when it may be packed.

Also here: trials as CSV; versions and machine in the manifest; how a phenotype and a genotype are coded; the snippet to
reload it; whether it holds the judged network or the one trained on all lines; whether a bundle that was packed before
is still what would be packed now.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

import gwas_core
from gwas_core.errors import ExperimentError, InputError
from gwas_core.files import open_regular_file
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preparation import PREPARATION_FILES, Preparation
from gwas_core.genotypes.preprocessing import PreprocessingReport, PreprocessingSettings
from gwas_core.genotypes.splits import SPLIT_FILE, Split, load_split
from gwas_core.model.bundle import (
    MANIFEST,
    BundleDescription,
    BundleMetrics,
    BundleProgram,
    NetworkMetrics,
    write_bundle,
)
from gwas_core.model.bundle_files import LOCI, MAXIMUM_JSON_BYTES, MODEL_CARD, read_beginning
from gwas_core.model.finalise import PREDICTIONS_FILE
from gwas_core.model.networks import AlleleStatistics
from gwas_core.model.trainer import Standardisation
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, LOG_FILE, MODEL_FILE, REFIT_FOLDER
from gwas_core.report.bundled_network import BundledNetwork, bundled_network
from gwas_core.report.card import model_card
from gwas_core.report.loci import Loci, training_loci
from gwas_core.serialization import to_json_values
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.workspace import Workspace

RELOAD_SNIPPET = Path(gwas_core.__file__).parent / "model" / "reload_snippet.py"
_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "optuna", "scikit-optimize", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class PhenotypeCoding:
    """Scale of the phenotype that the network was trained on.

    Attributes:
        name: of the trait.
        mean: of the lines that the network learned, in the phenotype's unit.
        standard_deviation: of the lines that the network learned, in the phenotype's unit.
        meaning: how a phenotype follows from the network's output.
    """

    name: str
    mean: float
    standard_deviation: float
    meaning: str = "predicted phenotype = network output x standard_deviation + mean"


@dataclass(frozen=True, kw_only=True)
class GenotypeCoding:
    """Form of the network's input.

    Attributes:
        coding: of a genotype as a number.
        imputation: name of the method for missing genotypes.
    """

    coding: str = "copies of the counted allele: 0, 1 or 2, int8, SNPs in the order of snps.csv"
    imputation: str


@dataclass(frozen=True, kw_only=True)
class BundlePreprocessing:
    """Contents of ``preprocessing.json``: how data became the network's input, and its output a phenotype.

    Attributes:
        phenotype: scale of the output.
        genotypes: form of the input.
        settings: of filters and imputation.
        report: what they changed.
    """

    phenotype: PhenotypeCoding
    genotypes: GenotypeCoding
    settings: PreprocessingSettings
    report: PreprocessingReport


def bundle_path(workspace: Workspace, record: ExperimentRecord) -> Path:
    """Return the path of the bundle of an experiment's best trial, whether or not it was packed.

    Args:
        workspace: of the experiment.
        record: of the experiment, in any state.
    """
    return workspace.experiment_directory(record.name) / f"{record.name}-best.zip"


def export_bundle(workspace: Workspace, record: ExperimentRecord, *, path: Path | None = None) -> Path:
    """Pack the best trial of an experiment: its network trained on all lines if there is one, else the judged one.

    Figures are those of the judged network in both cases.

    Args:
        workspace: of the experiment.
        record: of an experiment whose best trial was evaluated on the test lines.
        path: of the zip; by default ``bundle_path``.

    Returns:
        Path of the zip.

    Raises:
        ExperimentError: if no trial has succeeded, the best one was not evaluated on the test lines yet, or files of it
            are lost.
        InputError: if the dataset, the split or the preparation is lost or damaged.
    """
    best = record.best
    if best is None:
        raise ExperimentError(f"{record.name} has no finished trial yet, so there is no model to pack")
    evaluation = record.evaluated_best
    if evaluation is None:
        raise ExperimentError(
            f"{record.name} is {record.state.value}, and its best trial has not met the test lines yet: "
            f"wait for it, or let it finish with `resume {record.name}`"
        )
    dataset = Dataset.load(workspace.dataset_directory(record.experiment.dataset))
    split = load_split(record.directory)
    preparation = Preparation.load(record.directory)
    metrics = BundleMetrics(
        network=NetworkMetrics(validation=evaluation.validation, test=evaluation.test),
        baselines=record.baselines or None,
        test_evaluations=evaluation.test_evaluations,
    )
    network, loci = bundled_network(record), training_loci(dataset, split)
    learned = split.train if network.refit is None else np.arange(dataset.lines)
    files: dict[str, bytes | Path] = {
        **network_files(best, network),
        "predictions.csv": record.directory / PREDICTIONS_FILE,
        **data_files(dataset, split, preparation, record.experiment.preprocessing, learned=learned, loci=loci),
        "metrics.json": _json(metrics.to_dict()),
        "trials.csv": csv_text(trials_table(record.trials)).encode(),
        "space.yaml": yaml.safe_dump(record.experiment.space.to_dict(), sort_keys=False).encode(),
        "experiment.json": _json(record.experiment.to_dict()),
        MODEL_CARD: model_card(record, dataset, split, preparation.sentences, loci=loci).encode(),
    }
    missing = [name for name, content in files.items() if isinstance(content, Path) and not content.is_file()]
    if missing:
        raise ExperimentError(f"{record.name} has lost {missing[0]} of its best trial: rerun the experiment")
    if network.refit is not None:
        # What was judged and what was packed, one after the other.
        files[LOG_FILE] = b"".join(path.read_bytes() for path in _logs(best, network))
    seeds = {"experiment": record.experiment.seed, "split": record.experiment.split.seed, "trial": best.seed}
    if network.refit is not None:
        seeds["refit"] = network.refit.seed
    description = BundleDescription(
        experiment=record.name,
        trial=best.number,
        seeds=seeds,
        xla=best.xla,
        dataset_sha256=record.experiment.dataset,
        source=record.experiment.source,
        learned_lines=network.learned_lines(len(split.train)),
        made_of=made_of(record),
    )
    return write_bundle(
        path or bundle_path(workspace, record), files, description=description, program=bundle_program()
    )


def network_files(best: TrialRecord, network: BundledNetwork) -> dict[str, Path]:
    """Return the paths of the files of a bundle that come with its network, whether or not they are there.

    Args:
        best: best trial of the experiment.
        network: that the bundle holds.

    Returns:
        Paths by the names that the files have in a bundle.
    """
    directory = best.directory if network.refit is None else best.directory / REFIT_FOLDER
    return {name: directory / name for name in (MODEL_FILE, HYPERPARAMETERS_FILE, LOG_FILE)}


def _logs(best: TrialRecord, network: BundledNetwork) -> list[Path]:
    """Return the logs of the trial and of its refit, as far as they are there."""
    folders = [best.directory] if network.refit is None else [best.directory, best.directory / REFIT_FOLDER]
    return [folder / LOG_FILE for folder in folders if (folder / LOG_FILE).is_file()]


def bundle_is_current(workspace: Workspace, record: ExperimentRecord) -> bool:
    """Return whether the bundle that was packed last was made of what the experiment is now.

    Its contents are compared, no times: a clock may have been set back meanwhile.

    Args:
        workspace: of the experiment.
        record: of the experiment.
    """
    # Only a beginning of one file is read: a page asks, and another bundle may have been put there.
    manifest = read_beginning(bundle_path(workspace, record), MANIFEST, limit=MAXIMUM_JSON_BYTES)
    try:
        values = json.loads(manifest or b"")
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("made_of") == made_of(record)


def made_of(record: ExperimentRecord) -> str:
    """Return a checksum of everything that a bundle of the experiment's best trial is made of.

    Args:
        record: of an experiment whose files are there; one that is lost, or no
            ordinary file, counts as empty.
    """
    trials = [
        {name: value for name, value in trial.to_dict().items() if name != "directory"} for trial in record.trials
    ]
    values = {
        "program": gwas_core.__version__,
        "experiment": record.experiment.to_dict(),
        "state": [record.state.value, record.reason],
        "trials": trials,
        "baselines": {name: to_json_values(result) for name, result in (record.baselines or {}).items()},
        "evaluation": None if record.final_evaluation is None else to_json_values(record.final_evaluation),
        "refit": None if record.refit is None else to_json_values(record.refit),
    }
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    names = (MODEL_FILE, HYPERPARAMETERS_FILE, LOG_FILE)
    best = () if record.best is None else (record.best.directory, record.best.directory / REFIT_FOLDER)
    files = [folder / name for folder in best for name in names]
    for path in (*files, *(record.directory / name for name in (PREDICTIONS_FILE, SPLIT_FILE, *PREPARATION_FILES))):
        try:
            with open_regular_file(path) as file:
                digest.update(f"\n{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
        except (FileNotFoundError, InputError):
            digest.update(f"\n{path.name}".encode())
    return digest.hexdigest()


def trials_table(trials: tuple[TrialRecord, ...]) -> pd.DataFrame:
    """Return trials as a table.

    Args:
        trials: of one experiment.

    Returns:
        A row for each trial, in the order given: number, state, metrics on the validation lines, best_epoch, epochs,
        parameters (``parameter:NAME``), seconds, seed and reason.
    """
    rows = [
        {
            "number": trial.number,
            "state": trial.state.value,
            **trial.metrics,
            "best_epoch": trial.best_epoch,
            "epochs": trial.epochs,
            **{f"parameter:{name}": value for name, value in trial.parameters.items()},
            "seconds": trial.seconds,
            "seed": trial.seed,
            "xla": trial.xla,
            "reason": trial.reason,
        }
        for trial in trials
    ]
    return pd.DataFrame(rows)


def bundle_program() -> BundleProgram:
    """Return this program and machine, with the time, for the manifest of a bundle that is packed now."""
    return BundleProgram(
        program=f"deep-gwas-dashboard {gwas_core.__version__}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        platform=f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    )


def data_files(
    dataset: Dataset,
    split: Split,
    preparation: Preparation,
    settings: PreprocessingSettings,
    *,
    learned: NDArray[np.int64] | None = None,
    loci: Loci | None = None,
) -> dict[str, bytes | Path]:
    """Return the files of a bundle that tell what a network was trained on and how to prepare new lines alike.

    Args:
        dataset: prepared, without missing genotypes.
        split: rows of ``dataset``.
        preparation: of ``dataset``, with the imputation table for new lines.
        settings: of filters and imputation.
        learned: rows that the network of the bundle learned; the training lines if None.
        loci: tests of single SNPs; if None, they are computed.

    Returns:
        Contents by file name; without ``loci.csv`` if no SNP can be tested.
    """
    rows = split.train if learned is None else learned
    table = (loci or training_loci(dataset, split)).table
    return {
        **({} if table is None else {LOCI: csv_text(table, float_format="%.6g").encode()}),
        "preprocessing.json": _json(to_json_values(_preprocessing(dataset, rows, preparation, settings))),
        "snps.csv": csv_text(_snps(dataset, rows, preparation)).encode(),
        "imputation.npz": _arrays(preparation),
        "split.json": _json(split.to_dict() | {"line_names": list(dataset.line_names)}),
        "reload.py": _reload_snippet(),
    }


def _preprocessing(
    dataset: Dataset, learned: NDArray[np.int64], preparation: Preparation, settings: PreprocessingSettings
) -> BundlePreprocessing:
    standardisation = Standardisation.of(dataset.phenotype[learned])
    return BundlePreprocessing(
        phenotype=PhenotypeCoding(
            name=dataset.trait,
            mean=standardisation.mean,
            standard_deviation=standardisation.standard_deviation,
        ),
        genotypes=GenotypeCoding(imputation=settings.imputation),
        settings=settings,
        report=preparation.report,
    )


def _snps(dataset: Dataset, learned: NDArray[np.int64], preparation: Preparation) -> pd.DataFrame:
    statistics = AlleleStatistics.of(np.ascontiguousarray(dataset.genotypes[learned]))
    return dataset.snps.assign(
        imputed_value=preparation.imputation.values,
        allele_frequency=(statistics.mean.astype(np.float64) / 2).round(6),
    )


def _arrays(preparation: Preparation) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **preparation.imputation.to_arrays())
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _reload_snippet() -> bytes:
    return RELOAD_SNIPPET.read_bytes()
