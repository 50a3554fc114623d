from .folds import HeldOutSet as HeldOutSet
from .folds import PreparedHeldOutSet as PreparedHeldOutSet
from .folds import held_out_families as held_out_families
from .folds import held_out_folds as held_out_folds
from .folds import prepare_held_out_set as prepare_held_out_set
from .folds import stratified_folds as stratified_folds
from .folds import usable_lines as usable_lines
from .folds import with_folds as with_folds
from .intervals import Comparison as Comparison
from .intervals import Estimate as Estimate
from .intervals import HeldOutPredictions as HeldOutPredictions
from .intervals import compare as compare
from .intervals import held_out_metrics as held_out_metrics
from .plan import EvaluationPlan as EvaluationPlan
from .plan import TuningSettings as TuningSettings
from .plan import default_folds as default_folds
from .plan import plan_evaluation as plan_evaluation
from .plan import tuning_name as tuning_name
from .result import EvaluationResult as EvaluationResult
from .result import HeldOutResult as HeldOutResult
from .run import TaskProgress as TaskProgress
from .run import evaluate as evaluate
from .store import ChosenHyperparameters as ChosenHyperparameters
from .store import EvaluationStore as EvaluationStore
from .store import EvaluationTask as EvaluationTask
from .store import TaskResult as TaskResult
from .store import evaluations_of as evaluations_of

__all__ = [
    "ChosenHyperparameters",
    "Comparison",
    "Estimate",
    "EvaluationPlan",
    "EvaluationResult",
    "EvaluationStore",
    "EvaluationTask",
    "HeldOutPredictions",
    "HeldOutResult",
    "HeldOutSet",
    "PreparedHeldOutSet",
    "TaskProgress",
    "TaskResult",
    "TuningSettings",
    "compare",
    "default_folds",
    "evaluate",
    "evaluations_of",
    "held_out_families",
    "held_out_folds",
    "held_out_metrics",
    "plan_evaluation",
    "prepare_held_out_set",
    "stratified_folds",
    "tuning_name",
    "usable_lines",
    "with_folds",
]
