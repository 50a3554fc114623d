"""Choice of the engine (this machine or a cluster) for each request: stop, resume, extend, sync, list, delete."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from gwas_core.errors import BrokenExperimentError
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace

if TYPE_CHECKING:
    from gwas_core.kubeflow.engine import KubeflowEngine
    from gwas_core.kubeflow.settings import ClusterSettings


class Engines:
    """Engine of this machine and engine of a cluster behind one interface, ``gwas_core.tuning.engine.Engine``.

    Which engine an experiment belongs to is part of it (``Experiment.engine``). What a cluster needs is imported
    only for an experiment that runs on one.

    Args:
        cluster: settings for new experiments on a cluster; those of the environment if not given.
        tell: called with a sentence about each step that takes time; they go to the log if not given.
        store: of the workspace, if it is open already.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        cluster: ClusterSettings | None = None,
        tell: Callable[[str], None] | None = None,
        store: Store | None = None,
    ) -> None:
        self.workspace = Workspace(workspace.root.absolute())
        self._open_store = store
        self._cluster = cluster
        self._tell = tell

    @cached_property
    def store(self) -> Store:
        """Store of the workspace."""
        return Store(self.workspace) if self._open_store is None else self._open_store

    @cached_property
    def local(self) -> LocalEngine:
        """Engine of this machine."""
        return LocalEngine(self.workspace, store=self.store)

    @cached_property
    def kubeflow(self) -> KubeflowEngine:
        """Engine of the cluster that the settings name."""
        from gwas_core.kubeflow.engine import KubeflowEngine

        return KubeflowEngine.from_environment(
            self.workspace, store=self.store, settings=self._cluster, tell=self._tell
        )

    def engine_for(self, name: str) -> LocalEngine | KubeflowEngine:
        """Return the engine that runs an experiment.

        Args:
            name: of an experiment in the store.

        Raises:
            ExperimentError: there is no such experiment.
        """
        return self._named(self.store.engine_of(name))

    def _named(self, engine: str) -> LocalEngine | KubeflowEngine:
        return self.kubeflow if engine == "kubeflow" else self.local

    def start(self, experiment: Experiment) -> ExperimentRecord:
        """Start an experiment on the engine that it names; see ``Engine.start``.

        Args:
            experiment: as it was created in the store, not started yet.
        """
        return self._named(experiment.engine).start(experiment)

    def stop(self, name: str, *, wait: float = 30.0) -> ExperimentRecord:
        """Stop an experiment; see ``Engine.stop``.

        Args:
            name: of the experiment.
            wait: seconds after which this returns even if it has not stopped yet.
        """
        return self.engine_for(name).stop(name, wait=wait)

    def resume(self, name: str) -> ExperimentRecord:
        """Go on with an experiment; see ``Engine.resume``."""
        return self.engine_for(name).resume(name)

    def extend(self, name: str, extra_trials: int) -> ExperimentRecord:
        """Add trials to an experiment; see ``Engine.extend``.

        Args:
            name: of the experiment.
            extra_trials: number of trials to add to those it has.
        """
        return self.engine_for(name).extend(name, extra_trials)

    def sync(self, name: str) -> ExperimentRecord:
        """Bring the store up to date with an experiment and return it; see ``Engine.sync``."""
        return self.engine_for(name).sync(name)

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments, the newest first, each brought up to date by its engine.

        Returns:
            Entries of the list of experiments, without their trials; broken ones too.
        """
        summaries = self.local.experiments()
        if any(summary.engine == "kubeflow" and summary.state.is_active() for summary in summaries):
            self.kubeflow.experiments()  # which writes to the store what the cluster says
            return self.local.experiments()
        return summaries

    def delete(self, name: str) -> None:
        """Remove an experiment, broken or not, and its files.

        Of a broken one, what a cluster may have is left there: nobody can say any more that it is this experiment's.

        Raises:
            ExperimentError: it is running, or does not exist.
        """
        try:
            self.engine_for(name).delete(name)
        except BrokenExperimentError:
            self.store.delete(name)
