"""Engine of this machine: a detached supervisor for each experiment, started, asked to stop, and deleted.

Also here: how a running experiment without a living supervisor is recognised as interrupted, also where that cannot be
written because the disk is full, and what is said of a supervisor that is stopped; experiments of another machine in
the same store; why a supervisor did not start; the log of a supervisor; the split written once.
"""

from __future__ import annotations

import json
import os
import platform
import selectors
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from gwas_core.errors import BrokenExperimentError, DiskError, ExperimentError, InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import SPLIT_FILE, make_split, save_split
from gwas_core.messages import quoted
from gwas_core.processes.detached import last_line, module_command, start_detached
from gwas_core.processes.locks import FileLock, experiment_lock
from gwas_core.processes.signs_of_life import silence_seconds
from gwas_core.processes.threads import thread_environment
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.attributes import read_record
from gwas_core.tuning.engine import check_can_go_on, check_extra_trials, check_is_running, wait_until_stopped
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary
from gwas_core.tuning.store import Store
from gwas_core.tuning.supervisor import StartAnswer
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

SUPERVISOR_LOG = "supervisor.log"
_RUNNER = "runner"

_START_SECONDS = 60.0
_INTERRUPTED = (
    "the process that ran it ended without saying why: it was killed, or the machine was restarted; "
    "resume goes on where it was"
)


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Place that an experiment runs in: several machines may share a store on a server.

    Attributes:
        machine: name of the machine.
        workspace: path of the workspace there.
    """

    machine: str
    workspace: str

    @classmethod
    def of(cls, workspace: Workspace) -> Runner:
        """Return this machine with a workspace."""
        return cls(machine=platform.node(), workspace=str(workspace.root))


class _AlreadyRunning(ExperimentError):
    """Refusal of a supervisor because another one has the experiment."""


class LocalEngine:
    """Engine that runs experiments on this machine, independent of the process that started them."""

    def __init__(self, workspace: Workspace, *, store: Store | None = None) -> None:
        self.workspace = Workspace(workspace.root.absolute())
        self.store = store or Store(self.workspace)

    def start(self, experiment: Experiment) -> ExperimentRecord:
        """Start an experiment; see ``Engine.start``."""
        if experiment.engine != "local":
            raise SettingsError(f"this engine runs local experiments, not {experiment.engine} ones", field="engine")
        try:
            dataset = Dataset.load(self.workspace.dataset_directory(experiment.dataset))
        except InputError as error:
            raise SettingsError(str(error), field="dataset") from error
        if dataset.has_missing:
            raise SettingsError("the dataset has missing genotypes: prepare (impute) it first", field="dataset")
        split = make_split(dataset, experiment.split)
        # Made once, so that every trial and the final evaluation are about the same lines.
        if self.store.holds_unstarted(experiment):
            save_split(split, self.workspace.experiment_directory(experiment.name))
        else:
            self.store.create(experiment, prepare=lambda directory: save_split(split, directory))
        return self._launch(experiment.name)

    def stop(self, name: str, *, wait: float = 30.0) -> ExperimentRecord:
        """Stop an experiment; see ``Engine.stop``."""
        check_is_running(self.sync(name))
        self.store.request_stop(name)
        return wait_until_stopped(self.sync, name, seconds=wait)

    def resume(self, name: str) -> ExperimentRecord:
        """Go on with an experiment; see ``Engine.resume``."""
        record = self.sync(name)
        check_can_go_on(record)
        if _was_never_started(record):
            return self.start(record.experiment)
        return self._launch(name)

    def extend(self, name: str, extra_trials: int) -> ExperimentRecord:
        """Add trials to an experiment; see ``Engine.extend``."""
        check_extra_trials(extra_trials)
        self.store.study_id(name)  # refused before anything is locked
        with self.store.extension_lock(name):
            self.store.add_trials(name, extra_trials)
        # Written first, looked at after: see Supervisor.run.
        record = self.sync(name)
        if record.state.is_active():
            return record
        try:
            return self.start(record.experiment) if _was_never_started(record) else self._launch(name)
        except _AlreadyRunning:
            return self.sync(name)

    def sync(self, name: str) -> ExperimentRecord:
        """Bring the store up to date and return the experiment; see ``Engine.sync``.

        An experiment that is stored as running, but that no supervisor holds, was interrupted. Where one holds it, but
        has not been heard from for a while, the state stays, and the reason says since when.
        """
        record = self.store.load(name)
        if not record.state.is_active():
            return record
        if (elsewhere := self._elsewhere(name)) is not None:
            return replace(record, reason=_joined(record.reason, f"it runs on {elsewhere}"))
        with experiment_lock(record.directory) as lock:
            if not lock.acquire():
                reason = _with_silence(record.reason, lock)
                return record if reason == record.reason else replace(record, reason=reason)
            # With the lock in hand no supervisor can be running, and one that ended wrote how before it let go.
            record = self.store.load(name)
            if record.state.is_active():
                try:
                    ExperimentWriter(self.store, name).set_status(ExperimentState.INTERRUPTED, _INTERRUPTED)
                except DiskError as error:
                    return _seen_as_interrupted(record, f"{_INTERRUPTED}; {error}")
                record = self.store.load(name)
        return record

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """Return all experiments of the store, the newest first; those of this engine are brought up to date.

        Returns:
            Entries of the list of experiments; after all others, what is left of creations that were broken off.
        """
        summaries = self.store.experiments()
        active = [summary for summary in summaries if summary.state.is_active() and summary.engine == "local"]
        # Those whose supervisor lives need no more reading: what it wrote has just been read.
        left, reasons = [], {}
        for summary in active:
            if (elsewhere := self._elsewhere(summary.name)) is not None:
                reasons[summary.name] = _joined(summary.reason, f"it runs on {elsewhere}")
                continue
            with experiment_lock(self.workspace.experiment_directory(summary.name)) as lock:
                if lock.acquire():
                    left.append(summary.name)
                elif (reason := _with_silence(summary.reason, lock)) != summary.reason:
                    reasons[summary.name] = reason
        for name in left:
            with suppress(BrokenExperimentError):  # it is listed all the same
                self.sync(name)
        if left:
            summaries = self.store.experiments()
        if reasons:
            summaries = tuple(replace(entry, reason=reasons.get(entry.name, entry.reason)) for entry in summaries)
        return (*summaries, *self.store.half_made())

    def delete(self, name: str) -> None:
        """Remove an experiment and its files.

        Raises:
            ExperimentError: it is running, or does not exist.
        """
        elsewhere = self._elsewhere(name)
        if elsewhere is not None and self.store.load(name).state.is_active():
            raise ExperimentError(f"{name} is running on {elsewhere}: stop it before deleting it")
        self.store.delete(name)

    def _elsewhere(self, name: str) -> str | None:
        """Return the machine and workspace that an experiment runs on, if it is another one that shares the store.

        Locks and files of another machine cannot be seen from here: what its supervisor writes is all that is known.
        """
        # Not the folder: extending an experiment of another machine from here makes one, with nothing in it to run.
        if (self.workspace.experiment_directory(name) / SPLIT_FILE).is_file():
            return None
        runner = read_record(Runner, self.store.engine_attribute(name, _RUNNER))
        if runner is None or runner == Runner.of(self.workspace):
            return None
        return f"{quoted(runner.machine)}, in the workspace {quoted(runner.workspace, limit=300)}"

    def _launch(self, name: str) -> ExperimentRecord:
        """Start a supervisor and wait until it says that the experiment runs, or why not."""
        if (elsewhere := self._elsewhere(name)) is not None:
            raise ExperimentError(f"the files of {name} are on {elsewhere}: go on with it there")
        self.store.set_engine_attribute(name, _RUNNER, to_json_values(Runner.of(self.workspace)))
        self.store.clear_stop_request(name)
        log = self.workspace.experiment_directory(name) / SUPERVISOR_LOG
        reader, writer = os.pipe()
        try:
            start_detached(
                module_command(
                    "gwas_core.tuning.supervisor",
                    "--workspace", str(self.workspace.root),
                    "--ready", str(writer),
                    name,
                ),
                log=log,
                # Its own computing, a suggestion at a time, must not take the workers' cores.
                environment=thread_environment(os.environ, 1),
                inherit=(writer,),
            )  # fmt: skip
            os.close(writer)
            writer = -1
            answer = _read_answer(reader)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
        if answer is None:
            raise ExperimentError(f"{name} does not start: {last_line(log) or 'the reason is not known'} (see {log})")
        if answer.error:
            raise (_AlreadyRunning if answer.busy else ExperimentError)(answer.error)
        return self.store.load(name)


def _with_silence(reason: str, lock: FileLock) -> str:
    """Return the reason of a state, with since when the process that holds the lock was not heard from, if it is long.

    Args:
        reason: as it is stored.
        lock: of the experiment, held by another process.
    """
    sign = lock.last_sign_of_life()
    if sign is None or sign.age() < silence_seconds():
        return reason
    since = f"{datetime.fromisoformat(sign.time):%Y-%m-%d %H:%M} UTC"
    silence = (
        f"nothing was heard since {since} from the process that runs it (number {sign.pid} on its machine): it is "
        f"stopped, or hangs; `kill -CONT {sign.pid}` lets it go on, and after `kill -KILL {sign.pid}` resume goes on "
        "where it was"
    )
    return _joined(reason, silence)


def _joined(reason: str, more: str) -> str:
    return f"{reason}; {more}" if reason else more


def _was_never_started(record: ExperimentRecord) -> bool:
    """Return whether the process that created the experiment was killed before it had everything it runs with."""
    is_untouched = record.state is ExperimentState.CREATED and not record.trials
    return is_untouched and not (record.directory / SPLIT_FILE).is_file()


def _seen_as_interrupted(record: ExperimentRecord, reason: str) -> ExperimentRecord:
    """Return a record as the store would give it if that could be written now."""
    trials = tuple(
        trial if trial.state.is_finished() else replace(trial, state=TrialState.INTERRUPTED) for trial in record.trials
    )
    return replace(record, state=ExperimentState.INTERRUPTED, reason=reason, trials=trials)


def _read_answer(reader: int) -> StartAnswer | None:
    """Return what a supervisor writes once it runs or could not start; None if it ended without writing."""
    deadline = time.monotonic() + _START_SECONDS
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while not received.endswith(b"\n"):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            data = os.read(reader, 65_536) if ready else b""
            if not data:
                return None
            received += data
    return from_json_values(StartAnswer, json.loads(received), name="answer", error=InputError)
