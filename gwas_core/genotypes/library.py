"""Library of the datasets as read (``_library``), and of uploaded files, which are kept for a day.

Also here: what a list of datasets shows; the refusal of an upload that is too large; that quality reports, and whatever
else is worked out of a dataset, are computed once.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gwas_core.errors import InputError, SettingsError
from gwas_core.files import read_json, synchronise, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.quality import QualityReport, quality_report
from gwas_core.genotypes.text_stream import SIZE_LIMIT
from gwas_core.messages import quoted
from gwas_core.serialization import Record, from_json_values, to_json_values
from gwas_core.workspace import Workspace

_ABOUT, _QUALITY = "about.json", "quality.json"
_HASH = re.compile(r"[0-9a-f]{64}")
_LONGEST_SOURCE = 200
_CHUNK_SIZE = 1024**2
_LARGEST_ABOUT, _LARGEST_RECORD = 1024**2, 64 * 1024**2
_ENDINGS = (".txt.gz", ".tsv.gz", ".csv.gz", ".gz", ".txt", ".tsv", ".csv")
# An uploaded file is needed until the roles of its columns are confirmed; a day later nobody waits for it any more.
_UPLOAD_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class LibraryEntry:
    """Summary of one dataset of the library.

    Attributes:
        hash: content hash, by which the dataset is loaded.
        source: name of the file, for people.
        added: time in UTC, ISO 8601.
        families: number of families; 0 if none are known.
        notes: sentences of the reader on what was guessed.

    Raises:
        InputError: the time is none or lacks its zone, or a number is negative, as in a damaged file.
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
        try:
            is_aware = datetime.fromisoformat(self.added).tzinfo is not None
        except ValueError as error:
            raise InputError(f"{quoted(self.added)} is no time: load the file again") from error
        if not is_aware or min(self.lines, self.snps, self.families) < 0:
            raise InputError("an entry of the library has a time with its zone and no negative numbers")


class DatasetLibrary:
    """Datasets as they were read, before filters and imputation, in the folder ``_library`` of the workspace.

    They are kept apart from the prepared datasets of experiments, so that deleting one here never takes the data from
    an experiment.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._datasets = workspace.root / "_library"
        self._uploads = workspace.root / "_uploads"

    def add(self, dataset: Dataset, *, source: str, notes: tuple[str, ...] = ()) -> str:
        """Add a dataset and return its content hash; one that is there already only gets the new source and notes.

        Args:
            dataset: as read, before filters and imputation.
            source: name of the file, for people.
            notes: sentences of the reader on what was guessed.
        """
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
        # Written last: a folder is an entry as soon as it holds this file.
        write_json(directory / _ABOUT, to_json_values(entry))
        return content_hash

    def holds(self, content_hash: str) -> bool:
        """Return whether a dataset is there and complete.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.
        """
        return _entry(self._directory(content_hash)) is not None

    def entries(self) -> tuple[LibraryEntry, ...]:
        """Return a summary of each dataset, the one added last first; other folders are ignored."""
        folders = self._datasets.iterdir() if self._datasets.is_dir() else ()
        found = [_entry(folder) for folder in folders if _HASH.fullmatch(folder.name)]
        known = (entry for entry in found if entry is not None)
        return tuple(sorted(known, key=lambda entry: datetime.fromisoformat(entry.added), reverse=True))

    def load(self, content_hash: str) -> Dataset:
        """Open a dataset; its genotypes stay on disk.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.

        Returns:
            The dataset with memory-mapped genotypes.

        Raises:
            SettingsError: ``content_hash`` is no hash.
            InputError: there is no dataset with this hash.
        """
        directory = self._directory(content_hash)
        if not directory.is_dir():
            raise InputError(f"there is no dataset {content_hash[:12]} here: it was deleted, so load its file again")
        return Dataset.load(directory)

    def kept_quality(self, content_hash: str) -> QualityReport | None:
        """Return the quality report of a dataset if it was computed before, else None.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.

        Raises:
            SettingsError: ``content_hash`` is no hash.
        """
        return self.kept_record(content_hash, QualityReport, file_name=_QUALITY)

    def quality(self, content_hash: str) -> QualityReport:
        """Return the quality report of a dataset, which is computed the first time and then kept.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.

        Raises:
            SettingsError: ``content_hash`` is no hash.
            InputError: there is no dataset with this hash.
        """
        report = self.kept_quality(content_hash)
        if report is None:
            report = quality_report(self.load(content_hash))
            self.keep_record(content_hash, report, file_name=_QUALITY)
        return report

    def kept_record(self, content_hash: str, kind: type[Record], *, file_name: str) -> Record | None:
        """Return what was worked out of a dataset and kept; None if it was not yet, is damaged, or of another version.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.
            kind: dataclass of the record.
            file_name: of its file in the folder of the dataset.

        Raises:
            SettingsError: ``content_hash`` is no hash.
        """
        path = self._directory(content_hash) / file_name
        try:
            return from_json_values(kind, read_json(path, limit=_LARGEST_RECORD), name=file_name, error=InputError)
        except (OSError, ValueError):  # ``InputError`` is a ``ValueError``
            return None

    def keep_record(self, content_hash: str, record: Any, *, file_name: str) -> None:
        """Keep what was worked out of a dataset beside it, until the dataset is deleted.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.
            record: an instance of a dataclass, all of whose numbers are finite.
            file_name: of its file in the folder of the dataset.

        Raises:
            SettingsError: ``content_hash`` is no hash.
        """
        write_json(self._directory(content_hash) / file_name, to_json_values(record))

    def delete(self, content_hash: str) -> None:
        """Delete a dataset; experiments keep their own prepared copy.

        Args:
            content_hash: of the dataset, 64 hexadecimal digits.

        Raises:
            SettingsError: ``content_hash`` is no hash.
            InputError: there is no dataset with this hash.
        """
        directory = self._directory(content_hash)
        if not directory.is_dir():
            raise InputError(f"there is no dataset {content_hash[:12]} here: it was deleted already")
        # Removed first, so that a half-deleted folder is no entry.
        (directory / _ABOUT).unlink(missing_ok=True)
        shutil.rmtree(directory)

    def store_upload(self, stream: BinaryIO, name: str, *, size_limit: int = SIZE_LIMIT) -> Path:
        """Copy an uploaded file to disk and return its path, which is named by its SHA-256.

        Args:
            stream: content of the file.
            name: as the browser gave it; only a known ending of it is kept.
            size_limit: in bytes.

        Raises:
            InputError: the file is larger than the limit, or cannot be written; nothing of it stays.
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
            # Content before name: what has the name of its hash is taken for that content.
            synchronise(temporary)
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
                # Another process removed it first, or it may not be removed.
                continue


def _entry(folder: Path) -> LibraryEntry | None:
    try:
        values = read_json(folder / _ABOUT, limit=_LARGEST_ABOUT)
        # Entries that a later version adds are ignored.
        entry = from_json_values(LibraryEntry, values, name="library entry", error=InputError, ignore_unknown=True)
        return replace(entry, hash=folder.name)
    except (OSError, ValueError):
        return None


def _printable(text: str) -> str:
    """Return the name of a source as an experiment accepts it: printable and not too long."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:_LONGEST_SOURCE]
