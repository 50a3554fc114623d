"""Bundle, one zip with a trained network and all that explains it: writing it, and opening it without trust.

Also here: the process with limits that checks a bundle; the same bytes for the same content.

A bundle holds a Keras network, JSON, CSV, YAML and Markdown. One that is opened is not trusted: a process of its own,
with limits on memory and time, checks names, sizes, checksums and numbers (``bundle_reader``), and the network is built
from the hyperparameters by this program (``rebuilding``).
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import atomic_path
from gwas_core.genotypes.imputation import ImputationTable
from gwas_core.messages import quoted
from gwas_core.model.bundle_files import (
    BUNDLE_FILES,
    FORMAT,
    MANIFEST,
    BundleDescription,
    BundledFile,
    BundleProgram,
    LearnedLines,
    Manifest,
)
from gwas_core.model.bundle_reader import ARRAYS_FILE, CHECKED_FILE, WEIGHTS_FILE, CheckedBundle
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.trainer import Standardisation
from gwas_core.processes.limits import call_limited, reading_limits
from gwas_core.serialization import JsonObject, from_json_values, to_json_values

__all__ = [
    "FORMAT",
    "MANIFEST",
    "READING_MEMORY",
    "Bundle",
    "BundleDescription",
    "BundleMetrics",
    "BundleProgram",
    "BundledFile",
    "LearnedLines",
    "Manifest",
    "NetworkMetrics",
    "open_bundle",
    "write_bundle",
]

READING_MEMORY = 2 * 1024**3
"""Most memory that the process which checks a bundle may take, in bytes, unless ``GWAS_READING_MEMORY`` says so."""


@dataclass(frozen=True, kw_only=True)
class NetworkMetrics:
    """Metrics of a bundle's network; ``test`` is None if it was not evaluated on the test lines."""

    validation: PredictionMetrics
    test: PredictionMetrics | None = None


@dataclass(frozen=True, kw_only=True)
class BundleMetrics:
    """Contents of ``metrics.json``.

    Attributes:
        network: metrics of the network.
        baselines: metrics of the simple methods by name; None if they were not computed.
        test_evaluations: number of networks of the search that were evaluated on the test lines.
    """

    network: NetworkMetrics
    baselines: Mapping[str, BaselineMetrics] | None = None
    test_evaluations: int | None = None

    def to_dict(self) -> JsonObject:
        """Return the metrics as JSON values; for a network that never met the test lines, nothing about these."""
        values = to_json_values(self)
        if self.network.test is None:
            return {"network": {"validation": values["network"]["validation"]}}
        return values


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle:
    """Opened and checked bundle.

    Attributes:
        model: Keras network.
        snps: one row per SNP, in the order of the network's input, as in ``Dataset.snps``, with ``allele_frequency`` in
            the training lines.
        imputation: values for missing genotypes.
        standardisation: mean and standard deviation of the phenotype the network learned.
        trait: name of the phenotype.
        metrics: metrics of the network and perhaps of baselines; None if another version wrote them in another form.
        manifest: origin of the model and the files of the bundle.
    """

    model: Any
    snps: pd.DataFrame
    imputation: ImputationTable
    standardisation: Standardisation
    trait: str
    metrics: BundleMetrics | None
    manifest: Manifest


def write_bundle(
    path: Path, files: Mapping[str, bytes | Path], *, description: BundleDescription, program: BundleProgram
) -> Path:
    """Write a bundle atomically.

    Entries have no time stamps, so the same content gives the same bytes.

    Args:
        path: of the zip.
        files: content of each file, or its path, by its name in the bundle.
        description: for the manifest; what is not known is left out there.
        program: for the manifest.

    Returns:
        ``path``.

    Raises:
        ValueError: a file has a name that no bundle has.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        listed: dict[str, JsonObject] = {}
        for name, content in sorted(files.items()):
            if name not in BUNDLE_FILES:
                raise ValueError(f"{name} has no place in a bundle")
            data = content.read_bytes() if isinstance(content, Path) else content
            listed[name] = to_json_values(BundledFile(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
            archive.writestr(_entry(name), data)
        known = {name: value for name, value in to_json_values(description).items() if value not in (None, "")}
        manifest = {"format": FORMAT, **known, **to_json_values(program), "files": listed}
        archive.writestr(_entry(MANIFEST), json.dumps(manifest, indent=2, allow_nan=False))
    return path


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def open_bundle(path: Path) -> Bundle:
    """Check and load a bundle.

    Args:
        path: of the zip, from anywhere: it is not trusted.

    Returns:
        The bundle with its network, ready to predict.

    Raises:
        BundleError: the file is not a zip or not a bundle, is damaged, or holds something that does not belong to a
            model.
        InputError: reading it takes more memory or time than it may.
        SettingsError: a variable that limits these holds no size or number.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        call_limited(
            "gwas_core.model.bundle_reader:check_bundle",
            {"path": str(path.absolute()), "folder": str(folder)},
            limits=reading_limits(default_memory=READING_MEMORY),
            subject=f"reading {quoted(path.name)}",
        )
        checked = from_json_values(
            CheckedBundle,
            json.loads((folder / CHECKED_FILE).read_text(encoding="utf-8")),
            name="bundle",
            error=InputError,
        )
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
            arrays = dict(stored)
        from gwas_core.model.rebuilding import rebuild_network

        model = rebuild_network(
            checked.hyperparameters,
            checked.network,
            _weights(folder / WEIGHTS_FILE, checked),
            snps=len(checked.snps),
            what=path.name,
        )
    return Bundle(
        model=model,
        snps=pd.DataFrame(
            {
                "name": pd.Series(checked.snps, dtype="str"),
                "chromosome": pd.Series(checked.chromosomes, dtype="str"),
                "position": arrays["position"],
                "allele_frequency": arrays["allele_frequency"],
            }
        ),
        imputation=ImputationTable(
            values=arrays["values"],
            by_family=None
            if checked.families is None
            else dict(zip(checked.families, arrays["family_values"], strict=True)),
        ),
        standardisation=Standardisation(checked.mean, checked.standard_deviation),
        trait=checked.trait,
        metrics=_metrics(checked.metrics),
        manifest=checked.manifest,
    )


def _metrics(values: JsonObject) -> BundleMetrics | None:
    try:
        return from_json_values(BundleMetrics, values, name="metrics", error=InputError, ignore_unknown=True)
    except InputError:
        return None


def _weights(path: Path, checked: CheckedBundle) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a file of weights by their path, read as they are needed."""
    numbers = np.memmap(path, dtype=np.float32, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.float32)
    weights, at = {}, 0
    for tensor in checked.tensors:
        weights[tensor.path] = numbers[at : at + math.prod(tensor.shape)].reshape(tensor.shape)
        at += math.prod(tensor.shape)
    return weights
