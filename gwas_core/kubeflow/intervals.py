"""Intervals: when running trials are read and copied again, how long a silent cluster or a stall may last at first.

Also here: five minutes without change before a reason is looked for; ``cluster_binding`` says how the wait grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class PollingIntervals:
    """Times between two questions to the cluster.

    Attributes:
        stall: time without any change after which the reason is looked for.
        first_retry: time until the cluster is asked again after it did not answer; twice as long after each further
            silence, up to a minute.
        sync_seconds: age up to which what the store knows of the cluster counts as fresh.
        fetch_seconds: time between two copies of the files of running trials, if the claim is not mounted here.
        reading_seconds: time that one synchronisation spends on writing trials; the next one continues.
    """

    stall: timedelta = timedelta(minutes=5)
    first_retry: timedelta = timedelta(seconds=2)
    sync_seconds: float = 1.0
    fetch_seconds: float = 10.0
    reading_seconds: float = 2.0
