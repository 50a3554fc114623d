"""Transfer of files from and to the workspace's claim: ``python -m gwas_core.kubeflow.claim_transfer``.

Also here: which paths of the claim may be read and written; which files have changed; what an archive may hold; that a
stream which broke off is refused; links are left out.

Runs in a pod that has mounted the claim (``transfer_pod``), once for each question. The question comes by stdin, and
the arguments say its length and hash; the answer goes to stdout, and its hash to stderr. So a stream that broke off is
never taken for a whole one.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gwas_core.errors import GwasError, InputError
from gwas_core.files import atomic_path, open_regular_file, parse_json
from gwas_core.messages import quoted
from gwas_core.serialization import from_json_values

HASH_PREFIX = "sha256 "
"""Beginning of the last line of stderr, once the answer is complete."""

# All our files have such names; a file that begins with a dot is being written.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_LONGEST_PATH = 1000
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class TransferQuestion:
    """Question about files of the claim, sent as JSON.

    Attributes:
        folders: below the workspace.
        known: for ``"pack"``, what the other side has, as ``stamps`` gives it.
        most_bytes: for ``"pack"``, the size above which a file is left out; None for no limit.
    """

    folders: tuple[str, ...]
    known: Mapping[str, list[int]] = field(default_factory=dict)
    most_bytes: int | None = None


def check_path(path: str, *, under: Collection[str] | None = None) -> str:
    """Return a path below the workspace, as given.

    Args:
        path: with ``/`` between its parts.
        under: folders, one of which has to hold it; the workspace if not given.

    Raises:
        InputError: it leads elsewhere.
    """
    parts = path.split("/")
    is_inside = under is None or any(path.startswith(f"{folder}/") for folder in under)
    if not is_inside or len(path) > _LONGEST_PATH or not all(map(_NAME.fullmatch, parts)):
        raise InputError(f"{quoted(path)} is no path of the workspace")
    return path


def files_in(root: Path, folders: Collection[str]) -> Iterator[str]:
    """Yield every file of some folders; links are left out, wherever they lead.

    Args:
        root: folder of the workspace.
        folders: below it.
    """
    for folder in folders:
        top = root / check_path(folder)
        if top.is_symlink():
            continue
        for directory, _, names in os.walk(top):
            for name in sorted(names):
                path = Path(directory, name)
                relative = path.relative_to(root).as_posix()
                if not path.is_symlink() and path.is_file() and all(map(_NAME.fullmatch, relative.split("/"))):
                    yield relative


def digests(root: Path, folders: Collection[str]) -> dict[str, str]:
    """Return the SHA-256 of every file of some folders.

    Args:
        root: folder of the workspace.
        folders: below it.

    Returns:
        Hexadecimal digits by path below ``root``.
    """
    found = {}
    for path in files_in(root, folders):
        with open_regular_file(root / path) as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def stamps(root: Path, folders: Collection[str]) -> dict[str, list[int]]:
    """Return size and time of the last change of every file of some folders.

    Args:
        root: folder of the workspace.
        folders: below it.

    Returns:
        [bytes, nanoseconds since 1970] by path below ``root``.
    """
    found = {}
    for path in files_in(root, folders):
        facts = (root / path).stat()
        found[path] = [facts.st_size, facts.st_mtime_ns]
    return found


def pack(root: Path, paths: Collection[str]) -> bytes:
    """Return a tar archive of these files, with their times; a file that vanished meanwhile is left out.

    Args:
        root: folder of the workspace.
        paths: of files below it.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            try:
                # The time before the content: what is written after that changes the time, and is taken the next time.
                changed = (root / path).stat().st_mtime_ns
                with open_regular_file(root / path) as file:
                    content = file.read()
            except FileNotFoundError:
                continue
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            entry.pax_headers = {"GWAS.mtime_ns": str(changed)}
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpack(root: Path, content: bytes, *, under: Collection[str] | None = None) -> list[str]:
    """Write the files of an archive, each whole or not at all, and return their paths.

    Args:
        root: folder of the workspace.
        content: what ``pack`` returned.
        under: folders, one of which has to hold each file; the workspace if not given.

    Raises:
        InputError: it is no archive of ``pack``, or holds a file that would lie elsewhere.
    """
    paths = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for entry in archive:
                check_path(entry.name, under=under)
                # A sparse file would be as large as it says, whatever the archive's size.
                file = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if file is None:
                    raise InputError(f"{quoted(entry.name)} is no plain file")
                changed = int(entry.pax_headers["GWAS.mtime_ns"])
                with atomic_path(root / entry.name) as temporary:
                    with temporary.open("wb") as target:
                        shutil.copyfileobj(file, target)
                    os.utime(temporary, ns=(changed, changed))
                paths.append(entry.name)
    except (tarfile.TarError, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"this is no archive of the workspace's files: {error}") from error
    return paths


def changed_files(
    root: Path, folders: Collection[str], *, known: Mapping[str, Sequence[int]], most_bytes: int | None
) -> list[str]:
    """Return the files of these folders that are missing or different on the other side.

    Args:
        root: folder of the workspace.
        folders: below it.
        known: what the other side has, as ``stamps`` gives it.
        most_bytes: size above which a file is left out; None for no limit.
    """
    return [
        path
        for path, stamp in stamps(root, folders).items()
        if list(known.get(path, ())) != stamp and (most_bytes is None or stamp[0] <= most_bytes)
    ]


def answer(verb: str, root: Path, question: bytes) -> bytes:
    """Return the answer to a question of ``transfer_pod.TransferPod``.

    Args:
        verb: ``"digests"``, ``"pack"``, ``"unpack"`` or ``"remove"``.
        root: folder of the workspace.
        question: for ``"unpack"`` an archive, else a ``TransferQuestion`` as JSON.

    Raises:
        InputError: a path leads out of the workspace, or the archive is none.
    """
    if verb == "unpack":
        return json.dumps(unpack(root, question)).encode()
    asked = from_json_values(
        TransferQuestion,
        parse_json(question, name="question"),
        name="question",
        error=InputError,
        ignore_unknown=True,
    )
    folders = [check_path(folder) for folder in asked.folders]
    if verb == "digests":
        return json.dumps(digests(root, folders)).encode()
    if verb == "remove":
        for folder in folders:
            shutil.rmtree(root / folder, ignore_errors=True)
        return b"{}"
    return pack(root, changed_files(root, folders, known=asked.known, most_bytes=asked.most_bytes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question and return the exit code."""
    parser = argparse.ArgumentParser(description="Files of the workspace; not meant to be started by hand.")
    parser.add_argument("verb", choices=("digests", "pack", "unpack", "remove"))
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--sha256", required=True)
    options = parser.parse_args(arguments)
    try:
        question = _read(options.bytes)
        if hashlib.sha256(question).hexdigest() != options.sha256:
            raise InputError("what arrived is not what was sent: try again")
        answered = answer(options.verb, options.root, question)
    except (GwasError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(answered)
    sys.stdout.buffer.flush()
    print(f"{HASH_PREFIX}{hashlib.sha256(answered).hexdigest()}", file=sys.stderr)
    return 0


def _read(size: int) -> bytes:
    """Return ``size`` bytes of stdin, which does not end while the connection lasts."""
    parts, left = [], size
    while left and (part := sys.stdin.buffer.read(min(left, _BLOCK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
