"""Reader of bundles that are not trusted: checks everything a bundle holds and writes what a prediction needs.

Also here: which layers are known; weights that point elsewhere, in circles or that unpack; numbers that are not finite;
arrays of SNPs longer than the list of SNPs; a SNP that is named twice.

``bundle.open_bundle`` calls it in a process with limits on memory and time (``processes.limits``). It never builds a
network. Sizes are compared with a bundle's own list of SNPs and with stated limits before anything of that size is
read. What it writes are plain numbers and JSON of this program's own making: ``bundle.json`` (a ``CheckedBundle``),
``arrays.npz`` and ``weights.bin``.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import BundleError, InputError
from gwas_core.genotypes.arrays import ARRAY_ERRORS, check_characters
from gwas_core.messages import quoted
from gwas_core.model.bundle_files import (
    BUNDLE_FILES,
    FORMAT,
    LOCI,
    MANIFEST,
    MAXIMUM_JSON_BYTES,
    MAXIMUM_SNPS,
    MAXIMUM_WEIGHT_BYTES,
    REQUIRED_FILES,
    Manifest,
    check_length,
    member_parts,
    open_zip,
    parse_json,
    read_member,
)
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.spreadsheets import without_formula_mark

CHECKED_FILE = "bundle.json"
ARRAYS_FILE = "arrays.npz"
WEIGHTS_FILE = "weights.bin"

_SMALL_JSON_BYTES = 1024**2
_MAXIMUM_FAMILY_VALUES = 256 * 1024**2
_LONGEST_CELL = 4096
# On average: name, chromosome, position and two numbers take 50.
_BYTES_OF_A_SNP = 128
_MOST_COLUMNS = 20
# On average: name, chromosome, position, alleles and five numbers take 120.
_BYTES_OF_A_LOCUS = 256
_LOCI_COLUMNS = ("name", "position", "beta", "standard_error", "p_value")
_MOST_TENSORS = 1000
_DEEPEST_GROUP = 8
_SLAB = 16 * 1024**2
# Numbers that were trained hardly pack; those that started at zero and stayed there do.
_MAXIMUM_WEIGHT_RATIO = 20

# A .keras file is a zip, too: these are its members, and the classes that our networks consist of.
_KERAS_WEIGHTS = "model.weights.h5"
_KERAS_FILES = frozenset(("config.json", "metadata.json", _KERAS_WEIGHTS))
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
class Tensor:
    """Array of weights.

    Attributes:
        path: place in Keras's file, such as ``layers/dense_1/vars/0``.
        shape: of the array.
    """

    path: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CheckedBundle:
    """Contents of a checked bundle, beside its arrays.

    Attributes:
        manifest: origin of the model and the files of the bundle.
        trait: name of the phenotype.
        mean: of the phenotype that the network learned.
        standard_deviation: of the phenotype that the network learned.
        snps: names, in the order of the network's input.
        chromosomes: one for each SNP.
        families: names of the families in the imputation table; None if families make no difference.
        metrics: metrics of the network and perhaps of baselines.
        hyperparameters: of the network, as they were written.
        network: Keras's description of the network, which is compared and never run.
        tensors: arrays in ``weights.bin``, float32, one after the other.
    """

    manifest: Manifest
    trait: str
    mean: float
    standard_deviation: float
    snps: tuple[str, ...]
    chromosomes: tuple[str, ...]
    families: tuple[str, ...] | None
    metrics: JsonObject
    hyperparameters: JsonObject
    network: JsonObject
    tensors: tuple[Tensor, ...]


def check_bundle(path: str, folder: str) -> None:
    """Check everything in a bundle, and write its arrays and what it says to a folder.

    Args:
        path: of the bundle.
        folder: path of an empty folder, for the results.

    Raises:
        BundleError: the file is not a zip or not a bundle, is damaged, or holds something that does not belong to a
            model.
    """
    bundle = Path(path)
    try:
        _check(bundle, Path(folder), bundle.name)
    except OSError as error:
        raise BundleError(
            f"{bundle.name} cannot be unpacked into {folder} ({error.strerror}): make room there"
        ) from error


def _check(bundle: Path, results: Path, what: str) -> None:
    with open_zip(bundle, allowed=BUNDLE_FILES, what=what) as archive:
        manifest = _manifest(archive, what)
        files = _Files(archive, manifest, results, what)
        preprocessing = files.read_json("preprocessing.json", limit=MAXIMUM_JSON_BYTES)
        metrics = files.read_json("metrics.json", limit=MAXIMUM_JSON_BYTES)
        hyperparameters = files.read_json("hyperparameters.json", limit=_SMALL_JSON_BYTES)
        try:
            trait, mean, deviation = _phenotype(preprocessing)
            snps = _snps(files.read("snps.csv", limit=MAXIMUM_SNPS * _BYTES_OF_A_SNP), what)
            arrays, families = _imputation(files, snps)
        except BundleError:
            raise
        except (csv.Error, *ARRAY_ERRORS) as error:
            raise BundleError(
                f"{what} describes its preprocessing in a way that cannot be read: make the bundle again"
            ) from error
        if LOCI in files:
            _check_loci(files.read(LOCI, limit=MAXIMUM_SNPS * _BYTES_OF_A_LOCUS), snps.names, what)
        packed = archive.getinfo("model.keras").compress_size
        network, tensors = _network(files.copy("model.keras"), results, what, packed=packed)
        for name in manifest.files:
            files.verify(name)
    np.savez(
        results / ARRAYS_FILE,
        allow_pickle=False,
        position=snps.position,
        allele_frequency=snps.allele_frequency,
        **arrays,
    )
    checked = CheckedBundle(
        manifest=manifest,
        trait=trait,
        mean=mean,
        standard_deviation=deviation,
        snps=tuple(snps.names),
        chromosomes=tuple(snps.chromosomes),
        families=families,
        metrics=metrics,
        hyperparameters=hyperparameters,
        network=network,
        tensors=tensors,
    )
    (results / CHECKED_FILE).write_text(json.dumps(to_json_values(checked), allow_nan=False), encoding="utf-8")


def _manifest(archive: zipfile.ZipFile, what: str) -> Manifest:
    if MANIFEST not in archive.namelist():
        raise BundleError(f"{what} has no {MANIFEST}: it is not a bundle of ours")
    values = parse_json(read_member(archive, MANIFEST, limit=_SMALL_JSON_BYTES, what=what), MANIFEST, what=what)
    if values.get("format") != FORMAT:
        raise BundleError(
            f"{what} has format {quoted(str(values.get('format')), limit=20)}, this program reads {FORMAT}: "
            "use the version that made it"
        )
    try:
        manifest = from_json_values(Manifest, values, name="manifest", error=InputError, ignore_unknown=True)
    except InputError as error:
        raise BundleError(f"{MANIFEST} in {what} cannot be read ({error}): make the bundle again") from error
    if set(manifest.files) != set(archive.namelist()) - {MANIFEST}:
        raise BundleError(f"{what} does not hold the files its manifest lists: it was tampered with")
    missing = [name for name in REQUIRED_FILES if name not in manifest.files]
    if missing:
        raise BundleError(f"{what} lacks {missing[0]}: make the bundle again")
    return manifest


class _Files:
    """Files of a bundle, each compared with its checksum once.

    Args:
        archive: opened zip.
        manifest: of the bundle.
        folder: for files that are needed as files.
        what: the bundle in words.
    """

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, folder: Path, what: str) -> None:
        self._archive, self._manifest, self._folder, self._what = archive, manifest, folder, what
        self._verified: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._manifest.files

    def read(self, name: str, *, limit: int) -> bytes:
        """Return the content of a file of at most ``limit`` bytes."""
        check_length(self._archive.getinfo(name).file_size, name, limit=limit, what=self._what)
        return b"".join(self._parts(name))

    def read_json(self, name: str, *, limit: int) -> JsonObject:
        """Return the JSON object in a file of at most ``limit`` bytes."""
        return parse_json(self.read(name, limit=limit), name, what=self._what)

    def copy(self, name: str) -> Path:
        """Return the path of a copy of a file."""
        copy = self._folder / name
        with copy.open("wb") as file:
            file.writelines(self._parts(name))
        return copy

    def verify(self, name: str) -> None:
        """Compare a file that was not read with its checksum."""
        if name not in self._verified:
            for _ in self._parts(name):
                pass

    def _parts(self, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for part in member_parts(self._archive, name, what=self._what):
            digest.update(part)
            yield part
        if self._manifest.files[name].sha256 != digest.hexdigest():
            raise BundleError(f"{name} in {self._what} is not what its manifest says: it was damaged or tampered with")
        self._verified.add(name)


# SNPs and preprocessing


@dataclass(frozen=True, eq=False)
class _Snps:
    """Table of SNPs."""

    names: list[str]
    chromosomes: list[str]
    position: NDArray[np.int64]
    allele_frequency: NDArray[np.float64]
    imputed_value: list[str] | None


def _phenotype(preprocessing: JsonObject) -> tuple[str, float, float]:
    phenotype = preprocessing["phenotype"]
    mean, deviation = float(phenotype["mean"]), float(phenotype["standard_deviation"])
    if not (math.isfinite(mean) and math.isfinite(deviation) and deviation > 0):
        raise ValueError("phenotype")
    trait = str(phenotype["name"])
    if len(trait) > _LONGEST_CELL:
        raise ValueError("trait")
    return trait, mean, deviation


def _snps(data: bytes, what: str) -> _Snps:
    if data.count(b"\n") > MAXIMUM_SNPS + 1:
        raise BundleError(f"{what} lists more than {MAXIMUM_SNPS:,} SNPs, the most that a bundle may have: it is none")
    header, rows = _rows(data)
    columns: dict[str, list[str]] = {name: [] for name in header}
    for row in rows:
        for column, cell in zip(columns.values(), row, strict=True):
            column.append(cell)
    names = [without_formula_mark(name) for name in columns["name"]]
    if not names:
        raise BundleError(f"{what} lists no SNP: make the bundle again")
    if len(set(names)) != len(names):
        named, times = _most_frequent(names)
        raise BundleError(
            f"{what} names the SNP {quoted(named)} {times} times, and a prediction needs each once: "
            "give each SNP a name of its own and train again"
        )
    frequency = np.array([float(cell) for cell in columns["allele_frequency"]], dtype=np.float64)
    if not ((frequency >= 0) & (frequency <= 1)).all():
        raise ValueError("allele_frequency")
    return _Snps(
        names=names,
        chromosomes=[without_formula_mark(name) for name in columns["chromosome"]],
        position=np.array([int(cell) for cell in columns["position"]], dtype=np.int64),
        allele_frequency=frequency,
        imputed_value=columns.get("imputed_value"),
    )


def _rows(data: bytes) -> tuple[list[str], Iterator[list[str]]]:
    """Return the names of a CSV table's columns, and its rows as they are read."""
    csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), strict=True)
    header = next(rows, [])
    if len(header) > _MOST_COLUMNS or len(set(header)) != len(header):
        raise ValueError("header")
    return header, rows


def _check_loci(data: bytes, snps: Sequence[str], what: str) -> None:
    """Refuse associations of other SNPs, or that are no numbers: nothing is computed from them, but people read them.

    Args:
        data: content of the file.
        snps: names of the model's SNPs, in their order.
        what: the bundle in words.
    """
    try:
        header, rows = _rows(data)
        name, *numbers = (header.index(column) for column in _LOCI_COLUMNS)
        # Row by row: as columns of texts, a million SNPs would take most of the memory that reading may.
        for snp, row in zip(snps, rows, strict=True):
            if len(row) != len(header) or without_formula_mark(row[name]) != snp:
                raise ValueError("SNP")
            # Cells of a SNP that cannot be tested are empty.
            if not all(math.isfinite(float(row[place])) for place in numbers if row[place]):
                raise ValueError("number")
    except (csv.Error, *ARRAY_ERRORS) as error:
        raise BundleError(
            f"{LOCI} in {what} is not a table of numbers for each SNP of the model: make the bundle again"
        ) from error


def _most_frequent(names: Sequence[str]) -> tuple[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return max(counts.items(), key=lambda pair: pair[1])


def _imputation(files: _Files, snps: _Snps) -> tuple[dict[str, NDArray[np.int8]], tuple[str, ...] | None]:
    """Return the arrays of the imputation table and its families."""
    number = len(snps.names)
    if "imputation.npz" not in files:
        if snps.imputed_value is None:
            raise ValueError("imputed_value")
        values = np.array([int(cell) for cell in snps.imputed_value])
        arrays, families = {"values": _allele_counts(values)}, None
    else:
        data = files.read("imputation.npz", limit=2 * _MAXIMUM_FAMILY_VALUES)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if sorted(names) not in (["values.npy"], ["families.npy", "family_values.npy", "values.npy"]):
                raise ValueError("arrays")
            arrays = {"values": _allele_counts(_array(archive, "values.npy", kind="i", shape=(number,)))}
            families = None
            if len(names) > 1:
                named = _array(archive, "families.npy", kind="U", shape=(None,))
                families = tuple(str(name) for name in named.tolist())
                shape = (len(families), number)
                arrays["family_values"] = _allele_counts(_array(archive, "family_values.npy", kind="i", shape=shape))
    return arrays, families


def _array(archive: zipfile.ZipFile, name: str, *, kind: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return an array of an npz file whose size fits what is expected, as its header says before it is read.

    Args:
        archive: the npz file.
        name: of the member.
        kind: numpy's letter for the type: ``i`` for int8, ``U`` for text.
        shape: expected; None stands for any length.
    """
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("compression")
    with archive.open(name) as stream:
        found, dtype = _array_header(stream)
        # Text takes four bytes for each character of the longest name.
        known = dtype == np.int8 if kind == "i" else dtype.kind == kind and dtype.itemsize <= 4 * _LONGEST_CELL
        fits = len(found) == len(shape) and all(
            wanted in (None, size) and size >= 0 for size, wanted in zip(found, shape, strict=False)
        )
        size = math.prod(found) * dtype.itemsize
        if not (known and fits and size <= _MAXIMUM_FAMILY_VALUES):
            raise ValueError(name)
        data = stream.read(size + 1)  # one more than there may be: nothing may follow
        if len(data) != size:
            raise ValueError(name)
    array = np.frombuffer(data, dtype=dtype).reshape(found)
    check_characters(array)
    return array


def _array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array in numpy's format, as they stand before its numbers."""
    short = _ShortHeader(stream)
    version = np.lib.format.read_magic(short)
    readers: dict[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, is_fortran, dtype = readers[version](short)
    if is_fortran and len(shape) > 1:
        raise ValueError("order")
    return shape, dtype


class _ShortHeader(io.RawIOBase):
    """Stream that refuses a header of more than 64 kB before it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2**16:
            raise ValueError("header")
        return self._stream.read(size)


def _allele_counts(values: NDArray[Any]) -> NDArray[np.int8]:
    if values.size and not (values.min() >= 0 and values.max() <= 2):
        raise ValueError("allele counts")
    return values.astype(np.int8)


# The network


def _network(path: Path, folder: Path, what: str, *, packed: int) -> tuple[JsonObject, tuple[Tensor, ...]]:
    """Check the network's file, write its weights to ``weights.bin``, and return its description and their shapes.

    Args:
        path: of the network's file, which is removed.
        folder: for the weights.
        what: the bundle in words.
        packed: bytes that the network's file takes in the bundle.
    """
    inside = f"the network in {what}"
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{inside} is damaged: make the bundle again")
    with open_zip(path, allowed=_KERAS_FILES, what=inside) as archive:
        if set(archive.namelist()) != _KERAS_FILES:
            raise BundleError(f"{inside} lacks a file of a Keras network: make the bundle again")
        config = parse_json(
            read_member(archive, "config.json", limit=_SMALL_JSON_BYTES, what=inside), "config.json", what=inside
        )
        _check_layers(config, what)
        size = archive.getinfo(_KERAS_WEIGHTS).file_size
        check_length(size, _KERAS_WEIGHTS, limit=MAXIMUM_WEIGHT_BYTES + _SLAB, what=inside)
        if size > _SLAB and size > _MAXIMUM_WEIGHT_RATIO * packed:
            raise BundleError(f"{inside} unpacks to far more than its size (a zip bomb): do not use it")
        weights = folder / _KERAS_WEIGHTS
        with weights.open("wb") as file:
            file.writelines(member_parts(archive, _KERAS_WEIGHTS, what=inside))
    path.unlink()
    tensors = _copy_weights(weights, folder / WEIGHTS_FILE, what)
    weights.unlink()
    return config, tensors


def _check_layers(config: Any, what: str) -> None:
    """Refuse classes that our networks do not have or that are not Keras's: they could run code or read files.

    This program does not run what a bundle describes; the ``reload.py`` in it does.
    """
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            name, module = value.get("class_name"), value.get("module")
            if "class_name" in value and (not isinstance(name, str) or name not in _KERAS_CLASSES):
                raise BundleError(
                    f"the network in {what} holds a {quoted(name)} layer, which ours do not: "
                    "it could run code; do not use it"
                )
            if module is not None and (
                not isinstance(module, str) or module.split(".")[0] not in ("keras", "builtins")
            ):
                raise BundleError(
                    f"the network in {what} wants to import {quoted(module)}: it could run code; do not use it"
                )
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _copy_weights(path: Path, target: Path, what: str) -> tuple[Tensor, ...]:
    """Write all arrays of Keras's weights file to ``target``, one after the other, after their sizes were checked."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            datasets = _datasets(file, what)
            _check_sizes(datasets, path.stat().st_size, what)
            with target.open("wb") as copy:
                for dataset in datasets.values():
                    _copy_numbers(dataset, copy, what)
            return tuple(Tensor(path=name, shape=tuple(dataset.shape)) for name, dataset in datasets.items())
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, BundleError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BundleError(f"the weights in {what} are damaged: make the bundle again") from error


def _datasets(file: Any, what: str) -> dict[str, Any]:
    """Return the arrays of an HDF5 file by path; each thing in it is met once, or it is refused."""
    import h5py

    found: dict[str, Any] = {}
    met: set[Any] = set()
    pending = [("", file["/"], 0)]
    while pending:
        prefix, group, depth = pending.pop()
        if depth > _DEEPEST_GROUP or len(group) + len(met) > _MOST_TENSORS:
            raise BundleError(f"the weights in {what} are more than {_MOST_TENSORS:,} groups and arrays: do not use it")
        for key in group:
            name = f"{prefix}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise BundleError(f"the weights in {what} point to another file: do not use it")
            item = group[key]
            # Hard links make circles, and one array many.
            address = h5py.h5o.get_info(item.id).addr
            if address in met:
                raise BundleError(f"the weights in {what} hold {quoted(name)} under two names: do not use it")
            met.add(address)
            if isinstance(item, h5py.Group):
                pending.append((f"{name}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                found[name] = item
            else:
                raise BundleError(f"the weights in {what} hold something other than numbers ({quoted(name)})")
    return dict(sorted(found.items()))


def _check_sizes(datasets: Mapping[str, Any], file_bytes: int, what: str) -> None:
    """Refuse arrays that are not stored number by number, as Keras stores them, or that claim more than there is."""
    import h5py

    total = 0
    for name, dataset in datasets.items():
        if dataset.dtype != np.dtype("<f4") or dataset.shape is None:
            raise BundleError(f"the weights in {what} hold something other than numbers ({quoted(name)})")
        layout = dataset.id.get_create_plist()
        if dataset.external or layout.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
            raise BundleError(
                f"the weights in {what} are stored in a way that Keras does not use ({quoted(name)}): do not use it"
            )
        size = math.prod(dataset.shape) * 4
        total += size
        if size != dataset.id.get_storage_size() or total > file_bytes or total > MAXIMUM_WEIGHT_BYTES:
            raise BundleError(
                f"the weights in {what} claim to be larger than their file, or than the "
                f"{MAXIMUM_WEIGHT_BYTES / 1024**3:.3g} GB that a bundle may have ({quoted(name)}): do not use it"
            )


def _copy_numbers(dataset: Any, copy: IO[bytes], what: str) -> None:
    """Append an array's numbers to a file, some rows at a time."""
    shape = dataset.shape
    if not shape:
        parts: Iterator[Any] = iter([dataset[()]])
    else:
        rows = max(1, _SLAB // max(1, 4 * math.prod(shape[1:])))
        parts = (dataset[at : at + rows] for at in range(0, shape[0], rows))
    for part in parts:
        numbers = np.asarray(part, dtype=np.float32)
        if not np.isfinite(numbers).all():
            raise BundleError(
                f"the weights in {what} are not all finite numbers ({quoted(dataset.name)}): they were damaged or "
                "tampered with; do not use it"
            )
        copy.write(numbers.tobytes())
