"""Choice of the model that a search tunes: the network, unless ``GWAS_MODEL`` names another module.

Also here: what such a module has to offer.

The variable reaches every process of a search: the supervisor and its workers, or Katib's trials.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gwas_core.errors import InputError
from gwas_core.messages import quoted
from gwas_core.model.calibration import Calibration
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.model.refit import RefitResult
from gwas_core.model.training import TrialResult

MODEL_VARIABLE = "GWAS_MODEL"
"""Environment variable with the name of a module that has the functions of ``ModelFunctions``."""

NETWORK = "gwas_core.model.search_functions"


@dataclass(frozen=True, kw_only=True)
class ModelFunctions:
    """Functions of one model.

    Attributes:
        run_trial: has the signature and contract of ``gwas_core.model.training.run_trial``.
        finalise: has those of ``gwas_core.model.finalise.finalise``.
        refit: has those of ``gwas_core.model.refit.refit``; None if what was judged is what is taken home.
        calibrate: has those of ``gwas_core.model.calibration.calibrate``; None if there is no choice of XLA.
        import_before_fork: imports what takes long and starts no thread; called once, before workers are forked.
    """

    run_trial: Callable[..., TrialResult]
    finalise: Callable[..., Mapping[str, PredictionMetrics]]
    refit: Callable[..., RefitResult] | None = None
    calibrate: Callable[..., Calibration] | None = None
    import_before_fork: Callable[[], None] | None = None


def model_functions() -> ModelFunctions:
    """Return the functions of the model that this process is to tune.

    Raises:
        InputError: the module named by ``GWAS_MODEL`` does not exist or lacks a function.
    """
    name = os.environ.get(MODEL_VARIABLE) or NETWORK
    try:
        module = importlib.import_module(name)
        return ModelFunctions(
            run_trial=module.run_trial,
            finalise=module.finalise,
            refit=getattr(module, "refit", None),
            calibrate=getattr(module, "calibrate", None),
            import_before_fork=getattr(module, "import_before_fork", None),
        )
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(
            f"{MODEL_VARIABLE} names {quoted(name)}, which is no model that can be tuned: {error}"
        ) from error
