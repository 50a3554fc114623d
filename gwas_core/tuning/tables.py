"""Tables of Optuna read directly, since Optuna itself takes 15 times as long.

Also here: the latest attempt's epochs alone; trials that are seen as finished have all that belongs to them.

Optuna builds an object for every parameter of every trial: 1.7 s for 1,000 trials of 29
parameters, against 0.1 s here. Only reading is done this way; all writing goes through
Optuna, and a test holds the two views against each other.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, json_to_distribution
from sqlalchemy import Column, DateTime, Float, Integer, MetaData, String, Table, Text

from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.serialization import JsonObject

TrialOutcome = tuple[int, str, float | None]
"""Number, name of the state, and objective of a trial."""

_MOST_STUDIES = 500
"""Studies that one statement asks for: databases limit the number of its variables."""

_METADATA = MetaData()
_STUDIES = Table("studies", _METADATA, Column("study_id", Integer, primary_key=True), Column("study_name", String(512)))
_STUDY_ATTRIBUTES = Table(
    "study_user_attributes",
    _METADATA,
    Column("study_id", Integer),
    Column("key", String(512)),
    Column("value_json", Text),
)
_TRIALS = Table(
    "trials",
    _METADATA,
    Column("trial_id", Integer, primary_key=True),
    Column("number", Integer),
    Column("study_id", Integer),
    Column("state", String(16)),
    Column("datetime_start", DateTime),
    Column("datetime_complete", DateTime),
)
_VALUES = Table(
    "trial_values",
    _METADATA,
    Column("trial_id", Integer),
    Column("objective", Integer),
    Column("value", Float),
    Column("value_type", String(16)),
)
_PARAMETERS = Table(
    "trial_params",
    _METADATA,
    Column("param_id", Integer, primary_key=True),
    Column("trial_id", Integer),
    Column("param_name", String(512)),
    Column("param_value", Float),
    Column("distribution_json", Text),
)
_HISTORY = Table(
    "trial_intermediate_values",
    _METADATA,
    Column("trial_id", Integer),
    Column("step", Integer),
    Column("intermediate_value", Float),
    Column("intermediate_value_type", String(16)),
)
_TRIAL_ATTRIBUTES = Table(
    "trial_user_attributes",
    _METADATA,
    Column("trial_id", Integer),
    Column("key", String(512)),
    Column("value_json", Text),
)


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """Trial as Optuna keeps it; ``state`` is the name of an ``optuna.trial.TrialState``."""

    number: int
    state: str
    value: float | None
    parameters: dict[str, HyperparameterValue]
    history: tuple[tuple[int, float], ...]
    attributes: JsonObject
    started: datetime | None
    finished: datetime | None


class Reader:
    """Reader of one database; it holds nothing but the connection pool, so that what it returns is never stale."""

    def __init__(self, storage: optuna.storages.RDBStorage) -> None:
        self._engine = storage.engine

    def study_id(self, name: str) -> int | None:
        """Return the number of a study; None if there is none of this name."""
        query = sqlalchemy.select(_STUDIES.c.study_id).where(_STUDIES.c.study_name == name)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def names(self) -> dict[int, str]:
        """Return the names of all studies, by study number."""
        with self._engine.connect() as connection:
            query = sqlalchemy.select(_STUDIES.c.study_id, _STUDIES.c.study_name)
            return {row.study_id: row.study_name for row in connection.execute(query)}

    def without_content(self, *, but: str) -> dict[int, str]:
        """Return the names of the studies without trials and without any user attribute but one, by study number.

        Args:
            but: name of the attribute that they may have.
        """
        attribute, trial = _STUDY_ATTRIBUTES, _TRIALS
        query = sqlalchemy.select(_STUDIES.c.study_id, _STUDIES.c.study_name).where(
            ~sqlalchemy.exists().where(attribute.c.study_id == _STUDIES.c.study_id, attribute.c.key != but),
            ~sqlalchemy.exists().where(trial.c.study_id == _STUDIES.c.study_id),
        )
        with self._engine.connect() as connection:
            return {row.study_id: row.study_name for row in connection.execute(query)}

    def study_attributes(self, study_id: int) -> JsonObject:
        """Return the user attributes of one study.

        Args:
            study_id: as ``study_id`` returns it.

        Returns:
            JSON values by name.
        """
        query = sqlalchemy.select(_STUDY_ATTRIBUTES.c.key, _STUDY_ATTRIBUTES.c.value_json).where(
            _STUDY_ATTRIBUTES.c.study_id == study_id
        )
        with self._engine.connect() as connection:
            return {key: stored_values(value) for key, value in connection.execute(query)}

    def study_attribute_texts(self, keys: Sequence[str]) -> dict[int, tuple[str, dict[str, str]]]:
        """Return the name of every study and some of its user attributes as they are stored, by study number.

        Args:
            keys: names of the attributes that are read.

        Returns:
            Name, and JSON texts by name of the attribute, by study number.
        """
        table = _STUDY_ATTRIBUTES
        # An outer join: a study without any of them counts too.
        joined = _STUDIES.outerjoin(table, (table.c.study_id == _STUDIES.c.study_id) & table.c.key.in_(keys))
        query = sqlalchemy.select(
            _STUDIES.c.study_id, _STUDIES.c.study_name, table.c.key, table.c.value_json
        ).select_from(joined)
        found: dict[int, tuple[str, dict[str, str]]] = {}
        with self._engine.connect() as connection:
            for study_id, name, key, value in connection.execute(query):
                texts = found.setdefault(study_id, (name, {}))[1]
                if key is not None:
                    texts[key] = value
        return found

    def trial_counts(self) -> dict[int, int]:
        """Return how many trials each study has, by study number; read from an index alone."""
        query = sqlalchemy.select(_TRIALS.c.study_id, sqlalchemy.func.count()).group_by(_TRIALS.c.study_id)
        with self._engine.connect() as connection:
            return {int(study_id): int(count) for study_id, count in connection.execute(query)}

    def trial_states(self, study_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """Return how many trials are in each state, by study number.

        Args:
            study_ids: of the studies that are looked at.

        Returns:
            Numbers of trials by the name of their ``optuna.trial.TrialState``, by study number. What belongs to a
            finished trial does not change any more, so that equal numbers mean equal outcomes.
        """
        states: dict[int, dict[str, int]] = defaultdict(dict)
        columns = _TRIALS.c.study_id, _TRIALS.c.state
        with self._engine.connect() as connection:
            for some in _batched(study_ids):
                query = (
                    sqlalchemy.select(*columns, sqlalchemy.func.count())
                    .where(_TRIALS.c.study_id.in_(some), _TRIALS.c.number.is_not(None))
                    .group_by(*columns)
                )
                for study_id, state, count in connection.execute(query):
                    states[study_id][state] = count
        return dict(states)

    def outcomes(self, study_ids: Sequence[int]) -> dict[int, list[TrialOutcome]]:
        """Return (number, state, objective) of every trial, by study number, in order of number.

        Args:
            study_ids: of the studies that are read.

        Returns:
            ``state`` is the name of an ``optuna.trial.TrialState``; the objective is None unless the trial succeeded.
        """
        table = _TRIALS.outerjoin(_VALUES, (_VALUES.c.trial_id == _TRIALS.c.trial_id) & (_VALUES.c.objective == 0))
        outcomes: dict[int, list[TrialOutcome]] = defaultdict(list)
        with self._engine.connect() as connection:
            for some in _batched(study_ids):
                query = (
                    sqlalchemy.select(_TRIALS.c.study_id, _TRIALS.c.number, _TRIALS.c.state, _VALUES.c.value)
                    .select_from(table)
                    # A trial is given its number in the transaction that creates it; on databases
                    # that show rows earlier it must not appear as a trial without one.
                    .where(_TRIALS.c.study_id.in_(some), _TRIALS.c.number.is_not(None))
                    .order_by(_TRIALS.c.study_id, _TRIALS.c.number)
                )
                for study_id, number, state, value in connection.execute(query):
                    outcomes[study_id].append((number, state, value))
        return dict(outcomes)

    def trials(self, study_id: int) -> list[TrialRow]:
        """Return all trials of one study, in order of number.

        Trials are read first and what belongs to them after: a trial seen as finished then
        has everything that was written before it was finished.

        Args:
            study_id: as ``study_id`` returns it.

        Returns:
            Rows with parameters in the order in which they were suggested, and the epochs of the latest attempt.
        """
        with self._engine.connect() as connection:
            trials = connection.execute(
                sqlalchemy.select(_TRIALS)
                .where(_TRIALS.c.study_id == study_id, _TRIALS.c.number.is_not(None))
                .order_by(_TRIALS.c.number)
            ).all()
            values = {
                trial_id: value
                for trial_id, value in self._rows(connection, _VALUES, study_id, "trial_id", "value")
                if value is not None
            }
            parameters = self._parameters(connection, study_id)
            history = self._history(connection, study_id)
            attributes: dict[int, JsonObject] = defaultdict(dict)
            for trial_id, key, text in self._rows(
                connection, _TRIAL_ATTRIBUTES, study_id, "trial_id", "key", "value_json"
            ):
                attributes[trial_id][key] = stored_values(text)
        return [
            TrialRow(
                number=trial.number,
                state=trial.state,
                value=values.get(trial.trial_id),
                parameters=parameters.get(trial.trial_id, {}),
                history=tuple(sorted(history.get(trial.trial_id, ()))),
                attributes=attributes.get(trial.trial_id, {}),
                started=_utc(trial.datetime_start),
                finished=_utc(trial.datetime_complete),
            )
            for trial in trials
        ]

    def _rows(self, connection: sqlalchemy.Connection, table: Table, study_id: int, *columns: str) -> Iterator[Any]:
        query = (
            sqlalchemy.select(*(table.c[name] for name in columns))
            .join(_TRIALS, _TRIALS.c.trial_id == table.c.trial_id)
            .where(_TRIALS.c.study_id == study_id)
        )
        if "param_id" in table.c:
            query = query.order_by(table.c.param_id)  # the order in which they were suggested
        yield from connection.execute(query)

    def _parameters(
        self, connection: sqlalchemy.Connection, study_id: int
    ) -> dict[int, dict[str, HyperparameterValue]]:
        parameters: dict[int, dict[str, HyperparameterValue]] = defaultdict(dict)
        for trial_id, name, value, distribution in self._rows(
            connection, _PARAMETERS, study_id, "trial_id", "param_name", "param_value", "distribution_json"
        ):
            parameters[trial_id][name] = _distribution(distribution).to_external_repr(value)
        return parameters

    def _history(self, connection: sqlalchemy.Connection, study_id: int) -> dict[int, list[tuple[int, float]]]:
        """Return the epochs of the latest attempt.

        Those of an attempt that died are kept as NaN, which Optuna stores as NULL.
        """
        history: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for trial_id, step, value in self._rows(
            connection, _HISTORY, study_id, "trial_id", "step", "intermediate_value"
        ):
            if value is not None and math.isfinite(value):
                history[trial_id].append((step, value))
        return history


def _batched(study_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(study_ids), _MOST_STUDIES):
        yield study_ids[first : first + _MOST_STUDIES]


def stored_values(text: str) -> Any:
    """Return JSON values; of a text that is damaged, the text itself, which no record is: others stay readable."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _utc(value: datetime | None) -> datetime | None:
    # Optuna writes naive UTC.
    return None if value is None else value.replace(tzinfo=UTC)
