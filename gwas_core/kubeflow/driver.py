"""Driver of one trial of Katib: starts a pipeline run and follows it, or trains the network itself.

Also here: what is printed for Katib's collector; exit codes; how a run is found again after a restart of the pod and
ended upon SIGTERM; the sentence on why a step failed.

Katib runs this process through a shell, writes everything it prints to one file, and takes from there what looks like
``name=value``. So only the objective is printed in that form, finite and with its time, and nothing else with an equals
sign. The exit code is 0 only if the trial has succeeded.

The process may be started again at any time: it then goes on with the pipeline run of the trial's name. SIGTERM, by
which Katib ends trials, ends the run too.
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
from gwas_core.files import open_regular_file, read_whole_lines_at_end, write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import load_split
from gwas_core.kubeflow.kubernetes_api import ClusterError
from gwas_core.kubeflow.parameters import from_assignments
from gwas_core.kubeflow.pipelines_api import PipelinesApi, Run, RunState, token_path
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.steps import experiment_directory, read_failure_kind, run_and_record, trial_directory
from gwas_core.kubeflow.trial_files import STEP_LOGS, TrialFailure, read_result
from gwas_core.kubeflow.trial_inputs import read_experiment, trial_seed
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.training import OBJECTIVE
from gwas_core.model.trial_folder import FAILURE_FILE, METRICS_FILE, RESULT_FILE
from gwas_core.processes.detached import last_line
from gwas_core.serialization import to_json_values
from gwas_core.tuning.experiment import Experiment
from gwas_core.workspace import Workspace

TERMINATED = 128 + signal.SIGTERM

_TAIL_SECONDS = 1.0
_LOG_LINES = 30
_LOG_BYTES = 16_384
# Kubernetes waits 30 s between SIGTERM and SIGKILL.
_TERMINATION_SECONDS = 20.0


class Terminated(BaseException):
    """End of the process by SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one trial and return the exit code: 0 for success, 1 for failure, ``TERMINATED`` after SIGTERM.

    Args:
        arguments: of the command line; those of this process if not given.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        directory = trial_directory(options.workspace, options.experiment, options.trial)
        # A failure of an earlier pod must not be taken for one of this pod.
        (directory / FAILURE_FILE).unlink(missing_ok=True)
        _run(options, directory)
    except GwasError as failure:
        print_message(str(failure))
        return 1
    except Terminated:
        print_message("terminated")
        return TERMINATED
    return 0


def _run(options: argparse.Namespace, directory: Path) -> None:
    experiment = read_experiment(options.workspace, options.experiment)
    try:
        hyperparameters = from_assignments(experiment.space, dict(options.set))
        objective = ObjectivePrinter()
        train = _train_here if options.kind == "job" else _train_in_pipeline
        objective.finish(train(options, experiment, hyperparameters, objective))
    except Exception as failure:
        if not isinstance(failure, GwasError):
            print_message(traceback.format_exc())
        # Katib itself says of a failed trial only that it failed.
        reason = str(failure) if isinstance(failure, GwasError) else describe_unexpected(failure)
        kind = FailureKind.of(failure)
        write_json(directory / FAILURE_FILE, to_json_values(TrialFailure(reason=reason, kind=kind)))
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
    # Only once: ending the run must not be interrupted in turn.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _train_here(
    options: argparse.Namespace,
    experiment: Experiment,
    hyperparameters: Mapping[str, HyperparameterValue],
    objective: ObjectivePrinter,
) -> float:
    recorded = run_and_record(
        Dataset.load(Workspace(options.workspace).dataset_directory(experiment.dataset)),
        load_split(experiment_directory(options.workspace, experiment.name)),
        hyperparameters,
        trial_directory(options.workspace, experiment.name, options.trial),
        report=objective.report,
        seed=trial_seed(experiment, options.trial),
        xla=experiment.xla,
    )
    return recorded.result.val_mean_absolute_error


# A pipeline run


def _train_in_pipeline(
    options: argparse.Namespace,
    experiment: Experiment,
    hyperparameters: Mapping[str, HyperparameterValue],
    objective: ObjectivePrinter,
) -> float:
    cluster = ClusterSettings.from_environment()
    pipelines = PipelinesApi(
        cluster.pipeline_host, namespace=cluster.namespace, token=token_path(), patience=options.patience
    )
    directory = trial_directory(options.workspace, experiment.name, options.trial)
    with _run_ended_with_process(pipelines, options.trial, experiment.name):
        run = _start_run(pipelines, cluster, options.trial, experiment, hyperparameters)
        print_message(f"pipeline run {run.run_id}")
        run = _follow_run(pipelines, run, MetricsTail(directory / METRICS_FILE), objective, poll=options.poll)
    if run.state is not RunState.SUCCEEDED:
        raise _failure(run, directory)
    return _read_objective(directory)


@contextlib.contextmanager
def _run_ended_with_process(pipelines: PipelinesApi, trial: str, group: str) -> Iterator[None]:
    """End the trial's run if this process is ended or gives up on it."""
    try:
        yield
    except (Terminated, GwasError, KeyboardInterrupt):
        print_message("ending the pipeline run")
        pipelines.patience = _TERMINATION_SECONDS
        try:
            # Found by its name, because a request that was never answered may have made it.
            run = pipelines.find(trial, group=group)
            if run is not None and not run.state.is_finished():
                pipelines.terminate(run.run_id)
        except ClusterError as error:
            print_message(f"it could not be ended: {error}")
        raise


def _start_run(
    pipelines: PipelinesApi,
    cluster: ClusterSettings,
    trial: str,
    experiment: Experiment,
    hyperparameters: Mapping[str, HyperparameterValue],
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
    return pipelines.start(trial, group=experiment.name, pipeline=pipeline, parameters=to_json_values(parameters))


def _follow_run(
    pipelines: PipelinesApi, run: Run, values: MetricsTail, objective: ObjectivePrinter, *, poll: float
) -> Run:
    """Print each epoch's objective until the run has ended, and return the run."""
    asked = time.monotonic()
    while not run.state.is_finished():
        objective.print_values(values.read())
        time.sleep(min(_TAIL_SECONDS, poll))
        if time.monotonic() - asked >= poll:
            run = pipelines.get(run.run_id)
            asked = time.monotonic()
    objective.print_values(values.read())
    return run


class MetricsTail:
    """Reader of each epoch's objective while a trial's ``metrics.jsonl`` grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[float]:
        """Return the values since the last call, of complete lines; those that are not finite are left out."""
        try:
            # Opened anew each time: on a network volume only that shows what others wrote.
            with open_regular_file(self._path) as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0  # training began again
                file.seek(self._offset)
                data = file.read()
        except (OSError, InputError):
            return []
        lines, newline, _ = data.rpartition(b"\n")
        self._offset += len(lines) + len(newline)
        return [value for value in map(_epoch_objective, lines.splitlines()) if value is not None]


def _epoch_objective(line: bytes) -> float | None:
    try:
        value = json.loads(line)[OBJECTIVE]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _read_objective(directory: Path) -> float:
    recorded = read_result(directory)
    if recorded is None:
        raise InputError(
            f"the run has succeeded, but {directory / RESULT_FILE} has no result: do its steps mount the same volume?"
        )
    value = recorded.result.val_mean_absolute_error
    if not math.isfinite(value):
        raise TrialFailed(f"the objective is {value}, which is no finite number", kind=FailureKind.NOT_FINITE)
    return value


def _failure(run: Run, directory: Path) -> TrialFailed:
    """Which step failed and why, in one sentence; the end of what it had to say is printed."""
    if run.state is RunState.CANCELED:
        return TrialFailed("the pipeline run was cancelled")
    for log in (log for folder in (directory, directory.parent) for log in sorted((folder / STEP_LOGS).glob("*.log"))):
        print_message(_last_lines(log))
        words = last_line(log) or "without a word; see the log of its pod"
        return TrialFailed(f"step {log.stem} failed: {words}", kind=read_failure_kind(log))
    for step in run.steps:
        if step.state is RunState.FAILED and step.name:
            words = step.message or run.message or "without a word; see the log of its pod"
            return TrialFailed(f"step {step.name} failed: {words}")
    return TrialFailed(
        f"the pipeline run has {run.state.name.lower()}: {run.message or 'no step says why; see the logs of its pods'}"
    )


def _last_lines(log: Path) -> str:
    try:
        text = read_whole_lines_at_end(log, limit=_LOG_BYTES).decode("utf-8", errors="replace")
    except (OSError, InputError):
        return ""
    return "\n".join(text.splitlines()[-_LOG_LINES:])


# Printing


class ObjectivePrinter:
    """Printer of the objective for Katib's collector, which a value that is not finite would break."""

    def __init__(self) -> None:
        self._best = math.inf

    def report(self, epoch: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002 - run_trial's signature
        """Print the objective of an epoch.

        Args:
            epoch: not printed: Katib counts the values.
            metrics: of the epoch, by name.
        """
        self.print_values([metrics[OBJECTIVE]])

    def print_values(self, values: Iterable[float]) -> None:
        """Print values of the objective, a line each.

        Args:
            values: of the objective, in the order of epochs.

        Raises:
            TrialFailed: a value is not finite.
        """
        for value in values:
            if not math.isfinite(value):
                raise TrialFailed(f"{OBJECTIVE} became {value}", kind=FailureKind.NOT_FINITE)
            self._best = min(self._best, value)
            print(f"{datetime.now(UTC).isoformat()} {OBJECTIVE}={value!r}", flush=True)

    def finish(self, value: float) -> None:
        """Print the trial's objective unless its best epoch was printed: early stopping counts values as epochs.

        Args:
            value: the trial's objective.
        """
        if not math.isclose(self._best, value, rel_tol=1e-6):
            self.print_values([value])


def print_message(message: str) -> None:
    """Print text for people, in which nothing looks like a metric.

    Args:
        message: may hold anything; each equals sign is printed as a colon.
    """
    plain = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in message)
    print(plain.replace("=", ":"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
