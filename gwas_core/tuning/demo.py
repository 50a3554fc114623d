"""Demo data and demo experiment, and whether a workspace has its first start, which makes the demo by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gwas_core.errors import ExperimentError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.readers import read_table
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace, application_folder

DEMO_FILE = application_folder() / "data" / "demo_height.txt.gz"
DEMO_NAME = "demo"

_MARKER = "_first_start"


def read_demo() -> tuple[Dataset, tuple[str, ...]]:
    """Return the demo dataset and the notes from reading it."""
    table = read_table(DEMO_FILE)
    dataset, notes = make_dataset(table, guess_roles(table))
    return dataset, tuple(notes)


def first_start_is_over(workspace: Workspace) -> bool:
    """Return whether the workspace had its first start, after which no demo experiment is made by itself."""
    return _marker(workspace).exists()


@contextmanager
def first_start(store: Store) -> Iterator[bool]:
    """Begin the first start of a workspace; yield whether this caller is to make the demo experiment.

    Only one of many processes gets True, and only while the store holds no experiment. If the block raises, the first
    start may be tried again.

    Raises:
        ExperimentError: the workspace cannot be written.
    """
    is_empty = not store.experiments()
    marker = _marker(store.workspace)
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.open("x").close()
    except FileExistsError:
        yield False
        return
    except OSError as error:
        raise ExperimentError(f"the workspace {marker.parent} cannot be written: {error.strerror}") from error
    try:
        yield is_empty
    except BaseException:
        marker.unlink(missing_ok=True)
        raise


def _marker(workspace: Workspace) -> Path:
    return workspace.root / _MARKER
