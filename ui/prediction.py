"""Predict with a bundle in a process of its own: uploads, time limit, reuse and clean-up of results."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gwas_core.errors import OUT_OF_MEMORY, ExperimentError, InputError
from gwas_core.files import atomic_path, read_regular_file, write_text
from gwas_core.messages import byte_size, duration
from gwas_core.processes.command_messages import CommandMessage, MessageKind, json_messages, read_messages
from gwas_core.processes.limits import MEMORY_VARIABLE, Limits, exceeded, reading_limits, run_limited
from gwas_core.processes.threads import usable_cores
from gwas_core.workspace import Workspace
from ui.limited_work import TURNS

_KEPT = 20
# TensorFlow takes half a gigabyte, and more for each thread.
_LEAST_MEMORY, _MOST_THREADS = 1024**3, 4
_TIMEOUT_SECONDS = 1_800
_FOLDER = "_predictions"
_TABLE = "predictions.csv"
_CHUNK = 1024**2
_LONGEST_NOTES = 100_000


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Result of one prediction.

    Attributes:
        table: the CSV file with a row per line.
        notes: what was guessed or filled in, one sentence each.
    """

    table: Path
    notes: tuple[str, ...]


def store_upload(workspace: Workspace, file: BinaryIO) -> Path:
    """Copy an upload into the workspace and return its path.

    The path is made from the hash of the content, never from the name of the upload.
    """
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(_CHUNK):
        digest.update(part)
    folder = workspace.root / _FOLDER
    target = folder / digest.hexdigest()[:32] / "genotypes"
    if not target.is_file():
        file.seek(0)
        with atomic_path(target) as temporary, temporary.open("wb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
        _remove_old(folder)
    return target


def run_prediction(bundle: Path, genotypes: Path) -> Prediction:
    """Predict the lines of a genotype file with ``python -m gwas_core predict``, and keep the result.

    Args:
        bundle: zip file of a model.
        genotypes: what ``store_upload`` returned; the result is written beside it.

    Raises:
        InputError: if the command refuses the file, with its reason.
        ExperimentError: if the command takes too long.
    """
    table = genotypes.parent / f"{_bundle_key(bundle)}-{_TABLE}"
    try:
        limits = Limits(memory=max(_LEAST_MEMORY, reading_limits().memory), seconds=_TIMEOUT_SECONDS)
        with TURNS:
            done = run_limited(
                "gwas_core",
                *("predict", str(bundle), str(genotypes), "--out", str(table)),
                environment=json_messages({**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}),
                limits=limits,
                threads=min(_MOST_THREADS, usable_cores()),
            )
    except subprocess.TimeoutExpired as error:
        raise ExperimentError(f"the prediction took more than {duration(_TIMEOUT_SECONDS)} and was ended") from error
    messages = read_messages(done.stderr)
    if done.returncode != 0 or not table.is_file():
        raise InputError(_reason(done, messages, limits))
    notes = tuple(message.text for message in messages if message.kind is MessageKind.NOTE)
    write_text(_notes_path(table), "\n".join(notes))
    return Prediction(table=table, notes=notes)


def _reason(done: subprocess.CompletedProcess[bytes], messages: Sequence[CommandMessage], limits: Limits) -> str:
    """Return why a prediction failed: what the command says, or the limit that it met."""
    reasons = [message.text for message in messages if message.kind is MessageKind.ERROR]
    limit = exceeded(done, limits)
    if OUT_OF_MEMORY in reasons or (limit and not reasons):
        limit = limit or f"takes more than {byte_size(limits.memory)} of memory"
        return f"the prediction {limit}, the limit: use a smaller file, or raise the limit by {MEMORY_VARIABLE}"
    return reasons[-1] if reasons else f"the prediction ended with exit code {done.returncode} and gave no reason"


def lines_predicted(prediction: Prediction) -> int:
    """Return the number of lines in the result of a prediction, without reading it into memory."""
    with prediction.table.open("rb") as file:
        newlines = sum(part.count(b"\n") for part in iter(lambda: file.read(_CHUNK), b""))
    return max(0, newlines - 1)  # names of lines hold none, and the header is no line


def kept_prediction(bundle: Path, genotypes: Path) -> Prediction | None:
    """Return the result of an earlier prediction of the same lines with the same bundle, or None."""
    table = genotypes.parent / f"{_bundle_key(bundle)}-{_TABLE}"
    try:
        notes = read_regular_file(_notes_path(table), limit=_LONGEST_NOTES).decode("utf-8").splitlines()
    except (OSError, ValueError, InputError):
        return None
    return Prediction(table=table, notes=tuple(notes)) if table.is_file() else None


def _notes_path(table: Path) -> Path:
    return table.with_suffix(".txt")


def _bundle_key(bundle: Path) -> str:
    """Return a key that changes when the bundle is another one, or the same one packed again."""
    status = bundle.stat()
    return hashlib.sha256(f"{bundle} {status.st_mtime_ns} {status.st_size}".encode()).hexdigest()[:16]


def _remove_old(folder: Path) -> None:
    kept = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in kept[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
