"""Evaluation of networks on held-out lines, which had no part in tuning, stopping or training.

``plan`` says what is done. ``folds`` makes the held-out sets, ``models`` trains on all other lines and predicts them;
``tasks`` and ``worker`` do so in processes. ``tuning`` chooses the hyperparameters, ``store`` keeps the files,
``intervals`` estimates figures and differences with confidence intervals, ``result`` holds them, ``methods`` says how
it was done, and ``run`` ties everything together.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
