"""Transactions that Optuna does not offer: a study made with its attributes, a change that loses no other change.

Both work on SQLite and on servers, without locks: what another process did meanwhile is noticed by the database.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.orm import Session

from gwas_core.errors import ExperimentError

_ATTEMPTS = 1_000
_LONGEST_PAUSE = 0.02


def create_study(
    storage: RDBStorage, name: str, attributes: Mapping[str, Any], *, trials: Sequence[FrozenTrial] = ()
) -> int | None:
    """Add a study that is minimised, with all that it has, and return its number; None if its name is taken.

    Optuna makes the study first and each attribute after; a process that is killed in between leaves a name that is
    taken by nothing.

    Args:
        storage: whose tables Optuna made.
        name: of the study.
        attributes: user attributes of the study, JSON values by name.
        trials: the first trials of the study, in order of their numbers, as ``optuna.trial.create_trial`` makes them.
    """
    from optuna.storages._rdb import models  # the only description of the tables that all databases understand

    try:
        with Session(storage.engine) as session, session.begin():
            direction = models.StudyDirectionModel(objective=0, direction=StudyDirection.MINIMIZE)
            study = models.StudyModel(study_name=name, directions=[direction])
            session.add(study)
            session.flush()
            study_id = int(study.study_id)
            session.add_all(
                models.StudyUserAttributeModel(study_id=study_id, key=key, value_json=json.dumps(value))
                for key, value in attributes.items()
            )
            for trial in trials:
                storage._get_prepared_new_trial(study_id, trial, session)
    except sqlalchemy.exc.IntegrityError:
        return None
    return study_id


def change_attribute(storage: RDBStorage, study_id: int, key: str, change: Callable[[Any], Any]) -> Any:
    """Replace a user attribute of a study by what follows from it, and return the new value.

    If another process changes it meanwhile, what follows from that is computed: no change is lost.

    Args:
        storage: whose tables Optuna made.
        study_id: number of the study.
        key: name of the attribute.
        change: returns the new JSON values for those that are stored, or for None; may be called several times.

    Raises:
        ExperimentError: the study is gone, or others change the attribute all the time.
    """
    from optuna.storages._rdb import models

    table, studies = models.StudyUserAttributeModel.__table__, models.StudyModel.__table__
    where = (table.c.study_id == study_id) & (table.c.key == key)
    for _ in range(_ATTEMPTS):
        with storage.engine.connect() as connection:
            before = connection.execute(sqlalchemy.select(table.c.value_json).where(where)).scalar()
        after = change(None if before is None else json.loads(before))
        text = json.dumps(after)
        try:
            with storage.engine.begin() as connection:
                if before is not None:
                    replaced = sqlalchemy.update(table).where(where, table.c.value_json == before)
                    changed = connection.execute(replaced.values(value_json=text)).rowcount
                else:
                    # Not for a study that was deleted: its number may be given out again.
                    values = sqlalchemy.select(
                        studies.c.study_id, sqlalchemy.literal(key), sqlalchemy.literal(text)
                    ).where(studies.c.study_id == study_id)
                    added = sqlalchemy.insert(table).from_select(["study_id", "key", "value_json"], values)
                    changed = connection.execute(added).rowcount
                    if not changed:
                        raise ExperimentError("the experiment was just deleted")
        except sqlalchemy.exc.IntegrityError:
            changed = 0  # another process added it first
        if changed:
            return after
        time.sleep(random.uniform(0.0, _LONGEST_PAUSE))  # noqa: S311 - so that two do not meet again and again
    raise ExperimentError("others change the experiment all the time: try again")
