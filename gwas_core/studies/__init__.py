"""Studies: what a person works on, one population and one trait, with all its searches.

``listing`` makes them of the datasets and experiments of a workspace, ``matching`` finds the dataset of an experiment
that an earlier version created, and ``about`` keeps what a person says of a study: name, notes, tags, archived or not.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
