"""Choose algorithm, numbers of trials, early stopping, XLA and seed, and put all choices together.

Also here: fewer trials at a time than were asked for; titles of algorithms; the field beside which a refused setting is
shown; the experiment that the page describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

import streamlit as st

from gwas_core.errors import SettingsError
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.tuning.early_stopping import ALGORITHMS as EARLY_STOPPING
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import MAXIMUM_PARALLEL_TRIALS, MAXIMUM_TRIALS, EngineName, Experiment, Xla
from gwas_core.tuning.parallel_trials import ParallelTrials, parallel_trials_here
from gwas_core.tuning.search_settings import NO_EARLY_STOPPING
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import ALGORITHMS, AlgorithmSettings
from ui.cluster import check_for_katib
from ui.refusals import Refusals
from ui.search.fields import FIELD, LARGEST_SEED, MEDIUM_FIELD
from ui.search.lines import PreparedLines
from ui.text import markdown_text

_Name = TypeVar("_Name", bound=str)

ALGORITHM_TITLES = {
    "bayesianoptimization": "Bayesian optimisation",
    "random": "Random",
    "grid": "Grid",
    "tpe": "TPE",
    "multivariate-tpe": "Multivariate TPE",
    "cmaes": "CMA-ES",
    "sobol": "Sobol sequence",
}
_EARLY_STOPPING_TITLES = {NO_EARLY_STOPPING: "Off", "medianstop": "Median rule"}
_XLA_TITLES: dict[Xla, str] = {"auto": "Whichever is faster here", "on": "On", "off": "Off"}


@dataclass(frozen=True, kw_only=True)
class SearchChoices:
    """What is chosen under "How to search".

    Attributes:
        algorithm: name of the algorithm that suggests hyperparameters.
        max_trials: networks to train.
        parallel_trials: networks that are trained at the same time.
        max_failed_trials: this many failed trials end the search.
        early_stopping: name of the rule that ends a trial early, or ``NO_EARLY_STOPPING``.
        xla: whether networks are compiled.
        seed: of the suggestions and of the trials.
    """

    algorithm: str
    max_trials: int
    parallel_trials: int
    max_failed_trials: int
    early_stopping: str
    xla: Xla
    seed: int


def search_form(form: str, refusals: Refusals) -> SearchChoices:
    """Show the fields that decide how the space is searched, and return what they say.

    Args:
        form: part of the keys of the fields.
        refusals: gets the places beside the fields.
    """
    with st.container(horizontal=True):
        choices = SearchChoices(
            algorithm=_choice(
                form,
                "Algorithm",
                "algorithm",
                ALGORITHM_TITLES,
                ALGORITHMS,
                help_text="How the hyperparameters of the next trial are chosen. Bayesian optimisation predicts the "
                "error with a Gaussian process. TPE is the tree-structured Parzen estimator. Random, grid and Sobol "
                "do not use the results of earlier trials.",
            ),
            max_trials=_count(
                form, "Trials", "max_trials", 1, MAXIMUM_TRIALS, 35, help_text="Networks to train and compare."
            ),
            parallel_trials=_count(
                form,
                "Trials at a time",
                "parallel_trials",
                1,
                MAXIMUM_PARALLEL_TRIALS,
                3,
                help_text="More at a time share the processors, and each is chosen with fewer results known.",
            ),
            max_failed_trials=_count(
                form,
                "Failed trials to stop at",
                "max_failed_trials",
                1,
                MAXIMUM_TRIALS,
                10,
                help_text="The search ends after this many failed trials, because they probably all fail for the same "
                "reason.",
            ),
            early_stopping=_choice(
                form,
                "Early stopping of trials",
                "early-stopping",
                _EARLY_STOPPING_TITLES,
                (NO_EARLY_STOPPING, *EARLY_STOPPING),
                help_text="The median rule ends a trial whose error is worse than the median of the other trials at "
                "the same epoch.",
            ),
            xla=_choice(
                form,
                "Compile the network (XLA)",
                "xla",
                _XLA_TITLES,
                get_args(Xla),
                help_text="Compiling takes some seconds per trial and can make epochs faster or slower. With "
                "“Whichever is faster here”, both are timed before the first trial.",
            ),
            seed=_count(
                form,
                "Seed",
                "seed",
                0,
                LARGEST_SEED,
                0,
                help_text="Start of all random numbers: of the suggestions and of the training.",
            ),
        )
    refusals.beside("algorithm", "max_trials", "parallel_trials", "max_failed_trials", "early_stopping", "xla", "seed")
    return choices


def fitting_parallel_trials(lines: PreparedLines, asked: int) -> ParallelTrials:
    """Return how many trials this machine works on at a time of those that are asked for.

    Args:
        lines: dataset after the filters.
        asked: trials at a time.
    """
    return parallel_trials_here(asked, genotypes=lines.genotypes)


def show_fewer_parallel_trials(lines: PreparedLines, choices: SearchChoices) -> None:
    """Show why this machine works on fewer trials at a time than are asked for, if it does.

    Args:
        lines: dataset after the filters.
        choices: what is chosen under "How to search".
    """
    parallel = fitting_parallel_trials(lines, choices.parallel_trials)
    if parallel.reason:
        st.caption(f":material/info: Trials: {markdown_text(parallel.reason)}.")


def planned_experiment(
    entry: LibraryEntry,
    lines: PreparedLines,
    space: SearchSpace,
    choices: SearchChoices,
    engine: EngineName,
    refusals: Refusals,
) -> Experiment | None:
    """Return the experiment that all choices describe, or None with the reason shown beside the field at fault.

    Its name is still open, and its dataset is the one before the filters.
    """
    try:
        experiment = Experiment(
            name="any",
            dataset=entry.hash,
            source=entry.source,
            space=space,
            preprocessing=lines.preprocessing,
            split=lines.split,
            algorithm=AlgorithmSettings(name=choices.algorithm),
            early_stopping=None
            if choices.early_stopping == NO_EARLY_STOPPING
            else EarlyStoppingSettings(algorithm=choices.early_stopping),
            max_trials=choices.max_trials,
            parallel_trials=choices.parallel_trials,
            max_failed_trials=choices.max_failed_trials,
            seed=choices.seed,
            xla=choices.xla,
            engine=engine,
        )
        if engine == "kubeflow":
            check_for_katib(experiment)
    except SettingsError as error:
        refusals.show(error)
        return None
    return experiment


def _choice(
    form: str, label: str, key: str, titles: Mapping[_Name, str], options: Sequence[_Name], *, help_text: str
) -> _Name:
    chosen: _Name = st.selectbox(
        label,
        options,
        format_func=lambda name: titles.get(name, name),
        key=f"search-{key}-{form}",
        persist_state="session",
        help=help_text,
        width=MEDIUM_FIELD,
    )
    return chosen


def _count(form: str, label: str, name: str, lowest: int, highest: int, value: int, *, help_text: str) -> int:
    number = st.number_input(
        label,
        lowest,
        highest,
        value,
        step=1,
        key=f"search-{name}-{form}",
        help=help_text,
        width=FIELD,
        persist_state="session",
    )
    return int(number)
