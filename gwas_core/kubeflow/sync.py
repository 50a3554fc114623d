"""Synchronisation of an experiment with its Katib experiment: trials, reason of a stall, stop, end, and outages.

Also here: that one process at a time does it; what is written if somebody deleted the experiment on the cluster.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gwas_core.kubeflow import katib_objects
from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster_binding import ClusterBinding, load_binding, save_binding
from gwas_core.kubeflow.conclusion import Conclusion
from gwas_core.kubeflow.file_transfer import FileTransfer
from gwas_core.kubeflow.final_evaluation import FinalEvaluator
from gwas_core.kubeflow.intervals import PollingIntervals
from gwas_core.kubeflow.katib_status import completion_message, condition, read_time, read_trials
from gwas_core.kubeflow.kubernetes_api import ClusterError, KubernetesApi, NotFound
from gwas_core.kubeflow.labels import EXPERIMENT_LABEL
from gwas_core.kubeflow.recent_times import RecentTimes
from gwas_core.kubeflow.stalls import explain_stall, last_change
from gwas_core.kubeflow.submission import is_submitted
from gwas_core.kubeflow.trial_sync import put_back_running_trials, set_waiting_reason, sync_trials
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.experiment import ExperimentState
from gwas_core.tuning.progress import Ending
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter

_SEEN_SECONDS = 30.0
_recent_syncs = RecentTimes()


class ExperimentSync:
    """Brings experiments of the store up to date with the cluster.

    Every step can be repeated, so an outage may break in anywhere: the next synchronisation goes on.
    """

    def __init__(
        self,
        store: Store,
        clients: ClientCache,
        files: FileTransfer,
        final_evaluator: FinalEvaluator,
        conclusion: Conclusion,
        intervals: PollingIntervals,
    ) -> None:
        self._store = store
        self._clients = clients
        self._files = files
        self._final_evaluator = final_evaluator
        self._conclusion = conclusion
        self._intervals = intervals

    def sync(self, name: str) -> ExperimentRecord:
        """Return the experiment, synchronised unless that was done a moment ago.

        Raises:
            ExperimentError: there is no such experiment.
        """
        record = self._store.load(name)
        is_fresh = _recent_syncs.is_within(record.directory, self._intervals.sync_seconds)
        return record if is_fresh or not record.state.is_active() else self.sync_now(name)

    def sync_now(self, name: str) -> ExperimentRecord:
        """Return the experiment, synchronised unless another process is doing that, or the cluster has to be spared.

        Raises:
            ExperimentError: there is no such experiment.
        """
        record = self._store.load(name)
        if not record.state.is_active():
            return record
        with experiment_lock(record.directory) as lock:
            if not lock.acquire():
                return record
            record, binding = self._store.load(name), load_binding(self._store, name)
            if record.state.is_active() and binding.may_ask():
                self._sync(record, binding)
                _recent_syncs.mark(record.directory)
        return self._store.load(name)

    def _sync(self, record: ExperimentRecord, binding: ClusterBinding) -> None:
        writer = ExperimentWriter(self._store, record.name)
        try:
            if record.state is ExperimentState.STOPPING:
                self._stop(writer, record, binding)
            elif binding.uid:
                self._update(writer, record, binding)
            else:
                self._conclusion.conclude(writer, binding, Ending(state=ExperimentState.SUCCEEDED))
        except NotFound:
            self._interrupt(writer, record, binding)
        except ClusterError as error:
            self._clients.clear()  # perhaps the cluster's address has changed
            save_binding(self._store, record.name, binding.not_answered(self._intervals.first_retry))
            seen = f"last seen {binding.seen[:16].replace('T', ' ')} UTC" if binding.seen else "never seen"
            set_waiting_reason(writer, record, f"{error} ({seen}); it is asked again")

    def _update(self, writer: ExperimentWriter, record: ExperimentRecord, binding: ClusterBinding) -> None:
        """Write the trials and the state of an experiment that runs."""
        api = self._clients.get(binding.cluster)
        found = katib_objects.read(api, record.name, uid=binding.uid)
        if binding.silent or _is_old(binding.seen):
            save_binding(self._store, record.name, binding.answered())
        trials = read_trials(found.trials, found.suggestion)
        if waiting := self._files.fetch_new(record, binding, trials):
            set_waiting_reason(writer, record, waiting)
            return
        is_complete = sync_trials(
            writer, record, trials, external_names=binding.external_names, seconds=self._intervals.reading_seconds
        )
        if not is_complete:
            set_waiting_reason(writer, record, "the trials so far are being read from the cluster")
            return
        if not binding.read_only:
            self._final_evaluator.ensure_baselines(record)
        message = completion_message(found.experiment)
        if message is None:
            set_waiting_reason(writer, record, self._stall(api, found))
            return
        if not binding.read_only:
            # Katib lets trials run on after it has given up (katib #2061).
            katib_objects.delete_unfinished(api, found.trials)
        is_failure = condition(found.experiment, "Failed") is not None
        ending = Ending(
            state=ExperimentState.FAILED if is_failure else ExperimentState.SUCCEEDED, reason=f"Katib says: {message}"
        )
        ended = (found.experiment.get("status") or {}).get("completionTime")
        self._conclusion.conclude(writer, binding, ending, since=ended)

    def _stall(self, api: KubernetesApi, found: katib_objects.KatibObjects) -> str:
        """Return why nothing has happened for long; empty if something has."""
        now = datetime.now(UTC)
        if now - last_change(found.experiment, found.trials) < self._intervals.stall:
            return ""
        pods = api.list("pods", labels={EXPERIMENT_LABEL: found.experiment["metadata"]["name"]})
        return explain_stall(found.experiment, found.trials, found.suggestion, pods, now=now)

    def _stop(self, writer: ExperimentWriter, record: ExperimentRecord, binding: ClusterBinding) -> None:
        """Delete the Katib experiment, keeping the trials that have finished."""
        name = record.name
        if binding.uid:
            api = self._clients.get(binding.cluster)
            existing = katib_objects.find(api, "experiments", name)
            if existing is None or is_submitted(existing, binding, record):
                katib_objects.delete_experiment_alone(api, name)
                resources = katib_objects.list_trials(api, name)
                trials = read_trials(resources, katib_objects.find(api, "suggestions", name))
                katib_objects.delete_unfinished(api, resources)
                if waiting := self._files.fetch_new(record, binding, trials):
                    set_waiting_reason(writer, record, waiting)
                    return
                sync_trials(writer, record, trials, external_names=None)
        put_back_running_trials(writer, self._store)
        self._files.close(binding, name)
        save_binding(self._store, name, replace(binding, uid="").answered())
        writer.set_status(ExperimentState.STOPPED)

    def _interrupt(self, writer: ExperimentWriter, record: ExperimentRecord, binding: ClusterBinding) -> None:
        """Write that the Katib experiment is gone."""
        hint = "" if binding.read_only else "; resume starts it again"
        reason = (
            f"the Katib experiment {record.name} in {binding.cluster.namespace} is gone: somebody deleted it on the "
            f"cluster{hint}"
        )
        put_back_running_trials(writer, self._store)
        self._files.close(binding, record.name)
        writer.set_status(ExperimentState.INTERRUPTED, reason)


def _is_old(seen: str) -> bool:
    moment = read_time(seen)
    return moment is None or (datetime.now(UTC) - moment).total_seconds() > _SEEN_SECONDS
