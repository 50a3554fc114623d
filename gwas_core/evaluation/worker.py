"""Worker process of one evaluation: does one task after the other and keeps TensorFlow loaded between them.

Jobs are tasks (``EvaluationTask``) as JSON. The result of a task is in the evaluation's folder before the answer is
sent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from gwas_core.errors import InputError
from gwas_core.evaluation.folds import PreparedHeldOutSet, prepare_held_out_set
from gwas_core.evaluation.models import predict_with_baselines, predict_with_network
from gwas_core.evaluation.store import EvaluationStore, EvaluationTask, TaskResult
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.training import import_dependencies
from gwas_core.processes.channel import Channel, die_with
from gwas_core.processes.fork_server import serve_forks
from gwas_core.processes.worker import serve_jobs
from gwas_core.serialization import JsonObject, from_json_values


class EvaluationWorker:
    """Doer of the tasks of one evaluation.

    Args:
        store: of the evaluation, with plan and chosen hyperparameters.
        dataset: the plan's, with folds.
        threads: of linear algebra.

    Raises:
        InputError: if the plan or the hyperparameters are missing.
    """

    def __init__(self, store: EvaluationStore, dataset: Dataset, *, threads: int) -> None:
        plan, chosen = store.plan(), store.chosen()
        if plan is None or chosen is None:
            raise InputError(f"the evaluation {store.name} has no plan or hyperparameters")
        self._store = store
        self._plan = plan
        self._chosen = chosen
        self._threads = threads
        held_out_sets = {held_out.name: held_out for held_out in plan.held_out_sets(dataset)}
        # Only the last one is kept: each is a copy of all genotypes, and tasks come one held-out set after the other.
        self._prepare = lru_cache(maxsize=1)(
            lambda name: prepare_held_out_set(dataset, held_out_sets[name], plan.preprocessing)
        )

    def do(self, task: EvaluationTask) -> None:
        """Train, predict, and store the predictions.

        Args:
            task: of the evaluation's plan.

        Raises:
            TrialFailed: training diverged or memory ran out.
        """
        started = time.monotonic()
        prepared: PreparedHeldOutSet = self._prepare(task.held_out_set)
        if task.kind == "baselines":
            predictions = predict_with_baselines(prepared, threads=self._threads)
        else:
            predictions = predict_with_network(
                prepared,
                self._chosen,
                self._store.training_directory(task),
                number=task.number,
                seed=self._plan.seed,
            )
        finished = TaskResult(
            predictions={name: values.tolist() for name, values in predictions.items()},
            seconds=time.monotonic() - started,
            sentences=list(prepared.sentences),
        )
        self._store.save_finished(task, finished)

    def answer(self, job: JsonObject) -> JsonObject:
        """Do the task of a job and return the answer to it.

        Args:
            job: an ``EvaluationTask`` as JSON.

        Returns:
            Nothing: the result is in the evaluation's folder.

        Raises:
            InputError: the job describes no task.
            TrialFailed: training diverged or memory ran out.
        """
        self.do(from_json_values(EvaluationTask, job, name="job", error=InputError))
        return {}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve an evaluation, as ``python -m gwas_core.evaluation.worker`` does.

    Args:
        arguments: of the command line; those of this process if None.
    """
    parser = argparse.ArgumentParser(description="Do tasks of an evaluation; not meant to be started by hand.")
    parser.add_argument("--evaluation", type=Path, required=True, help="its folder")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of its dataset")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of who started it")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    worker = EvaluationWorker(
        EvaluationStore(options.evaluation), Dataset.load(options.dataset), threads=options.threads
    )
    # Imported once, and shared by all workers that are forked from here.
    import_dependencies()
    serve_forks(lambda: serve_jobs(Channel(), worker.answer))


if __name__ == "__main__":
    main()
