"""Summary of an experiment as JSON: what ``--json`` prints for every command about experiments.

Also here: names of its keys.
"""

from __future__ import annotations

from typing import Any

from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

# How figures of the two parts of the lines are called in the summary.
_PREFIXES = {"val": "validation", "test": "test"}


def summarise(record: ExperimentRecord) -> dict[str, Any]:
    """Return the state of an experiment, its best trial, its baselines and the verdict, as JSON takes them.

    Returns:
        ``trials`` holds the number of trials by state. Figures of ``best`` and of each baseline have the prefix
        ``val_`` for validation lines and ``test_`` for test lines; those on test lines are there once the best trial
        was judged on them. Errors are in the phenotype's unit.
    """
    counts = record.counts
    return {
        "name": record.name,
        "state": record.state.value,
        "reason": record.reason,
        "source": record.experiment.source,
        "dataset": record.experiment.dataset,
        "trials": {
            "max": record.experiment.max_trials,
            **{state.value: counts[state] for state in TrialState},
        },
        "best": _best(record),
        "baselines": {
            name: {
                f"{prefix}_{figure}": value
                for prefix, part in _PREFIXES.items()
                for figure, value in getattr(result, part).figures().items()
            }
            for name, result in (record.baselines or {}).items()
        },
        "verdict": verdict_sentence(experiment_verdict(record)),
        "directory": str(record.directory),
    }


def _best(record: ExperimentRecord) -> dict[str, Any] | None:
    best = record.best
    if best is None:
        return None
    figures: dict[str, Any] = dict(best.metrics)
    if (evaluation := record.evaluated_best) is not None:
        figures |= {f"test_{name}": value for name, value in evaluation.test.figures().items()}
        figures["test_evaluations"] = evaluation.test_evaluations
    return {"trial": best.number, **figures, "parameters": dict(best.parameters)}
