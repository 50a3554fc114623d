"""A process that does tasks of one evaluation, one after the other, and keeps TensorFlow loaded between them.

Tasks and answers are JSON, one object a line, over stdin and what was stdout when it started. What a task found is
in the evaluation's folder before the answer says so.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from gwas_core.errors import GwasError, InputError, describe_unexpected
from gwas_core.evaluation.folds import PreparedHeldOutSet, prepare_held_out_set
from gwas_core.evaluation.models import predict_with_baselines, predict_with_network
from gwas_core.evaluation.store import EvaluationStore, EvaluationTask, TaskResult
from gwas_core.genotypes.dataset import Dataset
from gwas_core.processes.channel import Channel, die_with


class Worker:
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

    def answer(self, message: Mapping[str, Any]) -> dict[str, str]:
        """Do the task of a message; the error it ended in, empty for none."""
        try:
            self.do(EvaluationTask(**message))
        except GwasError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it was, the evaluation ends with a sentence
            traceback.print_exc()
            return {"error": describe_unexpected(error)}
        return {"error": ""}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m gwas_core.evaluation.worker``."""
    parser = argparse.ArgumentParser(description="Does tasks of an evaluation; not meant to be started by hand.")
    parser.add_argument("--evaluation", type=Path, required=True, help="its folder")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of its dataset")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of who started it")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    channel = Channel()
    worker = Worker(EvaluationStore(options.evaluation), Dataset.load(options.dataset), threads=options.threads)
    while True:
        channel.send(worker.answer(channel.receive()))


if __name__ == "__main__":
    main()
