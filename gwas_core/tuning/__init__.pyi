from .attributes import Attempt as Attempt
from .attributes import Outcome as Outcome
from .bayesian import BayesianSettings as BayesianSettings
from .creation import check_fits_network as check_fits_network
from .creation import create_experiment as create_experiment
from .creation import describe_experiment as describe_experiment
from .demo import DEMO_FILE as DEMO_FILE
from .demo import DEMO_NAME as DEMO_NAME
from .demo import read_demo as read_demo
from .early_stopping import EarlyStoppingSettings as EarlyStoppingSettings
from .early_stopping import MedianStop as MedianStop
from .engine import Engine as Engine
from .engine import watch as watch
from .experiment import EngineName as EngineName
from .experiment import Experiment as Experiment
from .experiment import ExperimentState as ExperimentState
from .experiment import TrialState as TrialState
from .experiment import Xla as Xla
from .local import LocalEngine as LocalEngine
from .measurement import Measurement as Measurement
from .measurement import MeasurementRequest as MeasurementRequest
from .measurement import Measurements as Measurements
from .measurement import MeasurementStatus as MeasurementStatus
from .model_functions import ModelFunctions as ModelFunctions
from .records import ExperimentRecord as ExperimentRecord
from .records import ExperimentSummary as ExperimentSummary
from .records import FinalMetrics as FinalMetrics
from .records import TrialRecord as TrialRecord
from .search_settings import SearchOptions as SearchOptions
from .search_settings import free_name as free_name
from .search_settings import search_settings as search_settings
from .space import PRESETS as PRESETS
from .space import Parameter as Parameter
from .space import ParameterKind as ParameterKind
from .space import Scale as Scale
from .space import SearchSpace as SearchSpace
from .store import Store as Store
from .suggest import ALGORITHMS as ALGORITHMS
from .suggest import AlgorithmSettings as AlgorithmSettings
from .suggest import SpaceSampler as SpaceSampler
from .suggest import make_sampler as make_sampler
from .writer import ExperimentWriter as ExperimentWriter

__all__ = [
    "ALGORITHMS",
    "DEMO_FILE",
    "DEMO_NAME",
    "PRESETS",
    "AlgorithmSettings",
    "Attempt",
    "BayesianSettings",
    "EarlyStoppingSettings",
    "Engine",
    "EngineName",
    "Experiment",
    "ExperimentRecord",
    "ExperimentState",
    "ExperimentSummary",
    "ExperimentWriter",
    "FinalMetrics",
    "LocalEngine",
    "Measurement",
    "MeasurementRequest",
    "MeasurementStatus",
    "Measurements",
    "MedianStop",
    "ModelFunctions",
    "Outcome",
    "Parameter",
    "ParameterKind",
    "Scale",
    "SearchOptions",
    "SearchSpace",
    "SpaceSampler",
    "Store",
    "TrialRecord",
    "TrialState",
    "Xla",
    "check_fits_network",
    "create_experiment",
    "describe_experiment",
    "free_name",
    "make_sampler",
    "read_demo",
    "search_settings",
    "watch",
]
