"""Commands on searches: ``tune``, ``demo``, ``space``, ``status``, ``trials``, ``stop``, ``resume`` and others.

Also here: what is printed while a search is followed (bar, a line for each trial, baselines) and after it; Ctrl-C;
``--detach``; confirmation before deleting; the printed table of trials and of experiments; options that keep their
default.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import yaml

from gwas_core.commands.common import format_number, load_dataset, print_json, print_table, printable, say, say_notes
from gwas_core.engines.launch import launch_experiment
from gwas_core.engines.selection import Engines
from gwas_core.errors import BrokenExperimentError, ExperimentError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import counted, listed
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import BaselineMetrics
from gwas_core.processes.command_messages import MessageKind
from gwas_core.processes.memory import give_back_memory
from gwas_core.report.bundle_export import bundle_path, export_bundle, trials_table
from gwas_core.report.comparison import ModelMetrics, comparison
from gwas_core.report.progress_bars import ProgressBars
from gwas_core.report.summary import summarise
from gwas_core.report.titles import SHORT_FIGURE_TITLES, model_title
from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.serialization import to_json_values
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.demo import DEMO_FILE, DEMO_NAME, first_start, read_demo
from gwas_core.tuning.engine import watch
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.folder_record import unknown_folders_sentence
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.recovery import recover as recover_store
from gwas_core.tuning.search_settings import (
    PreprocessingOptions,
    SearchOptions,
    SplitOptions,
    free_name,
    search_settings,
)
from gwas_core.tuning.space import PRESETS, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace


def tune(options: argparse.Namespace) -> None:
    """Search for the best network on a file, follow the search, and write the bundle of the best model."""
    dataset, notes = load_dataset(options)
    say_notes(notes)
    _launch(options, dataset, notes, source=options.file.name, stem=options.file.name)


def demo(options: argparse.Namespace) -> None:
    """Run ``tune`` on the demo data."""
    if not options.first_start:
        _demo(options)
        return
    with first_start(Store(Workspace.from_environment())) as is_first:
        if is_first:
            _demo(options)
        else:
            say("This is not the first start here, so no demo experiment is needed.")


def _demo(options: argparse.Namespace) -> None:
    dataset, notes = read_demo()
    say(f"{dataset.lines:,} simulated lines, {len(dataset.snps):,} SNPs; data/README.md describes how they were made.")
    _launch(options, dataset, notes, source=DEMO_FILE.name, stem=DEMO_NAME)


def _launch(options: argparse.Namespace, dataset: Dataset, notes: tuple[str, ...], *, source: str, stem: str) -> None:
    engine = Engines(Workspace.from_environment(), tell=say)
    experiment = launch_experiment(
        engine,
        dataset,
        name=options.name or free_name(stem, taken=engine.store.taken_names()),
        source=source,
        notes=notes,
        **experiment_settings(options),
    )
    give_back_memory()  # that reading the file took: from here on this process only watches
    record = engine.store.load(experiment.name)
    say(f"Experiment {experiment.name}: {experiment.max_trials} trials, {record.parallel_trials} at a time.")
    _follow_or_leave(engine, record, options)


def experiment_settings(options: argparse.Namespace) -> SearchOptions:
    """Return the fields of an experiment that the options give; fields not given keep their defaults."""
    return search_settings(
        space=chosen_space(options),
        **preparation_options(options),
        engine=_option(options, "engine"),
        algorithm=_option(options, "algorithm"),
        early_stopping=options.early_stopping,
        max_trials=_option(options, "max_trials"),
        parallel_trials=_option(options, "parallel_trials"),
        max_failed_trials=_option(options, "max_failed_trials"),
        seed=_option(options, "seed"),
        xla=_option(options, "xla"),
    )


def chosen_space(options: argparse.Namespace) -> SearchSpace:
    """Return the search space of the options: that of a file or a preset, else the first preset."""
    return SearchSpace.load(options.space) if options.space else SearchSpace.preset(options.preset or PRESETS[0])


class PreparationOptions(TypedDict):
    """Arguments of ``search_settings`` about the data: filters and imputation, and the division of the lines."""

    preprocessing: PreprocessingOptions
    split: SplitOptions


def preparation_options(options: argparse.Namespace) -> PreparationOptions:
    """Return the options of filters, imputation and split, by the names of their settings."""
    return {
        "preprocessing": preprocessing_options(options),
        "split": {
            "method": _option(options, "split"),
            "validation_fraction": _option(options, "validation_fraction"),
            "test_fraction": _option(options, "test_fraction"),
            "validation_folds": _option(options, "validation_folds"),
            "test_folds": _option(options, "test_folds"),
            "seed": _option(options, "split_seed"),
        },
    }


def preprocessing_options(options: argparse.Namespace) -> PreprocessingOptions:
    """Return the options of filters and imputation, by the names of their settings."""
    return {
        "minimum_allele_frequency": _option(options, "minimum_allele_frequency"),
        "maximum_missing_per_snp": _option(options, "maximum_missing_per_snp"),
        "maximum_missing_per_line": _option(options, "maximum_missing_per_line"),
        "imputation": _option(options, "imputation"),
    }


def _option(options: argparse.Namespace, name: str) -> Any:
    # ``demo`` does not have all options.
    return getattr(options, name, None)


# Following an experiment


def _follow_or_leave(engine: Engines, record: ExperimentRecord, options: argparse.Namespace) -> None:
    name = record.name
    if record.parallel is not None and record.parallel.reason:
        say(f"Trials: {record.parallel.reason}.")
    if options.detach:
        say(f"It runs in the background: `status {name}` shows its progress, `stop {name}` stops it.")
        if options.json:
            print_json(summarise(engine.sync(name)).to_dict())
        return
    try:
        record = _follow(engine, name)
    except KeyboardInterrupt:
        say(f"\nStopping {name} ...")
        engine.stop(name)
        say(f"Stopped; what is finished is kept. `resume {name}` goes on.")
        raise
    _finish(engine, record, as_json=options.json)


def _follow(engine: Engines, name: str) -> ExperimentRecord:
    """Show a progress bar and a line for each finished trial until the experiment ends; return its record."""
    told: dict[int, TrialState] = {}
    told_baselines, told_reason = False, ""
    # Without a terminal there is no bar; the lines say the same.
    with ProgressBars() as bars:
        for record in watch(engine, name):
            for trial in record.trials:
                if trial.state.is_finished() and trial.number not in told:
                    told[trial.number] = trial.state
                    bars.write(printable(_trial_line(record, trial)))
            if record.baselines and not told_baselines:
                told_baselines = True
                bars.write(_baselines_line(record.baselines))
            if record.state.is_active() and record.reason not in ("", told_reason):
                told_reason = record.reason
                bars.write(printable(f"{record.name}: {record.reason}"))
            bars.show_search(record)
    return record


def _trial_line(record: ExperimentRecord, trial: TrialRecord) -> str:
    score = format_number(trial.value) if trial.value is not None else trial.reason
    best = " (best so far)" if record.best is not None and record.best.number == trial.number else ""
    return f"trial {trial.number:>3} {trial.state.value:<9} {score}{best}"


def _baselines_line(baselines: Mapping[str, BaselineMetrics]) -> str:
    errors = (
        f"{model_title(name)} {format_number(result.validation.mean_absolute_error)}"
        for name, result in baselines.items()
    )
    return f"baselines, validation MAE: {', '.join(errors)}"


def _finish(engine: Engines, record: ExperimentRecord, *, as_json: bool) -> None:
    """Print how an experiment ended, and write the bundle of its best model.

    Raises:
        ExperimentError: the experiment did not succeed.
    """
    bundle = export_bundle(engine.workspace, record) if record.state is ExperimentState.SUCCEEDED else None
    if as_json:
        print_json(summarise(record).to_dict() | ({} if bundle is None else {"bundle": str(bundle)}))
    else:
        _print_experiment(engine, record)
    if record.state is not ExperimentState.SUCCEEDED:
        hint = f"; `resume {record.name}` goes on" if record.state.can_resume() else ""
        raise ExperimentError(f"{record.name} is {record.state.value}: {record.reason or 'it was stopped'}{hint}")


def _print_experiment(engine: Engines, record: ExperimentRecord) -> None:
    counts = record.counts
    done = ", ".join(f"{counts[state]} {state.value}" for state in TrialState if counts[state])
    print(printable(f"{record.name}: {record.state.value}{f' ({record.reason})' if record.reason else ''}"))
    print(f"trials: {record.finished_trials} of {record.experiment.max_trials} finished ({done or 'none begun'})")
    if record.parallel is not None and record.parallel.reason and not record.state.is_finished():
        print(record.parallel.reason)
    if record.best is not None:
        print(f"best: trial {record.best.number}, {record.experiment.objective} {format_number(record.best.value)}")
    for part in ("validation", "test"):
        rows = comparison(record, part)
        if rows:
            print()
            _print_comparison(rows, part)
    print()
    print(verdict_sentence(experiment_verdict(record)))
    if record.baselines_reason:
        print(printable(f"The baselines could not be computed: {record.baselines_reason}"))
    path = bundle_path(engine.workspace, record)
    if path.is_file():
        print(f"bundle: {path}")


def _print_comparison(rows: Sequence[ModelMetrics], part: str) -> None:
    print_table(
        (f"{part} lines", *SHORT_FIGURE_TITLES.values()),
        [
            (("* " if row.is_network else "  ") + row.title, *(format_number(value) for value in row.figures()))
            for row in rows
        ],
        right=(1, 2, 3, 4),
    )


# Existing experiments


def status(options: argparse.Namespace) -> None:
    """Print all experiments, or one."""
    engine = Engines(Workspace.from_environment())
    if options.name is not None:
        record = engine.sync(options.name)
        if options.json:
            print_json(summarise(record).to_dict())
        else:
            _print_experiment(engine, record)
        return
    summaries = engine.experiments()
    for name, reason in ((entry.name, entry.reason) for entry in summaries if entry.state is ExperimentState.BROKEN):
        say(f"{name} is broken: {reason}. `delete {name}` removes it.", MessageKind.NOTE)
    if unknown := engine.store.unknown_folders():
        say(f"{unknown_folders_sentence(unknown)} `recover` brings back what they hold.", MessageKind.NOTE)
    if options.json:
        print_json(
            [
                {
                    "name": summary.name,
                    "source": summary.source,
                    "engine": summary.engine,
                    "created": summary.created,
                    "state": summary.state.value,
                    "reason": summary.reason,
                    "max_trials": summary.max_trials,
                    "finished_trials": summary.finished_trials,
                    "best": None if summary.best is None else {"trial": summary.best[0], "value": summary.best[1]},
                }
                for summary in summaries
            ]
        )
        return
    if not summaries:
        if not unknown:
            say("There are no experiments yet: `demo` or `tune FILE` makes one.")
        return
    print_table(
        ("experiment", "state", "trials", "best", "data", "created"),
        [
            (
                summary.name,
                summary.state.value,
                f"{summary.finished_trials}/{summary.max_trials}" if summary.max_trials else "–",
                format_number(None if summary.best is None else summary.best[1]),
                summary.source,
                summary.created[:16].replace("T", " "),
            )
            for summary in summaries
        ],
        right=(2, 3),
    )


def trials(options: argparse.Namespace) -> None:
    """Print the trials of an experiment, best first, failed ones last."""
    record = Engines(Workspace.from_environment()).sync(options.name)
    if options.json:
        print_json([trial.to_dict() for trial in record.trials])
    elif options.csv:
        print(csv_text(trials_table(record.trials)), end="")
    else:
        names = [parameter.name for parameter in record.experiment.space.parameters][:8]
        print_table(
            ("trial", "state", "value", "epochs", *names, "reason"),
            [
                (
                    trial.number,
                    trial.state.value,
                    format_number(trial.value),
                    trial.epochs,
                    *(_short(trial.parameters.get(name)) for name in names),
                    trial.reason[:80],
                )
                for trial in sorted(record.trials, key=_rank)
            ],
            right=(0, 2, 3, *range(4, 4 + len(names))),
        )


def _rank(trial: TrialRecord) -> tuple[bool, float, int]:
    succeeded = trial.state is TrialState.SUCCEEDED and trial.value is not None
    return (not succeeded, trial.value if succeeded and trial.value is not None else 0.0, trial.number)


def _short(value: HyperparameterValue | None) -> str:
    return f"{value:.3g}" if isinstance(value, float) else ("–" if value is None else str(value))


def stop(options: argparse.Namespace) -> None:
    """Stop an experiment; finished trials are kept."""
    record = Engines(Workspace.from_environment()).stop(options.name)
    # One that is still being stopped may have a reason, such as that nothing is heard from what runs it.
    reason = f" ({record.reason})" if record.state.is_active() and record.reason else ""
    say(
        printable(f"{options.name} is {record.state.value}{reason}: {record.finished_trials} finished trials are kept.")
    )
    if options.json:
        print_json(summarise(record).to_dict())


def resume(options: argparse.Namespace) -> None:
    """Continue an experiment and follow it."""
    engine = Engines(Workspace.from_environment())
    _follow_or_leave(engine, engine.resume(options.name), options)


def extend(options: argparse.Namespace) -> None:
    """Add trials to an experiment and follow it."""
    engine = Engines(Workspace.from_environment())
    _follow_or_leave(engine, engine.extend(options.name, options.trials), options)


def delete(options: argparse.Namespace) -> None:
    """Delete an experiment after confirmation.

    Raises:
        SettingsError: there is no terminal to ask for confirmation.
        ExperimentError: the confirmation was refused.
    """
    engine, name = Engines(Workspace.from_environment()), options.name
    try:
        content = f"its {len(engine.sync(name).trials)} trials and models"
    except BrokenExperimentError as error:
        content = f"whatever is in its folder (it is broken: {printable(error.reason)})"
    if not options.yes:
        if not sys.stdin.isatty():
            raise SettingsError("there is no terminal to ask for confirmation: add --yes", field="yes")
        print(f"Delete {name} with {content}? Type its name: ", end="", flush=True)
        if sys.stdin.readline().strip() != name:
            raise ExperimentError(f"{name} was not deleted")
    engine.delete(name)
    say(f"{name} was deleted.")


def recover(options: argparse.Namespace) -> None:
    """Rebuild the store, where it is lost, damaged or lacks experiments, from the folders of the experiments.

    Args:
        options: parsed arguments of the command line.

    Raises:
        ExperimentError: a folder holds too little to be recovered, or an experiment is being worked on.
    """
    found = recover_store(Workspace.from_environment())
    if found.damaged is not None:
        say(f"The damaged database was put aside as {found.damaged}.", MessageKind.NOTE)
    lost = [entry.name for entry in found.experiments if not entry.is_recovered]
    if options.json:
        print_json(to_json_values(found))
    else:
        print(f"{counted(found.kept, 'experiment')} in order before, {counted(len(found.experiments), 'other')} found.")
        for entry in found.experiments:
            came = f"recovered with {counted(entry.finished_trials, 'finished trial')}"
            print(printable(f"{entry.name}: {came if entry.is_recovered else 'not recovered'}"))
            for sentence in entry.lost:
                print(printable(f"  lost: {sentence}"))
    if lost:
        raise ExperimentError(f"not recovered: {listed(lost)}; what they lost is said above")


def space(options: argparse.Namespace) -> None:
    """Print or save a preset search space."""
    chosen = SearchSpace.preset(options.preset)
    if options.out is None:
        print(yaml.safe_dump(chosen.to_dict(), sort_keys=False), end="")
        return
    chosen.save(options.out)
    say(f"Saved as {options.out}: change it, then `tune FILE --space {options.out}`.")
