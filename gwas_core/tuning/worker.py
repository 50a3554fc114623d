"""Worker process of a search: trains trials, times networks, evaluates baselines and the best trial, and refits it.

Also here: epochs reported to the supervisor; what a trial that is given up answers.

It keeps the dataset memory-mapped and TensorFlow loaded between trials. Jobs, reports and answers are those of
``jobs``; they travel as JSON, one object a line, over stdin and what was stdout when the process started. Anything else
that prints to stdout ends in the log.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from gwas_core.errors import FailureKind, TrialFailed, TrialPruned
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.training import OBJECTIVE
from gwas_core.processes.channel import Channel, die_with
from gwas_core.processes.fork_server import serve_forks
from gwas_core.processes.worker import serve_jobs
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
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
from gwas_core.tuning.model_functions import ModelFunctions, model_functions


class Worker:
    """Worker for jobs on one dataset and split.

    Args:
        channel: to the supervisor; epochs are reported over it.
        dataset: prepared, without missing genotypes.
        split: of the dataset's lines.
        functions: of the model.
    """

    def __init__(self, channel: Channel, dataset: Dataset, split: Split, functions: ModelFunctions) -> None:
        self._channel = channel
        self._dataset = dataset
        self._split = split
        self._functions = functions

    def do(self, message: JsonObject) -> JsonObject:
        """Do a job and return the answer.

        Args:
            message: a ``Job`` as JSON.

        Returns:
            An ``Answer`` as JSON.

        Raises:
            InputError: the message describes no job.
            TrialFailed: training diverged, or a figure of the result is not finite.
        """
        try:
            answer = self._answer(JOBS.from_json_values(message))
        except TrialPruned as error:
            answer = PrunedAnswer(reason=str(error))
        values = ANSWERS.to_json_values(answer)
        try:
            json.dumps(values, allow_nan=False)
        except ValueError as error:
            raise TrialFailed("the result holds a number that is not finite", kind=FailureKind.NOT_FINITE) from error
        return values

    def _answer(self, job: Job) -> Answer:
        match job:
            case TrialJob():
                return self._trial(job)
            case CalibrationJob():
                return self._calibrate(job)
            case BaselinesJob():
                return self._baselines(job)
            case FinalEvaluationJob():
                return self._finalise(job)
            case RefitJob():
                return self._refit(job)

    def _trial(self, job: TrialJob) -> TrialAnswer:
        # TensorFlow is imported inside, and not at the top of this module.
        result = self._functions.run_trial(
            self._dataset,
            self._split,
            job.hyperparameters,
            job.directory,
            report=self._report,
            seed=job.seed,
            xla=job.xla,
        )
        return TrialAnswer(result=result)

    def _report(self, epoch: int, metrics: Mapping[str, float]) -> None:
        value = metrics[OBJECTIVE]
        if not math.isfinite(value):
            raise TrialFailed(f"{OBJECTIVE} became {value} in epoch {epoch}", kind=FailureKind.NOT_FINITE)
        answer = self._channel.report(to_json_values(EpochReport(epoch=epoch, value=value)))
        if from_json_values(EpochAnswer, answer, name="answer").prune:
            raise TrialPruned(f"stopped early: other trials were better at epoch {epoch}")

    def _calibrate(self, job: CalibrationJob) -> CalibrationAnswer:
        calibrate = self._functions.calibrate
        assert calibrate is not None
        return CalibrationAnswer(calibration=calibrate(self._dataset, self._split, job.hyperparameters))

    def _baselines(self, job: BaselinesJob) -> BaselinesAnswer:
        from gwas_core.model.baselines import evaluate_baselines

        results = evaluate_baselines(self._dataset, self._split, threads=job.threads)
        return BaselinesAnswer(baselines={name: result.stored for name, result in results.items()})

    def _finalise(self, job: FinalEvaluationJob) -> FinalEvaluationAnswer:
        metrics = self._functions.finalise(self._dataset, self._split, job.experiment_directory, job.trial_directory)
        return FinalEvaluationAnswer(**metrics)

    def _refit(self, job: RefitJob) -> RefitAnswer:
        refit = self._functions.refit
        assert refit is not None
        result = refit(
            self._dataset,
            job.trial_directory,
            judged_lines=len(self._split.train),
            epochs=job.epochs,
            seed=job.seed,
        )
        return RefitAnswer(result=result)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a supervisor, as ``python -m gwas_core.tuning.worker`` does.

    Args:
        arguments: of the command line; those of this process if None.
    """
    parser = argparse.ArgumentParser(description="Runs trials for a supervisor; not meant to be started by hand.")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the prepared dataset")
    parser.add_argument("--split", type=Path, required=True, help="the experiment's split.json")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    # When a machine shuts down everyone is told to end. That is for the supervisor to deal with:
    # a worker that went first would look like one that its trial had killed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    dataset = Dataset.load(options.dataset)
    split = Split.from_dict(json.loads(options.split.read_text(encoding="utf-8")))
    functions = model_functions()
    if functions.import_before_fork is not None:
        functions.import_before_fork()
    JOBS.prepare()
    ANSWERS.prepare()

    def work() -> None:
        channel = Channel()
        serve_jobs(channel, Worker(channel, dataset, split, functions).do)

    serve_forks(work)


if __name__ == "__main__":
    main()
