"""Preprocessing: filters by missingness and allele frequency, monomorphic SNPs, imputation, and their report.

Also here: the order of filters; messages that no line or SNP is left; the sentences on what was changed and left out.

The order is fixed: lines with too many missing genotypes are left out first, so that they do not cost SNPs; then
SNPs with too many; then monomorphic and rare SNPs; last, what is still missing is imputed. All lines take part, those
of the validation and the test set too: no trait value is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.imputation import ImputationTable, mean_table, mode_table, within_family_mode_table
from gwas_core.genotypes.quality import allele_frequency, genotype_counts, is_monomorphic, missing_per_line
from gwas_core.messages import counted, listed, quoted

Imputation = Literal["mode", "mean", "within_family_mode"]

_NAMES_KEPT = 10


@dataclass(frozen=True, kw_only=True)
class PreprocessingSettings:
    """Filters and method of imputation.

    Attributes:
        minimum_allele_frequency: limit for a SNP's rarer allele; monomorphic SNPs are left out even at 0.
        maximum_missing_per_snp: largest fraction of missing genotypes with which a SNP is kept.
        maximum_missing_per_line: largest fraction of missing genotypes with which a line is kept.
        imputation: ``mode``: the SNP's most frequent genotype. ``mean``: its mean allele count, rounded to
            0, 1 or 2. ``within_family_mode``: the most frequent genotype in the line's family.

    Raises:
        SettingsError: a value is outside its range.
    """

    minimum_allele_frequency: float = 0.01
    maximum_missing_per_snp: float = 0.5
    maximum_missing_per_line: float = 0.5
    imputation: Imputation = "mode"

    def __post_init__(self) -> None:
        for name, limit in (
            ("minimum_allele_frequency", 0.5),
            ("maximum_missing_per_snp", 1.0),
            ("maximum_missing_per_line", 1.0),
        ):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not is_number or not 0 <= value <= limit:
                raise SettingsError(
                    f"{name.replace('_', ' ')} is a fraction from 0 to {limit:g}; {quoted(str(value))} is not",
                    field=name,
                )
        if self.imputation not in get_args(Imputation):
            raise SettingsError(
                f"imputation is one of {', '.join(get_args(Imputation))}; {quoted(str(self.imputation))} is not",
                field="imputation",
            )


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """Number of lines or SNPs that a step left out, and the names of the first few."""

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PreprocessingReport:
    """Changes made by each step, in order.

    Attributes:
        snps_rare: SNPs with a rare allele, not counting the monomorphic ones again.
        imputed: number of genotypes that were filled in.
        imputed_fraction: their share of the genotypes that were kept.
    """

    settings: PreprocessingSettings
    lines_before: int
    lines_after: int
    snps_before: int
    snps_after: int
    lines_missing: Dropped
    snps_missing: Dropped
    snps_monomorphic: Dropped
    snps_rare: Dropped
    imputed: int
    imputed_fraction: float

    def sentences(self) -> list[str]:
        """Return the report as sentences; steps that changed nothing are left out."""
        settings = self.settings
        steps = [
            (
                self.lines_missing,
                "line",
                f"with more than {settings.maximum_missing_per_line:.3g} of the genotypes missing",
            ),
            (
                self.snps_missing,
                "SNP",
                f"missing in more than {settings.maximum_missing_per_snp:.3g} of the lines",
            ),
            (self.snps_monomorphic, "SNP", "with the same genotype in all lines where any was called"),
            (
                self.snps_rare,
                "SNP",
                f"with an allele rarer than {settings.minimum_allele_frequency:.3g}",
            ),
        ]
        sentences = [
            f"Left out {counted(dropped.count, noun)} {reason}: {listed(dropped.first, limit=3, total=dropped.count)}."
            for dropped, noun, reason in steps
            if dropped.count
        ]
        if self.imputed:
            how = {
                "mode": "the SNP's most frequent genotype",
                "mean": "the SNP's mean allele count, rounded to 0, 1 or 2 so that genotypes stay allele counts",
                "within_family_mode": "the SNP's most frequent genotype in the line's family, or in all lines where "
                "the family has none",
            }[settings.imputation]
            sentences.append(
                f"Imputed {counted(self.imputed, 'missing genotype')} ({100 * self.imputed_fraction:.3g} %) by {how}."
            )
        sentences.append(
            f"Kept {self.lines_after:,} of {counted(self.lines_before, 'line')} and "
            f"{self.snps_after:,} of {counted(self.snps_before, 'SNP')}."
        )
        return sentences


@dataclass(frozen=True, eq=False, kw_only=True)
class PreprocessedDataset:
    """Dataset without missing genotypes, the table that fills in those of new lines, and the report of changes."""

    dataset: Dataset
    imputation: ImputationTable
    report: PreprocessingReport


def preprocess(dataset: Dataset, settings: PreprocessingSettings) -> PreprocessedDataset:
    """Return a dataset after filters and imputation.

    Args:
        dataset: with missing genotypes or without.
        settings: filters and method of imputation.

    Raises:
        InputError: no line or no SNP is left.
        SettingsError: imputation within families is asked for, but the dataset has no families.
    """
    if settings.imputation == "within_family_mode" and dataset.family is None:
        raise SettingsError(
            "imputation within families needs families, and these lines have none: choose the column of families, "
            "or impute by mode",
            field="imputation",
        )
    line_kept = missing_per_line(dataset.genotypes) <= settings.maximum_missing_per_line
    if not line_kept.any():
        raise InputError(
            f"no line is left: all {counted(dataset.lines, 'line')} have more than "
            f"{settings.maximum_missing_per_line:.3g} of their genotypes missing; raise the limit for lines"
        )
    kept_lines = np.flatnonzero(line_kept)
    reasons = _reasons_to_drop(genotype_counts(dataset.genotypes, lines=kept_lines), settings)
    snp_kept = ~np.any(list(reasons.values()), axis=0)
    if not snp_kept.any():
        raise InputError(
            "no SNP is left: "
            + ", ".join(f"{int(dropped.sum()):,} were {reason}" for reason, dropped in reasons.items())
            + "; relax the limits for SNPs"
        )
    filtered = dataset.take(lines=kept_lines, snps=np.flatnonzero(snp_kept))
    table = _imputation_table(filtered, settings.imputation)
    imputed = int(np.count_nonzero(filtered.genotypes < 0))
    complete = replace(filtered, genotypes=table.apply(filtered.genotypes, filtered.family))
    snp_names = dataset.snps["name"].to_numpy()
    report = PreprocessingReport(
        settings=settings,
        lines_before=dataset.lines,
        lines_after=complete.lines,
        snps_before=len(dataset.snps),
        snps_after=len(complete.snps),
        lines_missing=_dropped(np.array(dataset.line_names, dtype=object), ~line_kept),
        snps_missing=_dropped(snp_names, reasons["missing too often"]),
        snps_monomorphic=_dropped(snp_names, reasons["monomorphic"]),
        snps_rare=_dropped(snp_names, reasons["too rare"]),
        imputed=imputed,
        imputed_fraction=imputed / complete.genotypes.size,
    )
    return PreprocessedDataset(dataset=complete, imputation=table, report=report)


def _reasons_to_drop(counts: NDArray[np.int64], settings: PreprocessingSettings) -> dict[str, NDArray[np.bool_]]:
    """Return bool (SNPs,) for each reason; each SNP is dropped for the first one that holds."""
    missing: NDArray[np.bool_] = counts[3] / counts.sum(axis=0) > settings.maximum_missing_per_snp
    monomorphic = is_monomorphic(counts) & ~missing
    frequency = allele_frequency(counts)
    rarer = np.minimum(frequency, 1 - frequency)
    rare = (rarer < settings.minimum_allele_frequency) & ~missing & ~monomorphic
    return {"missing too often": missing, "monomorphic": monomorphic, "too rare": rare}


def _imputation_table(dataset: Dataset, imputation: Imputation) -> ImputationTable:
    if imputation == "mean":
        return mean_table(dataset)
    if imputation == "within_family_mode" and dataset.family is not None:
        return within_family_mode_table(dataset, dataset.family)
    return mode_table(dataset)


def _dropped(names: NDArray[Any], dropped: NDArray[np.bool_]) -> Dropped:
    indices = np.flatnonzero(dropped)
    return Dropped(count=len(indices), first=tuple(str(name) for name in names[indices[:_NAMES_KEPT]]))
