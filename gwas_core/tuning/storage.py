"""Storage of all experiments opened: SQLite or a server, waiting for another process's write, errors in words.

Also here: that passwords in its address are not shown; when it is another one at the same address.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.processes.locks import FileLock
from gwas_core.workspace import Workspace

# How long a process waits for another one's write. Writes take milliseconds; a minute of
# them means something is wrong with the disk.
_BUSY_SECONDS = 60
_SERVER_TRIES, _SERVER_WAIT = 10, 0.3
_SQLITE = "sqlite:///"


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
    try:
        with translated_errors():
            if workspace.storage_url.startswith(_SQLITE):
                return _open_sqlite(workspace.storage_url)
            return _open_server(workspace.storage_url)
    except OSError as error:
        raise ExperimentError(f"the store of experiments cannot be opened: {error.strerror}") from error


def storage_identity(workspace: Workspace) -> str | None:
    """Return what tells the storage from another one that takes its place at the same address.

    Returns:
        Number of the file, which no other file gets for as long as somebody has it open; the address of a server;
        None if there is no file yet.
    """
    if not workspace.storage_url.startswith(_SQLITE):
        return workspace.storage_url
    try:
        status = Path(workspace.storage_url.removeprefix(_SQLITE)).stat()
    except OSError:
        return None
    return f"{status.st_dev}:{status.st_ino}"


def _open_sqlite(url: str) -> RDBStorage:
    path = Path(url.removeprefix(_SQLITE))
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
def translated_errors() -> Iterator[None]:
    """Turn errors of the database into an ``ExperimentError`` of one sentence, without passwords of its address."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        reason = str(getattr(cause, "orig", None) or cause).splitlines()[0][:200]
        raise ExperimentError(f"the store of experiments cannot be used: {reason}") from error
