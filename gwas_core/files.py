"""Atomic writing of files (text, JSON): a reader never sees half of one; reading of ordinary files only.

Also here: a temporary file beside the place; files that others may read too; pipes, devices and the system's own files
(``/proc``), which are neither read nor written over.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gwas_core.errors import InputError
from gwas_core.messages import byte_size, quoted

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# What lies there looks like files, and reading it may wait for ever (/proc/kmsg).
_SYSTEM_FOLDERS = ("/proc", "/sys")
_FOLDERS_OF_DEVICES = ("/dev", *_SYSTEM_FOLDERS)


def open_regular_file(path: Path, *, name: str = "") -> io.BufferedReader:
    """Open an ordinary file for reading; never wait for what is none, such as a pipe.

    Args:
        path: of the file, which may be a link to one.
        name: what messages call it (default: its name on disk).

    Raises:
        InputError: it is a pipe, a socket, a device or a file of the system, or ``path`` cannot be a path.
        OSError: it cannot be opened; ``IsADirectoryError`` if it is a folder.
    """
    name = name or path.name
    try:
        status = path.stat()
    except ValueError as error:  # a NUL or half a character in it
        raise InputError(f"{quoted(name)} is no path of a file: check it") from error
    # Looked at before it is opened, since opening alone can do something to a device, and again after.
    _check_regular(path, status, name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        _check_regular(path, os.fstat(descriptor), name)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular_file(path: Path, *, limit: int, name: str = "") -> bytes:
    """Return the content of an ordinary file that is not too large.

    Args:
        path: of the file.
        limit: most bytes it may have.
        name: what messages call it (default: its name on disk).

    Raises:
        InputError: it is no ordinary file, or larger than ``limit``.
        OSError: it cannot be read.
    """
    with open_regular_file(path, name=name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise InputError(
            f"{quoted(name or path.name)} is larger than {byte_size(limit)}, the limit: make sure that it is the "
            "right file"
        )
    return content


def read_json(path: Path, *, limit: int) -> Any:
    """Return the JSON values in an ordinary file that is not too large.

    Args:
        path: of the file.
        limit: most bytes it may have.

    Raises:
        InputError: it is no ordinary file, larger than ``limit``, or holds no JSON.
        OSError: it cannot be read.
    """
    return parse_json(read_regular_file(path, limit=limit), name=path.name)


def parse_json(content: bytes, *, name: str) -> Any:
    """Return the JSON values that untrusted bytes hold.

    Args:
        content: UTF-8.
        name: what messages call it.

    Raises:
        InputError: they hold none.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{quoted(name)} is not readable as JSON: it is damaged, or something else") from error


def _check_regular(path: Path, status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = None if stat.S_ISREG(status.st_mode) else _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
    if kind is None and _lies_in(path, _SYSTEM_FOLDERS, status.st_dev):
        kind = "a file of the system"
    if kind is not None:
        raise InputError(f"{quoted(name)} is {kind}, and only ordinary files are read: copy its content into a file")


def _lies_in(path: Path, folders: tuple[str, ...], device: int | None = None) -> bool:
    """Return whether a path lies in one of these folders, whatever links lead there, or on the device of one."""
    real = os.path.realpath(path)
    if any(real == folder or real.startswith(f"{folder}/") for folder in folders):
        return True
    with contextlib.suppress(OSError):
        return any(os.path.ismount(folder) and os.stat(folder).st_dev == device for folder in folders)  # noqa: PTH116
    return False


def check_place(path: Path) -> None:
    """Check that a file may be written at a path: that nothing but an ordinary file is there.

    Raises:
        InputError: a folder, a pipe or a device is there, or the system's own files are.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        mode = None  # nothing there; writing says what else is wrong
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{quoted(str(path), limit=200)} is a folder: give the name of a file in it")
    # A file written beside a device would take its place.
    in_devices = _lies_in(path.parent, _FOLDERS_OF_DEVICES) and not _lies_in(path.parent, ("/dev/shm",))  # noqa: S108
    if in_devices or (mode is not None and not stat.S_ISREG(mode)):
        raise InputError(
            f"{quoted(str(path), limit=200)} is no place for a file, but a pipe, a device or a folder of the system: "
            "give the name of an ordinary file"
        )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success and is removed on failure.

    Raises:
        InputError: something other than an ordinary file is there.
    """
    check_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a workspace is shared by everyone who may read its folder.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8) to a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON values to a file atomically.

    Raises:
        ValueError: the values hold NaN or infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
