"""Network of one experiment beside its baselines, by their metrics on validation or test lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gwas_core.evaluation.result import NETWORK
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.report.titles import NETWORK_TITLE, SHORT_FIGURE_TITLES, model_title
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary


@dataclass(frozen=True, kw_only=True)
class ModelMetrics:
    """One model and how it did on some lines.

    Attributes:
        name: as in records; ``NETWORK`` for the network.
        title: for people.
        metrics: errors are in the phenotype's unit.
    """

    name: str
    title: str
    metrics: PredictionMetrics

    @property
    def is_network(self) -> bool:
        """Whether this is the network rather than a baseline."""
        return self.name == NETWORK

    def figures(self) -> tuple[float | None, ...]:
        """Return the figures in the order of ``SHORT_FIGURE_TITLES``; None for one that is not defined."""
        return tuple(getattr(self.metrics, name) for name in SHORT_FIGURE_TITLES)


def comparison(record: ExperimentRecord | ExperimentSummary, part: str) -> Sequence[ModelMetrics]:
    """Return the metrics of the network and of every baseline on one part of the lines.

    Args:
        record: of the experiment; its network is the best trial's, once that was evaluated.
        part: ``validation`` or ``test``.

    Returns:
        Models by mean absolute error, lowest first; empty before anything was evaluated.
    """
    rows = []
    if record.final_evaluation is not None:
        metrics = getattr(record.final_evaluation, part)
        rows.append(ModelMetrics(name=NETWORK, title=NETWORK_TITLE, metrics=metrics))
    rows += [
        ModelMetrics(name=name, title=model_title(name), metrics=getattr(result, part))
        for name, result in (record.baselines or {}).items()
    ]
    return sorted(rows, key=lambda row: row.metrics.mean_absolute_error)
