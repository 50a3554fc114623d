"""Methods of an evaluation in sentences, kept with its result.

Also here: what the intervals do not cover.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gwas_core.evaluation.folds import HeldOutSet
from gwas_core.evaluation.intervals import RESAMPLES
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.evaluation.store import ChosenHyperparameters
from gwas_core.genotypes.dataset import Dataset
from gwas_core.messages import quoted


def method_sentences(
    dataset: Dataset, plan: EvaluationPlan, chosen: ChosenHyperparameters, held_out_sets: Sequence[HeldOutSet]
) -> tuple[str, ...]:
    """Return how an evaluation was done, for people.

    Args:
        dataset: of all lines, with folds.
        plan: of the evaluation.
        chosen: hyperparameters, and where they come from.
        held_out_sets: lines that were predicted.
    """
    folds = ", ".join(map(str, plan.tune_folds))
    sentences = []
    if plan.made_folds:
        sentences.append(
            f"The file has no folds, so {len(np.unique(np.array(dataset.folds)))} were made at random"
            f"{' within families' if dataset.family is not None else ''}, with seed {plan.seed}."
        )
    if plan.tuning is None:
        sentences.append(
            f"Hyperparameters are those of trial {chosen.trial} of {chosen.experiment}, which was tuned on "
            f"{chosen.lines:,} lines, none of them in the test folds."
        )
    else:
        sentences.append(
            f"Hyperparameters were tuned once, by {chosen.experiment}, on the {chosen.lines:,} lines of "
            f"folds {folds} alone."
        )
    if plan.leave_family_out:
        sentences.append(
            f"Each of {len(held_out_sets)} families was predicted by models trained on all other families. "
            "Hyperparameters were not tuned again for each, so lines of a family may have been used to choose them."
        )
    else:
        sentences.append("Each test fold was predicted by models trained on all other folds.")
    another = " (another one for each seed)" if plan.seeds > 1 else ""
    sentences.append(
        f"The network stops early by its error on a tenth of its training lines{another} and learns from the rest; "
        "baselines learn from all of them. Filters and imputation were fitted to training lines only."
    )
    if plan.seeds > 1:
        sentences.append(f"Predictions of {plan.seeds} networks with different seeds were averaged.")
    sentences.append(
        f"Errors are in the unit of {quoted(dataset.trait)}, whose standard deviation is {dataset.phenotype.std():.4g}."
    )
    sentences.append(
        f"Figures are means over the {'families' if plan.leave_family_out else 'folds'}. Intervals: 95 %, paired "
        f"bootstrap of the test lines of each {_stratum(dataset, plan)}, {RESAMPLES:,} resamples. They do not include "
        "how much networks vary when they are trained again."
    )
    return tuple(sentences)


def _stratum(dataset: Dataset, plan: EvaluationPlan) -> str:
    """Return the name of a group of lines that are resampled together."""
    if plan.leave_family_out:
        return "family"
    return "fold" if dataset.family is None else "family within each fold"
