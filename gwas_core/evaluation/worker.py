"""A process that does tasks of one evaluation, one after the other, and keeps TensorFlow loaded between them.

Jobs are tasks (``EvaluationTask``) as JSON. What a task found is in the evaluation's folder before the answer says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from gwas_core.errors import InputError
from gwas_core.evaluation.folds import PreparedHeldOutSet, prepare_held_out_set
from gwas_core.evaluation.models import predict_with_baselines, predict_with_network
from gwas_core.evaluation.store import EvaluationStore, EvaluationTask, TaskResult
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.training import import_dependencies
from gwas_core.processes.channel import Channel, die_with
from gwas_core.processes.fork_server import serve_forks
from gwas_core.processes.worker import serve_jobs


class EvaluationWorker:
    """Does tasks of the evaluation in a folder."""

    def __init__(self, folder: EvaluationStore, dataset: Dataset, *, threads: int) -> None:
        plan, chosen = folder.plan(), folder.chosen()
        if plan is None or chosen is None:
            raise InputError(f"the evaluation {folder.directory.name} has no plan or hyperparameters")
        self._folder = folder
        self._plan = plan
        self._chosen = chosen
        self._threads = threads
        parts = {part.name: part for part in plan.held_out_sets(dataset)}
        # The last one only: tasks come part by part, and a part is a copy of all genotypes.
        self._prepared = lru_cache(maxsize=1)(
            lambda name: prepare_held_out_set(dataset, parts[name], plan.preprocessing)
        )

    def do(self, task: EvaluationTask) -> None:
        """Train, predict, and write the predictions down."""
        started = time.monotonic()
        part: PreparedHeldOutSet = self._prepared(task.held_out_set)
        if task.kind == "baselines":
            predictions = predict_with_baselines(part, threads=self._threads)
        else:
            predictions = predict_with_network(
                part,
                self._chosen,
                self._folder.training_directory(task),
                number=task.number,
                seed=self._plan.seed,
            )
        finished = TaskResult(
            predictions={name: values.tolist() for name, values in predictions.items()},
            seconds=time.monotonic() - started,
            sentences=list(part.sentences),
        )
        self._folder.save_finished(task, finished)

    def answer(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Do the task of a job and return the answer to it."""
        self.do(EvaluationTask(**job))
        return {"type": "done"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m gwas_core.evaluation.worker``."""
    parser = argparse.ArgumentParser(description="Does tasks of an evaluation; not meant to be started by hand.")
    parser.add_argument("--evaluation", type=Path, required=True, help="its folder")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of its dataset")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of who started it")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    worker = EvaluationWorker(
        EvaluationStore(options.evaluation), Dataset.load(options.dataset), threads=options.threads
    )
    # Shared by all workers.
    import_dependencies()
    serve_forks(lambda: serve_jobs(Channel(), worker.answer))


if __name__ == "__main__":
    main()
