"""List of all experiments, of which only what changed since the last time is read again.

Also here: which experiments may have changed; states of trials that are not finished; experiments that are broken.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gwas_core.tuning.attributes import (
    BASELINES,
    DATASET_AS_READ,
    EXPERIMENT,
    MAX_TRIALS,
    RESULT,
    STATUS,
    StudyAttributes,
)
from gwas_core.tuning.broken import UNREADABLE, broken_reason, broken_summary
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentSummary
from gwas_core.tuning.tables import Reader, TrialOutcome

FINISHED = {"COMPLETE": TrialState.SUCCEEDED, "PRUNED": TrialState.PRUNED, "FAIL": TrialState.FAILED}
"""States of finished trials, by Optuna's names."""

_MOST_TRIALS = 20_000
_KEYS = (EXPERIMENT, STATUS, MAX_TRIALS, BASELINES, RESULT, DATASET_AS_READ)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What was read of one study.

    Attributes:
        name: of the study.
        texts: its attributes as they are stored, by name.
        attributes: the same, read; None if the study is no experiment of ours, or broken.
        trials: number and states of its trials when they were read, by which a change is noticed.
        summary: None if the study is no experiment of ours.
    """

    name: str
    texts: dict[str, str]
    attributes: StudyAttributes | None
    trials: object = None
    summary: ExperimentSummary | None = None


class SummaryReader:
    """Reader of the list of experiments, safe to share between threads.

    Every call looks whether something changed, with a few queries however many experiments there are; the attributes
    and trials of those that did not change are neither read nor checked again. Their summaries are then the same
    objects as before, and the whole list is if none changed.

    Args:
        reader: of the database.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._list: tuple[ExperimentSummary, ...] = ()

    def read(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments, the newest first."""
        with self._lock:
            # The states of experiments before those of trials: a finished experiment is then seen with all its trials.
            found = {
                study_id: self._with_texts(study_id, name, texts)
                for study_id, (name, texts) in self._reader.study_attribute_texts(_KEYS).items()
            }
            self._entries = self._with_trials(found)
            newest_first = (entry.summary for _, entry in sorted(self._entries.items(), reverse=True))
            listed = tuple(summary for summary in newest_first if summary is not None)
            if len(listed) != len(self._list) or any(a is not b for a, b in zip(listed, self._list, strict=True)):
                self._list = listed
            return self._list

    def other_names(self) -> tuple[str, ...]:
        """Return the names of the studies that are no experiments of ours, as they were read last."""
        with self._lock:
            return tuple(entry.name for _, entry in sorted(self._entries.items()) if entry.summary is None)

    def _with_texts(self, study_id: int, name: str, texts: dict[str, str]) -> _Entry:
        """Return the entry as it was read before if its attributes are the same, else a new one without trials."""
        before = self._entries.get(study_id)
        if before is not None and (before.name, before.texts) == (name, texts):
            return before
        try:
            attributes = StudyAttributes.parse(texts)
            _ = attributes and attributes.header  # read here, where it may be refused
        except UNREADABLE as error:
            summary = broken_summary(name, broken_reason(error))
            return _Entry(name=name, texts=texts, attributes=None, summary=summary)
        return _Entry(name=name, texts=texts, attributes=attributes)

    def _with_trials(self, entries: dict[int, _Entry]) -> dict[int, _Entry]:
        """Return the entries with summaries that hold the states of their trials now."""
        ours = {study_id: entry for study_id, entry in entries.items() if entry.attributes is not None}
        counts = self._reader.trial_counts()
        # The states of very many trials take long to count. The trials of an experiment that nothing works on do not
        # change before its state does; others may at any time.
        looks_at_all = sum(counts.values()) <= _MOST_TRIALS
        looked_at = [study_id for study_id, entry in ours.items() if looks_at_all or _may_move(entry)]
        states = self._reader.trial_states(looked_at)
        trials = {study_id: (counts.get(study_id), states.get(study_id)) for study_id in ours}
        changed = [
            study_id for study_id, entry in ours.items() if entry.summary is None or trials[study_id] != entry.trials
        ]
        outcomes = self._reader.outcomes(changed)
        return entries | {
            study_id: replace(
                ours[study_id],
                trials=trials[study_id],
                summary=_summary(ours[study_id].attributes, outcomes.get(study_id, ())),
            )
            for study_id in changed
        }


def unfinished_state(optuna_state: str, *, active: bool) -> TrialState:
    """Return the state of a trial that is not finished.

    Args:
        optuna_state: name of its ``optuna.trial.TrialState``.
        active: whether something works on its experiment.
    """
    if not active:
        return TrialState.INTERRUPTED
    return TrialState.RUNNING if optuna_state == "RUNNING" else TrialState.WAITING


def _may_move(entry: _Entry) -> bool:
    if entry.attributes is None:
        return False
    state = entry.attributes.status.state
    return state.is_active() or state is ExperimentState.CREATED or entry.attributes.header.engine != "local"


def _summary(attributes: StudyAttributes | None, outcomes: Iterable[TrialOutcome]) -> ExperimentSummary | None:
    if attributes is None:
        return None
    header, status, baselines = attributes.header, attributes.status, attributes.baselines
    active = status.state.is_active()
    return ExperimentSummary(
        name=header.name,
        source=header.source,
        created=header.created,
        engine=header.engine,
        state=status.state,
        reason=status.reason,
        max_trials=attributes.max_trials,
        counts=Counter(FINISHED.get(name) or unfinished_state(name, active=active) for _, name, _ in outcomes),
        values=tuple((number, value) for number, name, value in outcomes if name == "COMPLETE" and value is not None),
        baselines=None if baselines is None else baselines.results,
        final_evaluation=attributes.final_evaluation,
        dataset=header.dataset,
        dataset_as_read=attributes.dataset_as_read,
    )
