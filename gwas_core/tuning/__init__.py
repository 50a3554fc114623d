"""Search for good hyperparameters: spaces, suggestions, experiments, and the engine of this machine.

``experiment`` describes a search: its ``space``, its algorithm (``suggest``, with ``bayesian`` and ``grid``) and its
``early_stopping``. ``search_settings`` reads what people type, and ``creation`` adds an experiment to the store.

``store`` reads experiments as ``records``, from the Optuna ``storage`` and, for speed, from its ``tables``; ``writer``
is the only way in which the process that runs an experiment writes its progress. ``attributes`` are the records that
both find under the names of Optuna's user attributes.

``engine`` is the interface of all engines. ``local`` is that of this machine: it starts a ``supervisor`` for each
experiment, which sends ``jobs`` to ``worker`` processes and decides by ``progress`` when the search is over.
``model_functions`` names what workers call. ``measurement`` times a network before a search; ``demo`` is the example.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
