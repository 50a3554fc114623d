"""Continuation of an experiment on a cluster: resuming a stopped one with its trials, and adding trials.

Also here: which trials Katib is told of again, and whose files are deleted; what resume policy Never forbids.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

from gwas_core.errors import ExperimentError
from gwas_core.kubeflow import katib_objects
from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster_binding import ClusterBinding, load_own_binding, save_binding
from gwas_core.kubeflow.file_transfer import FileTransfer
from gwas_core.kubeflow.final_evaluation import FinalEvaluator
from gwas_core.kubeflow.katib_status import completion_message, condition, read_trials
from gwas_core.kubeflow.kubernetes_api import KubernetesApi
from gwas_core.kubeflow.submission import is_submitted, submission_manifest, submit
from gwas_core.kubeflow.trial_sync import sync_trials
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import Experiment, ExperimentState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter


class Continuation:
    """Has Katib go on with experiments of the store."""

    def __init__(
        self, store: Store, clients: ClientCache, files: FileTransfer, final_evaluator: FinalEvaluator
    ) -> None:
        self._store = store
        self._clients = clients
        self._files = files
        self._final_evaluator = final_evaluator

    def resume(self, record: ExperimentRecord) -> None:
        """Have Katib go on where the store is, with what its search knows if that is still there.

        Args:
            record: of the experiment, which has stopped.

        Raises:
            ExperimentError: it was made elsewhere, its name is taken on the cluster, or the cluster does not answer.
        """
        name = record.name
        binding, writer = load_own_binding(self._store, name), ExperimentWriter(self._store, name)
        api = self._clients.get(binding.cluster)
        manifest = submission_manifest(record.experiment, binding.cluster)
        limit = manifest["spec"]["maxTrialCount"]
        self._final_evaluator.forget_failures(name)
        if record.state is ExperimentState.FAILED:
            writer.forgive_failures()
        known: list[JsonObject] | None = None
        if record.finished_trials < limit:
            known = self._take_over(api, writer, record, binding)
            record = self._store.load(name)
        if record.finished_trials >= limit:
            # Only the final evaluation is left to do.
            save_binding(self._store, name, replace(binding, uid="", limit=limit))
            self._store.clear_stop_request(name)
            writer.set_status(ExperimentState.RUNNING)
            return
        katib_objects.set_counts(manifest["spec"], record, known or (), forgiven=writer.forgiven_failures)
        self._remove_unfinished(record, binding)
        created = submit(api, self._store, name, manifest, limit=limit)
        if known is not None:
            katib_objects.adopt(api, created, known)

    def _take_over(
        self, api: KubernetesApi, writer: ExperimentWriter, record: ExperimentRecord, binding: ClusterBinding
    ) -> list[JsonObject] | None:
        """Return the trials that Katib's search still knows, after deleting the experiment they belonged to.

        Returns:
            See ``katib_objects.resumable_trials``.
        """
        name = record.name
        existing = katib_objects.find(api, "experiments", name)
        if existing is not None:
            if not is_submitted(existing, binding, record):
                raise ExperimentError(
                    f"meanwhile {binding.cluster.namespace} has another Katib experiment named {name}: delete that "
                    "first"
                )
            katib_objects.delete_experiment_alone(api, name)
        known = katib_objects.resumable_trials(api, name, resume_policy=binding.cluster.resume_policy)
        if known is not None:
            # Some may have finished unseen.
            trials = read_trials(known, katib_objects.find(api, "suggestions", name))
            self._files.fetch_all_now(record, binding, trials)
            sync_trials(writer, record, trials, external_names=None)
        return known

    def _remove_unfinished(self, record: ExperimentRecord, binding: ClusterBinding) -> None:
        """Delete the files of unfinished trials.

        Katib runs these again under their names, and the earlier attempt may have left half of its files.
        """
        unfinished = [trial.directory for trial in record.trials if not trial.state.is_finished()]
        for directory in unfinished:
            shutil.rmtree(directory, ignore_errors=True)
        self._files.remove_trials(record, binding, [directory.name for directory in unfinished])

    def raise_max_trials(self, record: ExperimentRecord, extended: Experiment, binding: ClusterBinding) -> bool:
        """Have the Katib experiment do more trials.

        Args:
            extended: the experiment with its new number of trials.

        Returns:
            False if the Katib experiment is gone or has failed, and so has to be resumed.

        Raises:
            ExperimentError: Katib does not allow it.
        """
        limit = int(submission_manifest(extended, binding.cluster)["spec"]["maxTrialCount"])
        if not binding.uid:
            return False
        if limit > binding.limit:
            api = self._clients.get(binding.cluster)
            existing = katib_objects.find(api, "experiments", record.name)
            if existing is None or not is_submitted(existing, binding, record):
                return False
            if completion_message(existing) is not None and binding.cluster.resume_policy == "Never":
                raise ExperimentError(
                    f"{record.name} was started with Katib's resume policy Never and cannot go on: start a new one"
                )
            if condition(existing, "Failed") is not None:
                return False
            count = existing["spec"]["maxTrialCount"] + limit - binding.limit
            api.patch("experiments", record.name, {"spec": {"maxTrialCount": count}})
            save_binding(self._store, record.name, replace(binding, limit=limit))
        return True
