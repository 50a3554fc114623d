"""Memory and descriptors of a dashboard that several sessions look at for a long time while a search runs.

    python -m benchmarks.long_sessions [--sessions 10] [--minutes 60] [--every 60] [--trial-seconds 400]

A real search goes on all the time, whose trials report an epoch as often as the pages are drawn. Half of the sessions
look at the list of experiments, the others at the page of the one that runs. Each opens its page anew now and then, as
people do. Shorter trials make a longer page, and so more memory that is no leak.

Prints a line every so many seconds, and at the end one JSON object; ``growth`` compares the last quarter of the time
with the second one, since in the first one libraries load and caches fill.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.dashboard import Dashboard, Session
from gwas_core.tuning.local import LocalEngine
from tests.tuning.quick_experiments import quick_experiment, quick_workspace

_NAME = "live"
_MOST_LEFT = 20
_EPOCHS = 200
_SESSION_SECONDS = 240.0
_PAGES = (("experiments", ""), ("machine-room", f"experiment={_NAME}"))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Sizes of the dashboard's process at one moment."""

    minutes: float
    megabytes: float
    descriptors: int
    threads: int
    drawn: int
    trials: int


def look_for_long(*, sessions: int, minutes: float, every: float, trial_seconds: float) -> dict[str, Any]:
    """Hold the sessions on a running search and return the samples, and how much memory and descriptors grew."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder:
        workspace, dataset = quick_workspace(Path(folder) / "workspace")
        os.environ["GWAS_MODEL"] = "tests.tuning.quick_trial"
        engine = LocalEngine(workspace)
        trial = {"epochs": _EPOCHS, "epoch_seconds": trial_seconds / _EPOCHS}
        engine.start(quick_experiment(dataset, _NAME, fixed=trial, max_trials=100))
        try:
            with Dashboard(workspace.root, Path(folder) / "dashboard.log") as dashboard:
                looking = [_Visitor(dashboard, number) for number in range(sessions)]
                started = time.monotonic()
                while (passed := time.monotonic() - started) < 60 * minutes:
                    time.sleep(min(every, 60 * minutes - passed))
                    for visitor in looking:
                        visitor.check()
                    record = engine.sync(_NAME)
                    if record.experiment.max_trials - record.finished_trials < _MOST_LEFT:
                        engine.extend(_NAME, 5 * _MOST_LEFT)
                    sample = Sample(
                        minutes=round((time.monotonic() - started) / 60, 1),
                        megabytes=round(dashboard.resident_bytes() / 1e6, 1),
                        descriptors=dashboard.descriptors(),
                        threads=dashboard.threads(),
                        drawn=sum(visitor.drawn for visitor in looking),
                        trials=record.finished_trials,
                    )
                    samples.append(sample)
                    print(
                        f"{sample.minutes:6.1f} min {sample.megabytes:8.1f} MB {sample.descriptors:4d} descriptors "
                        f"{sample.threads:3d} threads, {sample.drawn:6,d} pages drawn, {sample.trials:4d} trials",
                        flush=True,
                    )
                for visitor in looking:
                    visitor.end()
        finally:
            engine.stop(_NAME)
    return {"sessions": sessions, "minutes": minutes, "growth": _growth(samples), "samples": [*map(asdict, samples)]}


class _Visitor:
    """Session that is opened anew every few minutes."""

    def __init__(self, dashboard: Dashboard, number: int) -> None:
        self._dashboard = dashboard
        self._page = _PAGES[number % len(_PAGES)]
        # Not all of them at the same moment.
        self._until = time.monotonic() + _SESSION_SECONDS * (1 + number / 10)
        self._drawn_before = 0
        self._session = self._open()

    @property
    def drawn(self) -> int:
        return self._drawn_before + self._session.drawn

    def check(self) -> None:
        self._session.check()
        if time.monotonic() >= self._until:
            self.end()
            self._drawn_before += self._session.drawn
            self._session = self._open()
            self._until = time.monotonic() + _SESSION_SECONDS

    def end(self) -> None:
        self._session.end()

    def _open(self) -> Session:
        page, query = self._page
        session = Session(self._dashboard, page, query)
        session.start()
        return session


def _growth(samples: list[Sample]) -> dict[str, float]:
    """Return how much larger the median of the last quarter is than that of the second one, as a share."""
    quarter = len(samples) // 4
    if quarter == 0:
        return {}
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return {
        name: round(
            statistics.median(getattr(sample, name) for sample in last)
            / statistics.median(getattr(sample, name) for sample in second)
            - 1,
            4,
        )
        for name in ("megabytes", "descriptors", "threads")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two lines, default 60")
    parser.add_argument("--trial-seconds", type=float, default=400.0, help="duration of a trial, default 400")
    options = parser.parse_args()
    found = look_for_long(
        sessions=options.sessions, minutes=options.minutes, every=options.every, trial_seconds=options.trial_seconds
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
