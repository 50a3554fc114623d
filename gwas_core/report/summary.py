"""An experiment in a few figures and one honest sentence: the same for the command line, pages and the model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord

NETWORK_TITLE = "This network"
BASELINE_TITLES = {
    "mean": "Training mean",
    "family_mean": "Family mean, no SNP",
    "gblup": "GBLUP (REML)",
    "gblup_family": "GBLUP + family (REML)",
}


def comparison(record: ExperimentRecord, part: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(title, judgement) of the network and every baseline on ``part`` (validation or test), best MAE first."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    if record.result is not None and part in record.result:
        rows.append((NETWORK_TITLE, record.result[part]))
    for name, result in (record.baselines or {}).items():
        if part in result:
            rows.append((BASELINE_TITLES.get(name, name), result[part]))
    return sorted(rows, key=lambda row: float(row[1]["mean_absolute_error"]))


def verdict(record: ExperimentRecord) -> str:
    """One sentence: did the network earn its place on the test lines?"""
    scores = {title: float(judgement["mean_absolute_error"]) for title, judgement in comparison(record, "test")}
    own = scores.pop(NETWORK_TITLE, None)
    if own is None:
        return "No network has been judged on the test lines yet."
    if not scores:
        return "No baseline could be computed, so there is nothing to compare the network with."
    best = min(scores, key=lambda title: scores[title])
    change = abs(own - scores[best]) / scores[best] if scores[best] else 0.0
    if own < scores[best]:
        return f"The network predicts the test lines better than the best baseline, {best} (MAE {change:.1%} lower)."
    beaten = [title for title in scores if own < scores[title]]
    sentence = f"The network does not beat {best} on the test lines (MAE {change:.1%} higher)"
    return f"{sentence}; it beats: {', '.join(beaten)}." if beaten else f"{sentence}, nor any other baseline."


def summarise(record: ExperimentRecord) -> dict[str, Any]:
    """JSON-ready: state, trials by state, best trial, baselines, verdict."""
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
                for prefix, part in (("val", "validation"), ("test", "test"))
                for figure, value in result.get(part, {}).items()
                if figure != "lines"
            }
            for name, result in (record.baselines or {}).items()
        },
        "verdict": verdict(record),
        "directory": str(record.directory),
    }


def _best(record: ExperimentRecord) -> dict[str, Any] | None:
    best = record.best
    if best is None:
        return None
    figures: dict[str, Any] = dict(best.metrics)
    if record.result is not None and record.result.get("trial") == best.number:
        figures |= {f"test_{name}": value for name, value in record.result["test"].items() if name != "lines"}
        figures["test_evaluations"] = record.result.get("test_evaluations")
    return {"trial": best.number, **figures, "parameters": dict(best.parameters)}
