"""List of studies, made of the datasets and the experiments of a workspace.

Also here: state of a study; which of its experiments gives its answer; its title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.studies.about import StudyAbout, read_about
from gwas_core.studies.matching import dataset_as_read
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.records import ExperimentSummary
from gwas_core.workspace import Workspace

_DIGITS = 16


class StudyState(StrEnum):
    """State of a study: how far its answer is."""

    NO_SEARCH = "no search yet"
    SEARCHING = "searching"
    ANSWERED = "answered"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, kw_only=True)
class Study:
    """One population and one trait, with all its searches.

    Attributes:
        key: by which it is named in addresses: 16 hexadecimal digits of the dataset as read; with an ``x`` before them,
            of the prepared dataset where that one is not in the library.
        entry: of the dataset in the library; None if it is not there (any more), or not known.
        trait: name of the phenotype.
        source: name of the file, for people.
        lines: number of lines; None if it is not known.
        snps: number of SNPs; None if it is not known.
        created: when the dataset was added or the first experiment created, whatever was first; ISO 8601.
        experiments: its searches, the newest first; broken ones are left out.
        about: what a person said of it.
    """

    key: str
    entry: LibraryEntry | None
    trait: str
    source: str
    lines: int | None
    snps: int | None
    created: str
    experiments: tuple[ExperimentSummary, ...]
    about: StudyAbout

    @property
    def title(self) -> str:
        """Name that a person gave it, or else its trait and file."""
        return self.about.name or (f"{self.trait} · {self.source}" if self.trait else self.source)

    @property
    def answering(self) -> ExperimentSummary | None:
        """Newest of its searches whose best network was judged on the test lines; None if none was.

        The newest and not the best: choosing by figures on test lines would make those figures too good.
        """
        return next((entry for entry in self.experiments if entry.evaluated_best is not None), None)

    @property
    def state(self) -> StudyState:
        """State of its answer."""
        if any(entry.state.is_active() or entry.state is ExperimentState.CREATED for entry in self.experiments):
            return StudyState.SEARCHING
        if self.answering is not None:
            return StudyState.ANSWERED
        return StudyState.UNFINISHED if self.experiments else StudyState.NO_SEARCH

    @property
    def changed(self) -> str:
        """Time of the newest of its searches, or of its creation; ISO 8601."""
        return max([self.created, *(entry.created for entry in self.experiments)], key=datetime.fromisoformat)


def list_studies(
    workspace: Workspace, entries: Sequence[LibraryEntry], experiments: Sequence[ExperimentSummary]
) -> tuple[Study, ...]:
    """Return the studies of a workspace, the one that changed last first.

    Args:
        workspace: that holds them.
        entries: all datasets of its library.
        experiments: all its experiments, the newest first.

    Returns:
        A study for each dataset of the library, and for each dataset of an experiment that is not in the library.
    """
    by_key: dict[str, list[ExperimentSummary]] = {study_key(entry.hash): [] for entry in entries}
    for experiment in experiments:
        if experiment.state is not ExperimentState.BROKEN:
            by_key.setdefault(_key_of(workspace, experiment, entries), []).append(experiment)
    known = {study_key(entry.hash): entry for entry in entries}
    studies = [_study(workspace, key, known.get(key), tuple(searches)) for key, searches in by_key.items()]
    return tuple(sorted(studies, key=lambda study: datetime.fromisoformat(study.changed), reverse=True))


def study_key(content_hash: str) -> str:
    """Return the key of the study that a dataset of the library is.

    Args:
        content_hash: of the dataset.
    """
    return content_hash[:_DIGITS]


def study_of(studies: Sequence[Study], experiment: str) -> Study | None:
    """Return the study that an experiment belongs to; None if none does.

    Args:
        studies: as ``list_studies`` returns them.
        experiment: name of the experiment.
    """
    return next((study for study in studies if any(entry.name == experiment for entry in study.experiments)), None)


def _key_of(workspace: Workspace, experiment: ExperimentSummary, entries: Sequence[LibraryEntry]) -> str:
    as_read = experiment.dataset_as_read or dataset_as_read(workspace, experiment.dataset, entries)
    return study_key(as_read) if as_read else f"x{experiment.dataset[:_DIGITS]:0<16}"


def _study(
    workspace: Workspace, key: str, entry: LibraryEntry | None, searches: tuple[ExperimentSummary, ...]
) -> Study:
    about = read_about(workspace, key)
    if entry is not None:
        created = min([entry.added, *(search.created for search in searches)], key=datetime.fromisoformat)
        facts: Mapping[str, str | int | None] = {
            "trait": entry.trait,
            "source": entry.source,
            "lines": entry.lines,
            "snps": entry.snps,
        }
    else:
        created = min((search.created for search in searches), key=datetime.fromisoformat)
        facts = _prepared_facts(workspace, searches[0])
    return Study(key=key, entry=entry, created=created, experiments=searches, about=about, **facts)  # type: ignore[arg-type]


def _prepared_facts(workspace: Workspace, search: ExperimentSummary) -> Mapping[str, str | int | None]:
    try:
        dataset = Dataset.load(workspace.dataset_directory(search.dataset))
    except (GwasError, OSError):
        return {"trait": "", "source": search.source, "lines": None, "snps": None}
    return {"trait": dataset.trait, "source": search.source, "lines": dataset.lines, "snps": len(dataset.snps)}
