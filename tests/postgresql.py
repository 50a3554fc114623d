"""A PostgreSQL server of a test's own, where Debian's package and a driver for Python are here."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DRIVERS = {"psycopg": "postgresql+psycopg", "psycopg2": "postgresql+psycopg2"}


def _programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``: Debian does not put it into PATH."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return (
        Path(found).resolve().parent if found else next((path for path in folders if (path / "initdb").exists()), None)
    )


@contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """Start a server, and give what makes a database and returns its address for ``GWAS_STORAGE``.

    Skipped, and counted, where there is no server.
    """
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not here (Debian: apt-get install postgresql)")
    driver = next((scheme for name, scheme in _DRIVERS.items() if importlib.util.find_spec(name)), None)
    if driver is None:
        pytest.skip('no driver for PostgreSQL is here (pip install "psycopg[binary]")')
    # It does not run as root.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="gwas-pg-"))  # short, for the path of a socket, and open to that user
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments], user=user, cwd=folder, check=True, capture_output=True, text=True
        )

    def new_database() -> str:
        name = f"experiments{next(numbers)}"
        call("createdb", "--host", str(folder), "--username", "gwas", name)
        return f"{driver}://gwas@/{name}?host={folder}"

    numbers = itertools.count()
    data = str(folder / "data")
    try:
        call("initdb", "--pgdata", data, "--username", "gwas", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        log = str(folder / "log.txt")
        call("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)
        try:
            yield new_database
        finally:
            call("pg_ctl", "stop", "--mode", "immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
