"""What an experiment in the store has to do with one on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gwas_core.errors import ExperimentError
from gwas_core.kubeflow.mapping import read_time
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.store import Store

KUBEFLOW = "kubeflow"
"""Study attribute that holds it."""

_LONGEST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where the experiment is, and how the cluster last answered.

    Attributes:
        cluster: as it was started with, whatever the environment says later.
        uid: of the Katib experiment; empty while there is none, as after a stop.
        read_only: made elsewhere: looked at only.
        names: Katib's parameter names and what they are called here, where they differ.
        seen: when the cluster last answered, ISO 8601.
        silent: how often in a row it has not answered since, and ``next_try``, when it is asked again.
        limit: the trials that Katib does in all: fewer than the experiment's where a grid has fewer points.
        snapshot: the last snapshot of the claim that was taken.
    """

    cluster: dict[str, Any]
    uid: str = ""
    read_only: bool = False
    names: dict[str, str] = field(default_factory=dict)
    seen: str = ""
    silent: int = 0
    next_try: str = ""
    limit: int = 0
    snapshot: str = ""

    @property
    def settings(self) -> ClusterSettings:
        return ClusterSettings.from_dict(self.cluster)

    def heard(self) -> Link:
        """The cluster has answered."""
        return replace(self, seen=_now().isoformat(timespec="seconds"), silent=0, next_try="")

    def unheard(self, first_wait: timedelta) -> Link:
        """The cluster has not answered: the next time is twice as far away, up to a minute."""
        # Bounded before it is multiplied: after a night without a network it would be astronomical.
        wait = min(first_wait * 2 ** min(self.silent, 10), _LONGEST_WAIT)
        return replace(self, silent=self.silent + 1, next_try=(_now() + wait).isoformat())

    def may_ask(self) -> bool:
        """Whether it is time to ask the cluster again."""
        moment = read_time(self.next_try)
        return moment is None or _now() >= moment


def load_link(store: Store, name: str) -> Link:
    """The experiment's link.

    Raises:
        ExperimentError: it has none, and so was never on a cluster.
    """
    values = store.storage.get_study_user_attrs(store.study_id(name)).get(KUBEFLOW)
    if not isinstance(values, Mapping):
        raise ExperimentError(f"{name} was never started on a cluster")
    known = {entry.name for entry in fields(Link)}
    return Link(**{key: value for key, value in values.items() if key in known})


def save_link(store: Store, name: str, link: Link) -> None:
    store.storage.set_study_user_attr(store.study_id(name), KUBEFLOW, asdict(link))


def _now() -> datetime:
    return datetime.now(UTC)
