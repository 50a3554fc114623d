"""Processes of this program, and what they share: the floor that knows nothing of genetics.

``detached`` starts a process that outlives its parent; ``command_messages`` are what a command tells a person or the
program that started it. ``worker_pool`` keeps workers busy: forks of one ``fork_server``
that has imported everything, each fed through a ``channel`` and answering, with the loop in ``worker``, by one of the
``worker_messages``. ``locks`` says who works on a folder, ``threads`` shares the cores out, ``memory`` measures and
returns memory. ``limits`` calls a function in a process whose memory and time are limited, for what strangers send.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
