"""Facts that a person gives of a study: its name, notes and tags, and whether it is archived."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from gwas_core.errors import ExperimentError, InputError, SettingsError
from gwas_core.files import read_json, write_json
from gwas_core.messages import counted, quoted
from gwas_core.processes.locks import FileLock
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.workspace import Workspace

LONGEST_NAME, LONGEST_NOTES, LONGEST_TAG, MOST_TAGS = 120, 20_000, 40, 20

_KEY = re.compile(r"x?[0-9a-f]{16}")
_FOLDER = "_studies"
_LARGEST_FILE = 1024**2
_LOCK_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class StudyAbout:
    """Facts that a person gives of a study.

    Attributes:
        name: in place of one that is made of trait and file; empty for that one.
        notes: Markdown.
        tags: in the order given, no two the same.
        archived: whether lists leave it out at first.

    Raises:
        SettingsError: naming the field that is too long, or that holds control characters.
    """

    name: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False

    def __post_init__(self) -> None:
        _check("name", self.name, LONGEST_NAME)
        _check("notes", self.notes.replace("\n", " ").replace("\t", " "), LONGEST_NOTES)
        if len(self.tags) > MOST_TAGS:
            raise SettingsError(f"a study has at most {MOST_TAGS} tags, not {len(self.tags)}", field="tags")
        for tag in self.tags:
            _check("tags", tag, LONGEST_TAG)
            if not tag.strip() or "," in tag:
                raise SettingsError(f"{quoted(tag)} is no tag: write one or more words without a comma", field="tags")
        if len({tag.casefold() for tag in self.tags}) != len(self.tags):
            raise SettingsError("two tags of the study are the same: keep one of them", field="tags")


class AboutChanges(TypedDict, total=False):
    """Fields of ``StudyAbout`` that are to change."""

    name: str
    notes: str
    tags: Sequence[str]
    archived: bool


def read_about(workspace: Workspace, key: str) -> StudyAbout:
    """Return what is kept of a study; nothing said, or a damaged file, is a study without a name of its own.

    Args:
        workspace: that holds the study.
        key: of the study.

    Raises:
        SettingsError: ``key`` is no study's.
    """
    path = _path(workspace, key)
    try:
        values = read_json(path, limit=_LARGEST_FILE)
        return from_json_values(StudyAbout, values, name="study", error=InputError, ignore_unknown=True)
    except (OSError, ValueError, SettingsError):
        return StudyAbout()


def change_about(workspace: Workspace, key: str, **changes: Unpack[AboutChanges]) -> StudyAbout:
    """Change some of what is kept of a study, and return all of it.

    Args:
        workspace: that holds the study.
        key: of the study.
        changes: new values; what is not named stays as it is, also where somebody else has just changed it.

    Raises:
        SettingsError: ``key`` is no study's, or a value is refused; nothing is changed.
        DiskError: it cannot be written.
        ExperimentError: another process does not let go of it.
    """
    path = _path(workspace, key)
    with FileLock(path.with_suffix(".lock")) as lock:
        if not lock.acquire(seconds=_LOCK_SECONDS):
            raise ExperimentError(f"another process keeps {path.name} locked: try again")
        given = {**changes, "tags": tuple(changes["tags"])} if "tags" in changes else dict(changes)
        about = replace(read_about(workspace, key), **given)  # type: ignore[arg-type]  # of AboutChanges
        write_json(path, to_json_values(about))
    return about


def _path(workspace: Workspace, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise SettingsError(f"{quoted(key)} is no study of this workspace", field="study")
    return workspace.root / _FOLDER / f"{key}.json"


def _check(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise SettingsError(
            f"{field} of a study may have at most {counted(longest, 'character')}, not {len(text):,}: shorten it",
            field=field,
        )
    if not text.isprintable():
        raise SettingsError(f"{field} of a study must be printable; {quoted(text)} is not", field=field)
