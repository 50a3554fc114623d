"""Loci of an experiment, as bundle and report hold them: the tests of each SNP on the training lines.

Also here: the columns of ``loci.csv``; whether family effects are covariates; the sentence that says how it was tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from gwas_core.association.regression import associate
from gwas_core.association.thresholds import bonferroni
from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.messages import counted

SIGNIFICANCE = 0.05
_COLUMNS = {
    "name": "name",
    "chromosome": "chromosome",
    "base_pair_location": "position",
    "effect_allele": "effect_allele",
    "effect_allele_frequency": "effect_allele_frequency",
    "beta": "beta",
    "standard_error": "standard_error",
    "p_value": "p_value",
    "neg_log10_p_value": "neg_log10_p_value",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Loci:
    """Tests of every SNP on the training lines.

    Attributes:
        table: a row for each SNP, in the dataset's order; None if no SNP could be tested. Columns: name, chromosome,
            position (base pairs), effect_allele, effect_allele_frequency, beta (phenotype's unit per allele),
            standard_error, p_value (0 where a float cannot hold it), neg_log10_p_value. Statistics of a SNP that
            cannot be tested are NaN.
        sentence: how they were tested and how many pass the threshold of Bonferroni, or why there are none; it holds
            no text from outside.
    """

    table: pd.DataFrame | None
    sentence: str

    def strongest(self, number: int) -> pd.DataFrame:
        """Return the SNPs with the smallest p-values, smallest first; fewer if fewer could be tested.

        Args:
            number: how many.
        """
        if self.table is None:
            return pd.DataFrame(columns=list(_COLUMNS.values()))
        tested = self.table.dropna(subset="neg_log10_p_value")
        return tested.sort_values("neg_log10_p_value", ascending=False, kind="stable").head(number)


def training_loci(dataset: Dataset, split: Split) -> Loci:
    """Test each SNP on the training lines, within families if these are known.

    Args:
        dataset: prepared, without missing genotypes.
        split: rows of ``dataset``.
    """
    families = dataset.family is not None
    try:
        associations = associate(dataset, split.train, family_effects=families)
    except InputError as error:
        return Loci(table=None, sentence=f"No SNP could be tested: {error}.")
    table = associations[list(_COLUMNS)].rename(columns=_COLUMNS)
    p_values = table["neg_log10_p_value"].dropna()
    if p_values.empty:
        return Loci(table=None, sentence="No SNP could be tested: none varies among the training lines.")
    threshold = -math.log10(bonferroni(SIGNIFICANCE, len(p_values)))
    passed = int((p_values > threshold).sum())
    how = "with family effects as covariates" if families else "without covariates"
    return Loci(
        table=table,
        sentence=(
            f"One linear regression for each of {counted(len(p_values), 'SNP')} on the {len(split.train):,} training "
            f"lines, {how}; relatedness beyond that is not modelled, so p-values may be too small. "
            f"{counted(passed, 'SNP')} {'passes' if passed == 1 else 'pass'} Bonferroni's threshold at "
            f"{SIGNIFICANCE:g}."
        ),
    )
