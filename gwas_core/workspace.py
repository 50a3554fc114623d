"""Workspace (``GWAS_WORKSPACE``) and store address: folders of results, and names that experiments may have.

Also here: where the demo data and the pages lie in a clone and in an installed package; how messages call the program
(``GWAS_PROGRAM``); ``GWAS_STORAGE``; the same rule for names as Katib's.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted

# Katib's rule for experiment names (a DNS label of at most 40 characters), so that an
# experiment can move from this machine to a cluster without being renamed. It also
# keeps names from ever being paths.
MAXIMUM_NAME_LENGTH = 40
_PACKAGE = Path(__file__).resolve().parent
# Where an installed package has what lies beside gwas_core in a clone (see [tool.hatch] in pyproject.toml).
_INSTALLED_DASHBOARD = _PACKAGE / "_dashboard"
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def check_experiment_name(name: str) -> str:
    """Return a name unchanged if it can name an experiment here and on Katib.

    Raises:
        SettingsError: the name is too long, or holds something other than lower-case letters, digits and dashes.
    """
    if len(name) > MAXIMUM_NAME_LENGTH:
        raise SettingsError(
            f"an experiment's name has at most {MAXIMUM_NAME_LENGTH} characters; this one has {len(name)}: shorten it",
            field="name",
        )
    if not _NAME.fullmatch(name):
        raise SettingsError(
            "an experiment's name starts with a lower-case letter and holds only lower-case letters, digits and "
            f"dashes (not at the end); {quoted(name)} does not",
            field="name",
        )
    return name


def application_folder() -> Path:
    """Return the folder that holds ``app.py``, its pages and the demo data: the clone, or a part of the package."""
    return _INSTALLED_DASHBOARD if _INSTALLED_DASHBOARD.is_dir() else _PACKAGE.parent


def program_name() -> str:
    """Return how a person calls the command line here, for texts that name a command.

    ``GWAS_PROGRAM``, as ``./run`` sets it; else ``deep-gwas`` of an installed package, or ``python -m gwas_core``.
    """
    return os.environ.get("GWAS_PROGRAM") or ("deep-gwas" if _INSTALLED_DASHBOARD.is_dir() else "python -m gwas_core")


@dataclass(frozen=True)
class Workspace:
    """Folder tree of all experiments and datasets.

    Folders other than those of experiments start with an underscore, which no experiment's name can.
    """

    root: Path

    @classmethod
    def from_environment(cls) -> Workspace:
        """Return the workspace that ``GWAS_WORKSPACE`` names, or ``./workspace`` if it is not set."""
        return cls(Path(os.environ.get("GWAS_WORKSPACE", "workspace")).expanduser().absolute())

    @property
    def storage_url(self) -> str:
        """URL of the Optuna storage: ``GWAS_STORAGE``, or a SQLite file in the workspace."""
        return os.environ.get("GWAS_STORAGE") or f"sqlite:///{self.root / '_experiments.sqlite3'}"

    @property
    def datasets(self) -> Path:
        """Folder of the prepared datasets of experiments."""
        return self.root / "_datasets"

    def dataset_directory(self, content_hash: str) -> Path:
        """Return the folder of a prepared dataset.

        Raises:
            SettingsError: ``content_hash`` is no hash.
        """
        if not re.fullmatch(r"[0-9a-f]{8,64}", content_hash):
            raise SettingsError(f"{quoted(content_hash)} is not a dataset's content hash", field="dataset")
        return self.datasets / content_hash

    def experiment_directory(self, name: str) -> Path:
        """Return the folder of an experiment.

        Raises:
            SettingsError: ``name`` cannot name an experiment.
        """
        return self.root / check_experiment_name(name)

    def trial_directory(self, name: str, number: int) -> Path:
        """Return the folder of a trial of an experiment.

        Raises:
            SettingsError: ``name`` cannot name an experiment.
        """
        return self.experiment_directory(name) / f"trial-{number:04d}"
