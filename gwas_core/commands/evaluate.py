"""Command ``evaluate``: networks against baselines on held-out lines.

Also here: what is printed of it; progress bars or, without a terminal, lines; Ctrl-C stops its search, and the same
command goes on.
"""

from __future__ import annotations

import argparse
import sys

from gwas_core.commands.common import load_dataset, print_json, print_table, printable, say, say_notes
from gwas_core.commands.search import chosen_space, preprocessing_options
from gwas_core.evaluation.intervals import FIGURES
from gwas_core.evaluation.plan import TuningSettings, plan_evaluation
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.evaluation.run import TaskProgress, evaluate
from gwas_core.evaluation.tuning import is_tuning
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.messages import counted
from gwas_core.report.evaluation import evaluation_rows
from gwas_core.report.progress_bars import ProgressBars, time_left
from gwas_core.report.titles import SHORT_FIGURE_TITLES
from gwas_core.report.verdict import evaluation_verdict, verdict_sentence
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.parallel_trials import parallel_trials_here
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.search_settings import free_name, search_settings, whole_numbers
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
    parallel = parallel_trials_here(options.parallel or 1, genotypes=dataset.genotypes.size)
    if parallel.reason:
        say(f"Networks: {parallel.reason}.")
    with ProgressBars(search_title="tuning") as bars:
        progress = _Progress(bars)
        try:
            result = evaluate(
                engine,
                dataset,
                plan,
                parallel=options.parallel,
                notes=(*notes, *sentences),
                on_tuning=progress.show_search,
                on_progress=progress.show_tasks,
            )
        except KeyboardInterrupt:
            if is_tuning(engine, plan):
                say(f"\nStopping {plan.experiment} ...")
                engine.stop(plan.experiment)
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
        space=chosen_space(options),
        preprocessing=preprocessing_options(options),
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


class _Progress:
    """Progress on stderr: bars on a terminal, else a line for each finished model."""

    def __init__(self, bars: ProgressBars) -> None:
        self._bars = bars
        self._is_search_told = False
        self._done: int | None = None

    def show_search(self, record: ExperimentRecord) -> None:
        """Show the progress of the search."""
        if not self._is_search_told:
            self._is_search_told = True
            say(f"Tuning by experiment {record.name}.")
        self._bars.show_search(record)

    def show_tasks(self, progress: TaskProgress) -> None:
        """Show the progress of training and predicting."""
        self._bars.show_tasks(progress)
        before, self._done = self._done, progress.done
        if not sys.stderr.isatty() and before is not None and progress.done != before:
            left = time_left(progress)
            say(f"{progress.done} of {progress.total} trained and predicted{f', {left}' if left else ''}")


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
