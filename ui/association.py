"""Draw the association page: settings, Manhattan and QQ plot, one SNP, the table and its GWAS-SSF download.

Also here: from which genomic inflation on p-values are warned of; the toggle for family effects and the significance
level.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from gwas_core.association.regression import associate
from gwas_core.association.thresholds import bonferroni, genomic_inflation
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.splits import load_split
from gwas_core.messages import counted
from gwas_core.report.manhattan import manhattan, manhattan_figure
from gwas_core.report.quantile_plot import quantile_figure, quantile_plot
from gwas_core.report.snp_effect import snp_effect, snp_effect_figure
from gwas_core.spreadsheets import csv_text
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.workspace import Workspace
from ui.charts import show
from ui.live_plot import PlotPoint
from ui.tables import data_table
from ui.text import markdown_text

_QUANTILE_WIDTH = 620  # pixels: about as wide as high
# Above this genomic inflation, p-values are so much too small that the Bonferroni line means little.
_INFLATED = 1.2
_GWAS_SSF = (
    "chromosome",
    "base_pair_location",
    "effect_allele",
    "other_allele",
    "beta",
    "standard_error",
    "effect_allele_frequency",
    "p_value",
)
_CHOSEN = "association-snp"


@dataclass(frozen=True)
class AssociationSettings:
    """How SNPs are tested.

    Attributes:
        family_effects: whether lines are compared within their family only.
        alpha: significance level before it is divided by the number of tests.
    """

    family_effects: bool
    alpha: float


@dataclass(frozen=True)
class TestedLines:
    """Lines on which SNPs are tested.

    Attributes:
        dataset_directory: folder of a prepared dataset, which is named by its content.
        split_directory: folder of an experiment, whose training lines are tested; None for all lines.
    """

    dataset_directory: Path
    split_directory: Path | None

    @property
    def title(self) -> str:
        """What the lines are, in words."""
        return "All lines" if self.split_directory is None else "Training lines"

    def load(self) -> tuple[Dataset, NDArray[np.int64]]:
        """Return the dataset (genotypes stay on disk) and the row numbers of the lines.

        Raises:
            GwasError: the dataset or the split is lost.
        """
        dataset = Dataset.load(self.dataset_directory)
        if self.split_directory is None:
            return dataset, np.arange(dataset.lines)
        return dataset, load_split(self.split_directory).train


def training_lines(workspace: Workspace, record: ExperimentRecord) -> TestedLines:
    """Return the training lines of an experiment.

    Args:
        workspace: that holds its dataset.
        record: of the experiment.
    """
    return TestedLines(workspace.dataset_directory(record.experiment.dataset), record.directory)


def all_lines(workspace: Workspace, content_hash: str) -> TestedLines:
    """Return all lines of a dataset of the library, after the filters and the imputation that searches begin with.

    Args:
        workspace: that holds the library.
        content_hash: of the dataset.

    Raises:
        GwasError: the dataset is lost, or nothing is left of it after the filters.
    """
    return TestedLines(Path(_prepared(str(workspace.root), content_hash)), None)


@st.cache_data(max_entries=64, show_spinner="Preparing the data …")
def _prepared(root: str, content_hash: str) -> str:
    workspace = Workspace(Path(root))
    prepared = preprocess(DatasetLibrary(workspace).load(content_hash), PreprocessingSettings()).dataset
    # Named by its content: a search with the same settings uses the same folder.
    return str(prepared.save(workspace.dataset_directory(prepared.content_hash)))


def show_settings(tested: TestedLines) -> AssociationSettings:
    """Show the settings and return what is chosen.

    Args:
        tested: lines that are tested.
    """
    dataset, _ = tested.load()
    has_families = dataset.family is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        family_effects = st.toggle(
            "Compare lines within their family only",
            value=has_families,
            disabled=not has_families,
            key="association-families",
            help="Adds one covariate per family to the test. Without them, SNPs that only differ between families can "
            "look associated.",
            width="content",
        )
        alpha = st.number_input(
            "Significance level",
            min_value=0.0001,
            max_value=0.5,
            value=0.05,
            step=0.01,
            format="%.4g",
            key="association-alpha",
            help="The Bonferroni line is this level divided by the number of tests.",
            width=200,
        )
    return AssociationSettings(family_effects=family_effects and has_families, alpha=float(alpha))


def associations_of(tested: TestedLines, *, family_effects: bool) -> pd.DataFrame:
    """Return the association test of every SNP.

    Args:
        tested: lines on which it is tested.
        family_effects: whether lines are compared within their family only.

    Returns:
        A row for each SNP; see ``association.regression.associate``.

    Raises:
        GwasError: if the dataset or the split is lost.
    """
    return _associations(tested, family_effects)


@st.cache_data(max_entries=8, show_spinner="Testing every SNP …", hash_funcs={TestedLines: repr})
def _associations(tested: TestedLines, family_effects: bool) -> pd.DataFrame:
    # Safe to cache: a dataset's folder is named by its content, and the split of an experiment never changes.
    dataset, lines = tested.load()
    return associate(dataset, lines, family_effects=family_effects)


def show_limits(associations: pd.DataFrame, settings: AssociationSettings, tested: TestedLines) -> None:
    """Show how many lines and SNPs were tested, how many pass, and a warning if p-values are inflated.

    Args:
        associations: as ``associations_of`` returns them.
        tested: lines on which they were tested.
        settings: what ``show_settings`` returned.
    """
    p_values = associations["p_value"]
    tests = int(p_values.notna().sum())
    if not tests:
        st.warning("No SNP differs between these lines, so none can be tested.", icon=":material/warning:")
        return
    threshold = bonferroni(settings.alpha, tests)
    inflation = genomic_inflation(associations["neg_log10_p_value"].dropna().to_numpy())
    with st.container(horizontal=True, gap="medium"):
        st.metric(tested.title, f"{int(associations['n'].max()):,}", width="content")
        st.metric("SNPs tested", f"{tests:,}", width="content")
        st.metric(
            "Beyond the Bonferroni line",
            f"{int((p_values < threshold).sum()):,}",
            help=f"p below {threshold:.2g}",
            width="content",
        )
        st.metric(
            "Genomic inflation λ",
            "–" if inflation is None else f"{inflation:.2f}",
            help="1 if no SNP has an effect and lines are unrelated. A higher value means that p-values are too small, "
            "or that very many SNPs have an effect.",
            width="content",
        )
    if inflation is not None and inflation > _INFLATED:
        st.warning(
            f"λ is {inflation:.1f}, so p-values are probably too small: lines are related, and this test of one SNP at "
            "a time does not correct for it. Take the peaks as candidates, not as proof. To publish, test with a mixed "
            "model.",
            icon=":material/warning:",
        )


def show_plots(associations: pd.DataFrame, settings: AssociationSettings) -> None:
    """Show Manhattan and QQ plot; a click on a point chooses its SNP.

    Args:
        associations: as ``associations_of`` returns them.
        settings: what ``show_settings`` returned.
    """
    facts = manhattan(associations, alpha=settings.alpha)
    st.subheader("Along the genome")
    show(
        manhattan_figure(facts),
        key="manhattan",
        label="Manhattan plot",
        description="The p-value of every SNP along the chromosomes, with the Bonferroni line.",
        on_points=_choose,
    )
    st.subheader("Compared with chance")
    with st.container(width=_QUANTILE_WIDTH):
        show(
            quantile_figure(quantile_plot(associations)),
            key="qq",
            label="QQ plot",
            description="Observed p-values against those expected if no SNP had an effect, with a 95 % band.",
            on_points=_choose,
        )
    st.caption(
        "If no SNP had an effect, about 95 % of the points would lie inside the grey band. Points that leave it "
        "already at large p-values suggest related lines or very many small effects. Points that leave it only at "
        "small p-values suggest a few SNPs with large effects."
    )


def _choose(points: tuple[PlotPoint, ...]) -> None:
    if points and isinstance(points[0].id, int | float):
        st.session_state[_CHOSEN] = int(points[0].id)


def show_chosen_snp(tested: TestedLines, associations: pd.DataFrame) -> None:
    """Show the phenotype for each genotype of one SNP: the one with the smallest p-value, or the one clicked.

    Args:
        tested: lines that are shown.
        associations: as ``associations_of`` returns them.
    """
    if associations["p_value"].isna().all():
        return
    names = associations["name"]
    chosen = st.session_state.get(_CHOSEN)
    strongest = int(np.nanargmax(associations["neg_log10_p_value"].to_numpy()))
    row = chosen if chosen is not None and 0 <= chosen < len(names) else strongest
    dataset, lines = tested.load()
    snp = associations.iloc[row]
    st.subheader("One SNP")
    st.caption(
        f"{markdown_text(str(snp['name']))}: each additional copy of the counted allele goes with a change "
        f"of {markdown_text(dataset.trait)} by {snp['beta']:+.3g} "
        f"(standard error {snp['standard_error']:.2g}, p = {snp['p_value']:.2g}). "
        "Click a point in a plot above to see another SNP."
    )
    facts = snp_effect(np.asarray(dataset.genotypes[lines, row]), dataset.phenotype[lines])
    show(
        snp_effect_figure(facts, trait=dataset.trait),
        key="snp-effect",
        label=f"Phenotype by genotype of {snp['name']}",
        table=facts,
        file_name="phenotype_by_genotype",
    )


def show_table(associations: pd.DataFrame, settings: AssociationSettings, tested: TestedLines, *, name: str) -> None:
    """Show all SNPs, smallest p-value first, and their download.

    Args:
        associations: as ``associations_of`` returns them.
        settings: what ``show_settings`` returned.
        tested: lines on which they were tested.
        name: beginning of the name of the downloaded file.
    """
    st.subheader("All SNPs")
    ranked = associations.sort_values("neg_log10_p_value", ascending=False, na_position="last")
    data_table(
        ranked,
        height=380,
        column_config={
            "p_value": st.column_config.NumberColumn(format="scientific"),
            "neg_log10_p_value": st.column_config.NumberColumn("-log10 p", format="%.2f"),
            "base_pair_location": st.column_config.NumberColumn("position", format="localized"),
            "beta": st.column_config.NumberColumn(format="%.4f"),
            "standard_error": st.column_config.NumberColumn(format="%.4f"),
            "effect_allele_frequency": st.column_config.NumberColumn(format="%.3f"),
        },
        alt="All SNPs, smallest p-value first",
    )
    how = "within-families" if settings.family_effects else "plain"
    st.download_button(
        "Download in GWAS-SSF columns",
        data=lambda: csv_text(summary_statistics(associations), separator="\t").encode(),
        file_name=f"{name}-{how}.tsv",
        mime="text/tab-separated-values",
        icon=":material/download:",
        on_click="ignore",
    )
    which = "all lines" if tested.split_directory is None else "the training lines only"
    st.caption(f"{counted(len(associations), 'SNP')}; tested on {which}.")


def summary_statistics(associations: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the GWAS summary statistics format (GWAS-SSF), in its order.

    Args:
        associations: as ``associations_of`` returns them.

    Returns:
        A row for each SNP, in the same order; unknown values are ``NA``.
    """
    table = associations.reindex(columns=["name", *_GWAS_SSF]).rename(columns={"name": "variant_id"})
    return table[[*_GWAS_SSF, "variant_id"]].astype(object).where(table[[*_GWAS_SSF, "variant_id"]].notna(), "NA")
