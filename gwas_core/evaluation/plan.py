"""Plan of an evaluation: which folds are tuned on and tested, networks per set, seeds; fixed before it begins.

Also here: which folds are taken if none are named; the name and the split of its search; the refusal to tune on folds
that are tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from gwas_core.errors import GwasError, InputError, SettingsError
from gwas_core.evaluation.folds import (
    HeldOutSet,
    check_folds,
    held_out_families,
    held_out_folds,
    usable_lines,
    with_folds,
)
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.messages import quoted
from gwas_core.serialization import JsonObject, from_json_values, to_json_values
from gwas_core.tuning.early_stopping import EarlyStoppingSettings
from gwas_core.tuning.experiment import Xla
from gwas_core.tuning.search_settings import SearchOptions
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, check_experiment_name

_MOST_SEEDS = 100
_TUNING_SUFFIX = "-tuning"


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """Settings of the search of an evaluation; its data and its split follow from the plan.

    None leaves a setting at the default of ``Experiment``.
    """

    space: SearchSpace
    algorithm: AlgorithmSettings | None = None
    max_trials: int | None = None
    seed: int | None = None
    xla: Xla | None = None
    early_stopping: EarlyStoppingSettings | None = None

    def given(self) -> SearchOptions:
        """Return the settings that are given, by the names of the fields of ``Experiment``."""
        return cast(SearchOptions, _given({field.name: getattr(self, field.name) for field in fields(self)}))


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """Complete description of one evaluation.

    Attributes:
        name: also of its folder.
        dataset: content hash of the lines as read, with their folds.
        source: name of the file, for people.
        preprocessing: filters and imputation, fitted anew to the training lines of every held-out set.
        made_folds: whether folds were made here, by families, since the data have none.
        tune_folds: folds on whose lines alone hyperparameters are tuned.
        test_folds: folds whose lines are predicted; none of these lines is used for tuning.
        leave_family_out: whether families are predicted instead, each by models of all other families.
        families: names of those to predict; all if empty.
        experiment: name of the search that tunes.
        tuning: settings of that search; None if an existing experiment is reused.
        seeds: number of networks for each held-out set, each with other validation lines; their predictions are
            averaged.
        seed: of made folds, training and resamples.

    Raises:
        SettingsError: with ``field`` naming the setting that is refused.
    """

    name: str
    dataset: str
    source: str
    preprocessing: PreprocessingSettings
    made_folds: bool
    tune_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    leave_family_out: bool = False
    families: tuple[str, ...] = ()
    experiment: str
    tuning: TuningSettings | None
    seeds: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_experiment_name(self.name)
        check_experiment_name(self.experiment)
        for name in ("tune_folds", "test_folds"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        object.__setattr__(self, "families", tuple(sorted(set(self.families))))
        if both := set(self.tune_folds) & set(self.test_folds):
            raise SettingsError(
                f"fold {min(both)} cannot be both tuned on and tested: its lines would be judged by hyperparameters "
                "that were chosen for them",
                field="test_folds",
            )
        if self.families and not self.leave_family_out:
            raise SettingsError("families can be chosen only with --leave-family-out", field="families")
        for name, least, most in (("seeds", 1, _MOST_SEEDS), ("seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise SettingsError(
                    f"{name} must be a whole number from {least} to {most}, not {quoted(value)}", field=name
                )

    def held_out_sets(self, dataset: Dataset) -> tuple[HeldOutSet, ...]:
        """Return the held-out sets, in the order in which they are predicted.

        Args:
            dataset: the plan's, with folds.

        Raises:
            SettingsError: if the dataset lacks a fold or a family, or one has too few lines.
        """
        check_folds(dataset, self.tune_folds, field="tune_folds")
        check_folds(dataset, self.test_folds, field="test_folds")
        if self.leave_family_out:
            return held_out_families(dataset, self.families)
        return held_out_folds(dataset, self.test_folds)

    def settings(self) -> JsonObject:
        """Return all that the result depends on.

        Returns:
            JSON values by name, with the settings of the search among them; the name of the file is left out.
        """
        values = self.to_dict()
        del values["source"]
        return values | (values.pop("tuning") or {})

    def to_dict(self) -> JsonObject:
        """Return the plan as JSON values; settings of the search that are not given are left out."""
        values = to_json_values(self)
        if values["tuning"] is not None:
            values["tuning"] = _given(values["tuning"])
        return values

    @classmethod
    def from_dict(cls, values: Any) -> EvaluationPlan:
        """Return the plan that untrusted JSON values describe.

        Args:
            values: content of ``plan.json``.

        Raises:
            InputError: if this is no plan of this version.
        """
        try:
            return from_json_values(cls, values, name="plan", error=InputError)
        except GwasError as error:
            raise InputError(f"this is not the plan of an evaluation: {error}") from error


def _given(settings: JsonObject) -> JsonObject:
    """Return the settings of a search that are given; no early stopping is a choice, not a default."""
    return {name: value for name, value in settings.items() if value is not None or name == "early_stopping"}


def plan_evaluation(
    dataset: Dataset,
    *,
    name: str | None,
    stem: str,
    source: str,
    preprocessing: PreprocessingSettings,
    tuning: TuningSettings,
    tune_folds: Sequence[int] | None = None,
    test_folds: Sequence[int] | None = None,
    leave_family_out: bool = False,
    families: Sequence[str] = (),
    reuse: str | None = None,
    seeds: int,
    seed: int,
) -> tuple[Dataset, EvaluationPlan, tuple[str, ...]]:
    """Return the lines to evaluate on, with folds, the plan, and sentences about lines that were left out.

    Args:
        dataset: as read; ten folds are made within families if it has none.
        name: of the evaluation; made from ``stem`` if None.
        stem: name that the evaluation, and the experiment that tunes, have by default.
        tuning: settings of the search, not used if an experiment is reused.
        tune_folds: the first half of the folds if None.
        test_folds: the other half if None.
        reuse: name of the experiment whose best hyperparameters are taken instead of tuning.

    Raises:
        SettingsError: with ``field`` naming the setting that is refused.
    """
    usable, sentences = usable_lines(dataset, preprocessing)
    folded = with_folds(usable, seed=seed)
    first_half, second_half = default_folds(folded)
    stem = name or stem
    plan = EvaluationPlan(
        name=name or (f"{stem}-families" if leave_family_out else stem),
        dataset=folded.content_hash,
        source=source,
        preprocessing=preprocessing,
        made_folds=usable.folds is None,
        tune_folds=first_half if tune_folds is None else tuple(tune_folds),
        test_folds=second_half if test_folds is None else tuple(test_folds),
        leave_family_out=leave_family_out,
        families=tuple(families),
        experiment=reuse or tuning_name(stem),
        tuning=None if reuse else tuning,
        seeds=seeds,
        seed=seed,
    )
    return folded, plan, sentences


def default_folds(dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the folds to tune on and the folds to test.

    Args:
        dataset: with folds.

    Returns:
        Numbers of the first half of the folds and of the rest: 1-5 and 6-10 of ten.
    """
    assert dataset.folds is not None
    present = sorted(set(dataset.folds.tolist()))
    return tuple(present[: len(present) // 2]), tuple(present[len(present) // 2 :])


def tuning_name(stem: str) -> str:
    """Return the name of the search of an evaluation.

    Args:
        stem: name of the evaluation; it is shortened if the two together are too long for the name of an experiment.
    """
    return stem[: MAXIMUM_NAME_LENGTH - len(_TUNING_SUFFIX)].rstrip("-") + _TUNING_SUFFIX


def tuning_split(tune_folds: tuple[int, ...]) -> SplitSettings:
    """Return how the lines of the tune folds are divided for the search.

    Args:
        tune_folds: numbers of the folds, ascending.

    Returns:
        Trials are compared on the last fold, and the first is the search's own test set. With fewer than three folds
        lines are divided at random within families.
    """
    if len(tune_folds) < 3:
        return SplitSettings()
    return SplitSettings(method="folds", validation_folds=tune_folds[-1:], test_folds=tune_folds[:1])
