"""Engines behind one interface: every request goes to the one that runs the experiment, this machine's or a cluster's.

``selection`` forwards requests, and ``launch`` creates and starts an experiment. What a cluster needs is imported only
for an experiment that runs on one.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
