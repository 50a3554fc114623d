"""Functions for notebooks and scripts: ``read_dataset``, ``describe``, ``tune``, ``evaluate``, ``predict`` and more.

Also here: notes on data as warnings; an interrupt stops the experiment.

``read_dataset`` reads a file, ``describe`` says what is in it, ``tune`` searches for a network, ``evaluate`` judges
tuned networks on lines that nothing was chosen by, ``predict`` predicts new lines, and ``open_experiment`` opens a
search of this or an earlier session. Results are kept in a workspace, where the dashboard and the command line find
them.

TensorFlow is loaded by ``predict`` alone: searches and evaluations run in processes of their own.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gwas_core.errors import ExperimentError, InputError
from gwas_core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from gwas_core.engines.selection import Engines
    from gwas_core.evaluation.result import EvaluationResult
    from gwas_core.genotypes.dataset import Dataset
    from gwas_core.genotypes.genotype_table import GenotypeTable
    from gwas_core.genotypes.preprocessing import PreprocessingSettings
    from gwas_core.genotypes.quality import QualityReport
    from gwas_core.genotypes.splits import SplitSettings
    from gwas_core.model.prediction import Predictions
    from gwas_core.report.summary import SearchSummary
    from gwas_core.tuning.experiment import EngineName, Xla
    from gwas_core.tuning.records import ExperimentRecord
    from gwas_core.tuning.space import SearchSpace

Location = str | Path
"""A file or folder; ``~`` is the home folder."""


class DataNote(UserWarning):
    """Remark on data that were read or predicted: a guess that was made, or something odd."""


def read_dataset(
    file: Location,
    *,
    phenotype: str | None = None,
    line_name: str | None = None,
    folds: str | None = None,
    family: str | Literal[False] | None = None,
    family_characters: tuple[int, int] | None = None,
    snp_prefix: str | None = None,
    snps_after: str | None = None,
    drop_missing_phenotype: bool = False,
) -> Dataset:
    """Read a table of lines (rows) with traits and SNPs (columns).

    A column's meaning that is not given is guessed. What was guessed and left out is told as a warning of the category
    ``DataNote``.

    Args:
        file: tab, comma, semicolon or white space between the cells, plain or gzip.
        phenotype: column of the trait.
        line_name: column of the lines' names.
        folds: column of cross-validation folds.
        family: column of the families; False where there are none.
        family_characters: first and last position, from 1, of the family within a line's name: ``(6, 7)``.
        snp_prefix: beginning of the name of every SNP's column, and of no other one.
        snps_after: column after which all columns are SNPs.
        drop_missing_phenotype: whether lines without a value of the trait are left out rather than refused.

    Returns:
        Lines, SNPs in genome order, and the trait; missing genotypes are -1.

    Raises:
        InputError: The file cannot be used; the sentence names the row, the line and the column.
        SettingsError: A column that is named is not there.

    Examples:
        >>> import gwas_core
        >>> dataset = gwas_core.read_dataset("height.txt.gz", phenotype="height")
        >>> dataset.genotypes.shape
        (160, 150)
        >>> dataset.trait
        'height'
    """
    from gwas_core.genotypes.column_roles import choose_roles, make_dataset

    table = _read_table(file, snp_prefix=snp_prefix, snps_after=snps_after)
    roles = choose_roles(
        table,
        phenotype=phenotype,
        line_name=line_name,
        folds=folds,
        family=family,
        family_characters=family_characters,
    )
    dataset, notes = make_dataset(table, roles, drop_missing_phenotype=drop_missing_phenotype)
    _tell(notes)
    return dataset


def describe(dataset: Dataset) -> QualityReport:
    """Return what a geneticist wants to know of a dataset before anything is computed from it.

    Returns:
        Counts of lines, SNPs and families, missing and rare genotypes, duplicates, and the trait's distribution.

    Examples:
        >>> report = gwas_core.describe(dataset)
        >>> report.lines, report.snps, report.families.count
        (160, 150, 4)
        >>> report.phenotype.outliers
        0
    """
    from gwas_core.genotypes.quality import quality_report

    return quality_report(dataset)


@dataclass(frozen=True, kw_only=True)
class ExperimentHandle:
    """Experiment of a workspace, wherever it runs.

    Attributes:
        name: of the experiment.
        workspace: folder in which it is kept.
    """

    name: str
    workspace: Path

    @property
    def record(self) -> ExperimentRecord:
        """Experiment as it is now, with all its trials."""
        return self._engines.sync(self.name)

    def trials(self) -> pd.DataFrame:
        """Return one row for each trial: state, metrics, hyperparameters (``parameter:NAME``), seconds and reason."""
        from gwas_core.report.bundle_export import trials_table

        return trials_table(self.record.trials)

    def summary(self) -> SearchSummary:
        """Return state, best trial, baselines and verdict, which ``deep-gwas status NAME`` prints."""
        from gwas_core.report.summary import summarise

        return summarise(self.record)

    def save_bundle(self, file: Location | None = None) -> Path:
        """Pack the best network with all that explains it, and return the zip file.

        Args:
            file: to write; in the experiment's folder if not given.

        Raises:
            ExperimentError: No trial has succeeded, or the best one was not judged on the test lines yet.
        """
        from gwas_core.report.bundle_export import export_bundle

        return export_bundle(
            Workspace(self.workspace), self.record, path=None if file is None else Path(file).expanduser()
        )

    def wait(self, *, progress: bool = True) -> ExperimentHandle:
        """Return once nothing works on the experiment any more.

        An interrupt (Ctrl-C, or the stop button of a notebook) stops the experiment; what is finished is kept.

        Args:
            progress: whether a progress bar is shown on stderr.

        Raises:
            ExperimentError: The experiment did not succeed; the sentence says why.
        """
        from gwas_core.tuning.experiment import ExperimentState

        try:
            record = self._follow(progress=progress)
        except KeyboardInterrupt:
            self.stop()
            raise
        if record.state is not ExperimentState.SUCCEEDED:
            raise ExperimentError(f"{self.name} is {record.state.value}: {record.reason or 'it was stopped'}")
        return self

    def stop(self) -> ExperimentHandle:
        """Stop the experiment; what is finished is kept."""
        self._engines.stop(self.name)
        return self

    def resume(self, *, extra_trials: int = 0) -> ExperimentHandle:
        """Go on with the experiment in the background; ``wait`` follows it.

        Args:
            extra_trials: added to those that it has.

        Raises:
            ExperimentError: It is running already, or has nothing left to do.
        """
        if extra_trials:
            self._engines.extend(self.name, extra_trials)
        else:
            self._engines.resume(self.name)
        return self

    @property
    def _engines(self) -> Engines:
        from gwas_core.engines.selection import Engines

        return Engines(Workspace(self.workspace))

    def _follow(self, *, progress: bool) -> ExperimentRecord:
        from gwas_core.report.progress_bars import ProgressBars
        from gwas_core.tuning.engine import watch

        with ProgressBars(is_shown=progress, search_title=self.name) as bars:
            for record in watch(self._engines, self.name):
                bars.show_search(record)
        return record


def tune(
    dataset: Dataset,
    *,
    name: str | None = None,
    space: SearchSpace | Location = "focused",
    algorithm: str = "bayesianoptimization",
    max_trials: int = 35,
    parallel_trials: int = 3,
    max_failed_trials: int = 10,
    early_stopping: str | None = None,
    preprocessing: PreprocessingSettings | None = None,
    split: SplitSettings | None = None,
    seed: int = 0,
    xla: Xla = "auto",
    engine: EngineName = "local",
    source: str | None = None,
    workspace: Location | None = None,
    wait: bool = True,
    progress: bool = True,
) -> ExperimentHandle:
    """Search for the network that predicts the trait best, and judge it beside simple baselines.

    Trials are compared on validation lines; the best network is judged once on test lines. The search runs in
    processes of its own, which outlive the notebook.

    Args:
        dataset: as ``read_dataset`` returns it.
        name: of the experiment; made from the trait if not given.
        space: what may vary: ``"focused"``, ``"tutorial"``, a YAML or JSON file, or a ``SearchSpace``.
        algorithm: ``bayesianoptimization``, ``random``, ``grid``, ``tpe``, ``multivariate-tpe``, ``cmaes``, ``sobol``.
        max_failed_trials: number of failed trials that ends the search.
        early_stopping: ``"medianstop"`` gives up trials that are worse than the median.
        preprocessing: filters and imputation; SNPs with a minor allele rarer than 0.01 are dropped if not given.
        split: division into training, validation and test lines; at random within families if not given.
        seed: of the suggestions and of every trial.
        xla: whether networks are compiled by XLA; ``"auto"`` takes whichever is faster here.
        engine: ``"local"``, or ``"kubeflow"`` for the cluster that ``GWAS_KUBEFLOW_...`` variables name.
        source: where the data come from, for people; the trait if not given.
        workspace: folder of results; ``GWAS_WORKSPACE`` or ``./workspace`` if not given.
        wait: whether to return only once the search is over.
        progress: whether a progress bar is shown on stderr.

    Raises:
        SettingsError: A setting is refused; ``field`` names it.
        ExperimentError: The name is taken, or the search failed.

    Examples:
        >>> experiment = gwas_core.tune(dataset, name="height", max_trials=2, parallel_trials=1, xla="off")
        >>> experiment.record.state.value
        'succeeded'
        >>> len(experiment.trials())
        2
        >>> print(experiment.save_bundle("best.zip"))
        best.zip
    """
    from gwas_core.engines.launch import launch_experiment
    from gwas_core.engines.selection import Engines
    from gwas_core.genotypes.preprocessing import PreprocessingSettings
    from gwas_core.genotypes.splits import SplitSettings
    from gwas_core.tuning.early_stopping import EarlyStoppingSettings
    from gwas_core.tuning.search_settings import free_name
    from gwas_core.tuning.suggest import AlgorithmSettings

    engines = Engines(_workspace(workspace), tell=lambda text: print(text, file=sys.stderr))
    taken = engines.store.taken_names()
    experiment = launch_experiment(
        engines,
        dataset,
        name=name or free_name(dataset.trait, taken=taken),
        source=source or dataset.trait,
        space=_space(space),
        preprocessing=preprocessing or PreprocessingSettings(),
        split=split or SplitSettings(),
        algorithm=AlgorithmSettings(name=algorithm),
        early_stopping=None if early_stopping is None else EarlyStoppingSettings(algorithm=early_stopping),
        max_trials=max_trials,
        parallel_trials=parallel_trials,
        max_failed_trials=max_failed_trials,
        seed=seed,
        xla=xla,
        engine=engine,
    )
    handle = ExperimentHandle(name=experiment.name, workspace=engines.workspace.root)
    return handle.wait(progress=progress) if wait else handle


def evaluate(
    dataset: Dataset,
    *,
    name: str | None = None,
    tune_folds: Sequence[int] | None = None,
    test_folds: Sequence[int] | None = None,
    leave_family_out: bool = False,
    families: Sequence[str] = (),
    reuse: str | None = None,
    space: SearchSpace | Location = "focused",
    algorithm: str | None = None,
    trials: int = 35,
    networks: int = 3,
    parallel: int | None = None,
    preprocessing: PreprocessingSettings | None = None,
    seed: int = 0,
    xla: Xla = "auto",
    source: str | None = None,
    workspace: Location | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Judge tuned networks beside baselines on lines that nothing was chosen by, with 95 % intervals.

    Hyperparameters are tuned on some folds alone; the lines of each other fold are predicted by networks that are
    trained on all the rest. The same call goes on with an evaluation that was interrupted.

    Args:
        dataset: as ``read_dataset`` returns it; without folds, ten are made within families.
        name: of the evaluation; made from the trait if not given.
        tune_folds: to tune hyperparameters on; the first half if not given.
        test_folds: to predict; the others if not given.
        leave_family_out: whether each family is predicted by models of all other families instead.
        families: to predict; all if not given.
        reuse: experiment whose best hyperparameters are taken instead of tuning.
        space: what may vary, as in ``tune``.
        algorithm: as in ``tune``.
        trials: of the search.
        networks: number of networks for each fold, whose predictions are averaged.
        parallel: number of networks trained at a time; one for each core, up to 3, if not given.
        preprocessing: filters and imputation, fitted anew to the training lines of each fold.
        seed: of folds, search, training and intervals.
        source: where the data come from, for people; the trait if not given.
        workspace: folder of results; ``GWAS_WORKSPACE`` or ``./workspace`` if not given.
        progress: whether a progress bar is shown on stderr.

    Returns:
        Figures of every model on every held-out set, and the differences to the network with their intervals.

    Raises:
        SettingsError: A setting is refused; ``field`` names it.
        ExperimentError: The evaluation is running already, or its search failed.

    Examples:
        >>> result = gwas_core.evaluate(dataset, name="strict", trials=2, test_folds=[9], networks=1, xla="off")
        >>> [held_out.name for held_out in result.held_out]
        ['fold-9']
        >>> sorted(result.held_out[0].metrics)
        ['family_mean', 'gblup', 'gblup_family', 'mean', 'network']
    """
    from gwas_core.evaluation.plan import TuningSettings, plan_evaluation
    from gwas_core.evaluation.run import evaluate as run_evaluation
    from gwas_core.evaluation.tuning import is_tuning
    from gwas_core.genotypes.preprocessing import PreprocessingSettings
    from gwas_core.report.progress_bars import ProgressBars
    from gwas_core.tuning.local import LocalEngine
    from gwas_core.tuning.search_settings import free_name
    from gwas_core.tuning.suggest import AlgorithmSettings

    lines, plan, notes = plan_evaluation(
        dataset,
        name=name,
        stem=free_name(dataset.trait, taken=()),
        source=source or dataset.trait,
        preprocessing=preprocessing or PreprocessingSettings(),
        tuning=TuningSettings(
            space=_space(space),
            algorithm=None if algorithm is None else AlgorithmSettings(name=algorithm),
            max_trials=trials,
            seed=seed,
            xla=xla,
        ),
        tune_folds=tune_folds,
        test_folds=test_folds,
        leave_family_out=leave_family_out,
        families=families,
        reuse=reuse,
        seeds=networks,
        seed=seed,
    )
    engine = LocalEngine(_workspace(workspace))
    with ProgressBars(is_shown=progress, search_title="tuning") as bars:
        try:
            return run_evaluation(
                engine,
                lines,
                plan,
                parallel=parallel,
                notes=notes,
                on_tuning=bars.show_search,
                on_progress=bars.show_tasks,
            )
        except KeyboardInterrupt:
            if is_tuning(engine, plan):
                engine.stop(plan.experiment)
            raise


def open_experiment(name: str, *, workspace: Location | None = None) -> ExperimentHandle:
    """Open an experiment that this or an earlier session, the dashboard or the command line has made.

    Args:
        workspace: folder of results; ``GWAS_WORKSPACE`` or ``./workspace`` if not given.

    Raises:
        ExperimentError: There is no such experiment.

    Examples:
        >>> experiment = gwas_core.open_experiment("height")
        >>> best = experiment.record.best
        >>> best.parameters["network"]
        'hybrid'
        >>> sorted(experiment.summary().baselines)
        ['family_mean', 'gblup', 'gblup_family', 'mean']
    """
    handle = ExperimentHandle(name=name, workspace=_workspace(workspace).root)
    _ = handle.record  # refused here if it is not there
    return handle


def predict(
    model: ExperimentHandle | Location,
    lines: Dataset | Location,
    *,
    line_name: str | None = None,
    family: str | Literal[False] | None = None,
    family_characters: tuple[int, int] | None = None,
    snp_prefix: str | None = None,
    snps_after: str | None = None,
) -> Predictions:
    """Predict the phenotype of new lines.

    Args:
        model: an experiment, whose best network predicts, or a bundle (zip file).
        lines: a file as ``read_dataset`` reads it, though without need of a trait, or a dataset. SNPs may come in any
            order; those that are missing are filled in as in training.
        line_name: column of the lines' names, guessed if not given; as the others, for a file alone.

    Returns:
        A table with ``line``, ``predicted`` (in the unit of the phenotype) and ``imputed_fraction``, and how well the
        file fitted the model.

    Raises:
        InputError: The file or the bundle cannot be used, or fewer than half of the model's SNPs are in the file.

    Examples:
        >>> predictions = gwas_core.predict("best.zip", "height.txt.gz")
        >>> predictions.table.shape
        (160, 3)
        >>> predictions.matched, predictions.missing, predictions.unknown
        (150, 0, 0)
    """
    from gwas_core.genotypes.column_roles import check_roles, choose_roles, read_families, read_line_names
    from gwas_core.genotypes.dataset import Dataset
    from gwas_core.model.bundle import open_bundle
    from gwas_core.model.prediction import predict_lines

    file = model.save_bundle() if isinstance(model, ExperimentHandle) else Path(model).expanduser()
    if not file.exists() or file.is_dir():  # what is there and no ordinary file, ``open_bundle`` explains
        raise InputError(f"there is no bundle {file}: save_bundle of an experiment makes one")
    bundle = open_bundle(file)
    if isinstance(lines, Dataset):
        genotypes, snps, names, families = lines.genotypes, lines.snps, list(lines.line_names), lines.family
    else:
        table = _read_table(lines, snp_prefix=snp_prefix, snps_after=snps_after)
        roles = choose_roles(table, line_name=line_name, family=family, family_characters=family_characters)
        check_roles(table, roles)
        names = read_line_names(table, roles.line_name)
        genotypes, snps, families = table.genotypes, table.snps, read_families(table, roles, names)
        _tell(table.notes)
    return predict_lines(
        bundle, genotypes=genotypes, snp_names=snps["name"].tolist(), line_names=names, family=families
    )


def _read_table(file: Location, *, snp_prefix: str | None, snps_after: str | None) -> GenotypeTable:
    from gwas_core.genotypes.readers import SnpChoice, read_table

    choice = SnpChoice.given(prefix=snp_prefix, after=snps_after)
    return read_table(Path(file).expanduser(), snp_columns=choice)


def _space(space: SearchSpace | Location) -> SearchSpace:
    from gwas_core.tuning.space import SearchSpace

    if isinstance(space, SearchSpace):
        return space
    # A preset's name has no ending, a file has one.
    return SearchSpace.load(Path(space).expanduser()) if Path(space).suffix else SearchSpace.preset(str(space))


def _workspace(folder: Location | None) -> Workspace:
    return Workspace.from_environment() if folder is None else Workspace(Path(folder).expanduser().absolute())


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        warnings.warn(note, DataNote, stacklevel=3)
