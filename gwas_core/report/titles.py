"""Titles of models, of figures of merit and of splits: the one place for tables, charts and sentences."""

from __future__ import annotations

from gwas_core.evaluation.result import MISSING_PATTERN, NETWORK

NETWORK_TITLE = "This network"
"""Title of the network of one experiment, beside its baselines."""

MODEL_TITLES = {
    NETWORK: "Network",
    "gblup_family": "GBLUP + family (REML)",
    "gblup": "GBLUP (REML)",
    "family_mean": "Family mean, no SNP",
    MISSING_PATTERN: "Missing pattern, no allele",
    "mean": "Training mean",
}
"""Titles by the models' names in records, in the order in which an evaluation shows them."""

FIGURE_TITLES = {
    "pearson": "Pearson correlation",
    "within_family_pearson": "Pearson within families",
    "mean_absolute_error": "Mean absolute error",
}
"""Titles of the figures that have intervals, for headings."""

SHORT_FIGURE_TITLES = {
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "pearson": "Pearson",
    "within_family_pearson": "within families",
}
"""Titles of all four metrics, for narrow columns."""

SPLIT_TITLES = {
    "random_within_families": "at random within families",
    "folds": "by the file's folds",
    "families_left_out": "with whole families left out",
}
"""How lines were divided, by the method's name, for the end of a sentence."""


def model_title(name: str) -> str:
    """Return the title of a model.

    Args:
        name: key of the model in records, such as ``gblup``; one without a title is its own title.
    """
    return MODEL_TITLES.get(name, name)
