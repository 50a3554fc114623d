"""Predictions with a bundle, made in a process of their own: TensorFlow has no place in the dashboard's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gwas_core.errors import ExperimentError, InputError
from gwas_core.files import atomic_path, write_text
from gwas_core.messages import duration
from gwas_core.processes.detached import import_environment
from gwas_core.workspace import Workspace

_KEPT = 20
_TIMEOUT_SECONDS = 1_800
_NAME = "_predictions"
_TABLE = "predictions.csv"
_CHUNK = 1024**2


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a run left: the CSV, and what the command line had to say."""

    table: Path
    notes: tuple[str, ...]


def store_upload(workspace: Workspace, file: BinaryIO) -> Path:
    """Copy an upload into the workspace under its content's hash: its own name never becomes a path."""
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(_CHUNK):
        digest.update(part)
    folder = workspace.root / _NAME
    target = folder / digest.hexdigest()[:32] / "genotypes"
    if not target.is_file():
        file.seek(0)
        with atomic_path(target) as temporary, temporary.open("wb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
        _forget_old(folder)
    return target


def run_prediction(bundle: Path, genotypes: Path) -> Prediction:
    """Run ``python -m gwas_core predict`` and keep what it says.

    Raises:
        InputError: what the command refused, in its own words.
    """
    table = genotypes.parent / f"{_bundle_key(bundle)}-{_TABLE}"
    command = [sys.executable, "-m", "gwas_core", "predict", str(bundle), str(genotypes), "--out", str(table)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            env=import_environment({**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExperimentError(f"the prediction took more than {duration(_TIMEOUT_SECONDS)} and was ended") from error
    lines = [line.strip() for line in done.stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
    if done.returncode != 0 or not table.is_file():
        raise InputError(lines[-1] if lines else "the prediction ended without a word: perhaps memory ran out")
    notes = tuple(line.removeprefix("note: ") for line in lines if line.startswith("note: "))
    write_text(table.with_suffix(".txt"), "\n".join(notes))
    return Prediction(table=table, notes=notes)


def kept_prediction(bundle: Path, genotypes: Path) -> Prediction | None:
    """The same prediction, where it was made before."""
    table = genotypes.parent / f"{_bundle_key(bundle)}-{_TABLE}"
    try:
        notes = table.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return Prediction(table=table, notes=tuple(notes)) if table.is_file() else None


def _bundle_key(bundle: Path) -> str:
    """Another bundle, or the same one packed anew, predicts anew."""
    status = bundle.stat()
    return hashlib.sha256(f"{bundle} {status.st_mtime_ns} {status.st_size}".encode()).hexdigest()[:16]


def _forget_old(folder: Path) -> None:
    kept = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in kept[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
