"""Observed against predicted phenotypes, line by line, from the file of predictions.

Also here: why there are no predictions yet; the name of the trait; correlation and errors by part.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from gwas_core.errors import InputError
from gwas_core.files import read_regular_file
from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.finalise import PREDICTIONS_FILE
from gwas_core.model.metrics import PredictionMetrics, compute_metrics
from gwas_core.report.figure_style import BLUE, GREY, ORANGE, marker_trace, new_figure
from gwas_core.report.text import plot_text
from gwas_core.spreadsheets import read_csv
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.workspace import Workspace

PARTS = ("test", "validation")
_LARGEST_FILE = 64 * 1024**2
_TEXTS = {"line": str, "part": str, "family": str}
_MARKS = {"test": ("circle", BLUE), "validation": ("diamond-open", ORANGE)}


@dataclass(frozen=True, eq=False, kw_only=True)
class ObservedPredicted:
    """Facts of the figure.

    Attributes:
        table: line, part, family (empty if lines have none), observed, predicted, error (predicted less observed), in
            the trait's unit; only the chosen parts.
        metrics: by part.
        limits: of both axes.
    """

    table: pd.DataFrame
    metrics: dict[str, PredictionMetrics]
    limits: tuple[float, float]


def trait_of(record: ExperimentRecord) -> str:
    """Return the name of the trait that was predicted; empty if the dataset is lost.

    Args:
        record: of an experiment in its workspace.
    """
    folder = Workspace(record.directory.parent).dataset_directory(record.experiment.dataset)
    try:
        return Dataset.load(folder).trait
    except InputError:
        return ""


def read_predictions(directory: Path) -> pd.DataFrame:
    """Return the predictions in an experiment's folder.

    Returns:
        A row for each line: line, part, family (empty if lines have none), observed, predicted.

    Raises:
        InputError: if there are none yet, or the file is damaged.
    """
    path = directory / PREDICTIONS_FILE
    problem = f"{PREDICTIONS_FILE} of {directory.name} is damaged: finish the experiment again to write it anew"
    try:
        content = read_regular_file(path, limit=_LARGEST_FILE)
        # Names are text even if they look like numbers or like missing values.
        table = read_csv(content, dtype=_TEXTS, keep_default_na=False)
        if "family" not in table:
            table["family"] = ""
        table = table[["line", "part", "family", "observed", "predicted"]]
        numbers = table[["observed", "predicted"]].astype("float64")
    except FileNotFoundError as error:
        raise InputError(
            f"{directory.name} has no predictions yet: they are made when the search is finished"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(problem) from error
    if not np.isfinite(numbers.to_numpy()).all() or not table["part"].isin(PARTS).all():
        raise InputError(problem)
    return table.assign(observed=numbers["observed"], predicted=numbers["predicted"])


def observed_predicted(predictions: pd.DataFrame, *, parts: Collection[str] = PARTS) -> ObservedPredicted:
    """Return the facts for some parts of the lines.

    Args:
        predictions: of ``read_predictions``.
        parts: ``validation``, ``test`` or both.
    """
    table = predictions[predictions["part"].isin(parts)].reset_index(drop=True)
    table = table.assign(error=table["predicted"] - table["observed"])
    metrics = {
        part: compute_metrics(rows["observed"].to_numpy(), rows["predicted"].to_numpy(), family=_families(rows))
        for part in PARTS
        if len(rows := table[table["part"] == part])
    }
    if table.empty:
        return ObservedPredicted(table=table, metrics=metrics, limits=(0.0, 1.0))
    values = table[["observed", "predicted"]].to_numpy()
    low, high = float(values.min()), float(values.max())
    air = 0.04 * (high - low) or 0.5
    return ObservedPredicted(table=table, metrics=metrics, limits=(low - air, high + air))


def observed_predicted_figure(facts: ObservedPredicted, *, trait: str = "") -> go.Figure:
    """Draw one point for each line on square axes, and the diagonal of perfect predictions.

    Click data begin with the row in ``facts.table``.

    Args:
        facts: to draw.
        trait: name for the axes.
    """
    name = f" {plot_text(trait, limit=40)}" if trait else ""
    figure = new_figure(height=520, showlegend=True)
    figure.add_trace(
        go.Scatter(
            x=list(facts.limits),
            y=list(facts.limits),
            mode="lines",
            name="predicted as observed",
            line={"color": GREY, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )
    # The test lines last, on top: they are what counts.
    for part in reversed(list(facts.metrics)):
        figure.add_trace(_points(facts, part))
    figure.update_xaxes(title=f"Observed{name}", range=list(facts.limits), constrain="domain")
    figure.update_yaxes(
        title=f"Predicted{name}", range=list(facts.limits), scaleanchor="x", scaleratio=1, constrain="domain"
    )
    return figure


def _families(rows: pd.DataFrame) -> Any:
    return rows["family"].to_numpy(dtype=np.str_) if rows["family"].ne("").any() else None


def _points(facts: ObservedPredicted, part: str) -> Any:
    rows = facts.table[facts.table["part"] == part]
    judgement = facts.metrics[part]
    correlation = "no correlation" if judgement.pearson is None else f"Pearson {judgement.pearson:.3f}"
    symbol, colour = _MARKS[part]
    families = [f", family {plot_text(family, limit=40)}" if family else "" for family in rows["family"]]
    return marker_trace(len(facts.table))(
        x=rows["observed"].to_numpy(),
        y=rows["predicted"].to_numpy(),
        mode="markers",
        name=f"{len(rows):,} {part} lines: MAE {judgement.mean_absolute_error:.4g}, {correlation}",
        marker={"symbol": symbol, "color": colour, "size": 6, "opacity": 0.65},
        customdata=[[row] for row in rows.index],
        hovertext=[
            f"<b>{plot_text(line, limit=40)}</b>{family}<br>observed {observed:.5g}, predicted {predicted:.5g}"
            for line, family, observed, predicted in zip(
                rows["line"], families, rows["observed"], rows["predicted"], strict=True
            )
        ],
        hoverinfo="text",
    )
