"""Processor time of one refresh of the list of experiments, with one of them running.

    python -m benchmarks.experiment_list [--experiments 200] [--trials 35] [--sessions 1,10] [--seconds 30]

A real dashboard in a process of its own, and sessions that ask for the list as often as the page wants it, as browsers
do. Meanwhile one experiment reports an epoch every second, and finishes a trial every ten. Prints one JSON object;
``seconds`` is the dashboard's processor time over the meanwhile divided by the number of lists that were drawn.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.dashboard import Dashboard, Session
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.space import SearchSpace
from tests.pages.made_stores import ERRORS, BaselineMetrics, MadeExperiment, begin, judgement, new_experiment, succeed
from tests.tuning.test_store import multiply_trial

LIVE = "live"
_LONGEST_WAIT = 300.0


def many_experiments(root: Path, *, experiments: int, trials: int) -> MadeExperiment:
    """Make a store of so many experiments and return the newest one, which counts as running; the others are copies."""
    root.mkdir(parents=True, exist_ok=True)
    first = new_experiment(root, "made", space=SearchSpace.preset("tutorial"), max_trials=trials)
    first.writer.set_status(ExperimentState.RUNNING)
    succeed(first, *(1 / epoch for epoch in range(1, 16)))
    first.writer.set_baselines(
        {name: BaselineMetrics(validation=judgement(error), test=judgement(error)) for name, error in ERRORS.items()}
    )
    first.writer.set_status(ExperimentState.SUCCEEDED)
    database = root / "_experiments.sqlite3"
    multiply_trial(database, trials)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE trial_values SET value = 0.4 + (trial_id * 37 % 1000) / 1000.0")
        for number in range(2, experiments):
            _copy_experiment(connection, number, trials)
        connection.commit()
    live = new_experiment(root, LIVE, max_trials=10_000)
    live.writer.set_status(ExperimentState.RUNNING)
    return live


def _copy_experiment(connection: sqlite3.Connection, number: int, trials: int) -> None:
    shift = (number - 1) * trials
    connection.execute("INSERT INTO studies (study_id, study_name) VALUES (?, ?)", [number, f"made-{number}"])
    connection.execute(
        "INSERT INTO study_directions (study_id, direction, objective) VALUES (?, 'MINIMIZE', 0)", [number]
    )
    connection.execute(
        "INSERT INTO study_user_attributes (study_id, key, value_json) SELECT ?, key, "
        "CASE key WHEN 'experiment' THEN json_set(value_json, '$.name', ?) ELSE value_json END "
        "FROM study_user_attributes WHERE study_id = 1",
        [number, f"made-{number}"],
    )
    connection.execute(
        "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
        "SELECT trial_id + ?, number, ?, state, datetime_start, datetime_complete FROM trials WHERE study_id = 1",
        [shift, number],
    )
    connection.execute(
        "INSERT INTO trial_values (trial_id, objective, value, value_type) "
        "SELECT trial_id + ?, objective, value, value_type FROM trial_values WHERE trial_id <= ?",
        [shift, trials],
    )


def refresh_seconds(root: Path, live: MadeExperiment, *, sessions: int, seconds: float) -> dict[str, Any]:
    """Measure a dashboard that so many sessions look at, for so many seconds after each has drawn the list once."""
    with Dashboard(root, root.parent / "dashboard.log") as dashboard:
        looking = [Session(dashboard, "experiments") for _ in range(sessions)]
        for session in looking:
            session.start()
        _wait(looking, lambda: all(session.is_live for session in looking))
        # One refresh of each before the clock starts, so that what only a first one does is done.
        waited_for = [session.drawn + 1 for session in looking]
        _wait(looking, lambda: all(s.drawn >= drawn for s, drawn in zip(looking, waited_for, strict=True)))
        before, processor, started = sum(s.drawn for s in looking), dashboard.processor_seconds(), time.monotonic()
        epoch, trial = 0, begin(live)
        while time.monotonic() < started + seconds:
            epoch += 1
            live.writer.report(trial, epoch, 1 / epoch)
            if epoch % 10 == 0:
                succeed(live, 0.5)
            time.sleep(1)
        taken, drawn = dashboard.processor_seconds() - processor, sum(s.drawn for s in looking) - before
        wall = time.monotonic() - started
        for session in looking:
            session.check()
            session.end()
    return {
        "sessions": sessions,
        "refreshes": drawn,
        "seconds": round(taken / max(1, drawn), 4),
        "share_of_a_core": round(taken / wall, 3),
        "seconds_between_refreshes": round(wall * sessions / max(1, drawn), 2),
    }


def _wait(looking: Sequence[Session], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT
    while not condition():
        for session in looking:
            session.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the list was not drawn: {[dict(session.runs) for session in looking]}")
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--trials", type=int, default=35)
    parser.add_argument("--sessions", default="1,10", help="numbers of sessions, default 1,10")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement, default 30")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        live = many_experiments(root, experiments=options.experiments, trials=options.trials)
        with experiment_lock(live.directory) as lock:
            assert lock.acquire()
            found = [
                refresh_seconds(root, live, sessions=int(sessions), seconds=options.seconds)
                for sessions in options.sessions.split(",")
            ]
    print(json.dumps({"experiments": options.experiments, "trials": options.trials, "measured": found}))


if __name__ == "__main__":
    main()
