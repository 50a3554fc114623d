"""Run of an evaluation from its plan to its result; killed at any moment, it goes on when it is run again.

Also here: the mean over several networks; the time that is left; the file of predictions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gwas_core.errors import ExperimentError, GwasError
from gwas_core.evaluation.folds import HeldOutSet
from gwas_core.evaluation.intervals import Floats, HeldOutPredictions, compare, held_out_metrics
from gwas_core.evaluation.methods import method_sentences
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.evaluation.result import NETWORK, EvaluationResult, HeldOutResult
from gwas_core.evaluation.store import (
    PREDICTIONS_FILE,
    ChosenHyperparameters,
    EvaluationStore,
    EvaluationTask,
    TaskResult,
    check_plan,
    tasks_of,
)
from gwas_core.evaluation.tasks import do_tasks
from gwas_core.evaluation.tuning import OnTuning, reuse, tune
from gwas_core.files import write_text
from gwas_core.genotypes.dataset import Dataset
from gwas_core.processes.locks import FileLock
from gwas_core.processes.threads import thread_environment, usable_cores, worker_threads
from gwas_core.processes.worker_pool import WorkerPool
from gwas_core.serialization import to_json_values
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.parallel_trials import parallel_trials_here
from gwas_core.tuning.records import ExperimentRecord


@dataclass(frozen=True, kw_only=True)
class TaskProgress:
    """Progress of training and predicting.

    Attributes:
        done: number of finished tasks.
        total: number of all tasks.
        seconds_left: estimate; None until one task of each kind that is left was finished.
    """

    done: int
    total: int
    seconds_left: float | None


# Networks at a time if nobody says how many; as many as trials of a search by default.
_MOST_PARALLEL = 3

OnProgress = Callable[[TaskProgress], None]
"""Called whenever tasks were finished, and about every second."""


def _ignore(_: ExperimentRecord | TaskProgress) -> None:
    """Do nothing: the default for callbacks."""


def evaluate(
    engine: LocalEngine,
    dataset: Dataset,
    plan: EvaluationPlan,
    *,
    parallel: int | None = None,
    notes: tuple[str, ...] = (),
    on_tuning: OnTuning = _ignore,
    on_progress: OnProgress = _ignore,
) -> EvaluationResult:
    """Do what is left to do of an evaluation.

    Hyperparameters are tuned on the tune folds or taken from the experiment to reuse; then every held-out set is
    predicted by networks and baselines that were trained on all other lines.

    Args:
        engine: runs the search, and holds the workspace.
        dataset: the plan's, with folds; genotypes may be missing.
        plan: what to do.
        parallel: number of networks that are trained at the same time, at most as many as this machine has cores and
            memory for; one for each core, up to 3, if None.
        notes: sentences about reading the file.
        on_tuning: is told how the search goes on.
        on_progress: is told how training and predicting go on.

    Returns:
        The result, which is stored in the evaluation's folder beside a table with every prediction.

    Raises:
        SettingsError: if the plan does not fit the data.
        ExperimentError: if the evaluation is already running, was begun with another plan, its folder was deleted
            meanwhile, or a task failed; what is finished is kept.
        InputError: if a file of the evaluation is damaged.
    """
    held_out_sets = plan.held_out_sets(dataset)
    store = EvaluationStore.of(engine.workspace, plan.name)
    with store.lock as lock:
        if not lock.acquire(seconds=1.0):
            raise ExperimentError(f"the evaluation {plan.name} is already running")
        check_plan(store, plan)
        with _told_if_deleted(lock, store):
            store.save_plan(plan)
            parallel = parallel or min(_MOST_PARALLEL, usable_cores())
            dataset.save(engine.workspace.dataset_directory(plan.dataset))
            chosen = store.chosen()
            if chosen is None:
                if plan.tuning is None:
                    chosen = reuse(engine, dataset, plan)
                else:
                    chosen = tune(
                        engine, dataset, plan, plan.tuning, parallel=parallel, notes=notes, on_tuning=on_tuning
                    )
                _check_folder(lock, store)
                store.save_chosen(chosen)
            finished = _do_tasks(
                engine,
                store,
                lock,
                plan,
                held_out_sets,
                genotypes=dataset.genotypes.size,
                parallel=parallel,
                on_progress=on_progress,
            )
            predictions = _held_out_predictions(dataset, held_out_sets, finished)
            _check_folder(lock, store)
            result = _result(dataset, plan, chosen, held_out_sets, predictions, finished, notes)
            _write_predictions(store, dataset, held_out_sets, predictions)
            store.save_result(result)
    return result


def remaining_task_seconds(
    finished: Sequence[tuple[str, float]], left: Sequence[str], *, parallel: int
) -> float | None:
    """Estimate how long the tasks that are left take.

    Args:
        finished: kind and seconds of each finished task.
        left: kind of each task that is left.
        parallel: number of tasks done at the same time.

    Returns:
        Seconds, from the mean of each kind; None if no task of some kind that is left was finished yet.
    """
    seconds = 0.0
    for kind in left:
        known = [took for name, took in finished if name == kind]
        if not known:
            return None
        seconds += float(np.mean(known))
    # The last round keeps a process busy even if it is the only one.
    longest = max((took for _, took in finished), default=0.0) if left else 0.0
    return max(seconds / parallel, min(longest, seconds))


def _do_tasks(
    engine: LocalEngine,
    store: EvaluationStore,
    lock: FileLock,
    plan: EvaluationPlan,
    held_out_sets: Sequence[HeldOutSet],
    *,
    genotypes: int,
    parallel: int,
    on_progress: OnProgress,
) -> dict[EvaluationTask, TaskResult]:
    """Do the tasks that are not finished, and return the results of all."""
    tasks = tasks_of(plan, held_out_sets)
    found = {task: store.finished(task) for task in tasks}
    finished = {task: value for task, value in found.items() if value is not None}
    left = [task for task in tasks if task not in finished]
    size = parallel_trials_here(max(1, min(parallel, len(left))), genotypes=genotypes).used
    threads = worker_threads(usable_cores(), size)
    pool: WorkerPool[EvaluationTask] = WorkerPool(
        size,
        (
            "gwas_core.evaluation.worker",
            "--evaluation", str(store.directory),
            "--dataset", str(engine.workspace.dataset_directory(plan.dataset)),
            "--threads", str(threads),
        ),
        encode=to_json_values,
        environment=thread_environment(os.environ, threads),
        log_directory=store.directory,
    )  # fmt: skip

    def estimate() -> float | None:
        return remaining_task_seconds(
            [(task.kind, value.seconds) for task, value in finished.items()],
            [task.kind for task in tasks if task not in finished],
            parallel=size,
        )

    estimated, at = estimate(), time.monotonic()
    on_progress(TaskProgress(done=len(finished), total=len(tasks), seconds_left=estimated))
    try:
        for done in do_tasks(pool, left):
            _check_folder(lock, store)
            for task in done:
                value = store.finished(task)
                assert value is not None
                finished[task] = value
            if done:
                estimated, at = estimate(), time.monotonic()
            seconds_left = None if estimated is None else max(0.0, estimated - (time.monotonic() - at))
            on_progress(TaskProgress(done=len(finished), total=len(tasks), seconds_left=seconds_left))
    finally:
        pool.close()
    return finished


@contextmanager
def _told_if_deleted(lock: FileLock, store: EvaluationStore) -> Iterator[None]:
    """Have whatever fails because the folder was deleted say so: what it meets first is a file that is not there."""
    try:
        yield
    except (GwasError, OSError):
        _check_folder(lock, store)
        raise


def _check_folder(lock: FileLock, store: EvaluationStore) -> None:
    """Check that the evaluation's folder was not deleted, as with its workspace.

    Raises:
        ExperimentError: it was.
    """
    if not lock.is_in_place():
        raise ExperimentError(
            f"the folder {store.directory} was deleted or replaced while the evaluation was running: begin it again"
        )


def _held_out_predictions(
    dataset: Dataset, held_out_sets: Sequence[HeldOutSet], finished: Mapping[EvaluationTask, TaskResult]
) -> list[HeldOutPredictions]:
    """Return the predictions for every held-out set: the mean of its networks, then each baseline."""
    found = []
    for held_out in held_out_sets:
        networks = [
            value.predictions[NETWORK]
            for task, value in finished.items()
            if task.held_out_set == held_out.name and task.kind == "network"
        ]
        predicted: dict[str, Floats] = {NETWORK: np.mean(np.array(networks), axis=0)}
        baselines = finished[EvaluationTask(held_out_set=held_out.name, kind="baselines")].predictions
        predicted |= {name: np.array(values) for name, values in baselines.items()}
        found.append(
            HeldOutPredictions(
                observed=dataset.phenotype[held_out.test],
                predicted=predicted,
                family=None if dataset.family is None else dataset.family[held_out.test],
            )
        )
    return found


def _result(
    dataset: Dataset,
    plan: EvaluationPlan,
    chosen: ChosenHyperparameters,
    held_out_sets: Sequence[HeldOutSet],
    predictions: Sequence[HeldOutPredictions],
    finished: Mapping[EvaluationTask, TaskResult],
    notes: tuple[str, ...],
) -> EvaluationResult:
    # A control that only some held-out sets have says nothing about all of them.
    common = [name for name in predictions[0].predicted if all(name in entry.predicted for entry in predictions)]
    comparable = [replace(entry, predicted={name: entry.predicted[name] for name in common}) for entry in predictions]
    first = held_out_sets[0]
    preparation = finished[EvaluationTask(held_out_set=first.name, kind="baselines")].sentences
    return EvaluationResult(
        name=plan.name,
        trait=dataset.trait,
        standard_deviation=float(dataset.phenotype.std()),
        lines=sum(len(held_out.test) for held_out in held_out_sets),
        experiment=chosen.experiment,
        trial=chosen.trial,
        hyperparameters=dict(chosen.hyperparameters),
        comparison=compare(comparable, seed=plan.seed),
        held_out=tuple(
            HeldOutResult(
                name=held_out.name,
                title=held_out.title,
                lines=len(held_out.test),
                training_lines=len(held_out.train),
                metrics=metrics,
            )
            for held_out, metrics in zip(held_out_sets, held_out_metrics(comparable), strict=True)
        ),
        reading=notes,
        notes=(
            *method_sentences(dataset, plan, chosen, held_out_sets),
            *(f"Training lines for {first.title}: {sentence}" for sentence in preparation),
        ),
        plan=plan,
    )


def _write_predictions(
    store: EvaluationStore,
    dataset: Dataset,
    held_out_sets: Sequence[HeldOutSet],
    predictions: Sequence[HeldOutPredictions],
) -> None:
    tables = []
    for held_out, entry in zip(held_out_sets, predictions, strict=True):
        table = pd.DataFrame({"line": [dataset.line_names[row] for row in held_out.test], "part": held_out.title})
        if entry.family is not None:
            table["family"] = entry.family
        tables.append(table.assign(observed=entry.observed, **dict(entry.predicted)))
    write_text(store.directory / PREDICTIONS_FILE, csv_text(pd.concat(tables)))
