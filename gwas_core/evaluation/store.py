"""Files of evaluations (``_evaluations/NAME``): plan, chosen hyperparameters, predictions, result.

Also here: which evaluations belong to an experiment; the refusal to go on with another plan; files that are damaged;
the list of all tasks.

``plan.json``, ``chosen.json`` once hyperparameters are chosen, for each held-out set a folder with the predictions of
every task that is finished, and at the end ``result.json`` and ``predictions.csv``. Each file appears whole or not at
all, so an evaluation that was killed goes on where its files end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gwas_core.errors import ExperimentError, InputError
from gwas_core.evaluation.folds import HeldOutSet
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.files import read_json, write_json
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.processes.locks import FileLock
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.workspace import Workspace, check_experiment_name

PREDICTIONS_FILE = "predictions.csv"
"""Predictions of every model for every line, in an evaluation's folder."""

_PLAN_FILE, _CHOSEN_FILE, _RESULT_FILE = "plan.json", "chosen.json", "result.json"
_LARGEST_FILE = 256 * 1024**2

_Record = TypeVar("_Record")


@dataclass(frozen=True, kw_only=True)
class ChosenHyperparameters:
    """Hyperparameters that every network of an evaluation is trained with.

    Attributes:
        experiment: name of the search they come from.
        trial: number of its best trial.
        value: validation error that they were chosen by, in the phenotype's unit.
        hyperparameters: by name, the fixed ones included.
        xla: whether training is compiled.
        lines: number of lines that they were tuned on.
    """

    experiment: str
    trial: int
    value: float
    hyperparameters: Mapping[str, HyperparameterValue]
    xla: bool
    lines: int


@dataclass(frozen=True, kw_only=True)
class EvaluationTask:
    """Training and predicting that one process does without a break.

    Attributes:
        held_out_set: name of the lines to predict.
        kind: ``baselines`` (all of them) or ``network``.
        number: of the network among those of the held-out set, from 0.
    """

    held_out_set: str
    kind: str
    number: int = 0

    @property
    def file_name(self) -> str:
        """Name of the file with its result."""
        return "baselines.json" if self.kind == "baselines" else f"network-{self.number}.json"


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """Predictions of one finished task.

    Attributes:
        predictions: by model, one value for each line of the held-out set in its order, in the phenotype's unit.
        seconds: duration of the task.
        sentences: what the preparation of the training lines changed.
    """

    predictions: Mapping[str, list[float]]
    seconds: float
    sentences: list[str]


class EvaluationStore:
    """Files of one evaluation.

    Every method that reads raises an ``InputError`` that names the file if it is damaged.

    Args:
        directory: of the evaluation; it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> EvaluationStore:
        """Return the store of the evaluation of this name, whether or not it was begun.

        Raises:
            SettingsError: if no evaluation can have this name.
        """
        return cls(_root(workspace) / check_experiment_name(name))

    @property
    def name(self) -> str:
        """Name of the evaluation."""
        return self.directory.name

    @property
    def lock(self) -> FileLock:
        """Lock that is held by the process that works on the evaluation."""
        return FileLock(self.directory / ".lock")

    def plan(self) -> EvaluationPlan | None:
        """Return the plan; None before the evaluation was begun."""
        return self._made(EvaluationPlan.from_dict, _PLAN_FILE)

    def save_plan(self, plan: EvaluationPlan) -> None:
        """Write the plan."""
        write_json(self.directory / _PLAN_FILE, plan.to_dict())

    def chosen(self) -> ChosenHyperparameters | None:
        """Return the chosen hyperparameters; None while they are being tuned."""
        return self._record(ChosenHyperparameters, _CHOSEN_FILE)

    def save_chosen(self, chosen: ChosenHyperparameters) -> None:
        """Write the chosen hyperparameters."""
        write_json(self.directory / _CHOSEN_FILE, to_json_values(chosen))

    def finished(self, task: EvaluationTask) -> TaskResult | None:
        """Return the result of a task; None before it is finished."""
        return self._record(TaskResult, f"{task.held_out_set}/{task.file_name}")

    def save_finished(self, task: EvaluationTask, finished: TaskResult) -> None:
        """Write the result of a task."""
        write_json(self.directory / task.held_out_set / task.file_name, to_json_values(finished))

    def finished_count(self) -> int:
        """Return the number of finished tasks."""
        return sum(1 for pattern in ("*/network-*.json", "*/baselines.json") for _ in self.directory.glob(pattern))

    def training_directory(self, task: EvaluationTask) -> Path:
        """Return the folder for a network's log, metrics and weights.

        Args:
            task: of kind ``network``.
        """
        return self.directory / task.held_out_set / f"training-{task.number}"

    @property
    def has_result(self) -> bool:
        """Whether the evaluation has come to its end."""
        return (self.directory / _RESULT_FILE).is_file()

    @property
    def begun(self) -> float:
        """Time at which the plan was made, in seconds since 1970."""
        return (self.directory / _PLAN_FILE).stat().st_mtime

    def result(self) -> EvaluationResult | None:
        """Return the outcome; None before the end."""
        return self._made(EvaluationResult.from_dict, _RESULT_FILE)

    def save_result(self, result: EvaluationResult) -> None:
        """Write the outcome."""
        write_json(self.directory / _RESULT_FILE, result.to_dict())

    def _record(self, kind: type[_Record], name: str) -> _Record | None:
        return self._made(lambda values: from_json_values(kind, values, name=name, error=InputError), name)

    def _made(self, make: Callable[[JsonObject], _Record], name: str) -> _Record | None:
        """Return what a file holds, made from its JSON values; None if there is no file."""
        values = self._read(name)
        if values is None:
            return None
        try:
            return make(values)
        except InputError as error:
            raise self._damaged(name) from error

    def _read(self, name: str) -> JsonObject | None:
        path = self.directory / name
        try:
            values = read_json(path, limit=_LARGEST_FILE)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(name) from error
        if not isinstance(values, dict):
            raise self._damaged(name)
        return values

    def _damaged(self, name: str) -> InputError:
        return InputError(
            f"the file {name} of the evaluation {self.name} is damaged, or of another version: remove "
            f"{self.directory / name} and evaluate again"
        )


def tasks_of(plan: EvaluationPlan, held_out_sets: Sequence[HeldOutSet]) -> tuple[EvaluationTask, ...]:
    """Return everything that is to be trained and predicted.

    Args:
        plan: says how many networks each held-out set gets.
        held_out_sets: of the plan.

    Returns:
        One held-out set after the other, its baselines first.
    """
    return tuple(
        task
        for held_out in held_out_sets
        for task in (
            EvaluationTask(held_out_set=held_out.name, kind="baselines"),
            *(
                EvaluationTask(held_out_set=held_out.name, kind="network", number=number)
                for number in range(plan.seeds)
            ),
        )
    )


def evaluations_of(workspace: Workspace, experiment: str) -> tuple[EvaluationStore, ...]:
    """Return the evaluations whose hyperparameters come, or will come, from an experiment.

    Args:
        workspace: to look in.
        experiment: name of the experiment.

    Returns:
        Those with a result first, then the newest; damaged ones are left out.
    """
    root = _root(workspace)
    stores = [EvaluationStore(path) for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    found = []
    for store in stores:
        try:
            plan = store.plan()
        except InputError:
            continue
        if plan is not None and plan.experiment == experiment:
            found.append(store)
    return tuple(sorted(found, key=lambda store: (store.has_result, store.begun), reverse=True))


def check_plan(store: EvaluationStore, plan: EvaluationPlan) -> None:
    """Check that an evaluation was not begun with another plan.

    Args:
        store: of the evaluation, begun or not.
        plan: what is asked for now; another file name of the same data is no difference.

    Raises:
        ExperimentError: if it was, naming the first setting that differs.
    """
    stored = store.plan()
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
