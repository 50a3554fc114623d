"""The datasets somebody loaded, ready to be searched again, and the files that were uploaded for them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gwas_core.errors import InputError, SettingsError
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.quality import QualityReport, quality_report
from gwas_core.genotypes.text_stream import SIZE_LIMIT
from gwas_core.messages import quoted
from gwas_core.workspace import Workspace

_ABOUT, _QUALITY = "about.json", "quality.json"
_HASH = re.compile(r"[0-9a-f]{64}")
_LONGEST_SOURCE = 200
_CHUNK_SIZE = 1024**2
_LARGEST_ABOUT = 1024**2
_ENDINGS = (".txt.gz", ".tsv.gz", ".csv.gz", ".gz", ".txt", ".tsv", ".csv")
# What was uploaded is needed until its columns are agreed on; a day later nobody is waiting any more.
_UPLOAD_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class LibraryEntry:
    """A dataset of the library in one line.

    Attributes:
        hash: its content hash, by which it is loaded.
        source: the file's name, for people.
        added: UTC, ISO 8601.
        families: how many; 0 where none are known.
        notes: what reading the file had to say.

    Raises:
        InputError: a value that is none, as a damaged file may hold.
    """

    hash: str
    source: str
    added: str
    trait: str
    lines: int
    snps: int
    families: int
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        texts = (self.hash, self.source, self.added, self.trait, *self.notes)
        counts = (self.lines, self.snps, self.families)
        if not all(isinstance(text, str) for text in texts) or not all(type(count) is int for count in counts):
            raise InputError("an entry of the library holds texts, whole numbers and notes: load the file again")
        try:
            is_aware = datetime.fromisoformat(self.added).tzinfo is not None
        except ValueError as error:
            raise InputError(f"{quoted(self.added)} is no time: load the file again") from error
        if not is_aware or min(counts) < 0:
            raise InputError("an entry of the library has a time with its zone and no negative numbers")


class DatasetLibrary:
    """Datasets as they were read, missing genotypes and all, in ``_library`` of the workspace.

    Apart from the prepared datasets of experiments, so that deleting one here never takes the data from an
    experiment.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._datasets = workspace.root / "_library"
        self._uploads = workspace.root / "_uploads"

    def add(self, dataset: Dataset, *, source: str, notes: tuple[str, ...] = ()) -> str:
        """Keep a dataset and return its hash; one that is there already only gets the new source and notes."""
        content_hash = dataset.content_hash
        directory = dataset.save(self._directory(content_hash))
        entry = LibraryEntry(
            hash=content_hash,
            source=_printable(source),
            added=datetime.now(UTC).isoformat(timespec="milliseconds"),
            trait=dataset.trait,
            lines=dataset.lines,
            snps=len(dataset.snps),
            families=0 if dataset.family is None else len(np.unique(dataset.family)),
            notes=tuple(notes),
        )
        # Last: a folder is an entry from the moment it has this.
        write_json(directory / _ABOUT, asdict(entry))
        return content_hash

    def holds(self, content_hash: str) -> bool:
        """Whether it is there, whole."""
        return _entry(self._directory(content_hash)) is not None

    def entries(self) -> tuple[LibraryEntry, ...]:
        """All datasets, the one added last first; folders that are no datasets of ours are passed over."""
        folders = self._datasets.iterdir() if self._datasets.is_dir() else ()
        found = [_entry(folder) for folder in folders if _HASH.fullmatch(folder.name)]
        known = (entry for entry in found if entry is not None)
        return tuple(sorted(known, key=lambda entry: datetime.fromisoformat(entry.added), reverse=True))

    def load(self, content_hash: str) -> Dataset:
        """Open a dataset; its genotypes stay on disk.

        Raises:
            SettingsError: no hash. InputError: no dataset of this hash.
        """
        directory = self._directory(content_hash)
        if not directory.is_dir():
            raise InputError(f"there is no dataset {content_hash[:12]} here: it was deleted, so load its file again")
        return Dataset.load(directory)

    def quality(self, content_hash: str) -> QualityReport:
        """The quality report; computed once, then read.

        Raises:
            As ``load``.
        """
        path = self._directory(content_hash) / _QUALITY
        try:
            return QualityReport.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            # Not there yet, or of another version.
            report = quality_report(self.load(content_hash))
        write_json(path, report.to_dict())
        return report

    def delete(self, content_hash: str) -> None:
        """Remove a dataset; experiments keep their own prepared copy.

        Raises:
            As ``load``.
        """
        directory = self._directory(content_hash)
        if not directory.is_dir():
            raise InputError(f"there is no dataset {content_hash[:12]} here: it was deleted already")
        # First: half a folder is no entry.
        (directory / _ABOUT).unlink(missing_ok=True)
        shutil.rmtree(directory)

    def store_upload(self, stream: BinaryIO, name: str, *, size_limit: int = SIZE_LIMIT) -> Path:
        """Copy an uploaded file to disk, named by its SHA-256; of ``name`` only a usual ending is kept.

        Raises:
            InputError: it holds more than ``size_limit`` bytes, or the disk does not take it; nothing of it stays.
        """
        self._remove_old_uploads()
        digest = hashlib.sha256()
        ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
        temporary: Path | None = None
        try:
            self._uploads.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._uploads, prefix=".", delete=False) as file:
                temporary = Path(file.name)
                while chunk := stream.read(_CHUNK_SIZE):
                    if file.tell() + len(chunk) > size_limit:
                        raise InputError(
                            f"{quoted(name)} is larger than {size_limit / 1024**2:,.0f} MiB, the limit of an upload: "
                            "put it on the server and give its path, or leave out lines or SNPs"
                        )
                    digest.update(chunk)
                    file.write(chunk)
            target = self._uploads / f"{digest.hexdigest()}{ending}"
            temporary.replace(target)
        except OSError as error:
            raise InputError(
                f"{quoted(name)} cannot be stored ({error.strerror or 'unknown reason'}): free some disk space, and "
                "see that the workspace can be written"
            ) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
        return target

    def _directory(self, content_hash: str) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise SettingsError(f"{quoted(content_hash)} is not a dataset's content hash", field="dataset")
        return self._datasets / content_hash

    def _remove_old_uploads(self) -> None:
        if not self._uploads.is_dir():
            return
        oldest = time.time() - _UPLOAD_SECONDS
        for path in self._uploads.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:
                # Somebody else removed it first, or it is not ours to remove.
                continue


def _entry(folder: Path) -> LibraryEntry | None:
    try:
        with (folder / _ABOUT).open("rb") as file:
            content = file.read(_LARGEST_ABOUT + 1)
        if len(content) > _LARGEST_ABOUT:
            return None
        values = json.loads(content)
        # What a later version adds is passed over; what is missing is not.
        known = {field.name: values[field.name] for field in fields(LibraryEntry)}
        return LibraryEntry(**{**known, "hash": folder.name, "notes": tuple(values["notes"])})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _printable(text: str) -> str:
    """A source as an experiment takes it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:_LONGEST_SOURCE]
