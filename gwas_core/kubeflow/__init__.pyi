from .client_cache import ClientCache as ClientCache
from .cluster import NotConfigured as NotConfigured
from .cluster import connect as connect
from .cluster import ensure_claim as ensure_claim
from .cluster import is_claim_here as is_claim_here
from .cluster import is_configured as is_configured
from .cluster_binding import ClusterBinding as ClusterBinding
from .cluster_binding import find_binding as find_binding
from .cluster_binding import load_binding as load_binding
from .engine import KubeflowEngine as KubeflowEngine
from .intervals import PollingIntervals as PollingIntervals
from .katib import check_katib as check_katib
from .katib import katib_experiment as katib_experiment
from .katib import to_yaml as to_yaml
from .kubernetes_api import ClusterError as ClusterError
from .kubernetes_api import KubernetesApi as KubernetesApi
from .pipeline import LocalRun as LocalRun
from .pipeline import RunParameters as RunParameters
from .pipeline import compile_pipeline as compile_pipeline
from .pipeline import run_locally as run_locally
from .pipelines_api import PipelinesApi as PipelinesApi
from .pipelines_api import Run as Run
from .pipelines_api import RunState as RunState
from .preflight import Check as Check
from .preflight import CheckStatus as CheckStatus
from .settings import ClusterSettings as ClusterSettings
from .transfer_pod import TransferPod as TransferPod

__all__ = [
    "Check",
    "CheckStatus",
    "ClientCache",
    "ClusterBinding",
    "ClusterError",
    "ClusterSettings",
    "KubeflowEngine",
    "KubernetesApi",
    "LocalRun",
    "NotConfigured",
    "PipelinesApi",
    "PollingIntervals",
    "Run",
    "RunParameters",
    "RunState",
    "TransferPod",
    "check_katib",
    "compile_pipeline",
    "connect",
    "ensure_claim",
    "find_binding",
    "is_claim_here",
    "is_configured",
    "katib_experiment",
    "load_binding",
    "run_locally",
    "to_yaml",
]
