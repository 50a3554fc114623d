"""Command ``evaluate``: networks against baselines on held-out lines.

Also here: what is printed of it; progress bars or, without a terminal, lines; Ctrl-C stops its search, and the same
command goes on.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tqdm import tqdm

from gwas_core.commands.common import load_dataset, print_json, print_table, printable, say, say_notes
from gwas_core.evaluation.intervals import FIGURES
from gwas_core.evaluation.plan import EvaluationPlan, TuningSettings, plan_evaluation
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.evaluation.run import TaskProgress, evaluate
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.messages import counted, duration, duration_range
from gwas_core.processes.threads import usable_cores
from gwas_core.report.estimate import remaining_seconds
from gwas_core.report.evaluation import evaluation_rows
from gwas_core.report.titles import SHORT_FIGURE_TITLES
from gwas_core.report.verdict import evaluation_verdict, verdict_sentence
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.search_settings import free_name, search_settings, whole_numbers
from gwas_core.tuning.space import SearchSpace
from gwas_core.workspace import Workspace


def run(options: argparse.Namespace) -> None:
    """Tune on some folds, test on the others, and print the table of figures."""
    read, notes = load_dataset(options)
    preprocessing, tuning = _search_settings(options)
    dataset, plan, sentences = plan_evaluation(
        read,
        name=options.name,
        stem=free_name(options.file.name, taken=()),
        source=options.file.name,
        preprocessing=preprocessing,
        tuning=tuning,
        tune_folds=_folds(options, "tune_folds"),
        test_folds=_folds(options, "test_folds"),
        leave_family_out=options.leave_family_out,
        families=() if options.families is None else [name.strip() for name in options.families.split(",")],
        reuse=options.reuse,
        seeds=options.seeds,
        seed=options.seed,
    )
    say_notes((*notes, *sentences))
    engine = LocalEngine(Workspace.from_environment())
    say(f"Evaluation {plan.name}: the same command continues it if it is interrupted.")
    with _Bars() as bars:
        try:
            result = evaluate(
                engine,
                dataset,
                plan,
                parallel=options.parallel or min(3, usable_cores()),
                notes=(*notes, *sentences),
                on_tuning=bars.show_tuning,
                on_progress=bars.show_progress,
            )
        except KeyboardInterrupt:
            _stop_tuning(engine, plan)
            say("\nStopped; what is finished is kept, and the same command continues.")
            raise
    if options.json:
        print_json(result.to_dict())
    else:
        _print(result)


def _folds(options: argparse.Namespace, field: str) -> tuple[int, ...] | None:
    text = getattr(options, field)
    return None if text is None else whole_numbers(text, field=field)


def _search_settings(options: argparse.Namespace) -> tuple[PreprocessingSettings, TuningSettings]:
    given = search_settings(
        space=SearchSpace.load(options.space) if options.space else SearchSpace.preset(options.preset or "focused"),
        preprocessing={
            "minimum_allele_frequency": options.minimum_allele_frequency,
            "maximum_missing_per_snp": options.maximum_missing_per_snp,
            "maximum_missing_per_line": options.maximum_missing_per_line,
            "imputation": options.imputation,
        },
        split={},
        algorithm=options.algorithm,
        max_trials=options.trials,
        seed=options.seed,
        xla=options.xla,
    )
    return given["preprocessing"], TuningSettings(
        space=given["space"],
        algorithm=given.get("algorithm"),
        max_trials=given.get("max_trials"),
        seed=given.get("seed"),
        xla=given.get("xla"),
        early_stopping=given["early_stopping"],
    )


def _stop_tuning(engine: LocalEngine, plan: EvaluationPlan) -> None:
    if plan.tuning is None or plan.experiment not in {entry.name for entry in engine.store.experiments()}:
        return
    if engine.sync(plan.experiment).state.is_active():
        say(f"\nStopping {plan.experiment} ...")
        engine.stop(plan.experiment)


class _Bars:
    """Progress bars on stderr: one for tuning, then one for training and predicting."""

    def __init__(self) -> None:
        self._tuning: tqdm[Any] | None = None
        self._tasks: tqdm[Any] | None = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in (self._tuning, self._tasks):
            if bar is not None:
                bar.close()

    def show_tuning(self, record: ExperimentRecord) -> None:
        """Show the progress of the search."""
        if self._tuning is None:
            self._tuning = _bar("tuning", record.experiment.max_trials, "trial")
            say(f"Tuning by experiment {record.name}.")
        self._tuning.n = record.finished_trials
        left = remaining_seconds(record)
        best = "" if record.best is None else f"best {record.best.value:.4g}, "
        self._tuning.set_postfix_str(best + ("" if left is None else f"{duration_range(*left)} left"))

    def show_progress(self, progress: TaskProgress) -> None:
        """Show the progress of training and predicting."""
        if self._tasks is None:
            self._tasks = _bar("training and predicting", progress.total, "model", done=progress.done)
        before, self._tasks.n = self._tasks.n, progress.done
        left = "" if progress.seconds_left is None else f"about {duration(progress.seconds_left)} left"
        self._tasks.set_postfix_str(left)
        if self._tasks.disable and progress.done != before:
            # Without a terminal there is no bar; a line for each finished model says the same.
            say(f"{progress.done} of {progress.total} trained and predicted{f', {left}' if left else ''}")


def _bar(title: str, total: int, unit: str, *, done: int = 0) -> tqdm[Any]:
    return tqdm(total=total, initial=done, desc=title, unit=unit, file=sys.stderr, disable=None, dynamic_ncols=True)


def _print(result: EvaluationResult) -> None:
    sets = counted(len(result.held_out), "held-out set")
    print(printable(f"{result.name}: {result.trait}, {counted(result.lines, 'line')} in {sets}"))
    print()
    header = [SHORT_FIGURE_TITLES[figure] for figure in FIGURES]
    for title, rows in evaluation_rows(result).items():
        print_table((title, *header), rows, right=(1, 2, 3))
        print()
    print(verdict_sentence(evaluation_verdict(result)))
    print()
    for note in result.notes:
        print(printable(note))
