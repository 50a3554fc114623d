"""Search functions: what a search calls to train, to evaluate, to refit and to time a network.

``gwas_core.tuning.model_functions`` takes these unless another module is named. None of them imports TensorFlow before
it is called.
"""

from gwas_core.model.calibration import calibrate
from gwas_core.model.finalise import finalise
from gwas_core.model.refit import refit
from gwas_core.model.training import import_dependencies as import_before_fork
from gwas_core.model.training import run_trial

__all__ = ["calibrate", "finalise", "import_before_fork", "refit", "run_trial"]
