"""Choose filters and imputation, and how lines are divided; show how many lines and SNPs that leaves.

Also here: fields for folds and fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import LibraryEntry
from gwas_core.genotypes.preprocessing import Imputation, PreprocessedDataset, PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import SplitMethod, SplitSettings, make_split
from gwas_core.workspace import Workspace
from ui.refusals import Refusals
from ui.search.fields import FIELD, LARGEST_SEED, WIDE_FIELD
from ui.store import dataset_library
from ui.text import markdown_text

_IMPUTATION_TITLES: dict[Imputation, str] = {
    "mode": "Most frequent genotype of the SNP",
    "mean": "Mean of the SNP, rounded",
    "within_family_mode": "Most frequent genotype in the line's family",
}
_SPLIT_TITLES: dict[SplitMethod, str] = {
    "random_within_families": "At random within families",
    "folds": "By the folds of the file",
    "families_left_out": "Whole families left out",
}


@dataclass(frozen=True, kw_only=True)
class PreparedLines:
    """Dataset after the filters, and how its lines will be divided.

    Attributes:
        prepared: the dataset without missing genotypes, and what was changed.
        preprocessing, split: the choices behind it.
        training_lines: number of lines that networks are trained on.
    """

    prepared: PreprocessedDataset
    preprocessing: PreprocessingSettings
    split: SplitSettings
    training_lines: int

    @property
    def snps(self) -> int:
        """Number of SNPs that are kept."""
        return len(self.prepared.dataset.snps)

    @property
    def genotypes(self) -> int:
        """Number of genotypes that are kept: lines times SNPs."""
        return self.prepared.dataset.genotypes.size


def lines_form(entry: LibraryEntry, form: str, refusals: Refusals) -> PreparedLines | None:
    """Show filters and division of the lines, with what they leave.

    Args:
        entry: the chosen dataset.
        form: part of the keys of the fields.
        refusals: gets the places beside the fields.

    Returns:
        What was chosen and what it leaves; None while something is refused.
    """
    dataset = dataset_library().load(entry.hash)
    st.subheader("Filters and imputation")
    preprocessing = _filters(dataset, form, refusals)
    filters_place = st.container()
    st.subheader("Training, validation and test lines")
    split = _split(dataset, form, refusals)
    split_place = st.container()
    if preprocessing is None:
        return None
    with filters_place:
        try:
            with st.spinner("Applying the filters"):
                prepared = _prepared(str(Workspace.from_environment().root), entry.hash, preprocessing)
        except GwasError as error:
            refusals.show(error)
            return None
        _filter_effects(prepared)
    if split is None:
        return None
    with split_place:
        try:
            parts = make_split(prepared.dataset, split)
        except GwasError as error:
            refusals.show(error)
            return None
        with st.container(horizontal=True, gap="medium"):
            for title, part in (("Training", parts.train), ("Validation", parts.validation), ("Test", parts.test)):
                st.metric(f"{title} lines", f"{len(part):,}", width="content")
    return PreparedLines(prepared=prepared, preprocessing=preprocessing, split=split, training_lines=len(parts.train))


def _filters(dataset: Dataset, form: str, refusals: Refusals) -> PreprocessingSettings | None:
    """Show the fields of the filters and return what they say, or None if that is refused."""
    default = PreprocessingSettings()
    options = [name for name in get_args(Imputation) if name != "within_family_mode" or dataset.family is not None]
    with st.container(horizontal=True):
        allele_frequency = _fraction(
            form,
            "Allele frequency, at least",
            "minimum_allele_frequency",
            default.minimum_allele_frequency,
            highest=0.5,
            help_text="Frequency of the rarer allele. SNPs below it are left out.",
        )
        missing_per_snp = _fraction(
            form,
            "Missing per SNP, at most",
            "maximum_missing_per_snp",
            default.maximum_missing_per_snp,
            highest=1.0,
            help_text="Fraction of the lines without a genotype of the SNP. SNPs above it are left out.",
        )
        missing_per_line = _fraction(
            form,
            "Missing per line, at most",
            "maximum_missing_per_line",
            default.maximum_missing_per_line,
            highest=1.0,
            help_text="Fraction of the SNPs without a genotype of the line. Lines above it are left out.",
        )
        imputation = st.selectbox(
            "A missing genotype becomes",
            options,
            format_func=_IMPUTATION_TITLES.__getitem__,
            key=f"search-imputation-{form}",
            width=WIDE_FIELD,
            persist_state="session",
            help="Networks and baselines need every genotype. New lines are treated in the same way.",
        )
    refusals.beside("minimum_allele_frequency", "maximum_missing_per_snp", "maximum_missing_per_line", "imputation")
    try:
        return PreprocessingSettings(
            minimum_allele_frequency=allele_frequency,
            maximum_missing_per_snp=missing_per_snp,
            maximum_missing_per_line=missing_per_line,
            imputation=imputation,
        )
    except GwasError as error:
        refusals.show(error)
        return None


def _filter_effects(prepared: PreprocessedDataset) -> None:
    report = prepared.report
    with st.container(horizontal=True, gap="medium"):
        st.metric(f"Lines kept of {report.lines_before:,}", f"{report.lines_after:,}", width="content")
        st.metric(f"SNPs kept of {report.snps_before:,}", f"{report.snps_after:,}", width="content")
        st.metric("Imputed", f"{report.imputed_fraction:.1%}", width="content")
    if sentences := report.sentences():
        with st.popover("What is left out"):
            st.markdown("\n".join(f"- {markdown_text(text)}" for text in sentences))


# The two datasets looked at last: each takes one byte per genotype.
@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={PreprocessingSettings: repr})
def _prepared(root: str, content_hash: str, settings: PreprocessingSettings) -> PreprocessedDataset:  # noqa: ARG001
    return preprocess(dataset_library().load(content_hash), settings)


def _split(dataset: Dataset, form: str, refusals: Refusals) -> SplitSettings | None:
    """Show the fields of the division and return what they say, or None if that is refused."""
    usable: dict[SplitMethod, bool] = {
        "random_within_families": True,
        "folds": dataset.folds is not None,
        "families_left_out": dataset.family is not None,
    }
    default = SplitSettings()
    validation_folds: tuple[int, ...] = ()
    test_folds: tuple[int, ...] = ()
    validation_fraction, test_fraction, seed = default.validation_fraction, default.test_fraction, default.seed
    with st.container(horizontal=True):
        method: SplitMethod = st.selectbox(
            "How lines are divided",
            [name for name in get_args(SplitMethod) if usable[name]],
            format_func=_SPLIT_TITLES.__getitem__,
            key=f"search-split-{form}",
            width=WIDE_FIELD,
            persist_state="session",
            help="The search chooses the network with the lowest error on the validation lines. The test lines are "
            "used once, to judge that network at the end.",
        )
        if method == "folds":
            folds = [] if dataset.folds is None else sorted({int(fold) for fold in dataset.folds})
            validation_folds = _fold_field(form, "validation", folds)
            test_folds = _fold_field(form, "test", folds)
        else:
            validation_fraction = _part_field(form, "validation", validation_fraction)
            test_fraction = _part_field(form, "test", test_fraction)
            seed = st.number_input(
                "Seed of the split",
                0,
                LARGEST_SEED,
                seed,
                step=1,
                key=f"search-split-seed-{form}",
                width=FIELD,
                persist_state="session",
                help="The same seed divides the lines in the same way.",
            )
    refusals.beside("method", "validation_folds", "test_folds", "validation_fraction", "test_fraction")
    try:
        return SplitSettings(
            method=method,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            validation_folds=validation_folds,
            test_folds=test_folds,
            seed=int(seed),
        )
    except GwasError as error:
        refusals.show(error)
        return None


def _fold_field(form: str, part: str, folds: list[int]) -> tuple[int, ...]:
    return tuple(
        st.multiselect(
            f"{part.capitalize()} folds",
            folds,
            key=f"search-{part}-folds-{form}",
            placeholder="Choose for me",
            width=WIDE_FIELD,
            persist_state="session",
        )
    )


def _part_field(form: str, part: str, value: float) -> float:
    title = f"{part.capitalize()} fraction"
    return _fraction(form, title, f"{part}-fraction", value, lowest=0.01, highest=0.9, help_text="Of all lines.")


def _fraction(
    form: str, label: str, name: str, value: float, *, highest: float, help_text: str, lowest: float = 0.0
) -> float:
    number = st.number_input(
        label,
        lowest,
        highest,
        value,
        step=0.01,
        format="%g",
        key=f"search-{name}-{form}",
        width=FIELD,
        persist_state="session",
        help=help_text,
    )
    return float(number)
