"""Deep-learning GWAS: the core that the dashboard, the command line, notebooks and Kubeflow share.

A notebook imports this package and calls its functions, one for each step: ``read_dataset``, ``describe``, ``tune``,
``evaluate``, ``open_experiment`` and ``predict`` (``gwas_core.api``). What lies below is in packages, each of which
says what it exports; ``docs/architecture.md`` draws how they rest on each other. Names are loaded on first use, so that
the import takes no time.
"""

import lazy_loader as _lazy

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
