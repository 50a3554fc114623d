"""Tasks of an evaluation given to worker processes; one whose worker died is tried once more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from gwas_core.errors import ExperimentError
from gwas_core.evaluation.store import EvaluationTask
from gwas_core.processes.detached import last_line
from gwas_core.processes.worker_messages import Done, Failed
from gwas_core.processes.worker_pool import CanBegin, Death, Message, Task, WorkerPool

_ATTEMPTS = 2


def do_tasks(
    pool: WorkerPool[EvaluationTask], tasks: Sequence[EvaluationTask], *, poll_seconds: float = 1.0
) -> Iterator[tuple[EvaluationTask, ...]]:
    """Do tasks in a pool of workers, and yield those that were finished since the last time.

    Args:
        pool: of workers that run ``gwas_core.evaluation.worker``; it is closed by its owner.
        tasks: to do, in this order.
        poll_seconds: longest time between two yields; what is yielded may be empty.

    Raises:
        ExperimentError: if a task failed, or its worker died twice.
    """
    queue = deque(Task(task) for task in tasks)
    while queue or pool.tasks:
        while queue and pool.free:
            pool.assign(queue.popleft())
        done = []
        for event in pool.wait(poll_seconds):
            match event:
                case CanBegin(slot):
                    pool.send(slot)
                case Message(slot, Failed(reason=reason, spent=spent)):
                    raise ExperimentError(f"{_named(pool.release(slot, spent=spent).job)} failed: {reason}")
                case Message(slot, Done(spent=spent)):
                    done.append(pool.release(slot, spent=spent).job)
                case Death(task=died) if died is not None:
                    died.deaths += 1
                    if died.deaths == _ATTEMPTS:
                        raise _died(died.job, event)
                    queue.appendleft(died)
        yield tuple(done)


def _died(task: EvaluationTask, death: Death[EvaluationTask]) -> ExperimentError:
    if death.was_silent:
        return ExperimentError(f"{death.words}, twice, while it worked on {_named(task)}: something stops it")
    return ExperimentError(
        f"the process died twice while it worked on {_named(task)}, perhaps because memory ran out: evaluate with "
        f"--parallel 1 ({last_line(death.log) or death.words}, in {death.log})"
    )


def _named(task: EvaluationTask) -> str:
    if task.kind == "baselines":
        return f"the baselines of {task.held_out_set}"
    return f"network {task.number} of {task.held_out_set}"
