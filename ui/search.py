"""The form of a new experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, get_args

import streamlit as st
from streamlit.errors import StreamlitAPIException

from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.genotypes.preprocessing import Imputation, Prepared, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitMethod, SplitSettings, make_split
from gwas_core.launch import Preparation, create_experiment
from gwas_core.messages import counted
from gwas_core.model.training import XLA_SETTINGS
from gwas_core.report.projection import PastSearch, duration, past_search, project
from gwas_core.search_settings import NO_EARLY_STOPPING, free_name, search_settings, split_settings
from gwas_core.tuning.early_stopping import ALGORITHMS as EARLY_STOPPING
from gwas_core.tuning.experiment import MAXIMUM_PARALLEL_TRIALS, MAXIMUM_TRIALS
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import ALGORITHMS
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, Workspace
from ui.data import library
from ui.refusals import Refusals
from ui.store import local_engine
from ui.text import markdown_text

_IMPUTATION_TITLES: dict[str, str] = {
    "mode": "Most frequent genotype of the SNP",
    "mean": "Mean of the SNP, rounded",
    "within_family_mode": "Most frequent genotype in the line's family",
}
_SPLIT_TITLES: dict[str, str] = {
    "random_within_families": "At random within families",
    "folds": "By the folds of the file",
    "families_left_out": "Whole families left out",
}
_ALGORITHM_TITLES = {
    "bayesianoptimization": "Bayesian optimisation",
    "random": "Random",
    "grid": "Grid",
    "tpe": "TPE",
    "multivariate-tpe": "Multivariate TPE",
    "cmaes": "CMA-ES",
    "sobol": "Sobol sequence",
}
_EARLY_STOPPING_TITLES = {NO_EARLY_STOPPING: "Off", "medianstop": "Median rule"}
_XLA_TITLES = {"auto": "Whichever is faster here", "on": "On", "off": "Off"}
_LARGEST_SEED = 2**31 - 1
_PAST_SEARCHES = 20
# Widths in pixels: fields stand in rows that wrap, so that a narrow page has more rows instead of narrower fields.
_FIELD, _MEDIUM_FIELD, _WIDE_FIELD = 180, 240, 340


@dataclass(frozen=True, kw_only=True)
class PreparedLines:
    """The dataset after the filters, and how it is going to be divided."""

    prepared: Prepared
    preprocessing: Mapping[str, Any]
    split: Mapping[str, Any]


def choose_dataset(entries: tuple[LibraryEntry, ...]) -> LibraryEntry:
    """The dataset to search on; the URL says which, so that a link restores it."""
    hashes = {entry.hash: entry for entry in entries}
    wanted = st.query_params.get("dataset", "")
    chosen: str = st.selectbox(
        "Dataset",
        list(hashes),
        index=list(hashes).index(wanted) if wanted in hashes else 0,
        format_func=lambda content_hash: _dataset_title(hashes[content_hash]),
        key="search-dataset",
    )
    if chosen != wanted:
        st.query_params["dataset"] = chosen
    return hashes[chosen]


def _dataset_title(entry: LibraryEntry) -> str:
    return f"{entry.source}: {entry.trait}, {counted(entry.lines, 'line')}, {counted(entry.snps, 'SNP')}"


def lines_form(entry: LibraryEntry, refusals: Refusals) -> PreparedLines | None:
    """Filters and split, with what they leave; None while they cannot be used."""
    dataset = library().load(entry.hash)
    st.subheader("Filters and imputation")
    preprocessing = _filters(dataset, refusals)
    filters_place = st.container()
    st.subheader("Training, validation and test lines")
    split = _split(dataset, refusals)
    split_place = st.container()
    try:
        with filters_place, st.spinner("Applying the filters"):
            prepared = _prepared(
                str(Workspace.from_environment().root), entry.hash, PreprocessingSettings(**preprocessing)
            )
        with filters_place:
            _filter_effects(prepared)
    except GwasError as error:
        with filters_place:
            refusals.show(error)
        return None
    try:
        parts = make_split(prepared.dataset, split_settings(split))
    except GwasError as error:
        with split_place:
            refusals.show(error)
        return None
    with split_place.container(horizontal=True, gap="medium"):
        for title, part in (("Training", parts.train), ("Validation", parts.validation), ("Test", parts.test)):
            st.metric(f"{title} lines", f"{len(part):,}", width="content")
    return PreparedLines(prepared=prepared, preprocessing=preprocessing, split=split)


def _filters(dataset: Dataset, refusals: Refusals) -> dict[str, Any]:
    default = PreprocessingSettings()
    values: dict[str, Any] = {}
    fields = (
        ("minimum_allele_frequency", "Allele frequency, at least", 0.5),
        ("maximum_missing_per_snp", "Missing per SNP, at most", 1.0),
        ("maximum_missing_per_line", "Missing per line, at most", 1.0),
    )
    options = [name for name in get_args(Imputation) if name != "within_family_mode" or dataset.family is not None]
    with st.container(horizontal=True):
        for name, label, limit in fields:
            values[name] = st.number_input(
                label, 0.0, limit, getattr(default, name), step=0.01, format="%g", key=f"search-{name}", width=_FIELD
            )
        values["imputation"] = st.selectbox(
            "A missing genotype becomes",
            options,
            format_func=_IMPUTATION_TITLES.__getitem__,
            key="search-imputation",
            width=_WIDE_FIELD,
        )
    refusals.beside(*values)
    return values


def _filter_effects(prepared: Prepared) -> None:
    report = prepared.report
    with st.container(horizontal=True, gap="medium"):
        st.metric(f"Lines kept of {report.lines_before:,}", f"{report.lines_after:,}", width="content")
        st.metric(f"SNPs kept of {report.snps_before:,}", f"{report.snps_after:,}", width="content")
        st.metric("Imputed", f"{report.imputed_fraction:.1%}", width="content")
    if sentences := report.sentences():
        with st.expander("What is left out"):
            st.markdown("\n".join(f"- {markdown_text(text)}" for text in sentences))


# The two looked at last: each holds a byte a genotype.
@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={PreprocessingSettings: repr})
def _prepared(root: str, content_hash: str, settings: PreprocessingSettings) -> Prepared:  # noqa: ARG001
    return preprocess(library().load(content_hash), settings)


def _split(dataset: Dataset, refusals: Refusals) -> dict[str, Any]:
    usable = {
        "random_within_families": True,
        "folds": dataset.folds is not None,
        "families_left_out": dataset.family is not None,
    }
    with st.container(horizontal=True):
        values: dict[str, Any] = {
            "method": st.selectbox(
                "How lines are divided",
                [name for name in get_args(SplitMethod) if usable[name]],
                format_func=_SPLIT_TITLES.__getitem__,
                key="search-split",
                width=_WIDE_FIELD,
                help="Validation lines steer the search. Test lines are looked at once, for the final judgement.",
            )
        }
        values |= _fold_fields(dataset) if values["method"] == "folds" else _fraction_fields()
    refusals.beside(*(name for name in values if name != "seed"))
    return values


def _fold_fields(dataset: Dataset) -> dict[str, Any]:
    folds = [] if dataset.folds is None else sorted({int(fold) for fold in dataset.folds})
    return {
        f"{part}_folds": tuple(
            st.multiselect(
                f"{part.capitalize()} folds",
                folds,
                key=f"search-{part}-folds",
                placeholder="Choose for me",
                width=_WIDE_FIELD,
            )
        )
        for part in ("validation", "test")
    }


def _fraction_fields() -> dict[str, Any]:
    default = SplitSettings()
    values: dict[str, Any] = {
        f"{part}_fraction": st.number_input(
            f"{part.capitalize()} fraction",
            0.01,
            0.9,
            getattr(default, f"{part}_fraction"),
            step=0.01,
            format="%g",
            key=f"search-{part}-fraction",
            width=_FIELD,
        )
        for part in ("validation", "test")
    }
    seed = st.number_input(
        "Seed of the split",
        0,
        _LARGEST_SEED,
        default.seed,
        step=1,
        key="search-split-seed",
        width=_FIELD,
        help="The same seed gives the same split.",
    )
    return {**values, "seed": int(seed)}


def search_form(refusals: Refusals) -> dict[str, Any]:
    """Algorithm, trials and what else decides how the space is searched."""
    with st.container(horizontal=True):
        values: dict[str, Any] = {
            "algorithm": _choice(
                "Algorithm",
                "algorithm",
                _ALGORITHM_TITLES,
                ALGORITHMS,
                help_text="Bayesian optimisation models the error with a Gaussian process; TPE is the tree-structured "
                "Parzen estimator; random, grid and Sobol learn nothing from earlier trials.",
            ),
            "max_trials": _count("Trials", "max_trials", 1, MAXIMUM_TRIALS, 35),
            "parallel_trials": _count(
                "Trials at a time",
                "parallel_trials",
                1,
                MAXIMUM_PARALLEL_TRIALS,
                3,
                help_text="More at a time share the processors and learn less from each other.",
            ),
            "max_failed_trials": _count(
                "Failed trials to stop at",
                "max_failed_trials",
                1,
                MAXIMUM_TRIALS,
                10,
                help_text="So many failed trials end the search: then something is wrong with all of them.",
            ),
            "early_stopping": _choice(
                "Early stopping of trials",
                "early-stopping",
                _EARLY_STOPPING_TITLES,
                (NO_EARLY_STOPPING, *EARLY_STOPPING),
                help_text="The median rule ends a trial whose error is worse than the median of the others at the "
                "same epoch.",
            ),
            "xla": _choice(
                "Compile the network (XLA)",
                "xla",
                _XLA_TITLES,
                XLA_SETTINGS,
                help_text="Compiling takes seconds a trial and makes epochs faster or slower: it is measured first.",
            ),
            "seed": _count("Seed", "seed", 0, _LARGEST_SEED, 0, help_text="Of the suggestions and of every trial."),
        }
    refusals.beside(*values)
    return values


def _choice(label: str, key: str, titles: Mapping[str, str], options: Sequence[str], *, help_text: str) -> str:
    chosen: str = st.selectbox(
        label,
        options,
        format_func=lambda name: titles.get(name, name),
        key=f"search-{key}",
        help=help_text,
        width=_MEDIUM_FIELD,
    )
    return chosen


def _count(label: str, name: str, lowest: int, highest: int, value: int, *, help_text: str | None = None) -> int:
    number = st.number_input(label, lowest, highest, value, step=1, key=f"search-{name}", help=help_text, width=_FIELD)
    return int(number)


def price_field() -> float:
    """What an hour of this machine costs."""
    price = st.number_input(
        "Price of this machine for an hour",
        min_value=0.0,
        value=0.0,
        step=0.1,
        format="%.2f",
        key="search-price",
        width=_MEDIUM_FIELD,
        help="In any currency; 0 leaves the cost out.",
    )
    return float(price)


def show_projection(lines: PreparedLines, space: SearchSpace, settings: Mapping[str, Any], *, price: float) -> None:
    """What the search will probably take, and cost."""
    dataset = lines.prepared.dataset
    projection = project(
        past_searches(local_engine()),
        genotypes=dataset.lines * len(dataset.snps),
        space=space,
        max_trials=settings["max_trials"],
        parallel_trials=settings["parallel_trials"],
    )
    if projection is None:
        st.caption(
            "No experiment on data of this size has been run here yet, so the time is not known: the first trials "
            "will tell, and the experiment shows how much longer it takes."
        )
        return
    text = f"Probably {duration(projection.low)} to {duration(projection.high)}"
    if price:
        low, high = projection.cost(price)
        text += f", at a cost of {low:,.2f} to {high:,.2f}"
    st.caption(f"{text}. Judged by {markdown_text(projection.basis)}.")


def past_searches(engine: LocalEngine) -> tuple[PastSearch, ...]:
    """What the latest experiments say about time."""
    known = tuple((entry.name, entry.finished_trials) for entry in engine.store.experiments()[:_PAST_SEARCHES])
    return _past_searches(str(engine.workspace.root), known)


# Not for long: what is measured before the first trial comes without a trial's being finished.
@st.cache_data(max_entries=4, ttl=15, show_spinner=False)
def _past_searches(root: str, known: tuple[tuple[str, int], ...]) -> tuple[PastSearch, ...]:  # noqa: ARG001
    engine = local_engine()
    found = []
    for name, _ in known:
        try:
            record = engine.store.load(name)
            report = Preparation.load(record.directory).report
            found.append(past_search(record, genotypes=report["lines_after"] * report["snps_after"]))
        except (GwasError, KeyError, TypeError):
            # Half deleted or of another version: it says nothing about time.
            continue
    return tuple(found)


def name_field(entry: LibraryEntry) -> str:
    """The experiment's name; a free one is proposed."""
    taken = {summary.name for summary in local_engine().store.experiments()}
    name: str = st.text_input(
        "Name of the experiment",
        value=free_name(entry.source, taken=taken),
        key=f"search-name-{entry.hash[:16]}",
        max_chars=MAXIMUM_NAME_LENGTH,
        width=_WIDE_FIELD,
        help="Lower-case letters, digits and dashes.",
    )
    return name.strip()


def launch(
    entry: LibraryEntry,
    lines: PreparedLines,
    space: SearchSpace,
    settings: Mapping[str, Any],
    *,
    name: str,
    refusals: Refusals,
) -> None:
    """Create the experiment, start it, and go where it is shown."""
    try:
        with st.spinner("Preparing the data and starting the first trials"):
            engine = local_engine()
            experiment = create_experiment(
                engine.store,
                library().load(entry.hash),
                name=name,
                source=entry.source,
                notes=entry.notes,
                **search_settings(space=space, preprocessing=lines.preprocessing, split=lines.split, **settings),
            )
            engine.start(experiment)
    except GwasError as error:
        refusals.show(error)
        return
    _go_to(experiment.name)


def _go_to(name: str) -> NoReturn:
    try:
        st.switch_page("pages/experiment.py", query_params={"experiment": name})
    except StreamlitAPIException:
        st.switch_page("pages/experiments.py")
