"""The form of a new experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, get_args

import streamlit as st
from streamlit.errors import StreamlitAPIException

from gwas_core.engines.launch import launch_experiment
from gwas_core.engines.selection import Engines
from gwas_core.errors import ExperimentError, GwasError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import Imputation, PreprocessedDataset, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitMethod, SplitSettings, make_split
from gwas_core.messages import counted, duration, duration_range
from gwas_core.model.training import XLA_SETTINGS
from gwas_core.report.projection import PastSearch, Projection, past_search, project, project_measured
from gwas_core.tuning.early_stopping import ALGORITHMS as EARLY_STOPPING
from gwas_core.tuning.experiment import MAXIMUM_PARALLEL_TRIALS, MAXIMUM_TRIALS, Experiment
from gwas_core.tuning.measurement import Measurement, MeasurementRequest, Measurements, MeasurementStatus
from gwas_core.tuning.search_settings import NO_EARLY_STOPPING, free_name, search_settings, split_settings
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import ALGORITHMS
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, Workspace, check_experiment_name
from ui.cluster import check_for_katib
from ui.data import library
from ui.refusals import Refusals
from ui.space_editor import Problem
from ui.store import engines, sentence
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
_LAUNCHED = "search-launched"
# Widths in pixels: fields stand in rows that wrap, so that a narrow page has more rows instead of narrower fields.
_FIELD, _MEDIUM_FIELD, _WIDE_FIELD = 180, 240, 340


@dataclass(frozen=True, kw_only=True)
class PreparedLines:
    """The dataset after the filters, and how it is going to be divided."""

    prepared: PreprocessedDataset
    preprocessing: Mapping[str, Any]
    split: Mapping[str, Any]
    training_lines: int

    @property
    def snps(self) -> int:
        return len(self.prepared.dataset.snps)


# The form of a dataset: what was chosen in it stays for as long as the session lasts.


def form_of(entry: LibraryEntry) -> str:
    """Names the form of a dataset, for the keys of its fields."""
    return f"{entry.hash[:16]}-{_versions(entry.hash)[0]}"


def reset_button(entry: LibraryEntry) -> None:
    """Starts a fresh form; the old one is kept until the next, so nothing has to be asked."""
    current, before = _versions(entry.hash)
    undo = before is not None
    st.button(
        "Undo the reset" if undo else "Reset",
        icon=":material/undo:" if undo else ":material/restart_alt:",
        key="search-reset",
        on_click=_show_version,
        args=(entry.hash, before if before is not None else current + 1, None if undo else current),
        help="Bring back what was chosen" if undo else "Put everything on this page back to where it began",
    )


def _versions(content_hash: str) -> tuple[int, int | None]:
    """The form that is shown, and the one that a reset put away."""
    versions: tuple[int, int | None] = st.session_state.get(f"search-form-{content_hash[:16]}", (0, None))
    return versions


def _show_version(content_hash: str, version: int, before: int | None) -> None:
    st.session_state[f"search-form-{content_hash[:16]}"] = (version, before)


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


def lines_form(entry: LibraryEntry, form: str, refusals: Refusals) -> PreparedLines | None:
    """Filters and split, with what they leave; None while they cannot be used."""
    dataset = library().load(entry.hash)
    st.subheader("Filters and imputation")
    preprocessing = _filters(dataset, form, refusals)
    filters_place = st.container()
    st.subheader("Training, validation and test lines")
    split = _split(dataset, form, refusals)
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
    return PreparedLines(prepared=prepared, preprocessing=preprocessing, split=split, training_lines=len(parts.train))


def _filters(dataset: Dataset, form: str, refusals: Refusals) -> dict[str, Any]:
    default = PreprocessingSettings()
    values: dict[str, Any] = {}
    fields = (
        (
            "minimum_allele_frequency",
            "Allele frequency, at least",
            0.5,
            "Of a SNP's rarer allele.",
        ),
        (
            "maximum_missing_per_snp",
            "Missing per SNP, at most",
            1.0,
            "The fraction of lines not called.",
        ),
        ("maximum_missing_per_line", "Missing per line, at most", 1.0, "The fraction of SNPs not called."),
    )
    options = [name for name in get_args(Imputation) if name != "within_family_mode" or dataset.family is not None]
    with st.container(horizontal=True):
        for name, label, limit, help_text in fields:
            values[name] = st.number_input(
                label,
                0.0,
                limit,
                getattr(default, name),
                step=0.01,
                format="%g",
                key=f"search-{name}-{form}",
                width=_FIELD,
                persist_state="session",
                help=help_text,
            )
        values["imputation"] = st.selectbox(
            "A missing genotype becomes",
            options,
            format_func=_IMPUTATION_TITLES.__getitem__,
            key=f"search-imputation-{form}",
            width=_WIDE_FIELD,
            persist_state="session",
            help="Networks and baselines need every genotype; new lines are treated alike.",
        )
    refusals.beside(*values)
    return values


def _filter_effects(prepared: PreprocessedDataset) -> None:
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
def _prepared(root: str, content_hash: str, settings: PreprocessingSettings) -> PreprocessedDataset:  # noqa: ARG001
    return preprocess(library().load(content_hash), settings)


def _split(dataset: Dataset, form: str, refusals: Refusals) -> dict[str, Any]:
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
                key=f"search-split-{form}",
                width=_WIDE_FIELD,
                persist_state="session",
                help="Validation lines steer the search. Test lines are looked at once, for the final judgement.",
            )
        }
        values |= _fold_fields(dataset, form) if values["method"] == "folds" else _fraction_fields(form)
    refusals.beside(*(name for name in values if name != "seed"))
    return values


def _fold_fields(dataset: Dataset, form: str) -> dict[str, Any]:
    folds = [] if dataset.folds is None else sorted({int(fold) for fold in dataset.folds})
    return {
        f"{part}_folds": tuple(
            st.multiselect(
                f"{part.capitalize()} folds",
                folds,
                key=f"search-{part}-folds-{form}",
                placeholder="Choose for me",
                width=_WIDE_FIELD,
                persist_state="session",
            )
        )
        for part in ("validation", "test")
    }


def _fraction_fields(form: str) -> dict[str, Any]:
    default = SplitSettings()
    values: dict[str, Any] = {
        f"{part}_fraction": st.number_input(
            f"{part.capitalize()} fraction",
            0.01,
            0.9,
            getattr(default, f"{part}_fraction"),
            step=0.01,
            format="%g",
            key=f"search-{part}-fraction-{form}",
            width=_FIELD,
            help="Of all lines.",
            persist_state="session",
        )
        for part in ("validation", "test")
    }
    seed = st.number_input(
        "Seed of the split",
        0,
        _LARGEST_SEED,
        default.seed,
        step=1,
        key=f"search-split-seed-{form}",
        width=_FIELD,
        persist_state="session",
        help="The same seed gives the same split.",
    )
    return {**values, "seed": int(seed)}


def search_form(form: str, refusals: Refusals) -> dict[str, Any]:
    """Algorithm, trials and what else decides how the space is searched."""
    with st.container(horizontal=True):
        values: dict[str, Any] = {
            "algorithm": _choice(
                form,
                "Algorithm",
                "algorithm",
                _ALGORITHM_TITLES,
                ALGORITHMS,
                help_text="Bayesian optimisation models the error with a Gaussian process; TPE is the tree-structured "
                "Parzen estimator; random, grid and Sobol learn nothing from earlier trials.",
            ),
            "max_trials": _count(
                form, "Trials", "max_trials", 1, MAXIMUM_TRIALS, 35, help_text="Networks to train and compare."
            ),
            "parallel_trials": _count(
                form,
                "Trials at a time",
                "parallel_trials",
                1,
                MAXIMUM_PARALLEL_TRIALS,
                3,
                help_text="More at a time share the processors and learn less from each other.",
            ),
            "max_failed_trials": _count(
                form,
                "Failed trials to stop at",
                "max_failed_trials",
                1,
                MAXIMUM_TRIALS,
                10,
                help_text="So many failed trials end the search: then something is wrong with all of them.",
            ),
            "early_stopping": _choice(
                form,
                "Early stopping of trials",
                "early-stopping",
                _EARLY_STOPPING_TITLES,
                (NO_EARLY_STOPPING, *EARLY_STOPPING),
                help_text="The median rule ends a trial whose error is worse than the median of the others at the "
                "same epoch.",
            ),
            "xla": _choice(
                form,
                "Compile the network (XLA)",
                "xla",
                _XLA_TITLES,
                XLA_SETTINGS,
                help_text="Compiling takes seconds a trial and makes epochs faster or slower: it is measured first.",
            ),
            "seed": _count(form, "Seed", "seed", 0, _LARGEST_SEED, 0, help_text="Of suggestions and trials."),
        }
    refusals.beside(*values)
    return values


def _choice(
    form: str, label: str, key: str, titles: Mapping[str, str], options: Sequence[str], *, help_text: str
) -> str:
    chosen: str = st.selectbox(
        label,
        options,
        format_func=lambda name: titles.get(name, name),
        key=f"search-{key}-{form}",
        persist_state="session",
        help=help_text,
        width=_MEDIUM_FIELD,
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
        width=_FIELD,
        persist_state="session",
    )
    return int(number)


# What it will take


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a search will probably take, and where the measurement behind it stands.

    Attributes:
        engine: where the search is going to run; on a cluster, what was measured here says little.
        measured: None where the projection, if any, comes from earlier searches.
    """

    engine: str
    request: MeasurementRequest
    status: MeasurementStatus
    projection: Projection | None
    measured: Measurement | None

    @property
    def is_about_this_machine(self) -> bool:
        """Whether the projection is this machine's time although the search runs elsewhere."""
        return self.engine != "local" and self.measured is not None


def look_ahead(entry: LibraryEntry, lines: PreparedLines, space: SearchSpace, settings: Mapping[str, Any]) -> Outlook:
    """From what was measured on this machine, or else from earlier searches like it; on a cluster, the other way."""
    chosen = search_settings(space=space, preprocessing=lines.preprocessing, split=lines.split, **settings)
    trials = {name: settings[name] for name in ("max_trials", "parallel_trials")}
    request = MeasurementRequest.of(
        entry.hash,
        space=space,
        preprocessing=chosen["preprocessing"],
        split=chosen["split"],
        parallel_trials=settings["parallel_trials"],
        xla=settings["xla"],
    )
    status = _measurements().status(request)
    engine: str = settings["engine"]
    measured = None
    if status.measurement is not None:
        measured = project_measured(
            status.measurement,
            genotypes=lines.training_lines * lines.snps,
            space=space,
            early_stopping=chosen["early_stopping"],
            **trials,
        )
    genotypes = lines.prepared.dataset.lines * lines.snps
    past = project(past_searches(engines(), engine), genotypes=genotypes, space=space, **trials)
    if measured is None or (engine != "local" and past is not None):
        return Outlook(engine=engine, request=request, status=status, projection=past, measured=None)
    return Outlook(engine=engine, request=request, status=status, projection=measured, measured=status.measurement)


def _measurements() -> Measurements:
    return Measurements(Workspace.from_environment())


def show_figures(outlook: Outlook, form: str) -> None:
    """Time and cost."""
    projection = outlook.projection
    if projection is None:
        st.metric("Projected time", "not known yet", width="content")
    else:
        title = "Time on this machine" if outlook.is_about_this_machine else "Projected time"
        low, high = projection.low, projection.high
        st.metric(title, duration_range(low, high), width="content")
    price = _price_field(form, outlook.engine)
    if projection is not None and price and not outlook.is_about_this_machine:
        least, most = (f"{cost:,.2f}" for cost in projection.cost(price))
        st.metric("Projected cost", least if least == most else f"{least} to {most}", width="content")


def show_basis(outlook: Outlook) -> None:
    """What the figures rest on."""
    is_local = outlook.engine == "local"
    if outlook.projection is None and is_local:
        st.caption("Nothing like it was measured or run on this machine: measure it, or let the first trials tell.")
    elif outlook.projection is None:
        st.caption("Nothing like it was run on the cluster: the first trials will tell. This machine can be measured.")
    else:
        basis = markdown_text(outlook.projection.basis)
        others = "Trials differ, and so does what else the machine has to do."
        if outlook.is_about_this_machine:
            others = "The cluster's time is another: its processors differ, and every trial waits for its pod."
        elif not is_local:
            others = "Trials differ, and so does the time that pods wait for room."
        st.caption(f"From {basis}. {others}")
    if outlook.status.reason:
        reason = sentence(f"the measurement failed: {outlook.status.reason}")
        st.error(markdown_text(reason), icon=":material/error:")


def measure_button(outlook: Outlook, refusals: Refusals) -> None:
    """Has the machine measured, or shows that it is being."""
    if outlook.status.running_since is not None:
        _measuring(outlook.request)
        return
    is_local = outlook.engine == "local"
    again = "Measure again" if is_local else "Measure again on this machine"
    if st.button(
        "Measure on this machine" if outlook.measured is None else again,
        icon=":material/timer:",
        key="search-measure",
        help="Does on this dataset, in a process of its own, what a search does: reads and filters, starts networks, "
        "trains them for a few steps, judges the baselines. With thousands of lines it takes a minute or two. "
        + (
            "What it finds is kept, and spares the search the same measurement."
            if is_local
            else "It tells this machine's time, not the cluster's."
        ),
    ):
        try:
            with st.spinner("Starting the measurement"):
                _measurements().start(outlook.request)
        except GwasError as error:
            refusals.show_at("launch", error)
        else:
            st.rerun()


def _price_field(form: str, engine: str) -> float:
    """What an hour of the machine, or of the cluster, costs."""
    is_local = engine == "local"
    price = st.number_input(
        "Price of this machine for an hour" if is_local else "Price of the cluster for an hour",
        min_value=0.0,
        value=0.0,
        step=0.1,
        format="%.2f",
        key=f"search-price-{form}" if is_local else f"search-price-{engine}-{form}",
        width=_MEDIUM_FIELD,
        help="In any currency; 0 leaves the cost out.",
        persist_state="session",
    )
    return float(price)


@st.fragment(run_every=1.0)
def _measuring(request: MeasurementRequest) -> None:
    """How long it has been measured; the whole page is drawn anew once that is over."""
    since = _measurements().status(request).running_since
    if since is None:
        st.rerun()
    seconds = (datetime.now(UTC) - since).total_seconds()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/hourglass_top: Measuring on this machine, {duration(seconds)} so far.", width="content")
        if st.button("Cancel", key="search-measure-cancel", icon=":material/cancel:"):
            _measurements().cancel(request)
            st.rerun()


def past_searches(chosen: Engines, engine: str) -> tuple[PastSearch, ...]:
    """What the latest experiments of that engine say about time."""
    entries = [entry for entry in chosen.store.experiments() if entry.engine == engine]
    known = tuple((entry.name, entry.finished_trials) for entry in entries[:_PAST_SEARCHES])
    return _past_searches(str(chosen.workspace.root), known)


# Not for long: what is measured before the first trial comes without a trial's being finished.
@st.cache_data(max_entries=4, ttl=15, show_spinner=False)
def _past_searches(root: str, known: tuple[tuple[str, int], ...]) -> tuple[PastSearch, ...]:  # noqa: ARG001
    store = engines().store
    found = []
    for name, _ in known:
        try:
            record = store.load(name)
            report = Preparation.load(record.directory).report
            found.append(past_search(record, genotypes=report.lines_after * report.snps_after))
        except (GwasError, KeyError, TypeError):
            # Half deleted or of another version: it says nothing about time.
            continue
    return tuple(found)


# Launching


def name_field(entry: LibraryEntry, form: str, refusals: Refusals) -> str | None:
    """The experiment's name, a free one is proposed; None for one that cannot be used."""
    taken = {summary.name for summary in engines().store.experiments()}
    name: str = st.text_input(
        "Name of the experiment",
        value=free_name(entry.source, taken=taken),
        # After a launch the next experiment is proposed a name of its own.
        key=f"search-name-{form}-{st.session_state.get(_LAUNCHED, 0)}",
        max_chars=MAXIMUM_NAME_LENGTH,
        width=_WIDE_FIELD,
        help="Lower-case letters, digits and dashes.",
        persist_state="session",
    ).strip()
    try:
        check_experiment_name(name)
        if name in taken:
            raise ExperimentError(f"there is already an experiment named {name}: choose another name")
    except GwasError as error:
        refusals.show_at("name", error)
        return None
    return name


def settings_fit(
    entry: LibraryEntry, lines: PreparedLines, space: SearchSpace, settings: Mapping[str, Any], refusals: Refusals
) -> bool:
    """Whether the search could be launched like this; what is wrong is said beside its field."""
    try:
        chosen = search_settings(space=space, preprocessing=lines.preprocessing, split=lines.split, **settings)
        # As create_experiment will; what is refused here is refused there.
        experiment = Experiment(name="any", dataset=entry.hash, source=entry.source, **chosen)
        if experiment.engine == "kubeflow":
            check_for_katib(experiment)
    except SettingsError as error:
        refusals.show(error)
        return False
    return True


def show_what_is_missing(*, lines: bool, problems: Sequence[Problem], settings: bool, engine: bool, name: bool) -> None:
    """Why Launch cannot be pressed: the places of what is to be mended."""
    places = [
        "" if lines else "the filters or the split",
        *(f"{problem.place or 'the table'} of the search space" for problem in problems),
        "" if settings else "how to search",
        "" if engine else "where it runs",
        "" if name else "the name",
    ]
    named = "; ".join(place[0].lower() + place[1:] for place in places if place)
    st.caption(f":material/block: Launch waits until this is mended: {markdown_text(named)}.")


def launch(
    entry: LibraryEntry,
    lines: PreparedLines,
    space: SearchSpace,
    settings: Mapping[str, Any],
    *,
    name: str,
    measured: Measurement | None,
    refusals: Refusals,
) -> None:
    """Create the experiment, start it, and go where it is shown."""
    try:
        with st.spinner("Preparing the data and starting the first trials"):
            experiment = launch_experiment(
                engines(),
                library().load(entry.hash),
                name=name,
                source=entry.source,
                notes=entry.notes,
                calibration=None if measured is None or settings["engine"] != "local" else measured.calibration,
                **search_settings(space=space, preprocessing=lines.preprocessing, split=lines.split, **settings),
            )
    except GwasError as error:
        refusals.show(error)
        return
    except OSError as error:
        refusals.show(ExperimentError(f"the workspace cannot be written: {error.strerror or error}"))
        return
    st.session_state[_LAUNCHED] = st.session_state.get(_LAUNCHED, 0) + 1
    _go_to(experiment.name)


def _go_to(name: str) -> NoReturn:
    try:
        st.switch_page("pages/experiment.py", query_params={"experiment": name})
    except StreamlitAPIException:
        st.switch_page("pages/experiments.py")
