"""An evaluation from its plan to its result; killed at any moment, it goes on when it is run again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from gwas_core.errors import ExperimentError
from gwas_core.evaluation.folds import HeldOutSet
from gwas_core.evaluation.intervals import RESAMPLES, HeldOutPredictions, compare, held_out_metrics
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
from gwas_core.evaluation.tuning import reuse, tune
from gwas_core.files import atomic_path
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import quoted
from gwas_core.processes.threads import thread_environment, usable_cores, worker_threads
from gwas_core.processes.worker_pool import WorkerPool
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import ExperimentRecord


@dataclass(frozen=True, kw_only=True)
class TaskProgress:
    """How far training and predicting is.

    Attributes:
        seconds_left: about; None while no task of each kind that is left was finished.
    """

    done: int
    total: int
    seconds_left: float | None


class Watcher(Protocol):
    """Is told how an evaluation goes on."""

    def tuning(self, record: ExperimentRecord) -> None:
        """The search has changed."""

    def tasks(self, progress: TaskProgress) -> None:
        """Tasks were finished, or a second went by."""


def evaluate(
    engine: LocalEngine,
    dataset: Dataset,
    plan: EvaluationPlan,
    *,
    settings: Mapping[str, Any],
    parallel: int,
    notes: tuple[str, ...] = (),
    watcher: Watcher,
) -> EvaluationResult:
    """Do what is left to do of an evaluation, and judge.

    Args:
        dataset: the plan's, with folds; genotypes may be missing.
        settings: of the search, unless the plan reuses one.
        parallel: networks trained at the same time.
        notes: what reading the file had to say.

    Returns:
        JSON-ready: what ``report.evaluation`` draws.

    Raises:
        SettingsError, ExperimentError, InputError: why it cannot be done; what is finished is kept.
    """
    parts = plan.held_out_sets(dataset)
    folder = EvaluationStore.of(engine.workspace, plan.name)
    with folder.lock as lock:
        if not lock.acquire(seconds=1.0):
            raise ExperimentError(f"the evaluation {plan.name} is already running")
        check_plan(folder, plan)
        folder.save_plan(plan)
        dataset.save(engine.workspace.dataset_directory(plan.dataset))
        chosen = folder.chosen()
        if chosen is None:
            if plan.tuning is None:
                chosen = reuse(engine, dataset, plan)
            else:
                chosen = tune(engine, dataset, plan, settings, parallel=parallel, notes=notes, on_change=watcher.tuning)
            folder.save_chosen(chosen)
        finished = _do_tasks(engine, folder, plan, parts, parallel=parallel, watcher=watcher)
        result = _result(dataset, plan, chosen, parts, finished, notes)
        _write_predictions(folder, dataset, parts, finished)
        folder.save_result(result)
    return result


def remaining_task_seconds(
    finished: Sequence[tuple[str, float]], left: Sequence[str], *, parallel: int
) -> float | None:
    """About how long tasks of the kinds ``left`` take, from (kind, seconds) of those that are finished."""
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
    folder: EvaluationStore,
    plan: EvaluationPlan,
    parts: tuple[HeldOutSet, ...],
    *,
    parallel: int,
    watcher: Watcher,
) -> dict[EvaluationTask, TaskResult]:
    """What every task left, after doing those that are not finished."""
    tasks = tasks_of(plan, parts)
    found = {task: folder.finished(task) for task in tasks}
    finished = {task: value for task, value in found.items() if value is not None}
    left = [task for task in tasks if task not in finished]
    size = max(1, min(parallel, len(left)))
    threads = worker_threads(usable_cores(), size)
    pool = WorkerPool(
        size,
        (
            "gwas_core.evaluation.worker",
            "--evaluation", str(folder.directory),
            "--dataset", str(engine.workspace.dataset_directory(plan.dataset)),
            "--threads", str(threads),
        ),
        environment=thread_environment(os.environ, threads),
        log_directory=folder.directory,
    )  # fmt: skip

    def estimate() -> float | None:
        return remaining_task_seconds(
            [(task.kind, value.seconds) for task, value in finished.items()],
            [task.kind for task in tasks if task not in finished],
            parallel=size,
        )

    estimated, at = estimate(), time.monotonic()
    watcher.tasks(TaskProgress(done=len(finished), total=len(tasks), seconds_left=estimated))
    try:
        for done in do_tasks(pool, left):
            for task in done:
                value = folder.finished(task)
                assert value is not None
                finished[task] = value
            if done:
                estimated, at = estimate(), time.monotonic()
            seconds_left = None if estimated is None else max(0.0, estimated - (time.monotonic() - at))
            watcher.tasks(TaskProgress(done=len(finished), total=len(tasks), seconds_left=seconds_left))
    finally:
        pool.close()
    return finished


def _part_predictions(
    dataset: Dataset, parts: tuple[HeldOutSet, ...], finished: Mapping[EvaluationTask, TaskResult]
) -> list[HeldOutPredictions]:
    """For every part: the mean prediction of its networks, then the baselines."""
    found = []
    for part in parts:
        predicted: dict[str, Any] = {}
        networks = [
            value.predictions[NETWORK]
            for task, value in finished.items()
            if task.held_out_set == part.name and task.kind == "network"
        ]
        predicted[NETWORK] = np.mean(np.array(networks), axis=0)
        baselines = finished[EvaluationTask(held_out_set=part.name, kind="baselines")].predictions
        predicted |= {name: np.array(values) for name, values in baselines.items()}
        found.append(
            HeldOutPredictions(
                observed=dataset.phenotype[part.test],
                predicted=predicted,
                family=None if dataset.family is None else dataset.family[part.test],
            )
        )
    return found


def _result(
    dataset: Dataset,
    plan: EvaluationPlan,
    chosen: ChosenHyperparameters,
    parts: tuple[HeldOutSet, ...],
    finished: Mapping[EvaluationTask, TaskResult],
    notes: tuple[str, ...],
) -> EvaluationResult:
    predictions = _part_predictions(dataset, parts, finished)
    # A control that only some parts have says nothing about all of them.
    common = [name for name in predictions[0].predicted if all(name in part.predicted for part in predictions)]
    predictions = [
        HeldOutPredictions(
            observed=part.observed, predicted={name: part.predicted[name] for name in common}, family=part.family
        )
        for part in predictions
    ]
    preparation = finished[EvaluationTask(held_out_set=parts[0].name, kind="baselines")].sentences
    return EvaluationResult(
        name=plan.name,
        trait=dataset.trait,
        standard_deviation=float(dataset.phenotype.std()),
        lines=sum(len(part.test) for part in parts),
        experiment=chosen.experiment,
        trial=chosen.trial,
        hyperparameters=dict(chosen.hyperparameters),
        comparison=compare(predictions, seed=plan.seed),
        held_out=tuple(
            HeldOutResult(
                name=part.name,
                title=part.title,
                lines=len(part.test),
                training_lines=len(part.train),
                metrics=metrics,
            )
            for part, metrics in zip(parts, held_out_metrics(predictions), strict=True)
        ),
        reading=notes,
        notes=(*_method(dataset, plan, chosen, parts), *_prepared(parts[0], preparation)),
        plan=plan,
    )


def _method(
    dataset: Dataset, plan: EvaluationPlan, chosen: ChosenHyperparameters, parts: tuple[HeldOutSet, ...]
) -> list[str]:
    """How it was done, in sentences."""
    folds = ", ".join(map(str, plan.tune_folds))
    sentences = []
    if plan.made_folds:
        sentences.append(
            f"The file has no folds, so {len(np.unique(np.array(dataset.folds)))} were made at random"
            f"{' within families' if dataset.family is not None else ''}, with seed {plan.seed}."
        )
    if plan.tuning is None:
        sentences.append(
            f"Hyperparameters are those of trial {chosen.trial} of {chosen.experiment}, which was tuned on "
            f"{chosen.lines:,} lines, none of them in the test folds."
        )
    else:
        sentences.append(
            f"Hyperparameters were tuned once, by {chosen.experiment}, on the {chosen.lines:,} lines of "
            f"folds {folds} alone."
        )
    if plan.leave_family_out:
        sentences.append(
            f"Each of {len(parts)} families was predicted by models trained on all other families; hyperparameters "
            "were not tuned anew for each, so other lines of the family may have had a part in choosing them."
        )
    else:
        sentences.append("Each test fold was predicted by models trained on all other folds.")
    sentences.append(
        f"The network stops by a tenth of its training lines{' (another one for each seed)' if plan.seeds > 1 else ''} "
        "and learns from the rest; baselines learn from all of them. Filters and imputation were fitted to training "
        "lines only."
    )
    if plan.seeds > 1:
        sentences.append(f"Predictions of {plan.seeds} networks with different seeds were averaged.")
    sentences.append(
        f"Errors are in the unit of {quoted(dataset.trait)}, whose standard deviation is {dataset.phenotype.std():.4g}."
    )
    sentences.append(
        f"Figures are means over the {'families' if plan.leave_family_out else 'folds'}. Intervals: 95 %, paired "
        f"bootstrap of the test lines, stratified{'' if dataset.family is None else ' by family'} within each part, "
        f"{RESAMPLES:,} resamples. They do not cover that networks trained anew come out differently."
    )
    return sentences


def _prepared(part: HeldOutSet, sentences: Sequence[str]) -> list[str]:
    return [f"Training lines for {part.title}: {sentence}" for sentence in sentences]


def _write_predictions(
    folder: EvaluationStore,
    dataset: Dataset,
    parts: tuple[HeldOutSet, ...],
    finished: Mapping[EvaluationTask, TaskResult],
) -> None:
    tables = []
    for part, predictions in zip(parts, _part_predictions(dataset, parts, finished), strict=True):
        table = pd.DataFrame({"line": [dataset.line_names[row] for row in part.test], "part": part.title})
        if predictions.family is not None:
            table["family"] = predictions.family
        tables.append(table.assign(observed=predictions.observed, **dict(predictions.predicted)))
    with atomic_path(folder.directory / PREDICTIONS_FILE) as path:
        pd.concat(tables).to_csv(path, index=False)
