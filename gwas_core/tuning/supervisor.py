"""Supervisor, the process that runs one experiment: it suggests trials, hands them to workers, writes outcomes.

Also here: that XLA is timed once for all trials; the order of baselines, trials, final evaluation and refit; what
follows from the death of a worker and from signals; how often a trial is begun again; that suggestions do not hold up
the workers; workers that do not start; that a full disk interrupts the search and fails no trial; a workspace deleted
meanwhile.

It is the only writer of its experiment, holds the experiment's lock for as long as it
lives, and can be killed at any moment: what is finished is in the store, the rest is begun
again when the experiment is resumed.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gwas_core.errors import (
    ExperimentError,
    FailureKind,
    GwasError,
    InputError,
    SpaceExhausted,
    describe_os_error,
    describe_unexpected,
)
from gwas_core.files import has_room
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import SPLIT_FILE
from gwas_core.processes.detached import last_line
from gwas_core.processes.locks import FileLock, experiment_lock
from gwas_core.processes.signs_of_life import HEARTBEAT_SECONDS
from gwas_core.processes.threads import thread_environment, usable_cores, worker_threads
from gwas_core.processes.worker_messages import Done, Failed, Report
from gwas_core.processes.worker_pool import CanBegin, Death, Event, Message, Slot, Task, WorkerPool
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.jobs import (
    ANSWERS,
    JOBS,
    Answer,
    BaselinesAnswer,
    BaselinesJob,
    CalibrationAnswer,
    CalibrationJob,
    EpochAnswer,
    EpochReport,
    FinalEvaluationAnswer,
    FinalEvaluationJob,
    Job,
    PrunedAnswer,
    RefitAnswer,
    RefitJob,
    TrialAnswer,
    TrialJob,
)
from gwas_core.tuning.model_functions import model_functions
from gwas_core.tuning.parallel_trials import parallel_trials_here
from gwas_core.tuning.progress import Ending, Progress, search_ending
from gwas_core.tuning.records import Refit
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import make_sampler, suggest
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

POLL_SECONDS = 0.5
"""Seconds between two looks for requests to stop or extend."""

MAXIMUM_DEATHS = 2
"""Number of deaths of its workers after which a trial has failed."""

MAXIMUM_CRASHES = 5
"""Number of deaths of the supervisor during a trial after which the trial has failed: it may be the cause."""

MAXIMUM_FAILED_STARTS = 3
"""Number of times in a row that all workers may die before one is ready; then the experiment ends."""

_LOCK_SECONDS = 1.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StartAnswer:
    """Answer of a supervisor to the process that started it: that the experiment runs, or why not.

    Attributes:
        error: why the supervisor does not run it; empty if it does.
        busy: whether it does not because another supervisor has the experiment.
    """

    error: str = ""
    busy: bool = False


class Supervisor:
    """Run of one experiment: ``prepare`` takes it over, ``run`` returns at its end, ``close`` leaves no process behind.

    Args:
        workspace: that holds the experiment.
        name: of the experiment.
        lock: of the experiment, which the caller holds.

    Raises:
        GwasError: from the constructor, when the experiment cannot be run at all.
    """

    def __init__(self, workspace: Workspace, name: str, lock: FileLock) -> None:
        store = Store(workspace)
        self._lock = lock
        self._experiment = experiment = store.experiment(name)
        self._workspace = workspace
        self._directory = workspace.experiment_directory(name)
        self._sampler = make_sampler(
            experiment.algorithm.name, experiment.space, seed=experiment.seed, settings=experiment.algorithm.settings
        )
        self._writer = ExperimentWriter(
            store,
            name,
            sampler=self._sampler,
            pruner=None if experiment.early_stopping is None else experiment.early_stopping.make_pruner(),
        )
        functions = model_functions()
        self._can_calibrate, self._can_refit = functions.calibrate is not None, functions.refit is not None
        self._failed_refits: set[int] = set()
        dataset, split = workspace.dataset_directory(experiment.dataset), self._directory / SPLIT_FILE
        for path in (dataset / "dataset.json", split):
            if not path.is_file():
                raise ExperimentError(f"{name} cannot run: {path} is gone")
        genotypes = Dataset.load(dataset).genotypes.size
        self._parallel = parallel_trials_here(experiment.parallel_trials, genotypes=genotypes)
        self._threads = worker_threads(usable_cores(), self._parallel.used)
        self._requests = self._writer.requests()
        self._progress = Progress()
        self._pool: WorkerPool[Job] = WorkerPool(
            self._parallel.used,
            (
                "gwas_core.tuning.worker",
                "--dataset", str(dataset),
                "--split", str(split),
            ),
            encode=JOBS.to_json_values,
            environment=thread_environment(os.environ, self._threads),
            log_directory=self._directory,
        )  # fmt: skip
        self._queue: deque[Task[Job]] = deque()
        self._exhausted = ""
        self._failed_starts = 0
        self._next_sign = 0.0
        self._fatal: Ending | None = None
        # One suggestion at a time, beside the loop: fitting a Gaussian process takes seconds
        # in which no worker may have to wait for an answer.
        self._suggester = ThreadPoolExecutor(1, thread_name_prefix="suggest")
        self._suggestion: Future[TrialJob] | None = None

    # The life of an experiment.

    def prepare(self) -> None:
        """Settle the trials that an earlier supervisor left, and write that the experiment runs."""
        if self._writer.state() is ExperimentState.FAILED:
            self._writer.forgive_failures()
        self._writer.take_over(maximum_crashes=MAXIMUM_CRASHES)
        self._writer.complete_record()
        self._count()
        if not self._writer.has_baselines():
            self._queue.append(Task(BaselinesJob(threads=self._threads)))
        self._writer.set_parallel_trials(self._parallel)
        self._writer.set_status(ExperimentState.RUNNING)
        signal.signal(signal.SIGTERM, self._on_signal)
        _logger.info("running with %d workers of %d threads", self._pool.free, self._threads)

    def run(self) -> None:
        """Work until the search has ended or is stopped."""
        while True:
            ending = self._work()
            self._end(ending)
            # A process that extends an experiment writes first and looks at its state after; with the
            # opposite order here, one of the two always notices the other.
            extended = self._writer.requests().max_trials > self._requests.max_trials
            if not ending.state.is_finished() or not extended:
                return
            self._writer.set_status(ExperimentState.RUNNING)

    def close(self) -> None:
        """End all workers; harmless if there are none."""
        self._pool.close()
        self._suggester.shutdown(wait=True, cancel_futures=True)

    def interrupt(self, reason: str) -> None:
        """Write that the work broke off; trials under way are settled when the experiment is resumed.

        Args:
            reason: why, for people.
        """
        self._writer.set_status(ExperimentState.INTERRUPTED, reason)

    def _work(self) -> Ending:
        """Do all work, and return how it ended."""
        next_poll = 0.0
        while True:
            if time.monotonic() >= next_poll:
                self._check_folder()
                self._give_sign_of_life()
                self._requests = self._writer.requests()
                next_poll = time.monotonic() + POLL_SECONDS
            self._take_suggestion()
            ending = self._next_step()
            if ending is not None:
                return ending
            while self._queue and self._pool.free:
                self._pool.assign(self._queue.popleft())
            for event in self._pool.wait(max(0.0, next_poll - time.monotonic())):
                self._on_event(event)

    def _check_folder(self) -> None:
        """Check that the experiment's folder was not deleted; of the store's file, every use of it does.

        Raises:
            ExperimentError: it was.
        """
        if not self._lock.is_in_place():
            raise ExperimentError(f"the folder {self._directory} was deleted or replaced while the search was running")

    def _give_sign_of_life(self) -> None:
        if time.monotonic() >= self._next_sign:
            self._lock.give_sign_of_life()
            self._next_sign = time.monotonic() + HEARTBEAT_SECONDS

    def _next_step(self) -> Ending | None:
        """Ask for the next trial or queue the next job; return the ending if nothing is left."""
        if self._requests.stop:
            return Ending(state=ExperimentState.STOPPED)
        if self._fatal is not None:
            return self._fatal
        ending = search_ending(
            self._progress,
            max_trials=self._requests.max_trials,
            max_failed_trials=self._experiment.max_failed_trials,
            forgiven_failures=self._writer.forgiven_failures,
            exhausted=self._exhausted,
        )
        if ending is None:
            if self._needs_calibration():
                if not self._is_pending(CalibrationJob):
                    self._queue.appendleft(Task(self._calibration_job()))
            else:
                self._ask_for_trial()
            return None
        self._put_back_trials()
        if self._is_pending(BaselinesJob):
            return None
        if self._needs_final_evaluation():
            if not self._is_pending(FinalEvaluationJob):
                self._queue.append(Task(self._final_job()))
            return None
        if self._needs_refit():
            if not self._is_pending(RefitJob):
                self._queue_refit()
            return None
        return ending

    def _end(self, ending: Ending) -> None:
        if ending.state is ExperimentState.STOPPED:
            self._writer.set_status(ExperimentState.STOPPING, ending.reason)
        self._put_back_trials()
        self._pool.close()
        self._queue.clear()
        self._writer.set_status(ending.state, ending.reason)
        _logger.info("ended: %s %s", ending.state, ending.reason)

    def _on_signal(self, *_: object) -> None:
        self._fatal = Ending(
            state=ExperimentState.STOPPED,
            reason="the process that ran it was told to end, as when a machine shuts down",
        )
        self._pool.wake()

    # Whether XLA pays here: measured once, so that all trials of an experiment run alike.

    def _needs_calibration(self) -> bool:
        return self._experiment.xla == "auto" and self._can_calibrate and self._writer.measured_xla is None

    def _calibration_job(self) -> CalibrationJob:
        space = self._experiment.space
        return CalibrationJob(hyperparameters={**space.fixed, **(space.defaults or {})})

    def _xla(self) -> Literal["on", "off"]:
        if self._experiment.xla != "auto":
            return self._experiment.xla
        return "on" if self._writer.measured_xla else "off"

    # Trials: suggested, begun, put back.

    def _ask_for_trial(self) -> None:
        """Ask for the suggestion of the next trial if a worker is free for it."""
        is_free = self._pool.free > len(self._queue)
        if not is_free or self._suggestion is not None or not self._progress.has_room(self._requests.max_trials):
            return
        if self._exhausted and self._progress.waiting == 0:
            return
        self._suggestion = self._suggester.submit(self._suggest)
        self._suggestion.add_done_callback(lambda _: self._pool.wake())

    def _suggest(self) -> TrialJob:
        """Return the job of the next trial, put back before or new; runs in the suggester's thread."""
        with self._writer.store.using():
            trial = suggest(self._writer.study, sampler=self._sampler, space=self._experiment.space)
        hyperparameters = self._experiment.space.check(trial.params)
        directory = self._workspace.trial_directory(self._experiment.name, trial.number)
        return TrialJob(trial=trial.number, hyperparameters=hyperparameters, directory=directory, xla=self._xla())

    def _take_suggestion(self, *, wait: bool = False) -> None:
        suggestion = self._suggestion
        if suggestion is None or not (wait or suggestion.done()):
            return
        self._suggestion = None
        try:
            self._queue.append(Task(suggestion.result()))
        except SpaceExhausted as error:
            self._exhausted = str(error)
        self._count()

    def _put_back_trials(self) -> None:
        """Put every unfinished trial back; it is begun again if the experiment is resumed."""
        self._take_suggestion(wait=True)
        withdrawn = [*self._queue, *self._pool.withdraw(lambda job: isinstance(job, TrialJob))]
        self._queue = deque(task for task in self._queue if not isinstance(task.job, TrialJob))
        for task in withdrawn:
            if isinstance(task.job, TrialJob):
                self._writer.put_back(task.job.trial)
        self._count()

    def _finish_trial(self, number: int, outcome: Outcome) -> None:
        self._writer.finish(number, outcome)
        _logger.info("trial %d %s %s", number, outcome.state, outcome.reason)
        self._count()

    def _count(self) -> None:
        self._progress = Progress.of(self._writer.trials())

    # Final evaluation of the best trial on the test lines.

    def _needs_final_evaluation(self) -> bool:
        evaluation = self._writer.final_evaluation()
        return self._progress.best is not None and (evaluation is None or evaluation.trial != self._progress.best)

    def _final_job(self) -> FinalEvaluationJob:
        assert self._progress.best is not None
        directory = self._workspace.trial_directory(self._experiment.name, self._progress.best)
        return FinalEvaluationJob(
            trial=self._progress.best, experiment_directory=self._directory, trial_directory=directory
        )

    # Training of the judged network on all lines.

    def _needs_refit(self) -> bool:
        best = self._progress.best
        if best is None or not self._can_refit or best in self._failed_refits:
            return False
        refit = self._writer.refit()
        return refit is None or refit.trial != best or refit.result is None

    def _queue_refit(self) -> None:
        assert self._progress.best is not None
        trial = self._writer.store.load(self._experiment.name).trials[self._progress.best]
        if trial.result is None or trial.result.best_epoch is None or trial.seed is None:
            self._set_failed_refit(trial.number, "the best epoch or the seed of its trial is not known")
            return
        job = RefitJob(
            trial=trial.number, trial_directory=trial.directory, epochs=trial.result.best_epoch, seed=trial.seed
        )
        self._queue.append(Task(job))

    def _set_failed_refit(self, trial: int, reason: str) -> None:
        """Write that there is no refit: what was judged is taken home, and the search has not failed for it."""
        self._failed_refits.add(trial)
        self._writer.set_refit(Refit(trial=trial, result=None, reason=reason))

    def _is_pending(self, kind: type[Job]) -> bool:
        return any(isinstance(task.job, kind) for task in [*self._queue, *self._pool.tasks])

    # What happens to workers.

    def _on_event(self, event: Event[Job]) -> None:
        match event:
            case CanBegin(slot):
                self._begin(slot)
            case Message(slot, Report(content=content)):
                self._on_report(slot, from_json_values(EpochReport, content, name="report", error=InputError))
            case Message(slot, Done(result=result, spent=spent)):
                self._on_result(self._pool.release(slot, spent=spent).job, result)
            case Message(slot, Failed(reason=reason, kind=kind, spent=spent)):
                self._on_failure(self._pool.release(slot, spent=spent).job, reason, kind)
            case Death():
                self._on_death(event)

    def _begin(self, slot: Slot[Job]) -> None:
        if slot.task is None:  # withdrawn meanwhile
            return
        self._failed_starts = 0
        job = slot.task.job
        if isinstance(job, TrialJob):
            attempt = self._writer.begin(job.trial, xla=job.xla == "on")
            # An earlier attempt may have left half of its files.
            with suppress(FileNotFoundError):
                shutil.rmtree(job.directory)
            job = replace(job, seed=attempt.seed, xla="on" if attempt.xla else "off")
        self._pool.send(slot, job)

    def _on_report(self, slot: Slot[Job], report: EpochReport) -> None:
        assert slot.task is not None
        assert isinstance(slot.task.job, TrialJob)
        prune = self._writer.report(slot.task.job.trial, report.epoch, report.value)
        self._pool.answer(slot, to_json_values(EpochAnswer(prune=prune)))

    def _on_result(self, job: Job, result: JsonObject) -> None:
        try:
            answer = ANSWERS.from_json_values(result)
        except InputError as error:  # of a model that does not keep to its contract
            self._on_failure(job, str(error), FailureKind.UNKNOWN)
        else:
            self._on_done(job, answer)

    def _on_done(self, job: Job, answer: Answer) -> None:
        match job, answer:
            case TrialJob(trial=trial), TrialAnswer(result=result):
                self._finish_trial(trial, Outcome(state=TrialState.SUCCEEDED, result=result))
            case TrialJob(trial=trial), PrunedAnswer(reason=reason):
                self._finish_trial(trial, Outcome(state=TrialState.PRUNED, reason=reason))
            case BaselinesJob(), BaselinesAnswer(baselines=baselines):
                self._writer.set_baselines(baselines)
            case CalibrationJob(), CalibrationAnswer(calibration=calibration):
                self._writer.set_calibration(calibration)
            case FinalEvaluationJob(trial=trial), FinalEvaluationAnswer(validation=validation, test=test):
                self._writer.add_final_evaluation(trial, validation=validation, test=test)
            case RefitJob(trial=trial), RefitAnswer(result=result):
                self._writer.set_refit(Refit(trial=trial, result=result))
            case _:
                raise InputError(f"a {type(answer).__name__} is no answer to a {type(job).__name__}")

    def _on_failure(self, job: Job, reason: str, kind: FailureKind) -> None:
        if kind is FailureKind.DISK_FULL:
            self._on_full_disk(job, reason)
            return
        match job:
            case TrialJob(trial=trial):
                self._finish_trial(trial, Outcome(state=TrialState.FAILED, reason=reason, failure=kind))
            case BaselinesJob():
                self._writer.set_baselines_failure(reason)
            case CalibrationJob():
                self._writer.set_calibration_failure(reason)
            case RefitJob(trial=trial):
                self._set_failed_refit(trial, reason)
            case FinalEvaluationJob():
                self._fatal = Ending(
                    state=ExperimentState.FAILED,
                    reason=f"the best model could not be evaluated on the test lines: {reason}",
                )

    def _on_full_disk(self, job: Job | None, reason: str) -> None:
        """Interrupt the search: whatever it would do now fails, and none of it is the trials' fault."""
        self._fatal = Ending(state=ExperimentState.INTERRUPTED, reason=reason)
        if isinstance(job, TrialJob):
            self._writer.put_back(job.trial, reason="begun again: the disk was full")
            self._count()

    def _on_death(self, death: Death[Job]) -> None:
        _logger.warning("%s, working on %s", death.words, "nothing" if death.task is None else death.task.job)
        if not has_room(self._directory):
            # A library that cannot write may end its process without a word.
            self._on_full_disk(None if death.task is None else death.task.job, _full(self._directory))
        elif not death.had_started:
            self._on_failed_start(death)
        elif death.task is not None:
            self._begin_again(death.task, death)

    def _on_failed_start(self, death: Death[Job]) -> None:
        self._failed_starts += 1
        if death.task is not None:
            self._queue.appendleft(death.task)
        if self._failed_starts >= MAXIMUM_FAILED_STARTS * self._parallel.used:
            reason = f"workers do not start: {last_line(death.log) or death.words}"
            self._fatal = Ending(state=ExperimentState.FAILED, reason=reason)

    def _begin_again(self, task: Task[Job], death: Death[Job]) -> None:
        """Give a job whose worker died to another worker, once."""
        words = death.words
        trial = task.job.trial if isinstance(task.job, TrialJob) else None
        # Of a trial, deaths under an earlier supervisor count too.
        task.deaths = 1 + (task.deaths if trial is None else self._writer.attempt(trial).deaths)
        if task.deaths >= MAXIMUM_DEATHS:
            advice = "something stops it" if death.was_silent else "perhaps memory ran out; use fewer parallel trials"
            reason = f"{words}, twice: {advice}"
            self._on_failure(task.job, reason, FailureKind.WORKER_DIED)
        elif trial is not None:
            self._writer.put_back(trial, death=True, reason=f"begun again: {words}")
            self._count()
        else:
            self._queue.appendleft(task)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment, as ``python -m gwas_core.tuning.supervisor`` does, and return the exit code.

    Args:
        arguments: of the command line; those of this process if None.

    Returns:
        0 once nothing is left to do or the experiment was stopped; 1 if it could not be run or broke off.
    """
    parser = argparse.ArgumentParser(description="Runs one experiment; started by the local engine.")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--ready", type=int, default=None, help="descriptor on which to say that it runs, or why not")
    parser.add_argument("name", help="the experiment")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    workspace = Workspace(options.workspace)

    def say(answer: StartAnswer) -> None:
        if options.ready is not None:
            with suppress(BrokenPipeError):
                os.write(options.ready, json.dumps(to_json_values(answer)).encode() + b"\n")
            os.close(options.ready)
            options.ready = None

    with experiment_lock(workspace.experiment_directory(options.name)) as lock:
        if not lock.acquire(seconds=_LOCK_SECONDS):
            say(StartAnswer(error=f"{options.name} is already running", busy=True))
            return 1
        lock.give_sign_of_life()
        return _supervise(workspace, options.name, lock, say)


def _full(directory: Path) -> str:
    return describe_os_error(OSError(errno.ENOSPC, ""), directory)


def _supervise(workspace: Workspace, name: str, lock: FileLock, say: Callable[[StartAnswer], None]) -> int:
    try:
        supervisor = Supervisor(workspace, name, lock)
        supervisor.prepare()
    except GwasError as error:
        say(StartAnswer(error=str(error)))
        _logger.error("%s", error)
        return 1
    say(StartAnswer())
    try:
        supervisor.run()
    except Exception as error:
        # A full disk, a database that is gone, or a mistake of ours: the search can go on later.
        _logger.exception("the supervisor broke off")
        supervisor.close()
        reason = str(error) if isinstance(error, GwasError) else describe_unexpected(error)
        try:
            supervisor.interrupt(f"it broke off: {reason}")
        except GwasError as second:
            # Whoever looks next finds that nobody holds the lock, and says so.
            _logger.error("that cannot be written: %s", second)
        return 1
    finally:
        supervisor.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
