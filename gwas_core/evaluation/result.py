"""Result of an evaluation: figures of every model with intervals, and the held-out sets behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gwas_core.errors import InputError
from gwas_core.evaluation.intervals import Comparison
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.serialization import CustomForm, JsonObject, from_json_values, to_json_values

NETWORK = "network"
"""Name of the network among the models of an evaluation; the others have the names of ``model.baselines``."""

MISSING_PATTERN = "missing_pattern"
"""Name of the control that sees where genotypes were missing, and no allele."""

_HELD_OUT_KEYS = ("name", "title", "lines", "training_lines")


@dataclass(frozen=True, kw_only=True)
class HeldOutResult(CustomForm):
    """Metrics of every model on one held-out set; as JSON, each model's stand beside the other fields.

    Attributes:
        name: of the held-out set, such as ``fold-6`` or ``family-003``.
        title: for people, such as ``fold 6`` or ``family 23``.
        lines: number of lines that were predicted.
        training_lines: number of lines that models were trained on.
        metrics: by model.
    """

    name: str
    title: str
    lines: int
    training_lines: int
    metrics: Mapping[str, PredictionMetrics]

    def to_dict(self) -> JsonObject:
        """Return the result as JSON takes it, the metrics of each model under its name."""
        return {
            **{key: getattr(self, key) for key in _HELD_OUT_KEYS},
            **{model: to_json_values(metrics) for model, metrics in self.metrics.items()},
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> HeldOutResult:
        """Return the result that ``to_dict`` described.

        Args:
            values: one of the ``parts`` of ``result.json``.

        Raises:
            KeyError, InputError: an entry is missing, or metrics are not readable.
        """
        return cls(
            **{key: values[key] for key in _HELD_OUT_KEYS},
            metrics={
                name: from_json_values(
                    PredictionMetrics, metrics, name="metrics", error=InputError, ignore_unknown=True
                )
                for name, metrics in values.items()
                if name not in _HELD_OUT_KEYS
            },
        )


@dataclass(frozen=True, kw_only=True)
class EvaluationResult(CustomForm):
    """Outcome of an evaluation: what tables, charts and sentences about it are made from.

    As JSON, the figures of each model stand beside the other fields (``Comparison.to_dict``), and ``held_out`` is
    called ``parts``: people read ``evaluate --json`` in this form.

    Attributes:
        name: of the evaluation.
        trait: name of the phenotype.
        standard_deviation: of the phenotype over all lines, in its unit.
        lines: number of lines that were predicted, over all held-out sets.
        experiment: name of the search that chose the hyperparameters.
        trial: number of its best trial.
        hyperparameters: of every network, by name.
        comparison: figures of every model and differences from the network, with intervals.
        held_out: one entry for each held-out set.
        reading: sentences about reading the file.
        notes: sentences about how the evaluation was done.
        plan: of the evaluation.
    """

    name: str
    trait: str
    standard_deviation: float
    lines: int
    experiment: str
    trial: int
    hyperparameters: Mapping[str, HyperparameterValue]
    comparison: Comparison
    held_out: tuple[HeldOutResult, ...]
    reading: tuple[str, ...]
    notes: tuple[str, ...]
    plan: EvaluationPlan

    def to_dict(self) -> JsonObject:
        """Return the result as ``result.json`` and ``evaluate --json`` hold it, each model under its own name."""
        return {
            "name": self.name,
            "trait": self.trait,
            "standard_deviation": self.standard_deviation,
            "lines": self.lines,
            "experiment": self.experiment,
            "trial": self.trial,
            "hyperparameters": dict(self.hyperparameters),
            **self.comparison.to_dict(),
            "parts": [entry.to_dict() for entry in self.held_out],
            "reading": list(self.reading),
            "notes": list(self.notes),
            "plan": self.plan.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> EvaluationResult:
        """Return the result that ``to_dict`` described.

        Args:
            values: content of ``result.json``.

        Raises:
            InputError: if these are not the values of a result.
        """
        try:
            return cls(
                name=values["name"],
                trait=values["trait"],
                standard_deviation=values["standard_deviation"],
                lines=values["lines"],
                experiment=values["experiment"],
                trial=values["trial"],
                hyperparameters=values["hyperparameters"],
                comparison=Comparison.from_dict(values),
                held_out=tuple(HeldOutResult.from_dict(entry) for entry in values["parts"]),
                reading=tuple(values["reading"]),
                notes=tuple(values["notes"]),
                plan=EvaluationPlan.from_dict(values["plan"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is not the result of an evaluation: {error}") from error
