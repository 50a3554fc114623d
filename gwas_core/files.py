"""Atomic writing of files (text, JSON): nobody, nor a power cut, sees half of one; reading of ordinary files only.

Also here: a temporary file beside the place; files that others may read too; a full disk as a sentence; pipes, devices
and the system's own files (``/proc``), which are neither read nor written over.
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

from gwas_core.errors import DiskError, InputError, describe_os_error, is_disk_full
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

# Errors of the disk rather than of what a caller wanted, who has no better words for them.
_DISK_ERRORS = frozenset({errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})

_LEAST_ROOM = 65_536


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


def read_whole_lines_at_end(path: Path, *, limit: int) -> bytes:
    """Return the whole lines at the end of an ordinary file, such as a log, of any length.

    Args:
        path: of the file.
        limit: most bytes to read; the line that is cut by it is left out, unless it is the only one.

    Raises:
        InputError: it is no ordinary file.
        OSError: it cannot be read.
    """
    with open_regular_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - limit))
        data = file.read(limit)
    _, newline, whole = data.partition(b"\n")
    return whole if size > limit and newline and whole else data


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

    Afterwards the file is on the disk, under its name: a power cut leaves the file from before or this one, whole.

    Raises:
        InputError: something other than an ordinary file is there.
        DiskError: the disk is full, or does not let it be written.
    """
    check_place(path)
    with disk_errors(path):
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
            # Content before name: a file system may otherwise keep the new name and lose what it stands for.
            synchronise(temporary)
            temporary.replace(path)
            synchronise(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def synchronise(path: Path) -> None:
    """Return once a file's content, or the names in a folder, are on the disk (``fsync``)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not know it, for folders above all.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


def has_room(folder: Path) -> bool:
    """Return whether something can still be written to the file system of a folder; True if that is not known."""
    try:
        facts = os.statvfs(folder)
    except OSError:
        return True
    if facts.f_bavail * facts.f_frsize < _LEAST_ROOM:
        return False
    # Some file systems make files as long as there is room, and count none.
    return facts.f_files == 0 or facts.f_favail > 0


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full, read-only, forbidden or failing into a ``DiskError`` of one sentence.

    Args:
        path: what is being written, for the sentence.
    """
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        if not is_disk_full(error) and error.errno not in _DISK_ERRORS:
            raise
        number = errno.ENOSPC if error.errno is None else error.errno
        raise DiskError(describe_os_error(error, path), number=number) from error


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
