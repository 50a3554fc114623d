"""Storage of all experiments opened: SQLite or a server, waiting for another process's write, errors in words.

Also here: that passwords in its address are not shown; a full disk and a damaged file in words; whether the file that
is open is still the one of that name; when it is another storage at the same address.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from gwas_core.errors import DiskError, ExperimentError, SettingsError, describe_os_error
from gwas_core.files import has_room
from gwas_core.messages import duration
from gwas_core.processes.locks import FileLock
from gwas_core.workspace import Workspace

# How long a process waits for another one's write. Writes take milliseconds; a minute of
# them means something is wrong with the disk.
_BUSY_SECONDS = 60
_SERVER_TRIES, _SERVER_WAIT = 10, 0.3
_SQLITE = "sqlite:///"
# What databases say of a full disk: SQLite, then PostgreSQL and MySQL.
_FULL = re.compile(
    r"database or disk is full|No space left on device|[Dd]isk is full|table '.*' is full", re.IGNORECASE
)
# What SQLite says where a file beside the database cannot be made or grow, for whatever reason.
_MAY_BE_FULL = re.compile(r"disk I/O error|unable to open database file|readonly database")
_LOCKED = re.compile(r"database (table )?is locked")
_DAMAGED = re.compile(r"file is not a database|disk image is malformed|file is encrypted")


def open_storage(workspace: Workspace) -> RDBStorage:
    """Return the storage that ``workspace.storage_url`` names, making it on first use.

    A SQLite file is put into write-ahead mode, in which readers and the one writer do not
    wait for each other. That mode needs all its processes on one machine: several machines
    share a PostgreSQL or MySQL server instead.

    Args:
        workspace: its ``storage_url`` names a SQLite file, or a PostgreSQL or MySQL server.

    Raises:
        ExperimentError: it cannot be opened.
        SettingsError: its address cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = storage_file(workspace)
    try:
        with translated_errors(file):
            if file is not None:
                return _open_sqlite(workspace.storage_url, file)
            return _open_server(workspace.storage_url)
    except DiskError:
        raise
    except OSError as error:
        raise ExperimentError(f"the store of experiments cannot be opened: {describe_os_error(error)}") from error


def storage_identity(workspace: Workspace) -> str | None:
    """Return what tells the storage from another one that takes its place at the same address.

    Returns:
        Number of the file, which no other file gets for as long as somebody has it open; the address of a server;
        None if there is no file yet.
    """
    file = storage_file(workspace)
    return workspace.storage_url if file is None else _identity(file)


def storage_file(workspace: Workspace) -> Path | None:
    """Return the SQLite file that ``workspace.storage_url`` names; None if a server has the storage."""
    url = workspace.storage_url
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


class DamagedStorage(ExperimentError):
    """SQLite file that is no database, or one that was cut off."""


class StorageUse:
    """Use of an opened storage: its errors in words, and whether its file is still the one that was opened.

    SQLite itself goes on with a deleted file for as long as it has it open, and nobody else ever sees what it writes.

    Args:
        file: of SQLite, as it is now; None for a server's storage, which is never gone this way.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._identity = None if file is None else _identity(file)

    def check(self) -> None:
        """Check that the file is still there.

        Raises:
            ExperimentError: it was deleted or replaced.
        """
        if self._file is not None and _identity(self._file) != self._identity:
            raise ExperimentError(
                f"the store of experiments {self._file} was deleted or replaced while it was in use: what was written "
                "to it since is lost"
            )

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Use the storage for as long as the context is open.

        Raises:
            DiskError: the disk is full.
            ExperimentError: the file was deleted or replaced, or the database cannot be used.
        """
        self.check()
        with translated_errors(self._file):
            yield


def _identity(path: Path) -> str | None:
    # The number of a file that is open is given to no other.
    try:
        facts = path.stat()
    except OSError:
        return None
    return f"{facts.st_dev}:{facts.st_ino}"


def _open_sqlite(url: str, path: Path) -> RDBStorage:
    if "?" in str(path) or "#" in str(path):
        raise SettingsError("the folder of the workspace must have no ? or # in its path", field="workspace")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes making the tables at the same time would refuse each other's.
    with FileLock(path.with_name(f"{path.name}.lock")) as lock:
        if not lock.acquire(seconds=_BUSY_SECONDS):
            raise ExperimentError(f"another process keeps {path.name} locked: end it and try again")
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return _open(url, {"connect_args": {"timeout": _BUSY_SECONDS}})


def _open_server(url: str) -> RDBStorage:
    # Two processes making the tables at the same time refuse each other's; the later one finds them made.
    for left in reversed(range(_SERVER_TRIES)):
        try:
            # A server may close a connection that was idle between two trials.
            return _open(url, {"pool_pre_ping": True})
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            if not left:
                raise
            time.sleep(_SERVER_WAIT)
    raise AssertionError


# Any: whatever keyword arguments SQLAlchemy takes.
def _open(url: str, engine_kwargs: dict[str, Any]) -> RDBStorage:
    try:
        # Optuna runs str.format over an address.
        return RDBStorage(url.replace("{", "{{").replace("}", "}}"), engine_kwargs=engine_kwargs)
    except (ImportError, RuntimeError) as error:
        # A database driver that is not installed; tables made by another version of Optuna.
        raise ExperimentError(f"the store of experiments cannot be opened: {error}") from error


@contextmanager
def translated_errors(file: Path | None = None) -> Iterator[None]:
    """Turn errors of the database into an ``ExperimentError`` of one sentence, without passwords of its address.

    Args:
        file: of a SQLite storage, to tell a full disk from one that fails.

    Raises:
        DiskError: the disk is full, of this machine or of the server.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        # Optuna says of every error that the data may be invalid; what the database said is behind it.
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        reason = str(getattr(cause, "orig", None) or cause).splitlines()[0][:200]
        may_be_full = file is not None and _MAY_BE_FULL.search(reason) and not has_room(file.parent)
        if may_be_full or _FULL.search(reason):
            full = OSError(errno.ENOSPC, "", "the store of experiments on its server" if file is None else str(file))
            raise DiskError(describe_os_error(full), number=errno.ENOSPC) from error
        if _DAMAGED.search(reason):
            raise DamagedStorage(
                f"the store of experiments {'' if file is None else f'{file} '}cannot be used: {reason}; `recover` "
                "rebuilds it from the folders of the experiments"
            ) from error
        if file is not None and _LOCKED.search(reason):
            raise ExperimentError(
                f"the store of experiments {file} stayed locked for {duration(_BUSY_SECONDS)} by another process, "
                "perhaps a search that was halted in the midst of a write: continue or end it "
                f"(`fuser {file}` lists those that have the file open), and try again"
            ) from error
        raise ExperimentError(f"the store of experiments cannot be used: {reason}") from error
