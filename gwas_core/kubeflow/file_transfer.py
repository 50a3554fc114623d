"""File transfer of experiments on a claim that is not mounted here: what is copied there and back, and when.

Also here: datasets go there once, files of ended trials come at once and those of running ones now and then; the best
network's come before its evaluation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster import NotConfigured, is_claim_here
from gwas_core.kubeflow.cluster_binding import ClusterBinding
from gwas_core.kubeflow.katib_status import KatibTrial
from gwas_core.kubeflow.kubernetes_api import ClusterError
from gwas_core.kubeflow.recent_times import RecentTimes
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.transfer_pod import SMALL_FILE, TransferPod
from gwas_core.kubeflow.trial_sync import is_folder_name
from gwas_core.tuning.experiment import Experiment, TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.workspace import Workspace

_logger = logging.getLogger(__name__)
_recent_fetches = RecentTimes()


class FileTransfer:
    """Copies what trials need to the claim, and what they write back; does nothing if the workspace is the claim.

    Args:
        tell: called with sentences about what takes time.
        fetch_seconds: time between two copies of the files of running trials.
    """

    def __init__(
        self, workspace: Workspace, clients: ClientCache, *, tell: Callable[[str], None], fetch_seconds: float
    ) -> None:
        self._workspace = workspace
        self._clients = clients
        self._tell = tell
        self._fetch_seconds = fetch_seconds

    def _pod(self, settings: ClusterSettings, name: str) -> TransferPod | None:
        """Return the pod that copies an experiment's files, or None if they are here."""
        if is_claim_here(self._workspace, settings):
            return None
        api = self._clients.get(settings)
        return TransferPod(api, settings, root=self._workspace.root, purpose=name, tell=self._tell)

    def send(self, experiment: Experiment, settings: ClusterSettings) -> None:
        """Have the claim hold the experiment's dataset and folder as they are here.

        Args:
            experiment: whose dataset and folder are in the workspace here.
            settings: name the claim.

        Raises:
            ClusterError: the pod does not start, or the files do not get through; the pod is ended then.
        """
        pod = self._pod(settings, experiment.name)
        if pod is None:
            return
        dataset = self._workspace.dataset_directory(experiment.dataset)
        try:
            pod.send([dataset.relative_to(self._workspace.root).as_posix(), experiment.name])
        except ClusterError:
            _close(pod)
            raise

    def fetch_new(self, record: ExperimentRecord, binding: ClusterBinding, trials: Collection[KatibTrial]) -> str:
        """Copy what trials have written since the last time.

        A trial that has ended is written down as it is then, so its files come at once; those of running trials come
        now and then.

        Args:
            record: the experiment as the store has it.
            binding: says on which cluster it runs.
            trials: all its trials on Katib.

        Returns:
            What is waited for; empty once the files are here.

        Raises:
            ClusterError: the files do not get through.
        """
        pod = None if binding.read_only else self._pod(binding.cluster, record.name)
        folders = _unfinished_folders(record, trials)
        ended = {f"{record.name}/{trial.name}" for trial in trials if trial.state.is_finished()}
        is_fresh = _recent_fetches.is_within(record.directory, self._fetch_seconds)
        if pod is None or not folders or (is_fresh and ended.isdisjoint(folders)):
            return ""
        return self._fetch(pod, record, folders, most_bytes=SMALL_FILE)

    def fetch_all_now(self, record: ExperimentRecord, binding: ClusterBinding, trials: Iterable[KatibTrial]) -> None:
        """Copy what trials have written, waiting for the pod.

        Args:
            record: the experiment as the store has it.
            binding: says on which cluster it runs.
            trials: all its trials on Katib.

        Raises:
            ClusterError: the pod does not start, or the files do not get through.
        """
        pod = self._pod(binding.cluster, record.name)
        if pod is not None:
            pod.wait()
            pod.fetch(_unfinished_folders(record, trials))

    def fetch_trial(self, record: ExperimentRecord, binding: ClusterBinding, trial: TrialRecord) -> str:
        """Copy all files of a trial, its network too.

        Args:
            record: the experiment as the store has it.
            binding: says on which cluster it runs.
            trial: whose network is wanted.

        Returns:
            What is waited for; empty once the files are here.

        Raises:
            ClusterError: the files do not get through.
        """
        pod = self._pod(binding.cluster, record.name)
        folders = [f"{record.name}/{trial.directory.name}"]
        return "" if pod is None else self._fetch(pod, record, folders, most_bytes=None)

    def _fetch(self, pod: TransferPod, record: ExperimentRecord, folders: list[str], *, most_bytes: int | None) -> str:
        trouble = pod.is_ready()
        if trouble is not None:
            return f"waiting for {pod.name}, the pod that copies files here{trouble and f': {trouble}'}"
        pod.fetch(folders, most_bytes=most_bytes)
        _recent_fetches.mark(record.directory)
        return ""

    def remove_trials(self, record: ExperimentRecord, binding: ClusterBinding, folders: Collection[str]) -> None:
        """Delete the folders of these trials on the claim.

        Args:
            record: the experiment as the store has it.
            binding: says on which cluster it runs.
            folders: names of the trials' folders; with none, nothing is asked of the cluster.

        Raises:
            ClusterError: they cannot be deleted.
        """
        pod = self._pod(binding.cluster, record.name) if folders else None
        if pod is not None:
            pod.remove([f"{record.name}/{folder}" for folder in folders])

    def remove_experiment(self, settings: ClusterSettings, name: str) -> None:
        """Delete the folder of an experiment on the claim; the log says if it stays."""
        pod = self._pod(settings, name)
        if pod is None:
            return
        try:
            pod.remove([name])
        except ClusterError as error:
            _logger.warning("the files of %s stay on claim %s: %s", name, settings.claim, error)
        _close(pod)

    def close(self, binding: ClusterBinding, name: str) -> None:
        """End the experiment's pod, because nothing more is to be copied.

        Args:
            binding: says on which cluster the experiment runs.
            name: of the experiment.
        """
        with suppress(NotConfigured):
            pod = None if binding.read_only else self._pod(binding.cluster, name)
            if pod is not None:
                _close(pod)


def _close(pod: TransferPod) -> None:
    # One that cannot be ended now ends by itself.
    with suppress(ClusterError):
        pod.close()


def _unfinished_folders(record: ExperimentRecord, trials: Iterable[KatibTrial]) -> list[str]:
    """Return the folders of trials that have begun, and are not written to their end in the store."""
    done = {trial.directory.name for trial in record.trials if trial.state.is_finished()}
    begun = (trial.name for trial in trials if trial.state is not TrialState.WAITING and trial.name not in done)
    return [f"{record.name}/{name}" for name in begun if is_folder_name(name)]
