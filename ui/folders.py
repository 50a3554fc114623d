"""Limit which files of this computer a page may read by their path (``GWAS_PATHS``)."""

from __future__ import annotations

import os
from pathlib import Path

from gwas_core.errors import InputError
from gwas_core.messages import quoted
from gwas_core.workspace import Workspace, application_folder
from ui.access import is_for_this_machine_only

_VARIABLE = "GWAS_PATHS"


def readable_folders() -> tuple[Path, ...]:
    """Return the folders whose files may be read by their path, without links.

    The data folder and the workspace, and those of ``GWAS_PATHS``. The home folder, too, where the page is reached from
    this machine only and by those only who have shown the token, as they are its owner.
    """
    given = [Path(text).expanduser() for text in os.environ.get(_VARIABLE, "").split(os.pathsep) if text.strip()]
    folders = [application_folder() / "data", Workspace.from_environment().root, *given]
    if is_for_this_machine_only():
        home = Path(os.path.realpath(Path.home()))
        # Of an account that has none, it is the root of everything.
        folders += [home] if home != Path(home.anchor) else []
    return tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))


def readable_path(typed: str) -> Path:
    """Return the path that somebody typed, without links, if its file may be read.

    Args:
        typed: an absolute path, one that begins with ``~/``, or one in the folder that the server runs in.

    Raises:
        InputError: it leads out of the folders that may be read; the message is the same whether a file is there.
    """
    try:
        # Not ~name: whether that expands tells who has an account here.
        path = Path(typed).expanduser() if typed.startswith("~/") else Path(typed)
        # Not Path.resolve, which refuses a circle of links only where it finds one.
        found = Path(os.path.realpath(path))
        folders = readable_folders()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(_refusal(typed)) from error
    if not any(found.is_relative_to(folder) for folder in folders):
        raise InputError(_refusal(typed))
    return found


def _refusal(typed: str) -> str:
    return (
        f"{quoted(typed, limit=200)} is not in a folder that this page may read: put the file into the workspace, "
        f"upload it, or start the dashboard with its folder in {_VARIABLE}"
    )
