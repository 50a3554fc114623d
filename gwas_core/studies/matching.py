"""Dataset of the library that an experiment was prepared from, where the experiment does not say.

Experiments say so since version 0.3. For earlier ones the lines and their phenotypes are compared, which filters and
imputation leave as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary, LibraryEntry
from gwas_core.workspace import Workspace

_MOST_KEPT = 1024


def dataset_as_read(workspace: Workspace, prepared: str, entries: Sequence[LibraryEntry]) -> str:
    """Return the content hash of the dataset that another one was prepared from.

    Args:
        workspace: that holds both.
        prepared: content hash of the prepared dataset.
        entries: datasets that it may have been prepared from.

    Returns:
        The one that has all its lines with their phenotypes and all its SNPs; of several, the one that has no other
        lines, since filters seldom remove any. Empty if that is none, or more than one.
    """
    return _match(str(workspace.root), prepared, tuple(entry.hash for entry in entries))


# Neither a prepared dataset nor one of the library ever changes: each is named by its content.
@lru_cache(maxsize=_MOST_KEPT)
def _match(root: str, prepared: str, hashes: tuple[str, ...]) -> str:
    workspace = Workspace(Path(root))
    library = DatasetLibrary(workspace)
    try:
        dataset = Dataset.load(workspace.dataset_directory(prepared))
    except (GwasError, OSError):
        return ""
    lines = set(zip(dataset.line_names, dataset.phenotype.tolist(), strict=True))
    snps = set(dataset.snps["name"])
    found, same = [], []
    for content_hash in hashes:
        try:
            candidate = library.load(content_hash)
        except (GwasError, OSError):
            continue
        measured = set(zip(candidate.line_names, candidate.phenotype.tolist(), strict=True))
        if candidate.trait == dataset.trait and lines <= measured and snps <= set(candidate.snps["name"]):
            found.append(content_hash)
            if lines == measured:
                same.append(content_hash)
    likely = same or found
    return likely[0] if len(likely) == 1 else ""
