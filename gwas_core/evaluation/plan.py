"""What an evaluation does: fixed before it begins, so that going on with it cannot mean something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gwas_core.errors import InputError, SettingsError
from gwas_core.evaluation.folds import HeldOutSet, check_folds, held_out_families, held_out_folds
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.messages import quoted
from gwas_core.workspace import MAXIMUM_NAME_LENGTH, check_experiment_name

_MOST_SEEDS = 100
_TUNING_SUFFIX = "-tuning"


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """One evaluation, described completely.

    Attributes:
        name: also names its folder.
        dataset: content hash of the lines as read, with their folds.
        source: the file's name, for people.
        preprocessing: filters and imputation, fitted anew to the training lines of every part.
        made_folds: whether the folds were made here, by families, since the data brought none.
        tune_folds: hyperparameters are tuned on their lines alone.
        test_folds: their lines are predicted; and no line of theirs was tuned on.
        leave_family_out: whether families are predicted instead, each by models of all other families.
        families: those to predict; all where empty.
        experiment: the search that tunes.
        tuning: its settings, JSON-ready; None where an experiment that is there is reused.
        seeds: networks trained for each part, each with another validation part; their predictions are averaged.
        seed: fixes made folds, training and resamples.

    Raises:
        SettingsError: naming the field that is refused.
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
    tuning: Mapping[str, Any] | None
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
            raise SettingsError("families can be chosen where families are left out", field="families")
        for name, least, most in (("seeds", 1, _MOST_SEEDS), ("seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise SettingsError(
                    f"{name} must be a whole number from {least} to {most}, not {quoted(value)}", field=name
                )

    def held_out_sets(self, dataset: Dataset) -> tuple[HeldOutSet, ...]:
        """What is predicted, part by part.

        Raises:
            SettingsError: the dataset lacks a fold or a family, or one is too small.
        """
        check_folds(dataset, self.tune_folds, field="tune_folds")
        check_folds(dataset, self.test_folds, field="test_folds")
        return (
            held_out_families(dataset, self.families)
            if self.leave_family_out
            else held_out_folds(dataset, self.test_folds)
        )

    def settings(self) -> dict[str, Any]:
        """All that the result depends on, by name; those of the search among them."""
        values = self.to_dict()
        del values["source"]
        return values | (values.pop("tuning") or {})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {name: list(values[name]) for name in ("tune_folds", "test_folds", "families")}
        return {**values, **lists, "preprocessing": self.preprocessing.to_dict()}

    @classmethod
    def from_dict(cls, values: Any) -> EvaluationPlan:
        """Undo ``to_dict``.

        Raises:
            InputError: this is no plan of this version.
        """
        try:
            lists = {name: tuple(values[name]) for name in ("tune_folds", "test_folds", "families")}
            return cls(**{**values, **lists, "preprocessing": PreprocessingSettings.from_dict(values["preprocessing"])})
        except (TypeError, KeyError, SettingsError) as error:
            raise InputError(f"this is not the plan of an evaluation: {error}") from error


def default_folds(dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first half of the folds to tune on, and the rest to test: 1-5 and 6-10 of ten."""
    assert dataset.folds is not None
    present = sorted(set(dataset.folds.tolist()))
    return tuple(present[: len(present) // 2]), tuple(present[len(present) // 2 :])


def tuning_name(stem: str) -> str:
    """The name of the search of an evaluation."""
    return stem[: MAXIMUM_NAME_LENGTH - len(_TUNING_SUFFIX)].rstrip("-") + _TUNING_SUFFIX


def tuning_split(tune_folds: tuple[int, ...]) -> SplitSettings:
    """How the lines that are tuned on are divided.

    By folds: trials are compared on the last, and the first is the search's own test. With fewer than three folds,
    at random within families.
    """
    if len(tune_folds) < 3:
        return SplitSettings()
    return SplitSettings(method="folds", validation_folds=tune_folds[-1:], test_folds=tune_folds[:1])
