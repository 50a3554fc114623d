"""Models: networks and the baselines they are compared with, from training to a bundle that predicts new lines.

``training`` runs one trial: a network from ``networks`` with checked ``hyperparameters`` starts from
``initial_weights`` and is trained by ``trainer`` and ``compiled_training``. ``calibration`` times it. ``finalise``
evaluates the best trial on the test lines, ``refit`` trains it on all lines, ``attribution`` shows how it uses each
SNP, and ``bundle`` and ``prediction`` take it to other data. ``baselines`` are GBLUP (``mixed_model``) and means.
``mixed_model`` and ``effects``, behind the initial weights, estimate variances by the REML of ``variance_components``.
``metrics`` are the same for all models. ``heritability`` is that of the mixed model, and ``population_report`` puts it
beside what the genotypes show of the population.

Nothing here imports TensorFlow before a network is built or loaded.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
