"""Population report of a dataset: principal components, kinship, linkage disequilibrium, heritability of the trait.

Also here: that it is computed once, in a process with limits; why a part of it cannot be computed; the lines that stand
for very many.

It lies on this floor because heritability needs the mixed model; the rest is from the genotypes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.linkage_disequilibrium import LinkageDecay, linkage_decay
from gwas_core.genotypes.relatedness import (
    KinshipPicture,
    chosen_lines,
    kinship,
    kinship_picture,
    principal_components,
)
from gwas_core.model.heritability import SnpHeritability, snp_heritability
from gwas_core.processes.limits import call_limited, reading_limits
from gwas_core.workspace import Workspace

Part = TypeVar("Part")

_FILE = "population.json"
_MODULE = "gwas_core.model.population_report"
# Six digits of a score are what float32 holds; the file is a third as large.
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class PopulationReport:
    """Population that a dataset shows.

    Attributes:
        trait: name of the trait.
        all_lines: number of lines of the dataset.
        lines: names of the lines described here: all of them, or a random sample of very many.
        families: family of each of these lines; None if no families are known.
        phenotype: trait of each of these lines, in its own unit.
        snps: number of SNPs that vary among them; 0 if components and kinship are missing.
        scores: principal components of each of these lines, one row a line; empty if they are missing.
        shares: of the variance of the SNPs, for each component.
        kinship: to be drawn; None if it cannot be computed.
        decay: of linkage disequilibrium; None if it cannot be computed.
        heritability: of the trait; None if it cannot be computed.
        structure_refusal: why components and kinship are missing, else empty.
        decay_refusal: why ``decay`` is missing, else empty.
        heritability_refusal: why ``heritability`` is missing, else empty.

    Raises:
        InputError: the parts do not fit together, as in a damaged file.
    """

    trait: str
    all_lines: int
    lines: tuple[str, ...]
    families: tuple[str, ...] | None
    phenotype: tuple[float, ...]
    snps: int
    scores: tuple[tuple[float, ...], ...]
    shares: tuple[float, ...]
    kinship: KinshipPicture | None
    decay: LinkageDecay | None
    heritability: SnpHeritability | None
    structure_refusal: str = ""
    decay_refusal: str = ""
    heritability_refusal: str = ""

    def __post_init__(self) -> None:
        lines = len(self.lines)
        if len(self.phenotype) != lines or (self.families is not None and len(self.families) != lines):
            raise InputError("a population report has a phenotype for each line, and a family for each or none")
        if len(self.scores) != (lines if self.shares else 0):
            raise InputError("a population report has principal components for each line, or none")
        if any(len(row) != len(self.shares) for row in self.scores):
            raise InputError("every line of a population report has a score on each principal component")
        if not all(np.isfinite(np.array(numbers)).all() for numbers in (self.phenotype, self.scores, self.shares)):
            raise InputError("the numbers of a population report are finite")


def population_report(dataset: Dataset, *, seed: int = 0) -> PopulationReport:
    """Return the population report of a dataset; what cannot be computed is left out, with the reason in a sentence.

    Args:
        dataset: as it was read, missing genotypes included.
        seed: of the samples of lines and of pairs of SNPs.
    """
    chosen = chosen_lines(dataset.lines, len(dataset.snps), seed=seed)
    names = tuple(dataset.line_names[row] for row in chosen.tolist())
    families = None if dataset.family is None else tuple(dataset.family[chosen].tolist())
    phenotype = dataset.phenotype[chosen]
    components, structure_refusal = _part_or_reason(lambda: principal_components(dataset.genotypes, lines=chosen))
    picture: KinshipPicture | None = None
    heritability: SnpHeritability | None = None
    heritability_refusal = structure_refusal
    if components is not None:
        matrix = kinship(dataset.genotypes, lines=chosen)
        picture = kinship_picture(matrix, names, families)
        heritability, heritability_refusal = _part_or_reason(lambda: snp_heritability(matrix, phenotype, seed=seed))
    decay, decay_refusal = _part_or_reason(lambda: linkage_decay(dataset, seed=seed))
    return PopulationReport(
        trait=dataset.trait,
        all_lines=dataset.lines,
        lines=names,
        families=families,
        phenotype=tuple(phenotype.tolist()),
        snps=0 if components is None else components.snps,
        scores=() if components is None else tuple(map(tuple, components.scores.round(_DIGITS).tolist())),
        shares=() if components is None else tuple(components.shares.tolist()),
        kinship=picture,
        decay=decay,
        heritability=heritability,
        structure_refusal=structure_refusal,
        decay_refusal=decay_refusal,
        heritability_refusal=heritability_refusal,
    )


def kept_population(workspace: Workspace, content_hash: str) -> PopulationReport | None:
    """Return the population report of a dataset of the library if it was computed before, else None.

    Raises:
        SettingsError: ``content_hash`` is no hash.
    """
    return DatasetLibrary(workspace).kept_record(content_hash, PopulationReport, file_name=_FILE)


def limited_population(workspace: Workspace, content_hash: str) -> PopulationReport:
    """Return the population report of a dataset of the library, which a process with limits computes the first time.

    Raises:
        SettingsError: ``content_hash`` is no hash.
        InputError: there is no dataset with this hash, or a limit was exceeded.
    """
    if (kept := kept_population(workspace, content_hash)) is not None:
        return kept
    call_limited(
        f"{_MODULE}:make_population",
        {"workspace": str(workspace.root.absolute()), "content_hash": content_hash},
        limits=reading_limits(),
        subject="describing the population",
    )
    kept = kept_population(workspace, content_hash)
    if kept is None:
        raise InputError("the population report cannot be read: reload the page to compute it again")
    return kept


def make_population(*, workspace: str, content_hash: str) -> None:
    """Compute the population report of a dataset, and keep it beside the dataset."""
    library = DatasetLibrary(Workspace(Path(workspace)))
    report = population_report(library.load(content_hash))
    library.keep_record(content_hash, report, file_name=_FILE)


def _part_or_reason(work: Callable[[], Part]) -> tuple[Part | None, str]:
    """Return a part of the report, or None and why it cannot be computed."""
    try:
        return work(), ""
    except InputError as reason:
        return None, str(reason)
