"""Bundle, one zip with a trained network and all that explains it: its files, and the checks before it is opened.

Also here: which files and layers are allowed; zip bombs, links, checksums, damaged or foreign files; layers that could
run code and weights that point elsewhere; the same bytes for the same content.

A bundle holds a Keras network, JSON, CSV, YAML and Markdown. A bundle that is opened is not trusted before it was
checked: first names, sizes and checksums, then the network's layers against a list of those that our networks have,
before Keras reads the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from gwas_core.errors import BundleError, InputError
from gwas_core.files import atomic_path
from gwas_core.genotypes.imputation import ImputationTable
from gwas_core.messages import quoted
from gwas_core.model.metrics import BaselineMetrics, PredictionMetrics
from gwas_core.model.trainer import Standardisation
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.spreadsheets import read_csv

FORMAT = 1
MANIFEST = "manifest.json"
REQUIRED_FILES = ("model.keras", "preprocessing.json", "snps.csv", "hyperparameters.json", "metrics.json")
OPTIONAL_FILES = (
    "MODEL_CARD.md",
    "reload.py",
    "trials.csv",
    "space.yaml",
    "split.json",
    "experiment.json",
    "predictions.csv",
    "imputation.npz",
    "log.txt",
)
_ALLOWED_FILES = frozenset((MANIFEST, *REQUIRED_FILES, *OPTIONAL_FILES))

MAXIMUM_BYTES = 2 * 1024**3
"""Maximum size of an unpacked bundle in bytes; a network of the published size has about 13 MB."""
_MAXIMUM_JSON_BYTES = 200 * 1024**2
# Deflate reaches a ratio of about 1,000 for zeros; text and weights stay far below.
_MAXIMUM_RATIO = 200
_SMALL = 1024**2
_CHUNK = 1024**2

# A .keras file is a zip, too: these are its members, and the classes that our networks consist of.
_KERAS_FILES = frozenset(("config.json", "metadata.json", "model.weights.h5"))
_KERAS_CLASSES = frozenset(
    [
        "Functional",
        "InputLayer",
        "Conv1D",
        "Dense",
        "EinsumDense",
        "Dot",
        "ZeroPadding1D",
        "Dropout",
        "Flatten",
        "Reshape",
        "BatchNormalization",
        "Normalization",
        "Rescaling",
        "Add",
        "Concatenate",
        "OneHot",
        "Cast",
        "L1L2",
        "L2",
        "L1",
        "DTypePolicy",
        "GlorotUniform",
        "GlorotNormal",
        "HeNormal",
        "HeUniform",
        "TruncatedNormal",
        "RandomNormal",
        "RandomUniform",
        "VarianceScaling",
        "Zeros",
        "Ones",
        "__keras_tensor__",
        "Activation",
        "LayerNormalization",
        "SeparableConv1D",
        "LocallyConnected1D",
        "MaxPooling1D",
        "AveragePooling1D",
        "GlobalAveragePooling1D",
        "GlobalMaxPooling1D",
        "Multiply",
        "Subtract",
        "Average",
    ]
)


@dataclass(frozen=True, kw_only=True)
class BundledFile:
    """Size and checksum of a file in a bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class BundleDescription:
    """Origin of a bundle's model.

    Attributes:
        experiment: name of the experiment.
        trial: number of the trial in its experiment; in a pipeline, the name of its run.
        seeds: of the experiment, the split and the trial, as far as they are known.
        xla: whether training was compiled by XLA; None if it is not known.
        dataset_sha256: hash of the dataset's content.
        source: name of the file that the data came from.
    """

    experiment: str = ""
    trial: int | str | None = None
    seeds: Mapping[str, int | None] = field(default_factory=dict)
    xla: bool | None = None
    dataset_sha256: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class BundleProgram:
    """Program and machine that made a bundle.

    Attributes:
        program: name and version.
        created: time in UTC, ISO 8601.
        versions: of Python and of the packages that decide figures, by name.
        platform: system, machine and number of processors.
    """

    program: str = ""
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest(BundleDescription, BundleProgram):
    """Contents of ``manifest.json``: origin of the model, and the files of the bundle.

    Attributes:
        format: version of the layout, ``FORMAT``.
        files: size and checksum of each file by name, without the manifest itself.
    """

    format: int
    files: Mapping[str, BundledFile]


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
            if name not in _ALLOWED_FILES:
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
    """
    with _checked_archive(path) as archive:
        manifest = _manifest(archive, path)
        contents = {name: _content(archive, path, name, manifest) for name in manifest.files}
    preprocessing = _json(contents["preprocessing.json"], path, "preprocessing.json")
    try:
        snps = read_csv(
            contents["snps.csv"],
            dtype={"name": str, "chromosome": str},
            keep_default_na=False,
        )
        imputation = _imputation(contents, snps)
        phenotype = preprocessing["phenotype"]
        standardisation = Standardisation(float(phenotype["mean"]), float(phenotype["standard_deviation"]))
        trait = str(phenotype["name"])
        snps = snps[["name", "chromosome", "position", "allele_frequency"]]
        if not (np.isfinite(standardisation.mean) and standardisation.standard_deviation > 0):
            raise ValueError("phenotype")
    except (KeyError, TypeError, ValueError, pd.errors.ParserError) as error:
        raise BundleError(
            f"{path.name} describes its preprocessing in a way that cannot be read: make the bundle again"
        ) from error
    return Bundle(
        model=_load_network(contents["model.keras"], path, snps=len(snps)),
        snps=snps,
        imputation=imputation,
        standardisation=standardisation,
        trait=trait,
        metrics=_metrics(_json(contents["metrics.json"], path, "metrics.json")),
        manifest=manifest,
    )


@contextmanager
def _checked_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the zip after its directory was checked."""
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BundleError(f"there is no file {path}: check the path of the bundle") from error
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BundleError(f"{path.name} is not a model bundle: a bundle is a zip made by this program") from error
    with archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) != len(names):
            raise BundleError(f"{path.name} holds a file twice: it was tampered with; do not use it")
        for entry in entries:
            _check_entry(entry, path, _ALLOWED_FILES)
        if sum(entry.file_size for entry in entries) > MAXIMUM_BYTES:
            raise BundleError(f"{path.name} would unpack to more than {MAXIMUM_BYTES // 1024**3} GB: it is no bundle")
        yield archive


def _check_entry(entry: zipfile.ZipInfo, path: Path, allowed: frozenset[str]) -> None:
    if entry.filename not in allowed:
        raise BundleError(
            f"{path.name} holds {quoted(entry.filename)}, which no bundle of ours does: it is not one, "
            "or was tampered with"
        )
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise BundleError(f"{path.name} holds a link or an encrypted file: it is not a bundle of ours")
    if entry.file_size > _SMALL and entry.file_size > _MAXIMUM_RATIO * max(entry.compress_size, 1):
        raise BundleError(f"{path.name} unpacks to far more than its size (a zip bomb): do not use it")


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    if MANIFEST not in archive.namelist():
        raise BundleError(f"{path.name} has no {MANIFEST}: it is not a bundle of ours")
    values = _json(_read(archive, path, MANIFEST, limit=_SMALL), path, MANIFEST)
    if values.get("format") != FORMAT:
        raise BundleError(
            f"{path.name} has format {quoted(str(values.get('format')), limit=20)}, this program reads {FORMAT}: "
            "use the version that made it"
        )
    try:
        manifest = from_json_values(Manifest, values, name="manifest", error=InputError, ignore_unknown=True)
    except InputError as error:
        raise BundleError(f"{MANIFEST} in {path.name} cannot be read ({error}): make the bundle again") from error
    if set(manifest.files) != set(archive.namelist()) - {MANIFEST}:
        raise BundleError(f"{path.name} does not hold the files its manifest lists: it was tampered with")
    missing = [name for name in REQUIRED_FILES if name not in manifest.files]
    if missing:
        raise BundleError(f"{path.name} lacks {missing[0]}: make the bundle again")
    return manifest


def _content(archive: zipfile.ZipFile, path: Path, name: str, manifest: Manifest) -> bytes:
    data = _read(archive, path, name, limit=archive.getinfo(name).file_size)
    if manifest.files[name].sha256 != hashlib.sha256(data).hexdigest():
        raise BundleError(f"{name} in {path.name} is not what its manifest says: it was damaged or tampered with")
    return data


def _read(archive: zipfile.ZipFile, path: Path, name: str, *, limit: int) -> bytes:
    """Return the bytes of a member, and refuse more than its directory entry says."""
    try:
        with archive.open(name) as stream:
            return _read_at_most(stream, limit)
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{name} in {path.name} cannot be unpacked: the file is damaged; copy it again") from error


def _read_at_most(stream: BinaryIO | Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > limit:
            raise ValueError("longer than promised")
        parts.append(part)
    return b"".join(parts)


def _json(data: bytes, path: Path, name: str) -> JsonObject:
    try:
        if len(data) > _MAXIMUM_JSON_BYTES:
            raise ValueError("too long")
        value = json.loads(data)
        if not isinstance(value, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"{name} in {path.name} cannot be read: make the bundle again") from error
    return value


def _metrics(values: JsonObject) -> BundleMetrics | None:
    try:
        return from_json_values(BundleMetrics, values, name="metrics", error=InputError, ignore_unknown=True)
    except InputError:
        return None


def _imputation(contents: Mapping[str, bytes], snps: pd.DataFrame) -> ImputationTable:
    if "imputation.npz" in contents:
        with np.load(io.BytesIO(contents["imputation.npz"]), allow_pickle=False) as arrays:
            table = ImputationTable.from_arrays(dict(arrays))
    else:
        table = ImputationTable(values=snps["imputed_value"].to_numpy(np.int8), by_family=None)
    if len(table.values) != len(snps):
        raise ValueError("imputation")
    return table


def _load_network(data: bytes, path: Path, *, snps: int) -> Any:
    """Return the network after its own archive was checked as strictly as the bundle."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if set(names) != _KERAS_FILES or len(names) != len(_KERAS_FILES):
                raise BundleError(f"the network in {path.name} holds other files than a Keras network: do not use it")
            for entry in archive.infolist():
                _check_entry(entry, path, _KERAS_FILES)
            config = _json(_read(archive, path, "config.json", limit=_MAXIMUM_JSON_BYTES), path, "config.json")
            weights = _read(archive, path, "model.weights.h5", limit=archive.getinfo("model.weights.h5").file_size)
    except zipfile.BadZipFile as error:
        raise BundleError(f"the network in {path.name} is damaged: make the bundle again") from error
    _check_layers(config, path)
    _check_weights(weights, path)
    from gwas_core.model.trainer import load_model

    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        file.write_bytes(data)
        model = load_model(file)
    if tuple(model.input_shape) != (None, snps):
        raise BundleError(
            f"the network in {path.name} takes {model.input_shape}, but the bundle lists {snps} SNPs: make it again"
        )
    return model


def _check_layers(config: Any, path: Path) -> None:
    """Refuse classes that our networks do not have or that are not Keras's: they could run code or read files."""
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            name, module = value.get("class_name"), value.get("module")
            if "class_name" in value and (not isinstance(name, str) or name not in _KERAS_CLASSES):
                raise BundleError(
                    f"the network in {path.name} holds a {quoted(name)} layer, which ours do not: "
                    "it could run code; do not use it"
                )
            if module is not None and (
                not isinstance(module, str) or module.split(".")[0] not in ("keras", "builtins")
            ):
                raise BundleError(
                    f"the network in {path.name} wants to import {quoted(module)}: it could run code; do not use it"
                )
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _check_weights(data: bytes, path: Path) -> None:
    """Refuse weights that refer to other files or hold anything but numbers, both of which HDF5 allows."""
    import h5py

    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (item.dtype.kind not in "fiub" or item.external):
            # Keras stores the names of variables as text attributes, never as data sets.
            raise BundleError(f"the weights in {path.name} hold something other than numbers ({quoted(name)})")

    def check_links(group: Any) -> None:
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise BundleError(f"the weights in {path.name} point to another file: do not use it")
            if isinstance(group[key], h5py.Group):
                check_links(group[key])

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            check_links(file)
            file.visititems(check)
    except (OSError, RuntimeError, KeyError, RecursionError) as error:
        raise BundleError(f"the weights in {path.name} are damaged: make the bundle again") from error
