"""The process that is one trial to Katib: it starts a pipeline run and follows it, or trains the network itself.

Katib runs it through a shell with everything it prints in one file, and takes from there what looks like
``name=value``. So it prints the objective alone in that form, finite and with its time, and nothing else with an
equals sign. It ends with 0 only if the trial has succeeded.

It may be started again at any time: the run of the trial's name is then taken up where it is. SIGTERM, by which Katib
ends trials, ends the run too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from gwas_core.errors import FailureKind, GwasError, InputError, TrialFailed, describe_unexpected
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import load_split
from gwas_core.kubeflow.kubernetes_api import ClusterError
from gwas_core.kubeflow.parameters import from_assignments
from gwas_core.kubeflow.pipelines_api import PipelinesApi, Run, RunState, token_path
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.steps import experiment_directory, read_failure_kind, run_and_record, trial_directory
from gwas_core.kubeflow.trial_files import STEP_LOGS
from gwas_core.kubeflow.trial_inputs import read_experiment, trial_seed
from gwas_core.messages import quoted
from gwas_core.model.training import OBJECTIVE
from gwas_core.model.trial_folder import FAILURE_FILE, METRICS_FILE, RESULT_FILE
from gwas_core.processes.detached import last_line
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import Value
from gwas_core.workspace import Workspace

TERMINATED = 128 + signal.SIGTERM

_TAIL_SECONDS = 1.0
_LOG_LINES = 30
_LOG_BYTES = 16_384
# Kubernetes waits 30 s between SIGTERM and SIGKILL.
_TERMINATION_SECONDS = 20.0


class Terminated(BaseException):
    """SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one trial and return the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        directory = trial_directory(options.workspace, options.experiment, options.trial)
        # From a pod that was moved: it must not be taken for this one's.
        (directory / FAILURE_FILE).unlink(missing_ok=True)
        _run(options, directory)
    except GwasError as failure:
        say(str(failure))
        return 1
    except Terminated:
        say("terminated")
        return TERMINATED
    return 0


def _run(options: argparse.Namespace, directory: Path) -> None:
    experiment = read_experiment(options.workspace, options.experiment)
    try:
        hyperparameters = from_assignments(experiment.space, dict(options.set))
        objective = Objective()
        train = _train_here if options.kind == "job" else _train_in_pipeline
        objective.end(train(options, experiment, hyperparameters, objective))
    except Exception as failure:
        if not isinstance(failure, GwasError):
            say(traceback.format_exc())
        # Katib itself says of a failed trial only that it failed.
        reason = str(failure) if isinstance(failure, GwasError) else describe_unexpected(failure)
        kind = FailureKind.of(failure)
        write_json(directory / FAILURE_FILE, {"reason": reason, "kind": kind})
        raise TrialFailed(reason, kind=kind) from failure


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Runs one trial for Katib; not meant to be started by hand.")
    parser.add_argument("--kind", choices=("pipeline", "job"), required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--trial", required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--set", type=_assignment, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--poll", type=float, default=5.0, help="seconds between two looks at the run")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds without an answer before giving up")
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not NAME=VALUE")
    return name, value


def _terminate(number: int, frame: Any) -> NoReturn:  # noqa: ARG001 - the signal's signature
    # Once: what is done about it must not be interrupted in turn.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _train_here(
    options: argparse.Namespace, experiment: Experiment, hyperparameters: Mapping[str, Value], objective: Objective
) -> float:
    result = run_and_record(
        Dataset.load(Workspace(options.workspace).dataset_directory(experiment.dataset)),
        load_split(experiment_directory(options.workspace, experiment.name)),
        hyperparameters,
        trial_directory(options.workspace, experiment.name, options.trial),
        report=objective.report,
        seed=trial_seed(experiment, options.trial),
        xla=experiment.xla,
    )
    return float(result[OBJECTIVE])


# A pipeline run


def _train_in_pipeline(
    options: argparse.Namespace, experiment: Experiment, hyperparameters: Mapping[str, Value], objective: Objective
) -> float:
    cluster = ClusterSettings.from_environment()
    pipelines = PipelinesApi(
        cluster.pipeline_host, namespace=cluster.namespace, token=token_path(), patience=options.patience
    )
    directory = trial_directory(options.workspace, experiment.name, options.trial)
    with _terminating(pipelines, options.trial, experiment.name):
        run = _started(pipelines, cluster, options.trial, experiment, hyperparameters)
        say(f"pipeline run {run.run_id}")
        run = _followed(pipelines, run, Tail(directory / METRICS_FILE), objective, poll=options.poll)
    if run.state is not RunState.SUCCEEDED:
        raise _failure(run, directory)
    return _objective(directory)


@contextlib.contextmanager
def _terminating(pipelines: PipelinesApi, trial: str, group: str) -> Iterator[None]:
    """End the trial's run when this process is ended, or gives up on it."""
    try:
        yield
    except (Terminated, GwasError, KeyboardInterrupt):
        say("ending the pipeline run")
        pipelines.patience = _TERMINATION_SECONDS
        try:
            # By its name: it may have been made by a request that was never answered.
            run = pipelines.find(trial, group=group)
            if run is not None and not run.state.is_finished():
                pipelines.terminate(run.run_id)
        except ClusterError as error:
            say(f"it could not be ended: {error}")
        raise


def _started(
    pipelines: PipelinesApi,
    cluster: ClusterSettings,
    trial: str,
    experiment: Experiment,
    hyperparameters: Mapping[str, Value],
) -> Run:
    from gwas_core.kubeflow.pipeline import RunParameters, compile_pipeline, pipeline_name  # kfp takes a second

    parameters = RunParameters(
        workspace=cluster.mount_path,
        experiment=experiment.name,
        trial=trial,
        dataset=experiment.dataset,
        preprocessing=experiment.preprocessing,
        split=experiment.split,
        hyperparameters=hyperparameters,
        seed=trial_seed(experiment, trial),
        xla=experiment.xla,
    )
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(package, cluster)
        pipeline = pipelines.upload(pipeline_name(experiment.name, package), package)
    return pipelines.start(trial, group=experiment.name, pipeline=pipeline, parameters=parameters.to_dict())


def _followed(pipelines: PipelinesApi, run: Run, values: Tail, objective: Objective, *, poll: float) -> Run:
    """The run once it has ended; meanwhile each epoch's objective is printed."""
    looked = time.monotonic()
    while not run.state.is_finished():
        objective.say_all(values.read())
        time.sleep(min(_TAIL_SECONDS, poll))
        if time.monotonic() - looked >= poll:
            run = pipelines.get(run.run_id)
            looked = time.monotonic()
    objective.say_all(values.read())
    return run


class Tail:
    """The objective of each epoch, as a trial's ``metrics.jsonl`` grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[float]:
        """The values since the last call, of whole lines; those that are not finite are left out."""
        try:
            # Opened anew: over the network only that shows what others wrote.
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0  # training began again
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        lines, newline, _ = data.rpartition(b"\n")
        self._offset += len(lines) + len(newline)
        return [value for value in map(_epoch_objective, lines.splitlines()) if value is not None]


def _epoch_objective(line: bytes) -> float | None:
    try:
        value = json.loads(line)[OBJECTIVE]
    except (ValueError, KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _objective(directory: Path) -> float:
    try:
        value = json.loads((directory / RESULT_FILE).read_text(encoding="utf-8"))[OBJECTIVE]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the run has succeeded, but {directory / RESULT_FILE} has no result: do its steps mount the same volume?"
        ) from error
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TrialFailed(f"the objective is {value}, which is no finite number", kind=FailureKind.NOT_FINITE)
    return float(value)


def _failure(run: Run, directory: Path) -> TrialFailed:
    """Which step failed and why, in one sentence; the end of what it had to say is printed."""
    if run.state is RunState.CANCELED:
        return TrialFailed("the pipeline run was cancelled")
    for log in (log for folder in (directory, directory.parent) for log in sorted((folder / STEP_LOGS).glob("*.log"))):
        say(_end_of(log))
        return TrialFailed(f"step {log.stem} failed: {last_line(log)}", kind=read_failure_kind(log))
    for name, state, message in run.steps:
        if state is RunState.FAILED and name:
            words = message or run.message or "without a word; see the log of its pod"
            return TrialFailed(f"step {name} failed: {words}")
    return TrialFailed(
        f"the pipeline run has {run.state.name.lower()}: {run.message or 'no step says why; see the logs of its pods'}"
    )


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-_LOG_LINES:])


# Printing


class Objective:
    """Prints the objective for Katib's collector, which a value that is not finite would break."""

    def __init__(self) -> None:
        self._best = math.inf

    def report(self, epoch: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002 - run_trial's signature
        """After an epoch."""
        self.say_all([metrics[OBJECTIVE]])

    def say_all(self, values: Iterable[float]) -> None:
        """Raises:
        TrialFailed: one is not finite.
        """
        for value in values:
            if not math.isfinite(value):
                raise TrialFailed(f"{OBJECTIVE} became {value}", kind=FailureKind.NOT_FINITE)
            self._best = min(self._best, value)
            print(f"{datetime.now(UTC).isoformat()} {OBJECTIVE}={value!r}", flush=True)

    def end(self, value: float) -> None:
        """The trial's own, unless its best epoch was printed: early stopping counts values as epochs."""
        if not math.isclose(self._best, value, rel_tol=1e-6):
            self.say_all([value])


def say(message: str) -> None:
    """Text for people: nothing in it looks like a metric."""
    plain = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in message)
    print(plain.replace("=", ":"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
