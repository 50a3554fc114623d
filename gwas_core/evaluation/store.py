"""Where an evaluation is kept: ``_evaluations/NAME`` of the workspace.

``plan.json``, ``chosen.json`` once hyperparameters are chosen, for each part a folder with the predictions of every
task that is finished, and at the end ``result.json`` and ``predictions.csv``. Each file appears whole or not at all,
so whoever is killed goes on where the files end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gwas_core.errors import ExperimentError, InputError
from gwas_core.evaluation.folds import HeldOutSet
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.files import write_json
from gwas_core.messages import quoted
from gwas_core.processes.locks import FileLock
from gwas_core.workspace import Workspace, check_experiment_name

PREDICTIONS_FILE = "predictions.csv"
_PLAN, _RESULT = "plan.json", "result.json"
_LARGEST_FILE = 256 * 1024**2


@dataclass(frozen=True, kw_only=True)
class ChosenHyperparameters:
    """The hyperparameters that every network of an evaluation is trained with.

    Attributes:
        experiment, trial: where they come from.
        value: the validation error they were chosen by.
        xla: whether training is compiled.
        lines: lines they were tuned on.
    """

    experiment: str
    trial: int
    value: float
    hyperparameters: Mapping[str, Any]
    xla: bool
    lines: int


@dataclass(frozen=True, kw_only=True)
class EvaluationTask:
    """Training and predicting that one process does in one go.

    Attributes:
        held_out_set: its name.
        kind: ``baselines`` or ``network``.
        number: of the network, from 0.
    """

    held_out_set: str
    kind: str
    number: int = 0

    @property
    def file_name(self) -> str:
        return "baselines.json" if self.kind == "baselines" else f"network-{self.number}.json"


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a task left.

    Attributes:
        predictions: by model, in the order of the part's test lines, in the phenotype's unit.
        seconds: it took.
        sentences: what preparing the part's lines changed.
    """

    predictions: Mapping[str, list[float]]
    seconds: float
    sentences: list[str]


class EvaluationStore:
    """The files of one evaluation.

    Raises:
        InputError: from every method that reads, when a file is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> EvaluationStore:
        """Where the evaluation of this name is, or would be."""
        return cls(_root(workspace) / check_experiment_name(name))

    @property
    def lock(self) -> FileLock:
        """Held by whoever works on it."""
        return FileLock(self.directory / ".lock")

    def plan(self) -> EvaluationPlan | None:
        """None before it was begun."""
        values = self._read(_PLAN)
        return None if values is None else EvaluationPlan.from_dict(values)

    def save_plan(self, plan: EvaluationPlan) -> None:
        write_json(self.directory / _PLAN, plan.to_dict())

    def chosen(self) -> ChosenHyperparameters | None:
        """None while hyperparameters are being tuned."""
        values = self._read("chosen.json")
        return None if values is None else self._made(ChosenHyperparameters, values, "chosen.json")

    def save_chosen(self, chosen: ChosenHyperparameters) -> None:
        write_json(self.directory / "chosen.json", asdict(chosen))

    def finished(self, task: EvaluationTask) -> TaskResult | None:
        """What a task left; None before it is finished."""
        name = f"{task.held_out_set}/{task.file_name}"
        values = self._read(name)
        return None if values is None else self._made(TaskResult, values, name)

    def save_finished(self, task: EvaluationTask, finished: TaskResult) -> None:
        write_json(self.directory / task.held_out_set / task.file_name, asdict(finished))

    def finished_count(self) -> int:
        """Tasks that are finished."""
        return sum(1 for pattern in ("*/network-*.json", "*/baselines.json") for _ in self.directory.glob(pattern))

    def training_directory(self, task: EvaluationTask) -> Path:
        """Where a network's log, metrics and weights are."""
        return self.directory / task.held_out_set / f"training-{task.number}"

    @property
    def has_result(self) -> bool:
        """Whether it came to its end."""
        return (self.directory / _RESULT).is_file()

    @property
    def begun(self) -> float:
        """When its plan was made, in seconds since 1970."""
        return (self.directory / _PLAN).stat().st_mtime

    def result(self) -> EvaluationResult | None:
        """Return the outcome; None before the end."""
        values = self._read(_RESULT)
        if values is None:
            return None
        try:
            return EvaluationResult.from_dict(values)
        except InputError as error:
            raise self._damaged(_RESULT) from error

    def save_result(self, result: EvaluationResult) -> None:
        """Write the outcome as ``result.json``."""
        write_json(self.directory / _RESULT, result.to_dict())

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.directory / name
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise self._damaged(name)
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(name) from error
        if not isinstance(values, dict):
            raise self._damaged(name)
        return values

    def _made(self, kind: Any, values: dict[str, Any], name: str) -> Any:
        try:
            return kind(**values)
        except TypeError as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> InputError:
        return InputError(
            f"the file {name} of the evaluation {self.directory.name} is damaged, or of another version: remove "
            f"{self.directory / name} and evaluate again"
        )


def tasks_of(plan: EvaluationPlan, parts: tuple[HeldOutSet, ...]) -> tuple[EvaluationTask, ...]:
    """Everything that is to be trained, part by part."""
    return tuple(
        task
        for part in parts
        for task in (
            EvaluationTask(held_out_set=part.name, kind="baselines"),
            *(EvaluationTask(held_out_set=part.name, kind="network", number=number) for number in range(plan.seeds)),
        )
    )


def evaluations_of(workspace: Workspace, experiment: str) -> tuple[EvaluationStore, ...]:
    """Evaluations whose hyperparameters come, or will come, from this experiment: with a result first, then newest."""
    root = _root(workspace)
    folders = [EvaluationStore(path) for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    found = []
    for folder in folders:
        try:
            plan = folder.plan()
        except InputError:
            continue
        if plan is not None and plan.experiment == experiment:
            found.append(folder)
    return tuple(sorted(found, key=lambda folder: (folder.has_result, folder.begun), reverse=True))


def check_plan(folder: EvaluationStore, plan: EvaluationPlan) -> None:
    """See that the folder is empty or holds this very plan.

    Raises:
        ExperimentError: it was begun with another one.
    """
    stored = folder.plan()
    if stored is None:
        return
    begun, wanted = stored.settings(), plan.settings()
    changes = [name for name in wanted if begun.get(name) != wanted[name]]
    if changes:
        first = changes[0].replace("_", " ")
        before, after = (quoted(str(values.get(changes[0]))) for values in (begun, wanted))
        others = f", and {len(changes) - 1} other settings differ" if changes[1:] else ""
        raise ExperimentError(
            f"the evaluation {plan.name} was begun with {first} {before}, not {after}{others}: use the same settings "
            "to go on with it, or give this one another --name"
        )


def _root(workspace: Workspace) -> Path:
    return workspace.root / "_evaluations"
