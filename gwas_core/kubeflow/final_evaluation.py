"""What is worked out beside the trials, where the dashboard runs: the baselines, and the best model's one judgement.

A process of its own: it needs TensorFlow, takes minutes, and goes on when the dashboard is closed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gwas_core.errors import GwasError, describe_unexpected
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import load_split
from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.processes.locks import FileLock
from gwas_core.processes.threads import thread_environment, usable_cores
from gwas_core.tuning.model_functions import model_functions
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

JUDGE_LOG = "judge.log"

# Study attributes: ``{"trial": number, "reason": why it could not be judged}``, and how often each was begun.
_UNJUDGED, _STARTS = "unjudged", "judgements"

_MOST_STARTS = 2
_LOCK = ".judge.lock"
_BASELINES = -1
_logger = logging.getLogger(__name__)


def see_to_baselines(store: Store, record: ExperimentRecord) -> bool:
    """Have the baselines worked out where they are missing; True while they are."""
    if record.baselines is not None or record.baselines_reason:
        return False
    return _see_to(store, record, _BASELINES)


def see_to_best(store: Store, record: ExperimentRecord) -> bool:
    """Have the best trial judged where it is not; True while it is."""
    if record.best is None or not needs_judgement(store, record):
        return False
    return _see_to(store, record, record.best.number)


def needs_judgement(store: Store, record: ExperimentRecord) -> bool:
    """Whether there is a best trial that is not judged, and could be."""
    best = record.best
    if best is None or (record.result is not None and record.result["trial"] == best.number):
        return False
    return not failed_judgement(store, record)


def failed_judgement(store: Store, record: ExperimentRecord) -> str:
    """Why the best trial could not be judged; empty where nothing says that."""
    best = record.best
    failure: Mapping[str, Any] = _attribute(store, record.name, _UNJUDGED)
    return str(failure.get("reason") or "") if best is not None and failure.get("trial") == best.number else ""


def forget_failures(store: Store, name: str) -> None:
    """Have everything that could not be judged tried again."""
    study_id = store.study_id(name)
    for key in (_UNJUDGED, _STARTS):
        store.storage.set_study_user_attr(study_id, key, {})


def _attribute(store: Store, name: str, key: str) -> dict[str, Any]:
    return dict(store.storage.get_study_user_attrs(store.study_id(name)).get(key) or {})


def _see_to(store: Store, record: ExperimentRecord, trial: int) -> bool:
    """Start the process unless one is at work; after its second death without a word it is given up."""
    # Whoever finds the lock taken knows that a process is at work, however young: the process inherits it.
    with FileLock(record.directory / _LOCK) as lock:
        if not lock.acquire():
            return True
        starts = _attribute(store, record.name, _STARTS)
        if starts.get(str(trial), 0) >= _MOST_STARTS:
            words = last_line(record.directory / JUDGE_LOG) or "no last words"
            _write_failure(ExperimentWriter(store, record.name), trial, f"the process ended by itself ({words})")
            return False
        starts[str(trial)] = starts.get(str(trial), 0) + 1
        store.storage.set_study_user_attr(store.study_id(record.name), _STARTS, starts)
        _start(store.workspace, record.name, trial, lock.fileno())
        return True


def _start(workspace: Workspace, name: str, trial: int, lock: int) -> None:
    log = workspace.experiment_directory(name) / JUDGE_LOG
    start_detached(
        module_command(
            "gwas_core.kubeflow.final_evaluation",
            "--workspace", str(workspace.root),
            "--trial", str(trial),
            name,
        ),
        log=log,
        environment=thread_environment(os.environ, usable_cores()),
        inherit=(lock,),
    )  # fmt: skip


def _write_failure(writer: ExperimentWriter, trial: int, reason: str) -> None:
    if trial == _BASELINES:
        writer.set_baselines(None, reason=reason)
    else:
        writer.study.set_user_attr(_UNJUDGED, {"trial": trial, "reason": reason})


def _judge(store: Store, name: str, trial: int) -> None:
    writer = ExperimentWriter(store, name)
    record = store.load(name)
    try:
        dataset = Dataset.load(store.workspace.dataset_directory(record.experiment.dataset))
        split = load_split(record.directory)
        if trial == _BASELINES:
            from gwas_core.model.baselines import evaluate_baselines

            baselines = evaluate_baselines(dataset, split, threads=usable_cores())
            writer.set_baselines({key: value.to_dict() for key, value in baselines.items()})
        else:
            judgement = model_functions().finalise(dataset, split, record.directory, record.trials[trial].directory)
            evaluations = 1 if record.result is None else record.result["test_evaluations"] + 1
            writer.set_result({"trial": trial, **judgement, "test_evaluations": evaluations})
    except Exception as error:
        _logger.exception("no judgement")
        _write_failure(writer, trial, str(error) if isinstance(error, GwasError) else describe_unexpected(error))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m gwas_core.kubeflow.final_evaluation``; returns its exit code."""
    parser = argparse.ArgumentParser(description="Baselines and final judgement; started by the Kubeflow engine.")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--trial", type=int, required=True, help=f"which to judge; {_BASELINES}: the baselines")
    parser.add_argument("name", help="the experiment")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with suppress(GwasError):  # the experiment was deleted meanwhile
        _judge(Store(Workspace(options.workspace)), options.name, options.trial)
    return 0


if __name__ == "__main__":
    sys.exit(main())
