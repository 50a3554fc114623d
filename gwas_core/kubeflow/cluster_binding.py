"""Cluster binding: which Katib experiment belongs to an experiment, and how the cluster last answered.

Also here: how long an unreachable cluster is left alone before it is asked again (twice as long each time, up to a
minute); that an experiment made elsewhere cannot be changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gwas_core.errors import ExperimentError
from gwas_core.kubeflow.katib_status import read_time
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.store import Store

KUBEFLOW = "kubeflow"
"""Study attribute that holds the binding."""

_LONGEST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class ClusterBinding:
    """Katib experiment of an experiment in the store.

    Attributes:
        cluster: settings it was started with; later changes of the environment do not count.
        uid: unique identifier of the Katib experiment; empty while there is none, as after a stop.
        read_only: whether it was made elsewhere, and is only shown here.
        names: our parameter name by Katib's, of an experiment made elsewhere.
        seen: when the cluster last answered, ISO 8601.
        silent: number of questions in a row since then that the cluster did not answer.
        next_try: when the cluster is asked again, ISO 8601; empty for at once.
        limit: number of trials that Katib does in all: fewer than the experiment's if its grid has fewer points.
        snapshot: name of the last snapshot of the claim.
    """

    cluster: ClusterSettings
    uid: str = ""
    read_only: bool = False
    names: dict[str, str] = field(default_factory=dict)
    seen: str = ""
    silent: int = 0
    next_try: str = ""
    limit: int = 0
    snapshot: str = ""

    @property
    def external_names(self) -> dict[str, str] | None:
        """Parameter names of this project by Katib's, for an experiment made elsewhere; None for one of our own."""
        return self.names if self.read_only else None

    def answered(self) -> ClusterBinding:
        """Return the binding after the cluster has answered."""
        return replace(self, seen=_now().isoformat(timespec="seconds"), silent=0, next_try="")

    def not_answered(self, first_wait: timedelta) -> ClusterBinding:
        """Return the binding after the cluster has not answered.

        Args:
            first_wait: until the next question after the first silence; twice as long each time, up to a minute.
        """
        # Bounded before it is multiplied: after a night without a network it would be astronomical.
        wait = min(first_wait * 2 ** min(self.silent, 10), _LONGEST_WAIT)
        return replace(self, silent=self.silent + 1, next_try=(_now() + wait).isoformat())

    def may_ask(self) -> bool:
        """Return whether it is time to ask the cluster again."""
        moment, now = read_time(self.next_try), _now()
        # Further away than it is ever put, the clock was set back meanwhile.
        return moment is None or now >= moment or moment - now > _LONGEST_WAIT


def load_binding(store: Store, name: str) -> ClusterBinding:
    """Return the binding of an experiment.

    Raises:
        ExperimentError: it has none, because it was never started on a cluster.
    """
    binding = find_binding(store, name)
    if binding is None:
        raise ExperimentError(f"{name} was never started on a cluster")
    return binding


def find_binding(store: Store, name: str) -> ClusterBinding | None:
    """Return the binding of an experiment, or None if it was never started on a cluster.

    Raises:
        ExperimentError: there is no such experiment.
        SettingsError: the binding holds a value that is refused.
    """
    values = store.engine_attribute(name, KUBEFLOW)
    if not isinstance(values, Mapping):
        return None
    # Another version may have written entries that this one does not know.
    return from_json_values(ClusterBinding, values, name="cluster binding", ignore_unknown=True)


def load_own_binding(store: Store, name: str) -> ClusterBinding:
    """Return the binding of an experiment that was started here.

    Raises:
        ExperimentError: it was made elsewhere, or was never started on a cluster.
    """
    binding = load_binding(store, name)
    if binding.read_only:
        raise ExperimentError(f"{name} was made elsewhere and is only shown here: change it where it was made")
    return binding


def save_binding(store: Store, name: str, binding: ClusterBinding) -> None:
    """Write the binding of an experiment.

    Args:
        store: that holds the experiment.
        name: of the experiment.
        binding: replaces the one that is there.
    """
    store.set_engine_attribute(name, KUBEFLOW, to_json_values(binding))


def _now() -> datetime:
    return datetime.now(UTC)
