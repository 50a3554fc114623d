from . import association as association
from . import engines as engines
from . import evaluation as evaluation
from . import genotypes as genotypes
from . import kubeflow as kubeflow
from . import model as model
from . import processes as processes
from . import report as report
from . import tuning as tuning
from .api import DataNote as DataNote
from .api import ExperimentHandle as ExperimentHandle
from .api import describe as describe
from .api import evaluate as evaluate
from .api import open_experiment as open_experiment
from .api import predict as predict
from .api import read_dataset as read_dataset
from .api import tune as tune
from .errors import GwasError as GwasError
from .evaluation.result import EvaluationResult as EvaluationResult
from .genotypes.dataset import Dataset as Dataset
from .genotypes.preprocessing import PreprocessingSettings as PreprocessingSettings
from .genotypes.quality import QualityReport as QualityReport
from .genotypes.splits import SplitSettings as SplitSettings
from .model.prediction import Predictions as Predictions
from .tuning.space import Parameter as Parameter
from .tuning.space import SearchSpace as SearchSpace

__version__: str
__all__ = [
    "DataNote",
    "Dataset",
    "EvaluationResult",
    "ExperimentHandle",
    "GwasError",
    "Parameter",
    "Predictions",
    "PreprocessingSettings",
    "QualityReport",
    "SearchSpace",
    "SplitSettings",
    "association",
    "describe",
    "engines",
    "evaluate",
    "evaluation",
    "genotypes",
    "kubeflow",
    "model",
    "open_experiment",
    "predict",
    "processes",
    "read_dataset",
    "report",
    "tune",
    "tuning",
]
