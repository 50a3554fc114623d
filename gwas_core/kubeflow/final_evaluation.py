"""Final evaluation of a cluster's search, beside the dashboard: baselines, the best model on test lines, its refit.

Also here: how often a process that died is started again; why a model could not be evaluated.

Each runs in a process of its own, which needs TensorFlow, takes minutes, and goes on when the dashboard is closed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gwas_core.errors import GwasError, describe_unexpected
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split, load_split
from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.processes.locks import FileLock
from gwas_core.processes.threads import thread_environment, usable_cores
from gwas_core.serialization import to_json_values
from gwas_core.tuning.attributes import read_record
from gwas_core.tuning.model_functions import MODEL_VARIABLE, model_functions
from gwas_core.tuning.records import ExperimentRecord, Refit, TrialRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

LOG_FILE = "judge.log"
"""In an experiment's folder: what the processes print. Its name is that of earlier versions, whose logs stay."""

# Study attributes: a ``_Failure``, or nothing in it, and how often each evaluation was begun.
_FAILURE, _STARTS = "unjudged", "judgements"

_MOST_STARTS = 2
_LOCK_FILE = ".judge.lock"
_BASELINES = -1
_REFIT = "refit"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Reason why the best trial, of this number, could not be evaluated."""

    trial: int
    reason: str


class FinalEvaluator:
    """Starts the processes that evaluate, and knows what came of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ensure_baselines(self, record: ExperimentRecord) -> bool:
        """Start computing the baselines if they are missing.

        Returns:
            Whether they are still missing, and being computed.
        """
        if record.baselines is not None or record.baselines_reason:
            return False
        return self._ensure_process(record, _BASELINES)

    def ensure_best_is_evaluated(self, record: ExperimentRecord) -> bool:
        """Start evaluating the best trial on the test lines if that was not done.

        Returns:
            Whether the evaluation is still going on.
        """
        if record.best is None or not self.is_needed(record):
            return False
        return self._ensure_process(record, record.best.number)

    def ensure_best_is_refitted(self, record: ExperimentRecord) -> bool:
        """Start training the judged network on all lines if that was not tried.

        Returns:
            Whether that is still going on. A refit that fails is written as such, and fails no search.
        """
        evaluation = record.evaluated_best
        if evaluation is None or record.refit_of_best is not None:
            return False
        return self._ensure_process(record, evaluation.trial, refit=True)

    def is_needed(self, record: ExperimentRecord) -> bool:
        """Return whether there is a best trial that is not evaluated, and could be."""
        best = record.best
        if best is None or record.evaluated_best is not None:
            return False
        return not self.failure(record)

    def failure(self, record: ExperimentRecord) -> str:
        """Return why the best trial could not be evaluated; empty if nothing says so."""
        best = record.best
        failure = read_record(_Failure, self._store.engine_attribute(record.name, _FAILURE))
        return failure.reason if failure is not None and best is not None and failure.trial == best.number else ""

    def forget_failures(self, name: str) -> None:
        """Have everything that could not be evaluated tried again."""
        for key in (_FAILURE, _STARTS):
            self._store.set_engine_attribute(name, key, {})

    def _starts(self, name: str) -> dict[str, int]:
        """Return how often the process of each trial was started, by the trial's number as text; of a refit too."""
        return dict(self._store.engine_attribute(name, _STARTS) or {})

    def _ensure_process(self, record: ExperimentRecord, trial: int, *, refit: bool = False) -> bool:
        """Start the process unless one is at work; return whether one is.

        After its second death without a word it is given up.
        """
        # Whoever finds the lock taken knows that a process is at work, however young: the process inherits it.
        with FileLock(record.directory / _LOCK_FILE) as lock:
            if not lock.acquire():
                return True
            key = f"{_REFIT} {trial}" if refit else str(trial)
            starts = self._starts(record.name)
            if starts.get(key, 0) >= _MOST_STARTS:
                words = last_line(record.directory / LOG_FILE) or "no last words"
                reason = f"the process ended by itself ({words})"
                _write_failure(self._store, record.name, trial, reason, refit=refit)
                return False
            starts[key] = starts.get(key, 0) + 1
            self._store.set_engine_attribute(record.name, _STARTS, starts)
            _start(self._store.workspace, record.name, trial, lock.fileno(), refit=refit)
            return True


def _start(workspace: Workspace, name: str, trial: int, lock: int, *, refit: bool) -> None:
    log = workspace.experiment_directory(name) / LOG_FILE
    start_detached(
        module_command(
            "gwas_core.kubeflow.final_evaluation",
            "--workspace", str(workspace.root),
            "--trial", str(trial),
            *(("--refit",) if refit else ()),
            name,
        ),
        log=log,
        environment=thread_environment(os.environ, usable_cores()),
        inherit=(lock,),
    )  # fmt: skip


def _write_failure(store: Store, name: str, trial: int, reason: str, *, refit: bool = False) -> None:
    if refit:
        ExperimentWriter(store, name).set_refit(Refit(trial=trial, result=None, reason=reason))
    elif trial == _BASELINES:
        ExperimentWriter(store, name).set_baselines_failure(reason)
    else:
        store.set_engine_attribute(name, _FAILURE, to_json_values(_Failure(trial=trial, reason=reason)))


def _evaluate(store: Store, name: str, trial: int, *, refit: bool = False) -> None:
    """Evaluate a trial, or the baselines, or refit the trial, and write the result, or why there is none."""
    writer = ExperimentWriter(store, name)
    record = store.load(name)
    try:
        dataset = Dataset.load(store.workspace.dataset_directory(record.experiment.dataset))
        split = load_split(record.directory)
        if refit:
            writer.set_refit(_refit(dataset, split, record.trials[trial]))
        elif trial == _BASELINES:
            from gwas_core.model.baselines import evaluate_baselines

            baselines = evaluate_baselines(dataset, split, threads=usable_cores())
            writer.set_baselines({key: value.stored for key, value in baselines.items()})
        else:
            functions = model_functions()
            metrics = functions.finalise(dataset, split, record.directory, record.trials[trial].directory)
            if functions.refit is None:
                # Said here, since the dashboard does not import models: some import TensorFlow at once.
                reason = f"the model that {MODEL_VARIABLE} names has no function for that"
                writer.set_refit(Refit(trial=trial, result=None, reason=reason))
            writer.add_final_evaluation(trial, **metrics)
    except Exception as error:
        _logger.exception("the final evaluation failed")
        reason = str(error) if isinstance(error, GwasError) else describe_unexpected(error)
        _write_failure(store, name, trial, reason, refit=refit)


def _refit(dataset: Dataset, split: Split, trial: TrialRecord) -> Refit:
    function = model_functions().refit
    assert function is not None
    if trial.result is None or trial.result.best_epoch is None or trial.seed is None:
        return Refit(trial=trial.number, result=None, reason="the best epoch or the seed of its trial is not known")
    result = function(
        dataset,
        trial.directory,
        judged_lines=len(split.train),
        epochs=trial.result.best_epoch,
        seed=trial.seed,
    )
    return Refit(trial=trial.number, result=result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m gwas_core.kubeflow.final_evaluation`` and return its exit code.

    Args:
        arguments: of the command line; those of this process if not given.
    """
    parser = argparse.ArgumentParser(description="Baselines and final evaluation; started by the Kubeflow engine.")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--trial", type=int, required=True, help=f"which to evaluate; {_BASELINES}: the baselines")
    parser.add_argument("--refit", action="store_true", help="train its network on all lines instead")
    parser.add_argument("name", help="the experiment")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with suppress(GwasError):  # the experiment was deleted meanwhile
        _evaluate(Store(Workspace(options.workspace)), options.name, options.trial, refit=options.refit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
