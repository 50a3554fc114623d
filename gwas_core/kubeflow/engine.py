"""Engine of a cluster: start, stop, resume, extend and delete, and what each does while the cluster is silent.

Also here: what is deleted here and what on the cluster; that a stop waits for the cluster; the variable
``GWAS_KUBEFLOW_SNAPSHOTS``; the refusal of data with missing genotypes.

It only composes: ``submission`` creates Katib experiments, ``sync`` follows them, ``conclusion`` and
``final_evaluation`` end them, ``continuation`` resumes and extends them, ``file_transfer`` reaches their files,
``external_experiments`` shows those made elsewhere, ``client_cache`` keeps the clients of the Kubernetes API.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gwas_core.errors import BrokenExperimentError, ExperimentError, InputError, SettingsError
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import make_split, save_split
from gwas_core.kubeflow import katib_objects
from gwas_core.kubeflow.client_cache import CLIENTS, ClientCache
from gwas_core.kubeflow.cluster import NotConfigured, ensure_claim
from gwas_core.kubeflow.cluster_binding import ClusterBinding, find_binding, load_own_binding, save_binding
from gwas_core.kubeflow.conclusion import Conclusion
from gwas_core.kubeflow.continuation import Continuation
from gwas_core.kubeflow.external_experiments import ExternalExperiments
from gwas_core.kubeflow.file_transfer import FileTransfer
from gwas_core.kubeflow.final_evaluation import FinalEvaluator
from gwas_core.kubeflow.intervals import PollingIntervals
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from gwas_core.kubeflow.submission import is_submitted, submission_manifest, submit
from gwas_core.kubeflow.sync import ExperimentSync
from gwas_core.kubeflow.trial_inputs import EXPERIMENT_FILE
from gwas_core.tuning.engine import check_can_go_on, check_extra_trials, check_is_running, wait_until_stopped
from gwas_core.tuning.experiment import Experiment, ExperimentState
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

_logger = logging.getLogger(__name__)


class KubeflowEngine:
    """Runs experiments as Katib experiments of one namespace.

    If the workspace is on the claim that the trials mount, the files they write are read in place. Otherwise a pod
    that mounts the claim is made (``transfer_pod``): what trials need is copied there, and what they write is copied
    back.

    The cluster is asked again and again, not watched: a page has no process of its own between two reruns, and a
    question that is lost costs no more than the next one.

    Args:
        workspace: folder of the experiments.
        store: of the workspace; opened if not given.
        settings: where new experiments go; the environment's if not given.
        clients: clients of the Kubernetes API; those of the process if not given.
        intervals: how often the cluster is asked.
        tell: called with sentences about what takes time; they go to the log if not given.
        snapshots: whether a snapshot of the claim is taken with the best trial, if the cluster offers snapshots.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        store: Store | None = None,
        settings: ClusterSettings | None = None,
        clients: ClientCache = CLIENTS,
        intervals: PollingIntervals | None = None,
        tell: Callable[[str], None] | None = None,
        snapshots: bool = False,
    ) -> None:
        intervals = intervals or PollingIntervals()
        self.workspace = Workspace(workspace.root.absolute())
        self.store = store or Store(self.workspace)
        self._settings = settings
        self._clients = clients
        self._files = FileTransfer(
            self.workspace, clients, tell=tell or _logger.info, fetch_seconds=intervals.fetch_seconds
        )
        final_evaluator = FinalEvaluator(self.store)
        conclusion = Conclusion(self.store, clients, self._files, final_evaluator, snapshots=snapshots)
        self._sync = ExperimentSync(self.store, clients, self._files, final_evaluator, conclusion, intervals)
        self._continuation = Continuation(self.store, clients, self._files, final_evaluator)
        self._external = ExternalExperiments(self.store, clients)

    @classmethod
    def from_environment(
        cls,
        workspace: Workspace,
        *,
        store: Store | None = None,
        settings: ClusterSettings | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> KubeflowEngine:
        """Return the engine that the environment describes: ``GWAS_KUBEFLOW_SNAPSHOTS=on`` has snapshots taken.

        Args:
            workspace: folder of results.
            store: that of the workspace if not given.
            settings: of the cluster; if not given, those of the ``GWAS_KUBEFLOW_...`` variables.
            tell: called with sentences about what takes long.
        """
        snapshots = os.environ.get(f"{ENVIRONMENT_PREFIX}SNAPSHOTS", "").lower() in ("1", "on", "true", "yes")
        return cls(workspace, store=store, settings=settings, tell=tell, snapshots=snapshots)

    @property
    def settings(self) -> ClusterSettings:
        """Settings of new experiments.

        Raises:
            SettingsError: the environment has a value that is refused.
        """
        return self._settings or ClusterSettings.from_environment()

    def start(self, experiment: Experiment) -> ExperimentRecord:
        """Begin an experiment; see ``Engine.start``."""
        if experiment.engine != "kubeflow":
            raise SettingsError(f"this engine runs Kubeflow experiments, not {experiment.engine} ones", field="engine")
        settings = self.settings
        split = make_split(_load_prepared(self.workspace, experiment), experiment.split)
        manifest = submission_manifest(experiment, settings)
        is_new = not self.store.holds_unstarted(experiment)
        if is_new and self._is_taken(experiment.name):
            self.store.create(experiment)  # raises the error that says so
        api = self._clients.get(settings)
        ensure_claim(api, settings)
        # Asked first, so that what Katib refuses leaves nothing behind.
        katib_objects.create(api, manifest, dry_run=True)
        if is_new:
            self.store.create(experiment)
        directory = self.workspace.experiment_directory(experiment.name)
        save_split(split, directory)
        write_json(directory / EXPERIMENT_FILE, experiment.to_dict())
        self._files.send(experiment, settings)
        save_binding(self.store, experiment.name, ClusterBinding(cluster=settings))
        submit(api, self.store, experiment.name, manifest, limit=manifest["spec"]["maxTrialCount"])
        return self._sync.sync_now(experiment.name)

    def stop(self, name: str, *, wait: float = 30.0) -> ExperimentRecord:
        """Stop an experiment; see ``Engine.stop``.

        While the cluster does not answer, the experiment is stopping, and stops once the cluster does.
        """
        record = self.sync(name)
        if find_binding(self.store, name) is not None:
            load_own_binding(self.store, name)  # raises the error if it was made elsewhere
        check_is_running(record)
        self.store.request_stop(name)
        return wait_until_stopped(self._sync.sync_now, name, seconds=wait)

    def resume(self, name: str) -> ExperimentRecord:
        """Go on with an experiment; see ``Engine.resume``."""
        record = self.sync(name)
        check_can_go_on(record)
        self._resume(record)
        return self._sync.sync_now(name)

    def _resume(self, record: ExperimentRecord) -> None:
        if find_binding(self.store, record.name) is None:
            self.start(record.experiment)  # created, and never started
        else:
            self._continuation.resume(record)

    def extend(self, name: str, extra_trials: int) -> ExperimentRecord:
        """Add trials to an experiment; see ``Engine.extend``.

        Args:
            name: of the experiment.
            extra_trials: number of trials to add to those it has.

        Raises:
            ExperimentError: Katib does not let a finished experiment go on, among others.
        """
        check_extra_trials(extra_trials)
        # What Katib is told follows from what the store says, so nobody may change that in between.
        with self.store.extension_lock(name):
            record = self.sync(name)
            binding = load_own_binding(self.store, name)
            extended = replace(record.experiment, max_trials=record.experiment.max_trials + extra_trials)
            goes_on = record.state.is_active() or record.state is ExperimentState.SUCCEEDED
            goes_on = goes_on and self._continuation.raise_max_trials(record, extended, binding)
            self.store.add_trials(name, extra_trials)
        if not goes_on:
            self._resume(self.store.load(name))
        elif not record.state.is_active():
            ExperimentWriter(self.store, name).set_status(ExperimentState.RUNNING)
        return self._sync.sync_now(name)

    def sync(self, name: str) -> ExperimentRecord:
        """Return an experiment, brought up to date; see ``Engine.sync``.

        While the cluster does not answer, the state stays, and the reason says since when.
        """
        return self._sync.sync(name)

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments of the store, the newest first, brought up to date if this engine runs them."""
        summaries = self.store.experiments()
        active = [summary for summary in summaries if summary.state.is_active() and summary.engine == "kubeflow"]
        for summary in active:
            with suppress(BrokenExperimentError):  # it is listed all the same
                self.sync(summary.name)
        return self.store.experiments() if active else summaries

    def delete(self, name: str) -> None:
        """Remove an experiment and its files, here and on the cluster; one made elsewhere is removed only here.

        Raises:
            ExperimentError: it is running, does not exist, or the cluster does not answer.
        """
        record = self.store.load(name)
        binding = find_binding(self.store, name)
        if binding is not None and not binding.read_only:
            if record.state.is_active():
                raise ExperimentError(f"{name} is running: stop it before deleting it")
            # A cluster that is no longer configured must not keep what is here.
            with suppress(NotConfigured):
                api = self._clients.get(binding.cluster)
                existing = katib_objects.find(api, "experiments", name)
                if existing is None or is_submitted(existing, binding, record):
                    katib_objects.delete_everything(api, name)
                self._files.remove_experiment(binding.cluster, name)
        self.store.delete(name)

    def external_experiments(self) -> tuple[str, ...]:
        """Return the names of the namespace's Katib experiments that the store does not know, the newest first.

        Raises:
            ClusterError: the cluster does not answer.
        """
        return self._external.names(self.settings)

    def open_external(self, name: str) -> ExperimentRecord:
        """Add an experiment made elsewhere to the store, to be looked at, and return it.

        Args:
            name: of the Katib experiment in the namespace of the settings.

        Raises:
            SettingsError: it searches what cannot be shown.
            ExperimentError: there is none, or the cluster does not answer.
        """
        self._external.add(name, self.settings)
        return self._sync.sync_now(name)

    def _is_taken(self, name: str) -> bool:
        try:
            self.store.study_id(name)
        except ExperimentError:
            return False
        return True


def _load_prepared(workspace: Workspace, experiment: Experiment) -> Dataset:
    """Return the experiment's dataset, which has to be without missing genotypes."""
    try:
        dataset = Dataset.load(workspace.dataset_directory(experiment.dataset))
    except InputError as error:
        raise SettingsError(str(error), field="dataset") from error
    if dataset.has_missing:
        raise SettingsError("the dataset has missing genotypes: prepare (impute) it first", field="dataset")
    return dataset
