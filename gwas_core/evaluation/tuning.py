"""Hyperparameters of an evaluation: tuned once, on lines that are not tested, or reused from such a search.

Also here: that a search which saw test lines is refused; whether the networks use XLA, as the search did.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.evaluation.plan import EvaluationPlan, TuningSettings, tuning_split
from gwas_core.evaluation.store import ChosenHyperparameters
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import preprocess
from gwas_core.messages import listed
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.engine import watch
from gwas_core.tuning.experiment import Experiment, ExperimentState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import ExperimentRecord, TrialRecord
from gwas_core.tuning.search_settings import SearchOptions

OnTuning = Callable[[ExperimentRecord], None]
"""Called with the search each time something in it changed."""


def tune(
    engine: LocalEngine,
    dataset: Dataset,
    plan: EvaluationPlan,
    settings: TuningSettings,
    *,
    parallel: int,
    notes: tuple[str, ...] = (),
    on_tuning: OnTuning,
) -> ChosenHyperparameters:
    """Search on the lines of the tune folds, or go on with that search.

    Args:
        engine: runs the search.
        dataset: the plan's, with folds.
        plan: which folds to tune on, and the search's name.
        settings: of the search.
        parallel: number of trials at the same time.
        notes: sentences about reading the file, kept with the search.
        on_tuning: is told how the search goes on.

    Returns:
        Hyperparameters of its best trial.

    Raises:
        ExperimentError: if another experiment has the search's name, or the search did not succeed.
    """
    assert dataset.folds is not None
    lines = dataset.take(lines=np.isin(dataset.folds, plan.tune_folds))
    name = plan.experiment
    if name not in {entry.name for entry in engine.store.experiments()}:
        options = _options(plan, settings)
        options["parallel_trials"] = parallel
        create_experiment(engine.store, lines, name=name, source=plan.source, notes=notes, **options)
    record = engine.sync(name)
    if not _is_search(record.experiment, lines, plan, settings):
        raise ExperimentError(
            f"there is another experiment named {name}: give this evaluation another --name, or, if its "
            f"hyperparameters will do, add --reuse {name}"
        )
    _ensure_running(engine, record)
    for record in watch(engine, name):
        on_tuning(record)
    if record.state is not ExperimentState.SUCCEEDED:
        raise ExperimentError(
            f"tuning ({name}) is {record.state.value}: {record.reason or 'it was stopped'}; the same command goes on"
        )
    return _best_of(record, lines=lines.lines)


def is_tuning(engine: LocalEngine, plan: EvaluationPlan) -> bool:
    """Return whether the search of an evaluation is running, so that it has to be stopped with the evaluation.

    Args:
        engine: runs the search.
        plan: of the evaluation, which perhaps has no search, or one that has not begun.
    """
    if plan.tuning is None or plan.experiment not in {entry.name for entry in engine.store.experiments()}:
        return False
    return engine.sync(plan.experiment).state.is_active()


def reuse(engine: LocalEngine, dataset: Dataset, plan: EvaluationPlan) -> ChosenHyperparameters:
    """Return the best hyperparameters of an experiment that was tuned on none of the lines in the test folds.

    Args:
        engine: holds the experiment.
        dataset: the plan's, with folds.
        plan: which folds to test, and the experiment's name.

    Raises:
        SettingsError: if it was tuned on some of these lines, or has no final result.
    """
    assert dataset.folds is not None
    record = engine.sync(plan.experiment)
    if record.state.is_active() or record.best is None:
        raise SettingsError(
            f"{record.name} is {record.state.value} and has no final result to reuse: let it finish first",
            field="reuse",
        )
    tuned_on = Dataset.load(engine.workspace.dataset_directory(record.experiment.dataset)).line_names
    tested = np.array(dataset.line_names)[np.isin(dataset.folds, plan.test_folds)].tolist()
    if seen := sorted(set(tuned_on) & set(tested)):
        raise SettingsError(
            f"{record.name} was tuned on lines that are to be tested ({len(seen):,} of {len(tested):,}: "
            f"{listed(seen, limit=3)}), so its hyperparameters cannot be judged by them: choose other test folds, or "
            "tune anew without --reuse",
            field="reuse",
        )
    return _best_of(record, lines=len(tuned_on))


def _is_search(experiment: Experiment, lines: Dataset, plan: EvaluationPlan, settings: TuningSettings) -> bool:
    """Return whether an experiment is the search that the plan asks for."""
    if experiment.dataset != preprocess(lines, plan.preprocessing).dataset.content_hash:
        return False
    return all(getattr(experiment, name) == value for name, value in _options(plan, settings).items())


def _options(plan: EvaluationPlan, settings: TuningSettings) -> SearchOptions:
    """Return the fields of the search on the plan's tune folds that are not to have their default."""
    return {**settings.given(), "preprocessing": plan.preprocessing, "split": tuning_split(plan.tune_folds)}


def _ensure_running(engine: LocalEngine, record: ExperimentRecord) -> None:
    if record.state is ExperimentState.CREATED:
        engine.start(record.experiment)
    elif record.state.can_resume():
        engine.resume(record.name)


def _best_of(record: ExperimentRecord, *, lines: int) -> ChosenHyperparameters:
    best = record.best
    assert best is not None
    assert best.value is not None
    return ChosenHyperparameters(
        experiment=record.name,
        trial=best.number,
        value=best.value,
        hyperparameters=dict(best.parameters),
        xla=_xla_of(record, best),
        lines=lines,
    )


def _xla_of(record: ExperimentRecord, trial: TrialRecord) -> bool:
    """Return whether a trial was compiled: by its own record, or, of an older trial, by what its search measured."""
    if trial.xla is not None:
        return trial.xla
    xla = record.experiment.xla
    return (record.calibration is not None and record.calibration.xla) if xla == "auto" else xla == "on"
