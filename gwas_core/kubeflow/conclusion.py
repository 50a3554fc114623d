"""Conclusion of an experiment whose search has ended: evaluation, refit, snapshot of the claim, then its last state."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster import snapshot_claim
from gwas_core.kubeflow.cluster_binding import ClusterBinding, save_binding
from gwas_core.kubeflow.file_transfer import FileTransfer
from gwas_core.kubeflow.final_evaluation import FinalEvaluator
from gwas_core.kubeflow.katib_status import read_time
from gwas_core.kubeflow.kubernetes_api import ClusterError
from gwas_core.kubeflow.trial_sync import put_back_running_trials, set_waiting_reason
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.progress import Ending, Progress, search_ending
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter

EVALUATING = "the search is done; its best model is being evaluated on the test lines"
REFITTING = "the search is done; the network to take home is being trained on all lines"


class Conclusion:
    """Ends experiments whose search has ended.

    Args:
        snapshots: whether a snapshot of the claim is taken with the best trial, if the cluster offers snapshots.
    """

    def __init__(
        self,
        store: Store,
        clients: ClientCache,
        files: FileTransfer,
        final_evaluator: FinalEvaluator,
        *,
        snapshots: bool,
    ) -> None:
        self._store = store
        self._clients = clients
        self._files = files
        self._final_evaluator = final_evaluator
        self._snapshots = snapshots

    def conclude(
        self, writer: ExperimentWriter, binding: ClusterBinding, katib_ending: Ending, *, since: str | None = None
    ) -> None:
        """Write how the search ended, once its best model is evaluated.

        Args:
            katib_ending: how Katib says it ended; written if our own count of the trials says nothing.
            since: when it ended, RFC 3339.

        Raises:
            ClusterError: the files of the best model do not get through.
        """
        put_back_running_trials(writer, self._store)
        record = self._store.load(writer.experiment.name)
        if not binding.read_only and (waiting := self._evaluate(record, binding)):
            set_waiting_reason(writer, record, waiting)
            return
        self._files.close(binding, record.name)
        ending = self._failed_evaluation(record, binding) or _ending(writer, record, binding) or katib_ending
        moment, started = read_time(since), record.started
        is_later = moment is not None and started is not None and moment >= started
        writer.set_status(ending.state, ending.reason, since=since if is_later else None)

    def _evaluate(self, record: ExperimentRecord, binding: ClusterBinding) -> str:
        """Ensure baselines and final evaluation; return what is still waited for, empty once all is done."""
        evaluation, best = self._final_evaluator, record.best
        if evaluation.ensure_baselines(record):
            return EVALUATING
        if best is not None and self._snapshots:
            self._take_snapshot(record.name, binding, best.number)
        if best is not None and evaluation.is_needed(record):
            waiting = self._files.fetch_trial(record, binding, best)
            if waiting:
                return waiting
        if evaluation.ensure_best_is_evaluated(record):
            return EVALUATING
        return REFITTING if evaluation.ensure_best_is_refitted(record) else ""

    def _take_snapshot(self, name: str, binding: ClusterBinding, trial: int) -> None:
        snapshot = f"{name}-{trial}"
        if binding.snapshot == snapshot:
            return
        # A snapshot that cannot be taken costs nobody the experiment.
        with suppress(ClusterError):
            snapshot_claim(self._clients.get(binding.cluster), binding.cluster, snapshot)
        save_binding(self._store, name, replace(binding, snapshot=snapshot))

    def _failed_evaluation(self, record: ExperimentRecord, binding: ClusterBinding) -> Ending | None:
        reason = "" if binding.read_only else self._final_evaluator.failure(record)
        if not reason:
            return None
        return Ending(
            state=ExperimentState.FAILED, reason=f"the best model could not be evaluated on the test lines: {reason}"
        )


def _ending(writer: ExperimentWriter, record: ExperimentRecord, binding: ClusterBinding) -> Ending | None:
    """Return how the search ended by our own count of the trials; None if that says nothing."""
    experiment = record.experiment
    is_grid_done = binding.limit < experiment.max_trials
    exhausted = f"all {binding.limit} points of the grid have been tried" if is_grid_done else ""
    return search_ending(
        _progress(record),
        max_trials=experiment.max_trials,
        max_failed_trials=experiment.max_failed_trials,
        forgiven_failures=writer.forgiven_failures,
        exhausted=exhausted,
    )


def _progress(record: ExperimentRecord) -> Progress:
    counts = record.counts
    reasons: dict[str, int] = {}
    for trial in record.trials:
        if trial.state is TrialState.FAILED:
            reasons[trial.reason] = reasons.get(trial.reason, 0) + 1
    return Progress(
        succeeded=counts[TrialState.SUCCEEDED],
        pruned=counts[TrialState.PRUNED],
        failed=counts[TrialState.FAILED],
        best=None if record.best is None else record.best.number,
        reasons=tuple(sorted(reasons.items(), key=lambda entry: -entry[1])),
    )
