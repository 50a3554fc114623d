"""Prediction of new lines with a bundle: SNPs matched by name, missing ones imputed, oddities told.

Also here: how many SNPs must match; the suspicion that the other allele was counted; columns of the table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import BundleError, InputError
from gwas_core.genotypes.dataset import MISSING
from gwas_core.messages import counted, listed, quoted
from gwas_core.model.bundle import Bundle
from gwas_core.model.metrics import pearson
from gwas_core.model.trainer import predict

MINIMUM_MATCHED = 0.5
"""Minimum share of the model's SNPs that a file must have; with fewer, most of the input would be imputed."""
# Allele frequencies of the same SNPs in related lines correlate; a negative correlation shows that the other allele was
# counted.
_FLIPPED = -0.3


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Predicted phenotypes, and how the SNPs of the file match those of the model.

    Attributes:
        table: columns ``line``, ``predicted`` (in the phenotype's unit) and ``imputed_fraction`` (share of the
            model's SNPs that were imputed for this line).
        trait: name of the phenotype.
        matched: number of the model's SNPs that are in the file.
        missing: number of the model's SNPs that are not in the file, imputed for every line.
        unknown: number of SNPs in the file that are not in the model; they are not used.
        notes: these numbers as sentences, and warnings.
    """

    table: pd.DataFrame
    trait: str
    matched: int
    missing: int
    unknown: int
    notes: tuple[str, ...]


def predict_lines(
    bundle: Bundle,
    *,
    genotypes: NDArray[np.int8],
    snp_names: list[str],
    line_names: list[str],
    family: NDArray[np.str_] | None = None,
) -> Predictions:
    """Predict lines from genotypes whose SNPs may come in any order and number.

    Args:
        bundle: opened bundle of the model.
        genotypes: int8 (lines, SNPs of the file), ``MISSING`` for a missing genotype.
        snp_names: name of each column of ``genotypes``.
        line_names: name of each row of ``genotypes``.
        family: (lines,) name of each line's family; used if missing genotypes are imputed within families.

    Raises:
        InputError: fewer than half of the model's SNPs are in the file, or one is in it more than once.
        BundleError: a prediction is not finite.
    """
    wanted = bundle.snps["name"].tolist()
    place = {name: index for index, name in enumerate(snp_names)}
    if len(place) != len(snp_names):
        known = set(wanted)
        repeated = [name for name, times in Counter(snp_names).items() if times > 1 and name in known]
        if repeated:
            raise InputError(
                f"the file names {counted(len(repeated), 'SNP')} of the model more than once ({listed(repeated)}): "
                "leave each in it once"
            )
    found = [(target, place[name]) for target, name in enumerate(wanted) if name in place]
    absent = [name for name in wanted if name not in place]
    unknown = sorted(set(snp_names) - set(wanted))
    if len(found) < MINIMUM_MATCHED * len(wanted):
        raise InputError(
            f"only {len(found):,} of the model's {len(wanted):,} SNPs are in the file (at least half are needed); the "
            f"model knows {listed(wanted, limit=3)}, the file has {listed(snp_names, limit=3)}: "
            "use genotypes of the same SNP set, under the same names"
        )
    aligned = np.full((len(line_names), len(wanted)), MISSING, dtype=np.int8)
    targets, sources = (np.array(column) for column in zip(*found, strict=True))
    aligned[:, targets] = genotypes[:, sources]
    imputed_fraction = (aligned == MISSING).mean(axis=1)
    notes = [f"{counted(len(found), 'SNP')} of the model's {len(wanted):,} were found in the file."]
    if absent:
        notes.append(f"{counted(len(absent), 'SNP')} are missing from the file and were imputed: {listed(absent)}.")
    if unknown:
        notes.append(f"{counted(len(unknown), 'SNP')} of the file are unknown to the model: {listed(unknown)}.")
    notes.extend(_oddities(aligned[:, targets], bundle.snps["allele_frequency"].to_numpy(np.float64)[targets]))
    with np.errstate(over="ignore", invalid="ignore"):
        predicted = predict(bundle.model, bundle.imputation.apply(aligned, family=family), bundle.standardisation)
    if wrong := int(np.count_nonzero(~np.isfinite(predicted))):
        raise BundleError(
            f"the model predicts {quoted(bundle.trait)} of {counted(wrong, 'line')} as numbers that are not finite: "
            "it was damaged or tampered with; do not use it"
        )
    return Predictions(
        table=pd.DataFrame({"line": line_names, "predicted": predicted, "imputed_fraction": imputed_fraction}),
        trait=bundle.trait,
        matched=len(found),
        missing=len(absent),
        unknown=len(unknown),
        notes=tuple(notes),
    )


def _oddities(genotypes: NDArray[np.int8], training_frequency: NDArray[np.float64]) -> list[str]:
    called = genotypes != MISSING
    calls = called.sum(axis=0)
    usable = calls > 0
    if genotypes.shape[0] < 10 or usable.sum() < 10:
        return []
    frequency = np.where(called, genotypes, 0).sum(axis=0)[usable] / (2 * calls[usable])
    correlation = pearson(training_frequency[usable], frequency)
    if correlation is None or correlation > _FLIPPED:
        return []
    warning = (
        f"The allele frequencies of these lines correlate negatively with those of the training lines "
        f"(r = {correlation:.2f}): the file may count the other allele (0 and 2 swapped). Check this before you "
        "use the predictions."
    )
    return [warning]
