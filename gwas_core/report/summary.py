"""Summary of an experiment: what the command line says of it, and prints as JSON for ``--json``.

Also here: names of the keys in that JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.report.verdict import experiment_verdict, verdict_sentence
from gwas_core.serialization import JsonObject, to_json_values
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.parallel_trials import ParallelTrials
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

# How figures of the two parts of the lines are called in the summary.
_PREFIXES = {"val": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class BestTrial:
    """Best trial of a search.

    Attributes:
        number: of the trial.
        figures: by name, with the prefix ``val_`` on validation lines; with ``test_`` on test lines, once the trial was
            evaluated on them. Errors are in the phenotype's unit.
        parameters: hyperparameters by name, searched and fixed.
        test_evaluations: number of networks that were evaluated on the test lines; None if this one was not.
    """

    number: int
    figures: Mapping[str, float | None]
    parameters: Mapping[str, HyperparameterValue]
    test_evaluations: int | None


@dataclass(frozen=True, kw_only=True)
class SearchSummary:
    """State and results of an experiment.

    Attributes:
        name: of the experiment.
        state: what it is doing.
        reason: why it is in this state; empty if there is nothing to say.
        source: name of the file that the data came from.
        dataset: content hash of the dataset.
        max_trials: number of trials after which the search ends.
        trials: number of trials by state.
        best: None until a trial has succeeded.
        baselines: figures of each baseline, named as those of ``BestTrial``; empty until they are there.
        verdict: sentence that compares the network with the baselines.
        directory: folder of the experiment.
        parallel: trials at a time here, and why not as many as were asked for; None before it ran, and on a cluster.
    """

    name: str
    state: ExperimentState
    reason: str
    source: str
    dataset: str
    max_trials: int
    trials: Mapping[TrialState, int]
    best: BestTrial | None
    baselines: Mapping[str, Mapping[str, float | None]]
    verdict: str
    directory: Path
    parallel: ParallelTrials | None

    def to_dict(self) -> JsonObject:
        """Return the summary as JSON values, figures of the best trial at the level of its number."""
        best = self.best
        return {
            "name": self.name,
            "state": self.state.value,
            "reason": self.reason,
            "source": self.source,
            "dataset": self.dataset,
            "trials": {"max": self.max_trials, **{state.value: count for state, count in self.trials.items()}},
            "best": None if best is None else _best_to_dict(best),
            "baselines": {name: dict(figures) for name, figures in self.baselines.items()},
            "verdict": self.verdict,
            "directory": str(self.directory),
            "parallel_trials": None if self.parallel is None else to_json_values(self.parallel),
        }


def _best_to_dict(best: BestTrial) -> JsonObject:
    evaluations = {} if best.test_evaluations is None else {"test_evaluations": best.test_evaluations}
    return {"trial": best.number, **best.figures, **evaluations, "parameters": dict(best.parameters)}


def summarise(record: ExperimentRecord) -> SearchSummary:
    """Return the state of an experiment, its best trial, its baselines and the verdict."""
    return SearchSummary(
        name=record.name,
        state=record.state,
        reason=record.reason,
        source=record.experiment.source,
        dataset=record.experiment.dataset,
        max_trials=record.experiment.max_trials,
        trials={state: record.counts[state] for state in TrialState},
        best=None if record.best is None else _best(record, record.best),
        baselines={
            name: {
                f"{prefix}_{figure}": value
                for prefix, part in _PREFIXES.items()
                for figure, value in getattr(result, part).figures().items()
            }
            for name, result in (record.baselines or {}).items()
        },
        verdict=verdict_sentence(experiment_verdict(record)),
        directory=record.directory,
        parallel=record.parallel,
    )


def _best(record: ExperimentRecord, best: TrialRecord) -> BestTrial:
    figures: dict[str, float | None] = dict(best.metrics)
    evaluation = record.evaluated_best
    if evaluation is not None:
        figures |= {f"test_{name}": value for name, value in evaluation.test.figures().items()}
    return BestTrial(
        number=best.number,
        figures=figures,
        parameters=best.parameters,
        test_evaluations=None if evaluation is None else evaluation.test_evaluations,
    )
