"""Decide who may use the dashboard: a token, and a cookie for browsers that have shown it once.

Also here: ``GWAS_TOKEN``; that Kubeflow authenticates behind ``NB_PREFIX``; the key that cookies are signed with.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from gwas_core.workspace import Workspace

_VARIABLE, _OFF = "GWAS_TOKEN", "off"
_KEY_FILE = "_access_key"
_KEY_BYTES = 32
REMEMBERED_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Access:
    """Who may use a dashboard.

    Attributes:
        token: what a browser has to show once; None if nobody is asked.
        key: secret that cookies are signed with; whoever changes the token or the key has everybody asked again.
    """

    token: str | None
    key: bytes = field(repr=False, default=b"")

    @property
    def is_asked_for(self) -> bool:
        """Whether a token has to be shown."""
        return self.token is not None

    @property
    def cookie_name(self) -> str:
        """Name of the cookie: cookies do not tell ports apart, so each workspace has a name of its own."""
        return f"gwas-access-{self._signature('name')[:12]}"

    def is_token(self, shown: str) -> bool:
        """Return whether somebody has shown the token."""
        return self.token is None or hmac.compare_digest(shown.encode(), self.token.encode())

    def new_cookie(self) -> str:
        """Return what a browser that has shown the token is remembered by; it never holds the token."""
        until = str(int(time.time()) + REMEMBERED_SECONDS)
        return f"{until}.{self._signature(until)}"

    def admits(self, cookies: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Return whether a request may pass: by its cookie, or by ``Authorization: token ...`` as Jupyter has it.

        Args:
            cookies: of the request.
            headers: of the request; any mapping that finds ``Authorization``.
        """
        if self.token is None:
            return True
        until, _, signature = cookies.get(self.cookie_name, "").partition(".")
        if hmac.compare_digest(signature.encode(), self._signature(until).encode()):
            # Only what we signed gets here: a number.
            return int(until) > time.time()
        kind, _, shown = (headers.get("Authorization") or "").partition(" ")
        return kind.lower() in ("token", "bearer") and self.is_token(shown.strip())

    def _signature(self, text: str) -> str:
        return hmac.new(self.key, f"gwas-access {text}".encode(), hashlib.sha256).hexdigest()


@functools.cache
def access() -> Access:
    """Return who may use the dashboard of this process, as its environment says it.

    Without ``GWAS_TOKEN`` each start has a new token. Browsers that were remembered stay so, as the key of their
    cookies is kept in the workspace; a token that is given becomes a part of the key.
    """
    if not is_token_asked_for():
        return Access(None)
    given = _given()
    key = _workspace_key(Workspace.from_environment().root)
    return Access(given or secrets.token_hex(24), hmac.new(key, given.encode(), hashlib.sha256).digest())


def is_token_asked_for() -> bool:
    """Return whether a token has to be shown: not if ``GWAS_TOKEN`` is off, nor where Kubeflow's gateway authenticates.

    Kubeflow sets ``NB_PREFIX``; the container image alone has it at ``/``.
    """
    if given := _given():
        return given.lower() != _OFF
    return os.environ.get("NB_PREFIX", "").strip("/") == ""


def is_for_this_machine_only() -> bool:
    """Return whether the page is reached from this machine only, and by those only who have shown the token."""
    return is_token_asked_for() and str(st.get_option("server.address") or "") in ("localhost", "127.0.0.1", "::1")


def require_access() -> None:
    """End the run of a page, with a sentence, if its browser has shown no token.

    ``ui.guard`` asks before anything of a page is sent. This is the second door, for a page that is served without it,
    such as by ``streamlit run pages/data.py``.
    """
    headers = st.context.headers
    # Without a browser, as in a test of a page, there is nobody to ask.
    if not headers or access().admits(st.context.cookies, headers):
        return
    st.error(
        "This dashboard asks for its token: start it by app.py, and open the address that it prints.",
        icon=":material/lock:",
    )
    st.stop()


def _given() -> str:
    return os.environ.get(_VARIABLE, "").strip()


def _workspace_key(root: Path) -> bytes:
    """Return the workspace's key, which is made if it is not there yet; one of this process if it cannot be kept."""
    path = root / _KEY_FILE
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        key = _private_content(path)
        if key is None:
            # Not there yet, or one that others may have read or put there.
            path.unlink(missing_ok=True)
            with suppress(FileExistsError):
                _write_private(path, secrets.token_bytes(_KEY_BYTES))
            key = _private_content(path)
        if key is not None:
            return key
    return secrets.token_bytes(_KEY_BYTES)


def _private_content(path: Path) -> bytes | None:
    """Return the key in a file that is ours and that nobody else may read or write, or None."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        is_private = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
        content = file.read(_KEY_BYTES + 1) if is_private else b""
    return content if len(content) == _KEY_BYTES else None


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that nobody else may read.

    Raises:
        OSError: it is there already, or cannot be written.
    """
    # Whole under another name first: two dashboards that start at once then agree on one key.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
