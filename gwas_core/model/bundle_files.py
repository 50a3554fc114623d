"""Files of a bundle: their names and sizes, the manifest, and the zip that holds them, opened without trust.

Also here: how much a bundle may unpack to; zip bombs, links, a directory of a million entries; JSON without end.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gwas_core.errors import BundleError, InputError
from gwas_core.files import open_regular_file
from gwas_core.messages import quoted

FORMAT = 1
MANIFEST = "manifest.json"
MODEL_CARD = "MODEL_CARD.md"
LOCI = "loci.csv"
REQUIRED_FILES = ("model.keras", "preprocessing.json", "snps.csv", "hyperparameters.json", "metrics.json")
OPTIONAL_FILES = (
    MODEL_CARD,
    LOCI,
    "reload.py",
    "trials.csv",
    "space.yaml",
    "split.json",
    "experiment.json",
    "predictions.csv",
    "imputation.npz",
    "log.txt",
)
BUNDLE_FILES = frozenset((MANIFEST, *REQUIRED_FILES, *OPTIONAL_FILES))

MAXIMUM_BYTES = 2 * 1024**3
"""Maximum size of an unpacked bundle in bytes; a network of the published size has about 13 MB."""
MAXIMUM_WEIGHT_BYTES = 1024**3
"""Maximum size of a network's weights in bytes: 80 times the published network."""
MAXIMUM_SNPS = 1_000_000
"""Maximum number of SNPs of a bundle: 200 times those of the published data."""
MAXIMUM_JSON_BYTES = 16 * 1024**2
"""Maximum size of a JSON file that is read."""

# Deflate reaches a ratio of about 1,000 for zeros; text and weights stay far below.
_MAXIMUM_RATIO = 200
_SMALL = 1024**2
_CHUNK = 1024**2
# Our directories take 2 kB; a comment behind it, which zipfile looks through, has up to 64 kB.
_LARGEST_DIRECTORY = 66 * 1024
_UNPACKING_ERRORS = (
    OSError,
    zipfile.BadZipFile,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True)
class BundledFile:
    """Size and checksum of a file in a bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class LearnedLines:
    """Numbers of lines that two networks learned, of which a bundle holds the second.

    Attributes:
        judged: by the network whose figures ``metrics.json`` holds.
        packed: by the network in the bundle; the same, unless it was trained again on all lines.
    """

    judged: int
    packed: int


@dataclass(frozen=True, kw_only=True)
class BundleDescription:
    """Origin of a bundle's model.

    Attributes:
        experiment: name of the experiment.
        trial: number of the trial in its experiment; in a pipeline, the name of its run.
        seeds: of the experiment, the split, the trial and its refit, as far as they are known.
        xla: whether training was compiled by XLA; None if it is not known.
        dataset_sha256: hash of the dataset's content.
        source: name of the file that the data came from.
        learned_lines: how many lines the network learned; None if it is not known.
        made_of: checksum of what it was packed from, for the program that packed it; empty if nothing asks for it.
    """

    experiment: str = ""
    trial: int | str | None = None
    seeds: Mapping[str, int | None] = field(default_factory=dict)
    xla: bool | None = None
    dataset_sha256: str = ""
    source: str = ""
    learned_lines: LearnedLines | None = None
    made_of: str = ""


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


@contextmanager
def open_zip(path: Path, *, allowed: Collection[str], what: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip and yield it after its directory was checked.

    Args:
        path: of the zip.
        allowed: names of the files that it may hold.
        what: the zip in words, for the messages: ``"best.zip"``.

    Raises:
        BundleError: it is not a zip, or it holds what no bundle of ours does.
    """
    with _opened(path, what) as file:
        try:
            directory = _ShortReads(file)
            archive = zipfile.ZipFile(directory)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
            raise BundleError(f"{what} is not a model bundle: a bundle is a zip made by this program") from error
        directory.is_short = False
        with archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise BundleError(f"{what} holds a file twice: it was tampered with; do not use it")
            for entry in entries:
                _check_entry(entry, what, allowed)
            if sum(entry.file_size for entry in entries) > MAXIMUM_BYTES:
                raise BundleError(f"{what} would unpack to more than {MAXIMUM_BYTES // 1024**3} GB: it is no bundle")
            yield archive


class _ShortReads(io.BufferedReader):
    """File of which only short pieces are read while a zip's directory is.

    ``zipfile`` reads the directory in one piece, of the length that the file claims, and makes an object of half a
    kilobyte of each entry.
    """

    is_short = True

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.is_short:
            return super().read(size)
        data = super().read(_LARGEST_DIRECTORY + 1 if size is None or size < 0 else min(size, _LARGEST_DIRECTORY + 1))
        if len(data) > _LARGEST_DIRECTORY:
            raise ValueError("a directory of thousands of files")
        return data


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Any]:
    try:
        # A pipe or a device would be waited for, or would never end.
        file = open_regular_file(path)
    except FileNotFoundError as error:
        raise BundleError(f"there is no file {path}: check the path of the bundle") from error
    except IsADirectoryError as error:
        raise BundleError(f"{what} is a folder, and not a model bundle: give the zip that was packed") from error
    except InputError as error:
        raise BundleError(str(error)) from error
    except OSError as error:
        raise BundleError(f"{what} cannot be read ({error.strerror}): check the rights on the file") from error
    with file:
        yield file


def _check_entry(entry: zipfile.ZipInfo, what: str, allowed: Collection[str]) -> None:
    if entry.filename not in allowed:
        raise BundleError(
            f"{what} holds {quoted(entry.filename)}, which no bundle of ours does: it is not one, or was tampered with"
        )
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        raise BundleError(f"{what} holds a link or an encrypted file: it is not a bundle of ours")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{what} is packed in a way that no bundle of ours is: unpack it and zip it again")
    if entry.file_size > _SMALL and entry.file_size > _MAXIMUM_RATIO * max(entry.compress_size, 1):
        raise BundleError(f"{what} unpacks to far more than its size (a zip bomb): do not use it")


def member_parts(archive: zipfile.ZipFile, name: str, *, what: str) -> Iterator[bytes]:
    """Yield the bytes of a member in parts of a megabyte, and refuse more than its directory entry says.

    Raises:
        BundleError: the member cannot be unpacked.
    """
    left = archive.getinfo(name).file_size
    try:
        with archive.open(name) as stream:
            while part := stream.read(_CHUNK):
                left -= len(part)
                if left < 0:
                    raise ValueError("longer than promised")
                yield part
    except _UNPACKING_ERRORS as error:
        raise BundleError(f"{name} in {what} cannot be unpacked: the file is damaged; copy it again") from error


def read_member(archive: zipfile.ZipFile, name: str, *, limit: int, what: str) -> bytes:
    """Return the bytes of a member.

    Raises:
        BundleError: the member is longer than ``limit``, or it cannot be unpacked.
    """
    check_length(archive.getinfo(name).file_size, name, limit=limit, what=what)
    return b"".join(member_parts(archive, name, what=what))


def check_length(length: int, name: str, *, limit: int, what: str) -> None:
    """Refuse a file of a bundle that is longer than ``limit`` bytes.

    Raises:
        BundleError: it is.
    """
    if length > limit:
        size = f"{limit / 1024**2:.3g} MB" if limit >= 1024**2 else f"{limit / 1024:.3g} kB"
        raise BundleError(f"{name} in {what} is longer than the {size} that a bundle may have there: it is no bundle")


def parse_json(data: bytes, name: str, *, what: str) -> dict[str, Any]:
    """Return the JSON object that a file of a bundle holds.

    Raises:
        BundleError: it holds none, or a number that is not finite.
    """
    try:
        value = json.loads(data, parse_constant=_refuse, parse_float=_finite)
        if not isinstance(value, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"{name} in {what} cannot be read: make the bundle again") from error
    return value


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _refuse(text)


def read_beginning(bundle: Path, name: str, *, limit: int) -> bytes | None:
    """Return the first bytes of one file of a bundle, or None if there is none; nothing else of the bundle is read.

    Args:
        bundle: of anyone: it is not trusted, and reading it takes little memory and time.
        name: of the file in the bundle.
        limit: number of bytes after which reading ends.
    """
    try:
        with open_zip(bundle, allowed=BUNDLE_FILES, what=bundle.name) as archive, archive.open(name) as file:
            return file.read(limit)
    except (BundleError, KeyError, *_UNPACKING_ERRORS):
        return None
