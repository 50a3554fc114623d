from .attribution import Attribution as Attribution
from .attribution import attribute as attribute
from .baselines import BASELINES as BASELINES
from .baselines import BaselineResult as BaselineResult
from .baselines import evaluate_baselines as evaluate_baselines
from .baselines import predict_baselines as predict_baselines
from .bundle import Bundle as Bundle
from .bundle import BundleDescription as BundleDescription
from .bundle import BundleMetrics as BundleMetrics
from .bundle import BundleProgram as BundleProgram
from .bundle import LearnedLines as LearnedLines
from .bundle import Manifest as Manifest
from .bundle import NetworkMetrics as NetworkMetrics
from .bundle import open_bundle as open_bundle
from .bundle import write_bundle as write_bundle
from .calibration import Calibration as Calibration
from .calibration import Timing as Timing
from .calibration import calibrate as calibrate
from .heritability import SnpHeritability as SnpHeritability
from .heritability import snp_heritability as snp_heritability
from .hyperparameters import HybridHyperparameters as HybridHyperparameters
from .hyperparameters import Hyperparameters as Hyperparameters
from .hyperparameters import HyperparameterValue as HyperparameterValue
from .hyperparameters import TutorialHyperparameters as TutorialHyperparameters
from .initial_weights import InitialWeights as InitialWeights
from .initial_weights import TrainingLines as TrainingLines
from .initial_weights import fit_initial_weights as fit_initial_weights
from .metrics import BaselineMetrics as BaselineMetrics
from .metrics import PredictionMetrics as PredictionMetrics
from .metrics import compute_metrics as compute_metrics
from .metrics import pearson as pearson
from .metrics import within_family_pearson as within_family_pearson
from .mixed_model import MixedModel as MixedModel
from .mixed_model import VarianceComponents as VarianceComponents
from .mixed_model import fit_mixed_model as fit_mixed_model
from .mixed_model import genomic_relationship as genomic_relationship
from .networks import DEFAULT_NETWORK as DEFAULT_NETWORK
from .networks import NETWORKS as NETWORKS
from .networks import Network as Network
from .networks import parse_network as parse_network
from .population_report import PopulationReport as PopulationReport
from .prediction import Predictions as Predictions
from .prediction import predict_lines as predict_lines
from .refit import RefitResult as RefitResult
from .trainer import Standardisation as Standardisation
from .trainer import Trainer as Trainer
from .trainer import load_model as load_model
from .trainer import predict as predict
from .trainer import save_model as save_model
from .training import OBJECTIVE as OBJECTIVE
from .training import TrialResult as TrialResult
from .training import run_trial as run_trial

__all__ = [
    "BASELINES",
    "DEFAULT_NETWORK",
    "NETWORKS",
    "OBJECTIVE",
    "Attribution",
    "BaselineMetrics",
    "BaselineResult",
    "Bundle",
    "BundleDescription",
    "BundleMetrics",
    "BundleProgram",
    "Calibration",
    "HybridHyperparameters",
    "HyperparameterValue",
    "Hyperparameters",
    "InitialWeights",
    "LearnedLines",
    "Manifest",
    "MixedModel",
    "Network",
    "NetworkMetrics",
    "PopulationReport",
    "PredictionMetrics",
    "Predictions",
    "RefitResult",
    "SnpHeritability",
    "Standardisation",
    "Timing",
    "Trainer",
    "TrainingLines",
    "TrialResult",
    "TutorialHyperparameters",
    "VarianceComponents",
    "attribute",
    "calibrate",
    "compute_metrics",
    "evaluate_baselines",
    "fit_initial_weights",
    "fit_mixed_model",
    "genomic_relationship",
    "load_model",
    "open_bundle",
    "parse_network",
    "pearson",
    "predict",
    "predict_baselines",
    "predict_lines",
    "run_trial",
    "save_model",
    "snp_heritability",
    "within_family_pearson",
    "write_bundle",
]
