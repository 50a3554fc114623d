"""Which functions an engine's workers call: the network's, unless another model is to be tuned."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from gwas_core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ModelFunctions:
    """Addresses, ``module:function``, importable in a worker.

    Attributes:
        trial: has the signature and contract of ``gwas_core.model.training.run_trial``; its module may have a function
            ``import_dependencies`` that imports what takes long, and starts no thread.
        finalise: has those of ``gwas_core.model.finalise.finalise``.
        calibrate: has those of ``gwas_core.model.calibration.calibrate``; empty where there is no XLA to choose.
    """

    trial: str = "gwas_core.model.training:run_trial"
    finalise: str = "gwas_core.model.finalise:finalise"
    calibrate: str = "gwas_core.model.calibration:calibrate"

    def bring_in(self) -> None:
        """Import what all workers need, before they are forked.

        Raises:
            InputError: there is no such function.
        """
        load_function(self.trial)
        module = importlib.import_module(self.trial.partition(":")[0])
        if hasattr(module, "import_dependencies"):
            module.import_dependencies()

    def to_json(self) -> str:
        """As one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelFunctions:
        return cls(**json.loads(text))


def load_function(address: str) -> Callable[..., Any]:
    """The function at an address.

    Raises:
        InputError: there is no such function.
    """
    module, _, name = address.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"there is no function {address!r}: {error}") from error
    return function
